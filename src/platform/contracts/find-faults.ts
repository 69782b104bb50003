import type { Fault } from '../errors.ts';
import type { JsonSchema } from './json-schema.ts';
import { nearestName } from './nearest-name.ts';
import type { UnknownFields } from './take-fields.ts';

/** The most faults that an answer lists; when there are more, the last one says how many. */
export const FAULT_LIMIT = 100;

/** Faults as far as they are listed, and how many there are. */
export type FoundFaults = { faults: Fault[]; count: number };

/** A path as a chain, so that it becomes text only for the faults that are listed. */
type Path = { parent: Path | null; step: string | number };

type Search = FoundFaults & { unknown: UnknownFields };

/**
 * Every fault of a value that the validator refused, in the order of the schema, one per path.
 * Its memory is bounded whatever the value is, which is why ajv's `allErrors` is not used: four million wrong items
 * in a list would be four million error objects.
 */
export function findFaults(schema: JsonSchema, value: unknown, unknown: UnknownFields): FoundFaults {
  const search: Search = { faults: [], count: 0, unknown };
  if (unknown.prototypeKeyAt !== null) {
    search.count = search.faults.push({ path: unknown.prototypeKeyAt, message: 'must not have the key "__proto__"' });
  }
  visit(search, schema, value, null);
  return search;
}

/** The faults as a caller sees them: at most {@link FAULT_LIMIT}, the last of which says how many are left out. */
export function listFaults({ faults, count }: FoundFaults): Fault[] {
  if (count <= FAULT_LIMIT) return faults;
  const listed = faults.slice(0, FAULT_LIMIT - 1);
  return [...listed, { path: '', message: `there are ${count - listed.length} more faults` }];
}

function visit(search: Search, schema: JsonSchema, value: unknown, path: Path | null): void {
  if (!fits(schema, value)) return report(search, path, () => `must be ${expected(schema)}, but is ${shown(value)}`);
  if (Array.isArray(value)) {
    if (!schema.items) return;
    for (let i = 0; i < value.length; i++) visit(search, schema.items, value[i], { parent: path, step: i });
  } else if (typeof value === 'object' && value !== null) {
    visitFields(search, schema, value as Record<string, unknown>, path);
  }
}

function visitFields(search: Search, schema: JsonSchema, value: Record<string, unknown>, path: Path | null): void {
  for (const [name, field] of Object.entries(schema.properties ?? {})) {
    const at = { parent: path, step: name };
    if (value[name] !== undefined) visit(search, field, value[name], at);
    else if (schema.required?.includes(name)) report(search, at, () => missing(search, path, name, field));
  }
  const values = schema.additionalProperties;
  if (!values) return;
  for (const key of Object.keys(value)) visit(search, values, value[key], { parent: path, step: key });
}

function report(search: Search, path: Path | null, message: () => string): void {
  search.count += 1;
  if (search.faults.length < FAULT_LIMIT) search.faults.push({ path: pathText(path), message: message() });
}

function missing(search: Search, path: Path | null, name: string, field: JsonSchema): string {
  const owner = pathText(path);
  const others = search.unknown.named.filter((one) => one.at === owner).map((one) => one.name);
  const near = nearestName(name, others);
  const hint = near === null ? '' : `; there is an unknown field ${shown(near)}: did you mean "${name}"?`;
  return `is missing and must be ${expected(field)}${hint}`;
}

/** Says what the validator says: the two are held together by a test. */
function fits(schema: JsonSchema, value: unknown): boolean {
  if (schema.enum) return schema.enum.includes(value as string | null);
  const types = typeof schema.type === 'string' ? [schema.type] : schema.type;
  return types.some((type) => {
    switch (type) {
      case 'null':
        return value === null;
      case 'array':
        return Array.isArray(value);
      case 'object':
        return typeof value === 'object' && value !== null && !Array.isArray(value);
      case 'integer':
        return Number.isInteger(value) && inRange(schema, value as number);
      case 'number':
        return Number.isFinite(value) && inRange(schema, value as number);
      default:
        return typeof value === type;
    }
  });
}

function inRange(schema: JsonSchema, value: number): boolean {
  return value >= (schema.minimum ?? -Infinity) && value <= (schema.maximum ?? Infinity);
}

const TYPE_NAMES = {
  null: 'null',
  boolean: 'true or false',
  integer: 'a whole number',
  number: 'a finite number',
  string: 'a string',
  array: 'a list',
  object: 'an object',
};

function expected(schema: JsonSchema): string {
  if (schema.enum) return `one of ${schema.enum.map((symbol) => symbol ?? 'null').join(', ')}`;
  const types = typeof schema.type === 'string' ? [schema.type] : schema.type;
  const names = types.map((type) =>
    type === 'integer' ? `a whole number from ${schema.minimum} to ${schema.maximum}` : TYPE_NAMES[type],
  );
  return names.length === 1 ? names[0]! : `${names.slice(0, -1).join(', ')} or ${names.at(-1)}`;
}

const SHOWN_LENGTH = 60;

/** A value as far as a sentence can hold it: short, and never the inside of a list or an object. */
export function shown(value: unknown): string {
  switch (typeof value) {
    case 'string':
      return JSON.stringify(value.length > SHOWN_LENGTH ? `${value.slice(0, SHOWN_LENGTH)}…` : value);
    case 'undefined':
      return 'not there';
    case 'object':
      return value === null ? 'null' : Array.isArray(value) ? 'a list' : 'an object';
    case 'function':
    case 'symbol':
      return `a ${typeof value}`;
    default:
      return String(value).slice(0, SHOWN_LENGTH);
  }
}

function pathText(path: Path | null): string {
  const steps: (string | number)[] = [];
  for (let at = path; at !== null; at = at.parent) steps.push(at.step);
  return steps.reverse().map(stepText).join('').replace(/^\./, '');
}

function stepText(step: string | number): string {
  if (typeof step === 'number') return `[${step}]`;
  return /^[\w-]{1,60}$/.test(step) ? `.${step}` : `[${shown(step)}]`;
}
