// Writes src/platform/contracts/generated/ from schemas/*.avsc: `npm run generate`.
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

type Primitive = 'null' | 'boolean' | 'int' | 'long' | 'double' | 'string';
type Enum = { type: 'enum'; name: string; doc: string; symbols: string[] };
type RecordSchema = { type: 'record'; name: string; namespace?: string; doc: string; fields: Field[] };
type Field = { name: string; type: Avro; doc: string; default?: unknown };
type Complex =
  | Enum
  | RecordSchema
  | { type: 'array'; items: Avro }
  | { type: 'map'; values: Avro }
  | { type: 'long'; logicalType: 'timestamp-millis' };
type Avro = Primitive | Complex | Avro[];
type Json = Record<string, unknown>;

const ROOT = join(fileURLToPath(import.meta.url), '../..');
export const GENERATED_FOLDER = join(ROOT, 'src/platform/contracts/generated');
const SCHEMA_FOLDER = join(ROOT, 'schemas');
const BANNER =
  '// Generated from schemas/*.avsc by `npm run generate`. Do not edit.\n' +
  '// As long as the record has fields: its type, schema, reader and writer stand together, as nobody edits them apart.\n';

/** Avro allows 64 bits, JavaScript and JSON 53; the last integer on either side is left out, as avsc does. */
const LONG_LIMIT = Number.MAX_SAFE_INTEGER - 1;

const JSON_SCHEMA_OF: Record<Primitive, Json> = {
  null: { type: 'null' },
  boolean: { type: 'boolean' },
  int: { type: 'integer', minimum: -(2 ** 31), maximum: 2 ** 31 - 1 },
  long: { type: 'integer', minimum: -LONG_LIMIT, maximum: LONG_LIMIT },
  double: { type: 'number' },
  string: { type: 'string' },
};

/** The files of the generated folder, by name. */
export function generateContracts(): Map<string, string> {
  const schemas = readdirSync(SCHEMA_FOLDER)
    .filter((file) => file.endsWith('.avsc'))
    .sort()
    .map((file) => ({
      base: file.slice(0, -'.avsc'.length),
      schema: JSON.parse(readFileSync(join(SCHEMA_FOLDER, file), 'utf8')) as RecordSchema,
    }));
  const enums = new Map<string, Enum>();
  for (const { schema } of schemas) collectEnums(schema, enums);
  const files = new Map<string, string>();
  files.set('enums.ts', enumsFile(enums));
  for (const { base, schema } of schemas) files.set(`${base}.ts`, recordFile(schema));
  files.set('records.ts', recordsFile(schemas));
  return files;
}

function collectEnums(type: Avro, into: Map<string, Enum>): void {
  if (typeof type === 'string') return;
  if (Array.isArray(type)) return type.forEach((branch) => collectEnums(branch, into));
  if (type.type === 'array') return collectEnums(type.items, into);
  if (type.type === 'map') return collectEnums(type.values, into);
  if (type.type === 'record') return type.fields.forEach((field) => collectEnums(field.type, into));
  if (type.type !== 'enum') return;
  const known = into.get(type.name);
  if (known && String(known.symbols) !== String(type.symbols)) {
    throw new Error(`two enums are called ${type.name} and differ`);
  }
  into.set(type.name, type);
}

function enumsFile(enums: Map<string, Enum>): string {
  const parts = [...enums.values()]
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .map((type) => {
      const constant = constantName(type.name);
      const symbols = type.symbols.map((symbol) => `'${symbol}'`).join(', ');
      return [
        `export const ${constant}_VALUES = [${symbols}] as const;`,
        `/** ${type.doc} */`,
        `export type ${type.name} = (typeof ${constant}_VALUES)[number];`,
      ].join('\n');
    });
  return `${BANNER}\n${parts.join('\n\n')}\n`;
}

