// For tests only: fast-check arbitraries of the wire records, derived from their JSON Schemas.
import fc from 'fast-check';
import { RECORDS, type RecordName, type Records } from './generated/records.ts';
import type { JsonSchema, JsonType } from './json-schema.ts';

export const RECORD_NAMES = Object.keys(RECORDS) as RecordName[];

/** A complete record: every field is there, values reach to the edges of their types. */
export function arbitraryRecord<Name extends RecordName>(name: Name): fc.Arbitrary<Records[Name]> {
  return arbitrary(RECORDS[name].schema) as fc.Arbitrary<Records[Name]>;
}

function arbitrary(schema: JsonSchema): fc.Arbitrary<unknown> {
  if (schema.enum) return fc.constantFrom(...schema.enum);
  const types = typeof schema.type === 'string' ? [schema.type] : schema.type;
  return types.length === 1 ? ofType(types[0]!, schema) : fc.oneof(...types.map((type) => ofType(type, schema)));
}

function ofType(type: JsonType, schema: JsonSchema): fc.Arbitrary<unknown> {
  switch (type) {
    case 'null':
      return fc.constant(null);
    case 'boolean':
      return fc.boolean();
    case 'integer':
      return integer(schema);
    case 'number':
      // Neither JSON nor an Avro long keeps the sign of a zero.
      return fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => (value === 0 ? 0 : value));
    case 'string':
      return text();
    case 'array':
      return fc.array(arbitrary(schema.items!), { maxLength: 4 });
    case 'object':
      return schema.properties ? record(schema) : map(schema.additionalProperties!);
  }
}

function integer({ minimum = 0, maximum = 0 }: JsonSchema): fc.Arbitrary<number> {
  const edges = fc.constantFrom(minimum, maximum, 0, -1, 63, 64, -64, -65, 2 ** 31 - 1, -(2 ** 31));
  return fc.oneof(edges, fc.maxSafeInteger(), fc.integer()).filter((value) => value >= minimum && value <= maximum);
}

function text(): fc.Arbitrary<string> {
  return fc.string({ unit: 'binary', maxLength: 12 });
}

function map(values: JsonSchema): fc.Arbitrary<unknown> {
  const key = text().filter((name) => name !== '__proto__');
  // Names in order, as parsing leaves them.
  return fc
    .dictionary(key, arbitrary(values), { maxKeys: 4, noNullPrototype: true })
    .map((map) => Object.fromEntries(Object.entries(map).sort(([a], [b]) => (a < b ? -1 : 1))));
}

function record(schema: JsonSchema): fc.Arbitrary<unknown> {
  const fields = Object.entries(schema.properties!).map(([name, field]) => [name, arbitrary(field)] as const);
  return fc.record(Object.fromEntries(fields), { noNullPrototype: true });
}

/** One value of a record replaced, removed or renamed, at any depth. */
export function arbitraryMutation(value: unknown): fc.Arbitrary<unknown> {
  const rubbish = fc.oneof(
    fc.anything(),
    fc.constantFrom<unknown>(undefined, Number.NaN, Infinity, 2 ** 53, 1.5, 10n, Symbol('s'), () => {}, new Date(0)),
    fc.constantFrom<unknown>(JSON.parse('{"__proto__":{"a":1}}'), { constructor: 1 }, { length: 5 }),
  );
  return fc
    .tuple(fc.array(fc.nat(), { maxLength: 4 }), rubbish, fc.constantFrom('replace', 'remove', 'rename'), fc.string())
    .map(([steps, other, how, name]) => mutate(structuredClone(value), steps, other, how, name));
}

function mutate(value: unknown, steps: number[], other: unknown, how: string, name: string): unknown {
  const keys = typeof value === 'object' && value !== null ? Object.keys(value) : [];
  const [step, ...rest] = steps;
  if (step === undefined || keys.length === 0) return other;
  const key = keys[step % keys.length]!;
  const owner = value as Record<string, unknown>;
  if (rest.length > 0) owner[key] = mutate(owner[key], rest, other, how, name);
  else if (how === 'replace') owner[key] = other;
  else {
    if (how === 'rename')
      Object.defineProperty(owner, name, { value: owner[key], enumerable: true, writable: true, configurable: true });
    delete owner[key];
  }
  return owner;
}
