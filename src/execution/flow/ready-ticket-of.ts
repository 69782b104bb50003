import type { TicketSpec } from '../plans/ticket.ts';
import { upwardRanks } from '../plans/upward-rank.ts';
import type { Estimates } from '../scheduling/estimates.ts';
import type { ReadyTicket } from '../scheduling/ready-ticket.ts';
import type { PlanState, TicketRules } from './flow-state.ts';
import type { LivePlan } from './live-plan.ts';

/** Agents named for the locality of a ticket's data, at most. */
const NEAR = 4;
const NOBODY: readonly string[] = [];

/** `ranks`: upward ranks by what is expected. `longestMs`: the longest way through the plan by timeouts. */
type Lengths = { ranks: Float64Array; longestMs: number };
/** By the rules they follow from: a new revision has new ones. */
const lengths = new WeakMap<readonly TicketRules[], Lengths>();

/** A plan as the ticket is ready in: its state and specs may be those of a draft. */
type At = { plan: Pick<LivePlan, 'key' | 'instance' | 'created_at'>; state: PlanState; specs: readonly TicketSpec[] };

/** Ticket n as the scheduler gets it; `readyAt` null = it is not known, and derived from what it waited for. */
export function readyTicketOf(at: At, n: number, readyAt: number | null, by: Pick<Estimates, 'base'>): ReadyTicket {
  const { plan, state, specs } = at;
  return {
    plan: plan.key,
    n,
    instance: plan.instance,
    spec: specs[n],
    createdAt: plan.created_at,
    deadline: state.tickets[n].deadline,
    planDeadline: planDeadlineOf(at, n, by),
    readyAt: readyAt ?? lastEndBefore(at, n),
    rank: rankOf(at, n, by),
    near: agentsBefore(state, n),
  };
}

/** Made anew for each revision, not for each compensation, which nothing waits for. */
function lengthsOf({ plan, state, specs }: At, by: Pick<Estimates, 'base'>): Lengths {
  let known = lengths.get(state.rules);
  if (known === undefined) {
    const { tickets, rules, dependents } = state;
    const counts = (i: number): boolean => !tickets[i].note?.superseded;
    const ranks = upwardRanks(
      dependents,
      tickets.map((_, i) => (counts(i) ? by.base(specs[i], plan.instance) : 0)),
    );
    const longest = upwardRanks(
      dependents,
      rules.map(({ timeoutMs }, i) => (counts(i) ? timeoutMs : 0)),
    );
    lengths.set(state.rules, (known = { ranks, longestMs: longest.reduce((most, ms) => Math.max(most, ms), 0) }));
  }
  return known;
}

function rankOf(at: At, n: number, by: Pick<Estimates, 'base'>): number {
  const { plan, state, specs } = at;
  return state.dependents[n].length === 0 ? by.base(specs[n], plan.instance) : lengthsOf(at, by).ranks[n];
}

/**
 * Deadlines of tickets count from the plan's creation, as if none waited for another; a plan has until its longest way
 * would end if every ticket took its whole timeout, counted from when this ticket was made or begun again.
 */
function planDeadlineOf(at: At, n: number, by: Pick<Estimates, 'base'>): number {
  const { plan, state } = at;
  const { deadline } = state.tickets[n];
  const { timeoutMs, undoes } = state.rules[n];
  if (undoes !== null || state.rules.length === 1) return deadline;
  const from = Math.max(plan.created_at, deadline - timeoutMs);
  return Math.max(deadline, Math.min(from + lengthsOf(at, by).longestMs, state.control.validUntil ?? Infinity));
}

function agentsBefore({ rules, tickets }: PlanState, n: number): readonly string[] {
  if (rules[n].deps.length === 0) return NOBODY;
  const near: string[] = [];
  for (const dep of rules[n].deps) {
    const { agent } = tickets[dep];
    if (agent !== null && !near.includes(agent) && near.push(agent) === NEAR) break;
  }
  return near;
}

function lastEndBefore({ plan, state }: At, n: number): number {
  return state.rules[n].deps.reduce((last, dep) => Math.max(last, state.tickets[dep].endedAt ?? 0), plan.created_at);
}
