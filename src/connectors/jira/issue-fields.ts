import type { FieldCreateMetadata } from 'jira.js/cloud';
import type { JiraApi } from './jira-api.ts';

type FieldShape = { type?: string; items?: string };
/** A field that companies may have filled, by id. */
export type CustomField = { id: string; name: string; schema: FieldShape };

const PLAIN = new Set(['string', 'number', 'date', 'datetime']);
/** Filled by people and not taken along. */
const NOT_CARRIED = ['components', 'fixVersions', 'versions', 'security', 'timeoriginalestimate'];

/** Custom fields of the site; two of one name are told apart by id. */
export async function customFields(api: JiraApi): Promise<CustomField[]> {
  const fields = (await api.lib.getFields(api.client())).filter((field) => field.custom === true);
  const names = fields.map((field) => field.name);
  return fields.map((field) => {
    const name = field.name ?? field.id ?? '';
    const isShared = names.indexOf(field.name) !== names.lastIndexOf(field.name);
    return {
      id: field.id ?? '',
      name: isShared ? `${name} (${field.id})` : name,
      schema: (field.schema ?? {}) as FieldShape,
    };
  });
}

/** Values by name, in a form that another site understands, and the names of those that have no such form. */
export function readCustomFields(
  known: readonly CustomField[],
  fields: Readonly<Record<string, unknown>>,
): { values: Record<string, unknown>; left: string[] } {
  const values: Record<string, unknown> = {};
  const left = NOT_CARRIED.filter((name) => isFilled(fields[name])).map((name) => `field ${name}`);
  for (const { id, name, schema } of known) {
    const value = fields[id];
    if (!isFilled(value)) continue;
    const portable = toPortable(schema, value);
    if (portable === undefined) left.push(`field ${name}`);
    else values[name] = portable;
  }
  return { values, left };
}

/** The way Jira wants it; undefined = the target's field is of another kind, or does not have this option. */
export function writeCustomField(target: FieldCreateMetadata, value: unknown): unknown {
  const { type, items } = (target.schema ?? {}) as FieldShape;
  const isAllowed = (option: unknown): boolean =>
    target.allowedValues === undefined ||
    target.allowedValues.some((one) => (one as { value?: unknown }).value === option);
  if (type === 'option' && typeof value === 'string') return isAllowed(value) ? { value } : undefined;
  if (type === 'array' && Array.isArray(value)) {
    if (items === 'option') return value.every(isAllowed) ? value.map((one) => ({ value: one as string })) : undefined;
    return items === 'string' ? value : undefined;
  }
  return PLAIN.has(type ?? '') && typeof value !== 'object' ? value : undefined;
}

function toPortable({ type, items }: FieldShape, value: unknown): unknown {
  const optionOf = (one: unknown): unknown => (one as { value?: unknown }).value;
  if (type === 'option') return optionOf(value);
  if (type === 'array' && Array.isArray(value)) {
    if (items === 'option') return value.map(optionOf);
    return items === 'string' ? value : undefined;
  }
  return PLAIN.has(type ?? '') && typeof value !== 'object' ? value : undefined;
}

function isFilled(value: unknown): boolean {
  return value !== undefined && value !== null && !(Array.isArray(value) && value.length === 0);
}
