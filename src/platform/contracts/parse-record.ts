import { createRequire } from 'node:module';
import type { Ajv, ValidateFunction } from 'ajv';
import type { Fault } from '../errors.ts';
import { findFaults, type FoundFaults, listFaults, shown } from './find-faults.ts';
import { RECORDS, type RecordName, type Records } from './generated/records.ts';
import type { JsonSchema } from './json-schema.ts';
import { nearestName } from './nearest-name.ts';
import { isObject, UnknownFields } from './take-fields.ts';

/** A record with every default filled, or every fault of it; the warnings name what was ignored. */
export type ParsedRecord<Name extends RecordName> =
  | { ok: true; record: Records[Name]; warnings: string[] }
  | { ok: false; faults: Fault[]; warnings: string[] };

/** The outcome before it is put into words for a caller, so that the parts of a decision can be joined. */
export type CheckedRecord<Name extends RecordName> = {
  record: Records[Name] | null;
  unknown: UnknownFields;
} & FoundFaults;

/**
 * Checks a JSON value against a record of the wire contracts (design: contracts, one section per record).
 *
 * The caller's value is never changed: the record is a copy with the known fields in the order of the contract.
 * Nothing is coerced. A left-out optional field gets its default; an unknown field is left out and named in a warning.
 * Every fault is reported at once, at most 100, with paths such as `tasks[3].dependencies[0]`. Never throws.
 *
 * @example
 * const parsed = parseRecord('ExecutionResult', JSON.parse(body));
 * if (!parsed.ok) throw new ColmeiaError('INVALID_REQUEST', 'the result breaks its contract', { faults: parsed.faults });
 */
export function parseRecord<Name extends RecordName>(name: Name, value: unknown): ParsedRecord<Name> {
  const checked = checkRecord(name, value);
  const warnings = warningsOf(name, value, checked.unknown);
  if (checked.record !== null) return { ok: true, record: checked.record, warnings };
  return { ok: false, faults: listFaults(checked), warnings };
}

export function checkRecord<Name extends RecordName>(name: Name, value: unknown): CheckedRecord<Name> {
  const contract = RECORDS[name];
  const unknown = new UnknownFields();
  const taken = contract.take(value, unknown, '', -1);
  if (unknown.prototypeKeyAt === null && validatorOf(name)(taken)) {
    return { record: taken as Records[Name], unknown, faults: [], count: 0 };
  }
  const found = findFaults(contract.schema, taken, unknown);
  return { record: null, unknown, faults: found.faults, count: found.count };
}

const WARNING_LIMIT = 100;

/**
 * One sentence for each unknown field. A near miss of an optional field that was left out is pointed out here, because
 * no fault will.
 */
export function warningsOf(name: RecordName, value: unknown, unknown: UnknownFields, prefix = ''): string[] {
  if (unknown.count === 0) return [];
  const listed = unknown.named.slice(0, unknown.count > WARNING_LIMIT ? WARNING_LIMIT - 1 : WARNING_LIMIT);
  const warnings = listed.map((field) => {
    const owner = ownerOf(RECORDS[name].schema, value, field.at);
    const near = owner === null ? null : nearestName(field.name, leftOut(owner.schema, owner.value));
    const at = `${prefix}${field.at === '' ? '' : `${field.at}.`}${field.name}`;
    return `unknown field ${shown(at)} ignored${near === null ? '' : `; did you mean "${near}"?`}`;
  });
  if (unknown.count > listed.length) warnings.push(`${unknown.count - listed.length} more unknown fields ignored`);
  return warnings;
}

type Owner = { schema: JsonSchema; value: { readonly [field: string]: unknown } };

/** The record at a path that the walk over unknown fields wrote: names and indexes of the schema, nothing else. */
function ownerOf(schema: JsonSchema, value: unknown, path: string): Owner | null {
  let at: JsonSchema | undefined = schema;
  let there = value as Record<string | number, unknown> | undefined;
  for (const step of path.split(/[.[\]]+/).filter((part) => part !== '')) {
    at = at?.items ?? at?.properties?.[step];
    there = there?.[step] as Record<string | number, unknown> | undefined;
  }
  return at && isObject(there) ? { schema: at, value: there } : null;
}

function leftOut(schema: JsonSchema, value: Owner['value']): string[] {
  const optional = Object.keys(schema.properties ?? {}).filter((field) => !schema.required?.includes(field));
  return optional.filter((field) => value[field] === undefined);
}

const validators = new Map<RecordName, ValidateFunction>();
let ajv: Ajv | undefined;

/** Compiled on first use: loading ajv and compiling the six records costs more than the start of the process can spare. */
function validatorOf(name: RecordName): ValidateFunction {
  const known = validators.get(name);
  if (known) return known;
  if (ajv === undefined) {
    const { Ajv } = createRequire(import.meta.url)('ajv') as typeof import('ajv');
    ajv = new Ajv({ strict: true, allowUnionTypes: true, coerceTypes: false });
  }
  const validator = ajv.compile(RECORDS[name].schema);
  validators.set(name, validator);
  return validator;
}
