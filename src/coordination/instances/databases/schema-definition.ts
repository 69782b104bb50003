/** Stands for the company's own role, so that definitions of two companies compare. */
export const COMPANY_ROLE = '$company';

export type ColumnDefinition = {
  name: string;
  type: string;
  collation: string | null;
  not_null: boolean;
  default: string | null;
  /** '' = none, `a` = always, `d` = by default. */
  identity: string;
  /** '' = none, `s` = stored, `v` = virtual; then `default` is the expression. */
  generated: string;
};

/**
 * Everything in a company's schema but rows, as PostgreSQL's own catalog tells it. Names in expressions are as they are seen with
 * that schema in search_path, so no definition holds the schema's name unless its author wrote it into a text.
 */
export type SchemaDefinition = {
  extensions: string[];
  enums: { name: string; labels: string[] }[];
  domains: {
    name: string;
    type: string;
    not_null: boolean;
    default: string | null;
    checks: { name: string; definition: string }[];
  }[];
  composites: { name: string; columns: { name: string; type: string }[] }[];
  tables: {
    name: string;
    unlogged: boolean;
    options: string[];
    rls: boolean;
    forced: boolean;
    columns: ColumnDefinition[];
  }[];
  sequences: {
    name: string;
    type: string;
    start: string;
    increment: string;
    min: string;
    max: string;
    cache: string;
    cycle: boolean;
    /** null = of no column. */
    table: string | null;
    column: string | null;
    identity: boolean;
  }[];
  constraints: { table: string; name: string; type: string; definition: string }[];
  indexes: { table: string; name: string; definition: string }[];
  functions: { signature: string; kind: 'function' | 'procedure'; definition: string }[];
  views: { name: string; materialized: boolean; options: string[]; definition: string }[];
  triggers: { table: string; name: string; enabled: string; definition: string }[];
  policies: {
    table: string;
    name: string;
    permissive: boolean;
    command: string;
    roles: string[];
    using: string | null;
    check: string | null;
  }[];
  grants: {
    kind: string;
    object: string;
    column: string | null;
    grantee: string;
    privilege: string;
    grantable: boolean;
  }[];
  comments: { kind: string; object: string; text: string }[];
  /** What is there and cannot be carried over by these definitions, as `aggregate total(int4)`. */
  others: string[];
};

/** One line for each object: what it is called, and all there is to say about it. */
export function describeObjects(definition: SchemaDefinition): Record<string, string> {
  const objects: Record<string, string> = {};
  const add = (key: string, value: unknown): void => void (objects[key] = JSON.stringify(value));
  for (const name of definition.extensions) add(`extension ${name}`, true);
  for (const { name, ...rest } of definition.enums) add(`enum ${name}`, rest);
  for (const { name, ...rest } of definition.domains) add(`domain ${name}`, rest);
  for (const { name, ...rest } of definition.composites) add(`type ${name}`, rest);
  for (const { name, ...rest } of definition.tables) add(`table ${name}`, rest);
  for (const { name, ...rest } of definition.sequences) add(`sequence ${name}`, rest);
  for (const { table, name, ...rest } of definition.constraints) add(`constraint ${table}.${name}`, rest);
  for (const { table, name, ...rest } of definition.indexes) add(`index ${table}.${name}`, rest);
  for (const { signature, ...rest } of definition.functions) add(`function ${signature}`, rest);
  for (const { name, ...rest } of definition.views) add(`view ${name}`, rest);
  for (const { table, name, ...rest } of definition.triggers) add(`trigger ${table}.${name}`, rest);
  for (const { table, name, ...rest } of definition.policies) add(`policy ${table}.${name}`, rest);
  for (const { kind, object, column, grantee, privilege, grantable } of definition.grants)
    add(`grant ${privilege} on ${kind} ${object}${column === null ? '' : `.${column}`} to ${grantee}`, grantable);
  for (const { kind, object, text } of definition.comments) add(`comment on ${kind} ${object}`, text);
  for (const other of definition.others) add(other, true);
  return objects;
}
