import { agedOf, headBefore, headOf, leastOf, lineBefore, reachOf, type HeadRule } from './class-head.ts';
import type { Account, AgentState, Entry, Line, TicketClass } from './scheduler-state.ts';

/** The classes in which something waits that one of these agents can do, each with the agents that ask. */
export function openClasses(
  asking: readonly AgentState[],
  busy: ReadonlySet<TicketClass>,
  cycle: number,
): TicketClass[] {
  const open: TicketClass[] = [];
  const note = (of: TicketClass, state: AgentState): void => {
    if (of.cycle !== cycle) {
      of.cycle = cycle;
      of.free.size = 0;
      of.holds = 0;
      of.passed = 0;
      open.push(of);
    }
    of.free.states[of.free.size++] = state;
  };
  for (const state of asking) {
    if (state.fits.size <= busy.size) {
      for (const of of state.fits.keys()) if (of.size > 0) note(of, state);
    } else for (const of of busy) if (state.fits.has(of)) note(of, state);
  }
  return open;
}

/**
 * The ticket that goes first of all open classes: of the companies within the lag of the one that had least, by the
 * order of the policy. `agedSince` = it is the turn of those that were ready by then, the longest first; null = it is not.
 */
export function pickTicket(open: readonly TicketClass[], rule: HeadRule, agedSince: number | null): Entry | null {
  const least = leastUsed(open, rule);
  if (least === Infinity) return null;
  const limit = limitOf(least, rule.lag);
  if (agedSince !== null) {
    let oldest: Entry | null = null;
    for (const of of open) {
      const entry = agedOf(of, limit, agedSince, rule);
      if (entry !== null && (oldest === null || entry.ticket.readyAt < oldest.ticket.readyAt)) oldest = entry;
    }
    if (oldest !== null) return oldest;
  }
  const within: Account[] = [];
  if (!rule.turns && rule.lag < Infinity && rule.upTo(limit + rule.extra, MOST_ACCOUNTS, within))
    return firstOf(within, open, limit, rule);
  let best: TicketClass | null = null;
  for (const of of open) {
    if (headOf(of, limit, rule) !== null && (best === null || headBefore(of, best))) best = of;
  }
  return best?.head ?? null;
}

/** With more companies in reach what each class remembers of its own is asked. */
const MOST_ACCOUNTS = 32;

/** The ticket that goes first of what these companies have in open classes; null = none may have one. */
function firstOf(
  accounts: readonly Account[],
  open: readonly TicketClass[],
  limit: number,
  rule: HeadRule,
): Entry | null {
  let best: Line | null = null;
  for (const account of accounts) {
    if (account.skipped === rule.cycle || reachOf(account, rule) > limit) continue;
    const first = firstLine(account, rule);
    if (first !== null && isOpen(first.class, rule)) best = better(best, first, rule);
    else for (const of of open) best = better(best, of.byInstance.get(account.instance), rule);
  }
  return best === null ? null : best.entries.peek()!;
}

/** The line of the company whose first ticket goes first, open or not; remembered while it does. */
function firstLine(account: Account, rule: HeadRule): Line | null {
  const { firstLine: known, orderVersion, lines } = account;
  if (known !== null && known.orderVersion === orderVersion) return known;
  let first: Line | null = null;
  for (const line of lines) first = better(first, line, rule);
  return (account.firstLine = first);
}

const isOpen = (of: TicketClass, { cycle }: HeadRule): boolean => of.cycle === cycle && of.free.size > 0;

function better(best: Line | null, line: Line | undefined, rule: HeadRule): Line | null {
  if (line === undefined) return best;
  if (line.orderVersion !== line.account.orderVersion) rule.settle(line);
  if (best === null) return line;
  const first = line.standing[0] - best.standing[0];
  return first < 0 || (first === 0 && lineBefore(line, best)) ? line : best;
}

/** What the company that had least has used, of those with a ticket in one of these classes; Infinity = none is left. */
function leastUsed(open: readonly TicketClass[], rule: HeadRule): number {
  if (!rule.turns) {
    // Mostly it is the one that had least of all.
    const first = rule.first();
    if (first !== undefined && first.skipped !== rule.cycle)
      for (const of of open) if (of.byInstance.has(first.instance)) return first.used;
  }
  let least = Infinity;
  for (const of of open) least = Math.min(least, leastOf(of, rule));
  return least;
}

/** In steps, so that a decision does not let other companies in and have every class looked at again. */
const LIMIT_STEPS = 64;

/** What a company may have used: at most the lag more than the least, at least as much as the least. */
function limitOf(least: number, lag: number): number {
  const step = lag / LIMIT_STEPS;
  return step > 0 && step < Infinity ? Math.max(least, Math.floor((least + lag) / step) * step) : least + lag;
}
