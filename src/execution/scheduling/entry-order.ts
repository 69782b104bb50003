import { ORDER_PLUGINS, type OrderMoment, type OrderName, type OrderPlugin } from './order-plugins.ts';
import type { ReadyTicket } from './ready-ticket.ts';
import type { Entry } from './scheduler-state.ts';

/** A list of order plugins, ready for use. */
export type EntryOrder = readonly OrderPlugin[];

export const entryOrder = (names: readonly OrderName[]): EntryOrder => names.map((name) => ORDER_PLUGINS[name]);

/** The order inside a company whose error budget burns critically. */
export const CRITICAL_ORDER: EntryOrder = [...entryOrder(['best-effort-last', 'score', 'deadline', 'first-come'])];

export function keysOf(order: EntryOrder, ticket: ReadyTicket, moment: OrderMoment): number[] {
  const keys: number[] = [];
  for (const plugin of order) {
    const key = plugin.key(ticket, moment);
    keys.push(Number.isNaN(key) ? Infinity : key);
  }
  return keys;
}

/** When a key of the ticket is next another one; Infinity = never. */
export function changesAt(order: EntryOrder, ticket: ReadyTicket, moment: OrderMoment): number {
  let at = Infinity;
  for (const plugin of order) {
    if (plugin.changesAt !== undefined) at = Math.min(at, plugin.changesAt(ticket, moment));
  }
  return at;
}

/** Negative: a goes first. Lists of another length are compared as far as both go. */
export function compareKeys(a: readonly number[], b: readonly number[]): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    if (a[i] !== b[i]) return a[i] < b[i] ? -1 : 1;
  }
  return 0;
}

export function entryBefore(a: Entry, b: Entry): boolean {
  const order = compareKeys(a.keys, b.keys);
  return order === 0 ? a.order < b.order : order < 0;
}
