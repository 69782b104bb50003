import { agedOf, headBefore, headOf, leastOf, type HeadRule } from './class-head.ts';
import type { AgentState, Entry, TicketClass } from './scheduler-state.ts';

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
    if (state.fits.size < busy.size) {
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
  let least = Infinity;
  for (const of of open) least = Math.min(least, leastOf(of, rule));
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
  let best: TicketClass | null = null;
  for (const of of open) {
    if (headOf(of, limit, rule) !== null && (best === null || headBefore(of, best))) best = of;
  }
  return best?.head ?? null;
}

/** In steps, so that a decision does not let other companies in and have every class looked at again. */
const LIMIT_STEPS = 64;

/** What a company may have used: at most the lag more than the least, at least as much as the least. */
function limitOf(least: number, lag: number): number {
  const step = lag / LIMIT_STEPS;
  return step > 0 && step < Infinity ? Math.max(least, Math.floor((least + lag) / step) * step) : least + lag;
}
