import { compareKeys } from './entry-order.ts';
import type { Account, Entry, Line, TicketClass } from './scheduler-state.ts';

/** By what the first ticket of a class is chosen in this cycle. */
export type HeadRule = {
  cycle: number;
  /** What counts is how many tickets companies were given, not for how long. */
  turns: boolean;
  /** How far a company may be ahead of the least, in the unit of `used`; Infinity = companies do not count. */
  lag: number;
  /** Puts the line in order when the order of its company has changed. */
  settle(line: Line): void;
};

const usedOf = (account: Account, rule: HeadRule): number => (rule.turns ? account.turns : account.used);

/** What it has used, less what it may be ahead more than others because its error budget burns. */
function reachOf(account: Account, rule: HeadRule): number {
  const used = usedOf(account, rule);
  return account.mode === 'tight' ? used - rule.lag : used;
}

/** Everything about the head of the class is looked for again. */
export function forgetHead(of: TicketClass): void {
  of.headStale = true;
  of.leastLine = null;
}

/** What the company of the class that had least has used; Infinity = none is left in this cycle. */
export function leastOf(of: TicketClass, rule: HeadRule): number {
  const { leastLine, accounts } = of;
  if (leastLine !== null && usedOf(leastLine.account, rule) === of.leastUsed) return of.leastUsed;
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
  of.leastLine = at < 0 ? null : of.lines[at];
  if (!rule.turns && least < Infinity && least > of.least) of.least = least;
  return least;
}

/**
 * The ticket that goes first among the companies that have used at most `limit`; null = none has. Remembered until
 * something changes that could make it another one, so that a decision need not look at every company.
 */
export function headOf(of: TicketClass, limit: number, rule: HeadRule): Entry | null {
  if (!of.headStale && limit < of.nextUsed) {
    if (of.head === null || reachOf(of.head.line.account, rule) <= limit) return of.head;
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
  return (of.head = best < 0 ? null : lines[best].entries.peek()!);
}

/** The ticket that has waited longest since before `since`, of those companies; null = none has waited as long. */
export function agedOf(of: TicketClass, limit: number, since: number, rule: HeadRule): Entry | null {
  let oldest: Entry | null = null;
  for (const line of of.lines) {
    const entry = line.oldest!;
    if (entry.ticket.readyAt > (oldest?.ticket.readyAt ?? since)) continue;
    if (line.account.skipped !== rule.cycle && reachOf(line.account, rule) <= limit) oldest = entry;
  }
  return oldest;
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
    if (account.used < of.leastUsed) of.leastLine = null;
  }
}
