import { sqlIdentifier, sqlLiteral } from '../../../platform/store/transaction.ts';
import { type ColumnDefinition, COMPANY_ROLE, type SchemaDefinition } from './schema-definition.ts';

/** Statements that bring a definition about, in the schema that is first in search_path, by its owner. */
export type DefinitionStatements = {
  /** What rows need. */
  before: string[];
  /** What is better made when rows are there, or must not see them come: keys, indexes, triggers, policies, grants. */
  after: string[];
};

const id = sqlIdentifier;

/** `schema`: the name it will have; `role`: who stands where the definition says `$company`. */
export function writeDefinition(definition: SchemaDefinition, schema: string, role: string): DefinitionStatements {
  return {
    before: [...types(definition), ...tables(definition)],
    after: [
      ...keys(definition),
      ...code(definition),
      ...writeRights(definition, schema, role),
      ...security(definition, role),
    ],
  };
}

function types({ extensions, enums, composites, domains, sequences }: SchemaDefinition): string[] {
  return [
    ...extensions.map((name) => `create extension if not exists ${id(name)}`),
    ...enums.map(({ name, labels }) => `create type ${id(name)} as enum (${labels.map(sqlLiteral).join(', ')})`),
    ...composites.map(
      ({ name, columns }) =>
        `create type ${id(name)} as (${columns.map((one) => `${id(one.name)} ${one.type}`).join(', ')})`,
    ),
    ...domains.map((domain) => {
      const checks = domain.checks.map(({ name, definition }) => ` constraint ${id(name)} ${definition}`).join('');
      const value = domain.default === null ? '' : ` default ${domain.default}`;
      return `create domain ${id(domain.name)} as ${domain.type}${value}${domain.not_null ? ' not null' : ''}${checks}`;
    }),
    ...sequences
      .filter(({ identity }) => !identity)
      .map((one) => `create sequence ${id(one.name)} as ${one.type} ${options(one)}`),
  ];
}

function tables({ tables: all, sequences, functions }: SchemaDefinition): string[] {
  const identities = new Map(
    sequences.filter(({ identity }) => identity).map((one) => [`${one.table}.${one.column}`, one]),
  );
  return [
    ...functions.map(({ definition }) => definition),
    ...all.map(({ name, unlogged, options: settings, columns }) => {
      const list = columns.map((column) => columnOf(column, identities.get(`${name}.${column.name}`))).join(', ');
      return `create ${unlogged ? 'unlogged ' : ''}table ${id(name)} (${list})${withOptions(settings)}`;
    }),
    ...sequences
      .filter(({ identity, table }) => !identity && table !== null)
      .map(({ name, table, column }) => `alter sequence ${id(name)} owned by ${id(table!)}.${id(column!)}`),
  ];
}

function columnOf(column: ColumnDefinition, sequence: SchemaDefinition['sequences'][number] | undefined): string {
  const parts = [id(column.name), column.type];
  if (column.collation !== null) parts.push(`collate ${column.collation}`);
  if (column.generated !== '') {
    parts.push(`generated always as (${column.default}) ${column.generated === 's' ? 'stored' : 'virtual'}`);
  } else if (column.identity !== '') {
    const when = column.identity === 'a' ? 'always' : 'by default';
    parts.push(
      `generated ${when} as identity (${sequence === undefined ? '' : `sequence name ${id(sequence.name)} ${options(sequence)}`})`,
    );
  } else if (column.default !== null) {
    parts.push(`default ${column.default}`);
  }
  if (column.not_null) parts.push('not null');
  return parts.join(' ');
}

function options({ start, increment, min, max, cache, cycle }: SchemaDefinition['sequences'][number]): string {
  return `start ${start} increment ${increment} minvalue ${min} maxvalue ${max} cache ${cache} ${cycle ? 'cycle' : 'no cycle'}`;
}

function withOptions(settings: readonly string[]): string {
  const list = settings.map((setting) => {
    const at = setting.indexOf('=');
    return `${setting.slice(0, at)} = ${sqlLiteral(setting.slice(at + 1))}`;
  });
  return list.length === 0 ? '' : ` with (${list.join(', ')})`;
}

/** Foreign keys last: what they point to has its key by then. */
function keys({ constraints, indexes }: SchemaDefinition): string[] {
  const rank = (type: string): number => (type === 'f' ? 1 : 0);
  return [
    ...constraints
      .toSorted((a, b) => rank(a.type) - rank(b.type))
      .map(({ table, name, definition }) => `alter table ${id(table)} add constraint ${id(name)} ${definition}`),
    ...indexes.map(({ definition }) => definition),
  ];
}

function code({ views, triggers, comments }: SchemaDefinition): string[] {
  const states: Record<string, string> = { D: 'disable', R: 'enable replica', A: 'enable always' };
  return [
    ...views.map(
      ({ name, materialized, options: settings, definition }) =>
        `create ${materialized ? 'materialized ' : ''}view ${id(name)}${withOptions(settings)} as ${definition}`,
    ),
    ...triggers.map(({ definition }) => definition),
    ...triggers
      .filter(({ enabled }) => states[enabled] !== undefined)
      .map(({ table, name, enabled }) => `alter table ${id(table)} ${states[enabled]} trigger ${id(name)}`),
    ...comments.map(({ kind, object, text }) => `comment on ${kind} ${object} is ${sqlLiteral(text)}`),
  ];
}

/** Policies, and row level security itself behind the rows. */
function security({ tables: all, policies }: SchemaDefinition, role: string): string[] {
  return [
    ...policies.map((policy) => {
      const using = policy.using === null ? '' : ` using (${policy.using})`;
      const check = policy.check === null ? '' : ` with check (${policy.check})`;
      const kind = policy.permissive ? 'permissive' : 'restrictive';
      const roles = policy.roles.map((name) => grantee(name, role)).join(', ');
      return `create policy ${id(policy.name)} on ${id(policy.table)} as ${kind} for ${policy.command} to ${roles}${using}${check}`;
    }),
    ...all.filter(({ rls }) => rls).map((table) => `alter table ${id(table.name)} enable row level security`),
    ...all.filter(({ forced }) => forced).map((table) => `alter table ${id(table.name)} force row level security`),
  ];
}

/** Who may what, on objects that are there and have the rights of new ones. */
export function writeRights(definition: SchemaDefinition, schema: string, role: string): string[] {
  const { grants, functions, enums, domains, composites } = definition;
  const isPublic = new Set(
    grants.filter((one) => one.grantee === 'public').map(({ kind, object }) => `${kind} ${object}`),
  );
  const open = [
    ...functions.map(({ kind, signature }) => `${kind} ${signature}`),
    ...[...enums, ...domains, ...composites].map((type) => `type ${quoteWhenNeeded(type.name)}`),
  ];
  return [
    ...open.filter((object) => !isPublic.has(object)).map((object) => `revoke all on ${object} from public`),
    ...grants.map(({ kind, object, column, grantee: whom, privilege, grantable }) => {
      const on = kind === 'schema' ? `schema ${id(schema)}` : `${kind} ${object}`;
      const what = column === null ? privilege : `${privilege} (${id(column)})`;
      return `grant ${what} on ${on} to ${grantee(whom, role)}${grantable ? ' with grant option' : ''}`;
    }),
  ];
}

function grantee(name: string, role: string): string {
  return name === 'public' ? 'public' : id(name === COMPANY_ROLE ? role : name);
}

/** As quote_ident writes it, for a comparison with what it wrote. */
const quoteWhenNeeded = (name: string): string => (/^[a-z_][a-z0-9_]*$/.test(name) ? name : id(name));