function recordFile(schema: RecordSchema): string {
  const records = recordsIn(schema);
  const enums = new Map<string, Enum>();
  collectEnums(schema, enums);
  const takes = records.map((record) => takeFunction(record, record === schema));
  const helpers = ['isObject', 'pathTo', 'takeList', 'takeMap', 'takeRecords'].filter((helper) =>
    takes.some((take) => take.includes(`${helper}(`)),
  );
  const constant = constantName(schema.name);
  const json = { $id: schema.name, title: schema.name, ...jsonSchema(schema) };
  return `${[
    BANNER.trimEnd(),
    "import type { JsonSchema } from '../json-schema.ts';",
    `import { ${helpers.join(', ')}, type UnknownFields } from '../take-fields.ts';`,
    `import type { ${[...enums.keys()].sort().join(', ')} } from './enums.ts';`,
    '',
    ...records.map((record) => recordType(record)),
    `/** {@link ${schema.name}} as JSON Schema, for validation and OpenAPI 3.1. */`,
    `export const ${constant}_SCHEMA: JsonSchema = ${JSON.stringify(json, null, 2)};\n`,
    `/** {@link ${schema.name}} as Avro, without its comments. */`,
    `export const ${constant}_AVRO: unknown = ${JSON.stringify(withoutDocs(schema), null, 2)};\n`,
    ...takes,
  ].join('\n')}`;
}

function recordsFile(schemas: { base: string; schema: RecordSchema }[]): string {
  const lines = [BANNER.trimEnd(), "import type { JsonSchema } from '../json-schema.ts';"];
  lines.push("import type { UnknownFields } from '../take-fields.ts';");
  for (const { base, schema } of schemas) {
    const constant = constantName(schema.name);
    const names = [`${constant}_AVRO`, `${constant}_SCHEMA`, `type ${schema.name}`, `take${schema.name}`];
    lines.push(`import { ${names.join(', ')} } from './${base}.ts';`);
  }
  lines.push('', '/** The records of the wire, by name. */', 'export type Records = {');
  for (const { schema } of schemas) lines.push(`  ${schema.name}: ${schema.name};`);
  lines.push('};', 'export type RecordName = keyof Records;', '');
  lines.push('export type RecordContract = {', '  readonly schema: JsonSchema;', '  readonly avro: unknown;');
  lines.push('  /** Copies the known fields, fills left-out ones with their defaults and names the unknown ones. */');
  lines.push(
    '  readonly take: (value: unknown, unknown: UnknownFields, at: string, index: number) => unknown;',
    '};',
    '',
  );
  lines.push('export const RECORDS: { readonly [Name in RecordName]: RecordContract } = {');
  for (const { schema } of schemas) {
    const constant = constantName(schema.name);
    lines.push(`  ${schema.name}: { schema: ${constant}_SCHEMA, avro: ${constant}_AVRO, take: take${schema.name} },`);
  }
  lines.push('};', '');
  for (const { base } of schemas) lines.push(`export type * from './${base}.ts';`);
  lines.push("export * from './enums.ts';");
  return `${lines.join('\n')}\n`;
}

/** The record and every record inside it, innermost first. */
function recordsIn(type: Avro): RecordSchema[] {
  if (typeof type === 'string') return [];
  if (Array.isArray(type)) return type.flatMap(recordsIn);
  if (type.type === 'array') return recordsIn(type.items);
  if (type.type === 'map') return recordsIn(type.values);
  return type.type === 'record' ? [...type.fields.flatMap((field) => recordsIn(field.type)), type] : [];
}

function recordType(record: RecordSchema): string {
  const lines = [`/** ${record.doc} */`, `export type ${record.name} = {`];
  for (const field of record.fields) {
    const fallback =
      field.default === undefined || field.default === null ? '' : ` Default: ${JSON.stringify(field.default)}.`;
    lines.push(`  /** ${field.doc}${isTimestamp(field.type) ? ' Epoch milliseconds.' : ''}${fallback} */`);
    lines.push(`  ${field.name}: ${typeScript(field.type)};`);
  }
  lines.push('};', '');
  return lines.join('\n');
}

function nullLast(types: string[]): string[] {
  const others = new Set(types.filter((type) => type !== 'null'));
  return types.includes('null') ? [...others, 'null'] : [...others];
}

function isTimestamp(type: Avro): boolean {
  if (Array.isArray(type)) return type.some(isTimestamp);
  return typeof type === 'object' && 'logicalType' in type;
}

function typeScript(type: Avro): string {
  if (type === 'null' || type === 'boolean' || type === 'string') return type;
  if (typeof type === 'string') return 'number';
  if (Array.isArray(type)) return nullLast(type.map(typeScript)).join(' | ');
  if (type.type === 'array')
    return `${Array.isArray(type.items) ? `(${typeScript(type.items)})` : typeScript(type.items)}[]`;
  if (type.type === 'map') return `{ [key: string]: ${typeScript(type.values)} }`;
  return type.type === 'long' ? 'number' : type.name;
}

