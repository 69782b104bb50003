import { compareKeys } from './entry-order.ts';
import type { Account, Entry, Line, TicketClass } from './scheduler-state.ts';

/** By what the first ticket of a class is chosen in this cycle. */
export type HeadRule = {
  cycle: number;
  /** What counts is how many tickets companies were given, not for how long. */
  turns: boolean;
  /** How far a company may be ahead of the least, in the unit of `used`; Infinity = companies do not count. */
  lag: number;
  /** How much further while its error budget burns. */
  tightLag: number;
  /** How much more than others a company may have used and still be in reach: `tightLag` while an error budget burns, else 0. */
  extra: number;
  /** The company that had least of all that compete. */
  first(): Account | undefined;
  /** Adds to `into` those that compete and have used no more; false = there are more than `most`. */
  upTo(used: number, most: number, into: Account[]): boolean;
  /** Puts the line in order when the order of its company has changed. */
  settle(line: Line): void;
};

const usedOf = (account: Account, rule: HeadRule): number => (rule.turns ? account.turns : account.used);

/** What it has used, less what it may be ahead more than others because its error budget burns. */
export function reachOf(account: Account, rule: HeadRule): number {
  const used = usedOf(account, rule);
  return account.mode === 'tight' ? used - rule.tightLag : used;
}

/** Everything about the head of the class is looked for again. */
export function forgetHead(of: TicketClass): void {
  of.headStale = true;
  of.leastAccount = null;
}

/** What the company of the class that had least has used; Infinity = none is left in this cycle. */
export function leastOf(of: TicketClass, rule: HeadRule): number {
  const { leastAccount, accounts } = of;
  if (leastAccount !== null && usedOf(leastAccount, rule) === of.leastUsed) return of.leastUsed;
  let least = Infinity;
  let at = -1;
  for (let i = 0; i < accounts.length; i++) {
    const used = usedOf(accounts[i], rule);
    if (used < least && accounts[i].skipped !== rule.cycle) {
      least = used;
      at = i;
    }
  }
  of.leastUsed = least;
  of.leastAccount = at < 0 ? null : accounts[at];
  return least;
}

/**
 * The ticket that goes first among the companies that have used at most `limit`; null = none has. Remembered until
 * something changes that could make it another one, so that a decision need not look at every company.
 */
export function headOf(of: TicketClass, limit: number, rule: HeadRule): Entry | null {
  if (!of.headStale && limit < of.nextUsed) {
    if (of.headAccount === null || reachOf(of.headAccount, rule) <= limit) return of.head;
  }
  const { accounts, firstKeys, secondKeys, lines } = of;
  of.nextUsed = Infinity;
  of.headStale = false;
  let best = -1;
  for (let i = 0; i < accounts.length; i++) {
    const account = accounts[i];
    if (account.skipped === rule.cycle) continue;
    const reach = reachOf(account, rule);
    if (reach > limit) {
      if (reach < of.nextUsed) of.nextUsed = reach;
      continue;
    }
    if (account.orderVersion !== lines[i].orderVersion) rule.settle(lines[i]);
    if (best < 0 || firstKeys[i] < firstKeys[best]) best = i;
    else if (firstKeys[i] === firstKeys[best]) {
      const second = secondKeys[i] - secondKeys[best];
      if (second < 0 || (second === 0 && lineBefore(lines[i], lines[best]))) best = i;
    }
  }
  of.head = best < 0 ? null : lines[best].entries.peek()!;
  of.headAccount = best < 0 ? null : accounts[best];
  of.headFirst = best < 0 ? Infinity : firstKeys[best];
  of.headSecond = best < 0 ? Infinity : secondKeys[best];
  return of.head;
}

/** The ticket that has waited longest since before `since`, of those companies; null = none has waited as long. */
export function agedOf(of: TicketClass, limit: number, since: number, rule: HeadRule): Entry | null {
  const { accounts, oldestAt } = of;
  let oldest = -1;
  for (let i = 0; i < accounts.length; i++) {
    if (oldestAt[i] > (oldest < 0 ? since : oldestAt[oldest])) continue;
    if (accounts[i].skipped !== rule.cycle && reachOf(accounts[i], rule) <= limit) oldest = i;
  }
  return oldest < 0 ? null : of.lines[oldest].oldest;
}

/** The class whose first ticket goes first; both have one. */
export function headBefore(a: TicketClass, b: TicketClass): boolean {
  if (a.headFirst !== b.headFirst) return a.headFirst < b.headFirst;
  if (a.headSecond !== b.headSecond) return a.headSecond < b.headSecond;
  return lineBefore(a.head!.line, b.head!.line);
}

/** Whose first ticket goes first. */
export function lineBefore(a: Line, b: Line): boolean {
  const order = compareKeys(a.standing, b.standing);
  return order === 0 ? a.entries.peek()!.order < b.entries.peek()!.order : order < 0;
}

/** The company was given back some of what it had used: it may come in again, or be the least. */
export function fellBack(account: Account, by: number, rule: HeadRule): void {
  if (rule.turns) return;
  const reach = reachOf(account, rule);
  for (const { class: of } of account.lines) {
    // Those that were left out when the class was looked at had used `nextUsed` or more.
    if (reach < of.nextUsed && reach + by >= of.nextUsed) of.nextUsed = reach;
    if (account.used < of.leastUsed) of.leastAccount = null;
  }
}
