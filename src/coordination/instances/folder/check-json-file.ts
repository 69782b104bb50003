import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import type { Ajv, ErrorObject, ValidateFunction } from 'ajv';
import { FAULT_LIMIT, findFaults, listFaults } from '../../../platform/contracts/find-faults.ts';
import type { JsonSchema } from '../../../platform/contracts/json-schema.ts';
import { nearestName } from '../../../platform/contracts/nearest-name.ts';
import { UnknownFields } from '../../../platform/contracts/take-fields.ts';
import type { Fault } from '../../../platform/errors.ts';

/** The same place from `src/` and from `dist/`. */
export const INSTANCE_SCHEMAS = path.resolve(import.meta.dirname, '../../../../schemas/instance');

export const SCHEMA_NAMES = ['config', 'supabase.config', 'atlassian.config', 'mcp', 'component'] as const;
export type SchemaName = (typeof SCHEMA_NAMES)[number];

/** Faults of a value; unknown names are apart, because the value can be used all the same. */
export type CheckedValue = { faults: Fault[]; unknown: Fault[] };

/**
 * Checks the value of a company's file against its schema, every fault at once. No message holds a value out of the file:
 * a person may have put a secret into the wrong place.
 */
export function checkValue(name: SchemaName, value: unknown): CheckedValue {
  const { validate, schema } = contractOf(name);
  if (validate(value)) return { faults: [], unknown: [] };
  const errors = validate.errors ?? [];
  const unknown = errors.filter((error) => error.keyword === 'additionalProperties');
  const ruled = errors.flatMap((error): Fault[] => {
    const message = ruleOf(error);
    return message === null ? [] : [{ path: pathOf(error.instancePath, value), message }];
  });
  const places = new Set(ruled.map((fault) => fault.path));
  const shapes = listFaults(findFaults(schema, value, new UnknownFields())).filter((fault) => !places.has(fault.path));
  return {
    faults: [...shapes.map(withoutValue), ...ruled].slice(0, FAULT_LIMIT),
    unknown: unknown.slice(0, FAULT_LIMIT).map((error) => unknownName(error, value)),
  };
}

/** What types, choices and required names say is left to the contracts' own search; null = said there. */
function ruleOf(error: ErrorObject): string | null {
  switch (error.keyword) {
    case 'pattern':
      return (error.parentSchema as { patternErrorMessage?: string }).patternErrorMessage ?? 'has the wrong form';
    case 'minimum':
      return `must be ${(error.params as { limit: number }).limit} or more`;
    case 'minLength':
      return 'must not be empty';
    case 'maxLength':
      return `must not be longer than ${(error.params as { limit: number }).limit} characters`;
    case 'anyOf':
      return `must have ${(error.schema as { required: string[] }[]).map(({ required }) => `"${required[0]}"`).join(' or ')}`;
    default:
      return null;
  }
}

function unknownName(error: ErrorObject, value: unknown): Fault {
  const name = (error.params as { additionalProperty: string }).additionalProperty;
  const known = Object.keys((error.parentSchema as { properties?: object }).properties ?? {});
  const near = nearestName(name, known);
  const hint = near === null ? `; there are ${known.join(', ')}` : `: did you mean "${near}"?`;
  const owner = pathOf(error.instancePath, value);
  return { path: owner === '' ? name : `${owner}.${name}`, message: `is not known${hint}` };
}

/** `…, but is "…"`: the part that shows the value. */
function withoutValue({ path: place, message }: Fault): Fault {
  return { path: place, message: message.replace(/, but is .*$/s, '') };
}

/** A JSON pointer as a path: `/mcpServers/a/args/0` → `mcpServers.a.args[0]`. */
function pathOf(pointer: string, root: unknown): string {
  let at = root;
  let text = '';
  for (const part of pointer.split('/').slice(1)) {
    const step = part.replaceAll('~1', '/').replaceAll('~0', '~');
    text += Array.isArray(at) ? `[${step}]` : text === '' ? step : `.${step}`;
    at = (at as Record<string, unknown>)[step];
  }
  return text;
}

type Contract = { schema: JsonSchema; validate: ValidateFunction };
const contracts = new Map<SchemaName, Contract>();
let ajv: Ajv | undefined;

/** Compiled on first use. `allErrors` is safe here: files are small. */
function contractOf(name: SchemaName): Contract {
  const known = contracts.get(name);
  if (known !== undefined) return known;
  if (ajv === undefined) {
    const { Ajv } = createRequire(import.meta.url)('ajv') as typeof import('ajv');
    ajv = new Ajv({ strict: true, strictRequired: false, allowUnionTypes: true, allErrors: true, verbose: true });
    ajv.addKeyword({ keyword: 'patternErrorMessage', schemaType: 'string' });
  }
  const schema = JSON.parse(readFileSync(path.join(INSTANCE_SCHEMAS, `${name}.schema.json`), 'utf8')) as JsonSchema;
  const contract = { schema, validate: ajv.compile(schema) };
  contracts.set(name, contract);
  return contract;
}
