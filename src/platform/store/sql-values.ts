// One way in and out for values, so that both implementations of the store answer alike: text in, text out.

const number = (text: string): number => Number(text);
const boolean = (text: string): boolean => text === 't';
const bytes = (text: string): Uint8Array => Buffer.from(text.slice(2), 'hex');

/** `2026-11-21 12:00:00.5+00` with any offset; `infinity` is left to Date and gives an invalid one. */
function date(text: string): Date {
  const iso = text.replace(' ', 'T');
  return new Date(/[+-]\d\d$/.test(iso) ? `${iso}:00` : iso);
}

/** Type oid → how its text becomes a value. What is not here stays text: numeric, uuid, date, interval. */
const DECODERS: Record<number, (text: string) => unknown> = {
  16: boolean,
  17: bytes,
  20: number,
  21: number,
  23: number,
  26: number,
  114: JSON.parse,
  700: number,
  701: number,
  1184: date,
  3802: JSON.parse,
};

/** Array oid → oid of its elements. */
const ARRAYS: Record<number, number> = {
  199: 114,
  1000: 16,
  1001: 17,
  1003: 19,
  1005: 21,
  1007: 23,
  1009: 25,
  1015: 1043,
  1016: 20,
  1021: 700,
  1022: 701,
  1028: 26,
  1185: 1184,
  1231: 1700,
  2951: 2950,
  3807: 3802,
};

/** A value as PostgreSQL's text becomes the value that `Sql.query` promises. */
export function decodeValue(typeOid: number, text: string): unknown {
  const element = ARRAYS[typeOid];
  if (element !== undefined) return decodeArray(text, (item) => decodeValue(element, item));
  return DECODERS[typeOid]?.(text) ?? text;
}

/** A parameter as text; null stays null. Objects become JSON, arrays array literals: pass JSON arrays as JSON text. */
export function encodeValue(value: unknown): string | null {
  if (value === null || value === undefined) return null;
  if (typeof value === 'string') return value;
  if (value instanceof Date) return value.toISOString();
  if (value instanceof Uint8Array) return `\\x${Buffer.from(value).toString('hex')}`;
  if (Array.isArray(value)) return encodeArray(value);
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}

function encodeArray(items: readonly unknown[]): string {
  const parts = items.map((item) => {
    if (Array.isArray(item)) return encodeArray(item);
    const text = encodeValue(item);
    return text === null ? 'NULL' : `"${text.replace(/["\\]/g, '\\$&')}"`;
  });
  return `{${parts.join(',')}}`;
}

/** Array literals as the server writes them, nested or not. A lower bound, as in `[0:1]={…}`, is dropped. */
function decodeArray(text: string, decode: (item: string) => unknown): unknown[] {
  let at = text.indexOf('{');
  const list = (): unknown[] => {
    const items: unknown[] = [];
    at++; // the opening brace
    while (text[at] !== '}') {
      if (text[at] === ',') at++;
      if (text[at] === '{') items.push(list());
      else if (text[at] === '"') items.push(decode(quoted()));
      else items.push(bare());
    }
    at++;
    return items;
  };
  const quoted = (): string => {
    let item = '';
    for (at++; text[at] !== '"'; at++) item += text[at] === '\\' ? text[++at] : text[at];
    at++;
    return item;
  };
  const bare = (): unknown => {
    const start = at;
    while (text[at] !== ',' && text[at] !== '}') at++;
    const item = text.slice(start, at);
    return item === 'NULL' ? null : decode(item);
  };
  return list();
}
