import { compareKeys } from './entry-order.ts';
import type { Account, Entry, Line, TicketClass } from './scheduler-state.ts';

/** By what the first ticket of a class is chosen in this cycle. */
export type HeadRule = {
  cycle: number;
  now: number;
  /** How far a company may be ahead of the least, in the unit of `used`; Infinity = companies do not count. */
  lag: number;
  used(account: Account): number;
  /** Puts the line in order when the order of its company has changed, and gives its first entry. */
  first(line: Line): Entry;
  /** By what it stands against those of other companies. */
  keys(entry: Entry): readonly number[];
};

/** What a company has used, less what it may be ahead more than others because its error budget burns. */
const reach = (account: Account, rule: HeadRule): number =>
  account.mode === 'tight' ? rule.used(account) - rule.lag : rule.used(account);

/** What the company of the class that had least has used; Infinity = none is left in this cycle. */
export function leastOf(of: TicketClass, rule: HeadRule): number {
  const { leastLine } = of;
  if (!of.dirty && leastLine !== null && rule.used(leastLine.account) === of.leastUsed) return of.leastUsed;
  of.leastLine = null;
  of.leastUsed = Infinity;
  of.head = null;
  of.dirty = false;
  for (const line of of.lines) {
    if (line.skipped === rule.cycle) continue;
    const used = rule.used(line.account);
    if (used < of.leastUsed) [of.leastUsed, of.leastLine] = [used, line];
  }
  if (of.leastUsed < Infinity) of.least = Math.max(of.least, of.leastUsed);
  return of.leastUsed;
}

/**
 * The ticket that goes first among the companies that have used at most `limit`; null = none has. Remembered until
 * something changes that could make it another one, so that a decision need not look at every company. After `leastOf`.
 */
export function headOf(of: TicketClass, limit: number, rule: HeadRule): Entry | null {
  if (of.head !== null && limit < of.nextUsed && reach(of.head.line.account, rule) <= limit) return of.head;
  of.head = null;
  of.nextUsed = Infinity;
  for (const line of of.lines) {
    if (line.skipped === rule.cycle) continue;
    const used = reach(line.account, rule);
    if (used > limit) {
      if (used < of.nextUsed) of.nextUsed = used;
      continue;
    }
    const entry = rule.first(line);
    const keys = rule.keys(entry);
    if (of.head === null || standsBefore(entry, keys, of.head, of.headKeys)) [of.head, of.headKeys] = [entry, keys];
  }
  return of.head;
}

/** The ticket that has waited longest since before `since`, of those companies; null = none has waited as long. */
export function agedOf(of: TicketClass, limit: number, since: number, rule: HeadRule): Entry | null {
  let oldest: Entry | null = null;
  for (const line of of.lines) {
    if (line.skipped === rule.cycle || line.oldest!.ticket.readyAt > since || reach(line.account, rule) > limit)
      continue;
    if (oldest === null || line.oldest!.ticket.readyAt < oldest.ticket.readyAt) oldest = line.oldest;
  }
  return oldest;
}

export function standsBefore(a: Entry, aKeys: readonly number[], b: Entry, bKeys: readonly number[]): boolean {
  const order = compareKeys(aKeys, bKeys);
  return order === 0 ? a.order < b.order : order < 0;
}
