import { findFaults, listFaults } from '../../platform/contracts/find-faults.ts';
import type { JsonSchema } from '../../platform/contracts/json-schema.ts';
import { isObject, UnknownFields } from '../../platform/contracts/take-fields.ts';
import { ColmeiaError, type Fault } from '../../platform/errors.ts';
import type { Fields, Operation } from './operation.ts';

type Raw = { params: unknown; query: unknown; body: unknown };

/**
 * Checks what a call brings and gives it back with the numbers of the query as numbers. Nothing else is coerced.
 * Throws INVALID_REQUEST with every fault at once. The contracts' own search for faults is used, not a second validator:
 * its sentences are the same everywhere and its memory is bounded.
 */
export function checkInput(operation: Operation, raw: Raw): { query: Record<string, unknown>; body: unknown } {
  const faults: Fault[] = [];
  if (operation.params !== undefined) refuseNul(raw.params, 'params', faults);
  const query = operation.query === undefined ? {} : checkQuery(operation.query, raw.query, faults);
  let body = raw.body;
  if (operation.body !== undefined) {
    if ((body === undefined || body === null) && operation.body.optional) body = {};
    if (operation.body.schema !== undefined) body = checkBody(operation.body.schema, body, faults);
    else if (body === undefined) faults.push({ path: 'body', message: 'is missing' });
  }
  if (faults.length > 0) throw new ColmeiaError('INVALID_REQUEST', sentence(faults), { faults });
  return { query, body };
}

/** Fields of a body that its schema does not know; they are ignored, and named where the answer has warnings. */
export function unknownFieldsOf(operation: Operation, body: unknown): string[] {
  const known = operation.body?.schema?.properties;
  if (known === undefined || !isObject(body)) return [];
  return Object.keys(body)
    .filter((name) => !Object.hasOwn(known, name))
    .slice(0, 100);
}

function checkBody(schema: JsonSchema, body: unknown, faults: Fault[]): unknown {
  faults.push(...faultsOf(schema, body === undefined ? null : body, 'body'));
  return body;
}

function checkQuery(fields: Fields, raw: unknown, faults: Fault[]): Record<string, unknown> {
  const query: Record<string, unknown> = {};
  for (const [name, schema] of Object.entries(fields)) {
    const value = (raw as Record<string, unknown>)[name];
    if (value !== undefined) query[name] = fromText(schema, value);
  }
  faults.push(...faultsOf({ type: 'object', properties: fields }, query, 'query'));
  refuseNul(query, 'query', faults);
  return query;
}

/** No name of anything has this character, and the database takes none. */
function refuseNul(values: unknown, at: string, faults: Fault[]): void {
  for (const [name, value] of Object.entries(values as object)) {
    if (typeof value === 'string' && value.includes('\u0000'))
      faults.push({ path: `${at}.${name}`, message: 'must not hold the character U+0000' });
  }
}

function fromText(schema: JsonSchema, value: unknown): unknown {
  if (typeof value !== 'string') return value;
  if (schema.type === 'integer' && /^-?\d{1,16}$/.test(value)) return Number(value);
  if (schema.type === 'boolean' && (value === 'true' || value === 'false')) return value === 'true';
  return value;
}

function faultsOf(schema: JsonSchema, value: unknown, at: string): Fault[] {
  const found = findFaults(schema, value, new UnknownFields());
  if (found.count === 0) return [];
  return listFaults(found).map(({ path, message }) => ({
    path: path === '' || path.startsWith('[') ? `${at}${path}` : `${at}.${path}`,
    message,
  }));
}

function sentence([first, ...others]: Fault[]): string {
  const more = others.length === 0 ? '' : `; ${others.length} more in "faults"`;
  return `${first!.path} ${first!.message}${more}`;
}
