/** A field that the contract does not know: its name, and the path of the record that has it. */
export type UnknownField = { at: string; name: string };

/** How many unknown fields are remembered by name; the rest is only counted, so that a hostile body costs no memory. */
const REMEMBERED = 1_000;

/** What one walk over a caller's value found that the contract does not know. */
export class UnknownFields {
  readonly named: UnknownField[] = [];
  count = 0;
  /** Path of a map with the key `__proto__`, which no map may have; null = none. */
  prototypeKeyAt: string | null = null;

  add(at: string, index: number, name: string): void {
    this.count += 1;
    if (this.named.length < REMEMBERED) this.named.push({ at: index < 0 ? at : `${at}[${index}]`, name });
  }
}

/** The path of a field of the record at `at`, or of its item `index` (-1 = it is no item). */
export function pathTo(at: string, index: number, field: string): string {
  if (at === '') return field;
  return index < 0 ? `${at}.${field}` : `${at}[${index}].${field}`;
}

export type Fields = { readonly [field: string]: unknown };

export function isObject(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A copy of a list of plain values; anything else comes back as it is, for validation to refuse. */
export function takeList(value: unknown): unknown {
  return Array.isArray(value) ? value.slice() : value;
}

/**
 * A copy of a map of plain values with its names in order, so that equal records have equal JSON; anything else comes back
 * as it is, for validation to refuse.
 */
export function takeMap(value: unknown, unknown: UnknownFields, at: string, index: number, field: string): unknown {
  if (!isObject(value)) return value;
  if (Object.hasOwn(value, '__proto__')) unknown.prototypeKeyAt ??= pathTo(at, index, field);
  const names = Object.keys(value);
  for (let i = 1; i < names.length; i++) {
    if (names[i - 1] > names[i]) return Object.fromEntries(names.sort().map((name) => [name, value[name]]));
  }
  return { ...value };
}

type TakeRecord = (value: unknown, unknown: UnknownFields, at: string, index: number) => unknown;

/** A copy of a list of records; anything else comes back as it is, for validation to refuse. */
export function takeRecords(value: unknown, unknown: UnknownFields, at: string, take: TakeRecord): unknown {
  if (!Array.isArray(value)) return value;
  const taken: unknown[] = [];
  for (let i = 0; i < value.length; i++) taken.push(take(value[i], unknown, at, i));
  return taken;
}