function jsonSchema(type: Avro): Json {
  if (typeof type === 'string') return { ...JSON_SCHEMA_OF[type] };
  if (Array.isArray(type)) return unionSchema(type.map(jsonSchema));
  switch (type.type) {
    case 'array':
      return { type: 'array', items: jsonSchema(type.items) };
    case 'map':
      return { type: 'object', additionalProperties: jsonSchema(type.values) };
    case 'enum':
      return { type: 'string', enum: type.symbols };
    case 'record':
      return objectSchema(type);
    default:
      return { ...JSON_SCHEMA_OF.long };
  }
}

/** Unions on the wire are of null and one type, or of plain types, so one schema with several types says it all. */
function unionSchema(branches: Json[]): Json {
  const merged: Json = Object.assign({}, ...branches);
  merged.type = nullLast(branches.map((branch) => branch.type as string));
  if (merged.enum) merged.enum = [...(merged.enum as string[]), null];
  return merged;
}

function objectSchema(record: RecordSchema): Json {
  const properties: Json = {};
  for (const field of record.fields) {
    const schema = { ...jsonSchema(field.type), description: field.doc };
    properties[field.name] = field.default === undefined ? schema : { ...schema, default: field.default };
  }
  const required = record.fields.filter((field) => field.default === undefined).map((field) => field.name);
  return { type: 'object', description: record.doc, properties, required };
}

function withoutDocs(type: unknown): unknown {
  if (Array.isArray(type)) return type.map(withoutDocs);
  if (typeof type !== 'object' || type === null) return type;
  return Object.fromEntries(
    Object.entries(type)
      .filter(([key]) => key !== 'doc')
      .map(([key, value]) => [key, key === 'default' ? value : withoutDocs(value)]),
  );
}

function takeFunction(record: RecordSchema, exported: boolean): string {
  const fields = `${constantName(record.name)}_FIELDS`;
  const names = record.fields.map((field) => `'${field.name}'`).join(', ');
  return [
    `const ${fields} = new Set([${names}]);`,
    '',
    ...(exported
      ? [`/** Copies the fields of a {@link ${record.name}}, with defaults; unknown ones go to \`unknown\`. */`]
      : []),
    `${exported ? 'export ' : ''}function take${record.name}(value: unknown, unknown: UnknownFields, at: string, index: number): unknown {`,
    '  if (!isObject(value)) return value;',
    `  for (const key in value) if (!${fields}.has(key)) unknown.add(at, index, key);`,
    '  return {',
    ...record.fields.map((field) => `    ${field.name}: ${takeField(field)},`),
    '  };',
    '}',
    '',
  ].join('\n');
}

function takeField(field: Field): string {
  const value = `value.${field.name}`;
  const copy = takeValue(field, value);
  if (field.default === undefined) return copy;
  if (field.default === null && copy === value) return `${value} ?? null`;
  return `${value} === undefined ? ${JSON.stringify(field.default).replaceAll('"', "'")} : ${copy}`;
}

function takeValue(field: Field, value: string): string {
  const types = Array.isArray(field.type) ? field.type.filter((branch) => branch !== 'null') : [field.type];
  const type = types[0];
  if (types.length !== 1 || typeof type !== 'object' || Array.isArray(type)) return value;
  if (type.type === 'map') return `takeMap(${value}, unknown, at, index, '${field.name}')`;
  const path = `pathTo(at, index, '${field.name}')`;
  if (type.type === 'record') return `take${type.name}(${value}, unknown, ${path}, -1)`;
  if (type.type !== 'array') return value;
  if (typeof type.items === 'string') return `takeList(${value})`;
  if (!('type' in type.items) || type.items.type !== 'record') throw new Error(`cannot take ${field.name} yet`);
  return `takeRecords(${value}, unknown, ${path}, take${type.items.name})`;
}

function constantName(name: string): string {
  return name.replace(/[a-z](?=[A-Z])|[A-Z](?=[A-Z][a-z])/g, '$&_').toUpperCase();
}

if (import.meta.main) {
  rmSync(GENERATED_FOLDER, { recursive: true, force: true });
  mkdirSync(GENERATED_FOLDER, { recursive: true });
  for (const [name, text] of generateContracts()) writeFileSync(join(GENERATED_FOLDER, name), text);
}
