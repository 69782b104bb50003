import { ColmeiaError } from './errors.ts';

/** Items of a page at most. */
export const PAGE_LIMIT = 100;
export const PAGE_DEFAULT = 50;

/** The limit a caller asked for; throws INVALID_REQUEST outside 1 to 100. */
export function pageLimit(limit: number | undefined): number {
  if (limit === undefined) return PAGE_DEFAULT;
  if (Number.isInteger(limit) && limit >= 1 && limit <= PAGE_LIMIT) return limit;
  const message = `must be a whole number from 1 to ${PAGE_LIMIT}`;
  throw new ColmeiaError('INVALID_REQUEST', `limit ${message}`, { faults: [{ path: 'limit', message }] });
}

/** Cursors are opaque to callers and hold where the page before ended. */
export const encodeCursor = (place: unknown): string => Buffer.from(JSON.stringify(place)).toString('base64url');

/** null = from the start. Throws INVALID_REQUEST when it is no cursor of this list. */
export function decodeCursor<T>(after: string | undefined, isPlace: (place: unknown) => place is T): T | null {
  if (after === undefined || after === '') return null;
  try {
    const place: unknown = JSON.parse(Buffer.from(after, 'base64url').toString());
    if (isPlace(place)) return place;
  } catch {
    // said below
  }
  throw new ColmeiaError('INVALID_REQUEST', 'after is no cursor of this list', {
    faults: [{ path: 'after', message: 'is no cursor of this list' }],
  });
}

/** Makes a page of rows that were asked for with limit + 1. */
export function pageOf<Row, Item>(
  rows: readonly Row[],
  limit: number,
  place: (row: Row) => unknown,
  item: (row: Row) => Item,
): { items: Item[]; next: string | null } {
  const items = rows.slice(0, limit);
  return { items: items.map(item), next: rows.length > limit ? encodeCursor(place(items[limit - 1])) : null };
}

export const isNumbers =
  (length: number) =>
  (place: unknown): place is number[] =>
    Array.isArray(place) && place.length === length && place.every((part) => Number.isSafeInteger(part));
export const isTexts =
  (length: number) =>
  (place: unknown): place is string[] =>
    Array.isArray(place) &&
    place.length === length &&
    place.every((part) => typeof part === 'string' && !part.includes('\u0000'));
