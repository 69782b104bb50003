import type { TicketSpec } from '../plans/ticket.ts';
import { upwardRanks } from '../plans/upward-rank.ts';
import type { Estimates } from '../scheduling/estimates.ts';
import type { ReadyTicket } from '../scheduling/ready-ticket.ts';
import type { PlanState, TicketRules } from './flow-state.ts';
import type { LivePlan } from './live-plan.ts';

/** Agents named for the locality of a ticket's data, at most. */
const NEAR = 4;
const NOBODY: readonly string[] = [];

/** By the rules they follow from: a new revision has new ones. */
const ranks = new WeakMap<readonly TicketRules[], Float64Array>();

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
    readyAt: readyAt ?? lastEndBefore(at, n),
    rank: rankOf(at, n, by),
    near: agentsBefore(state, n),
  };
}

/** Made anew for each revision, not for each compensation, which nothing waits for. */
function rankOf({ plan, state, specs }: At, n: number, by: Pick<Estimates, 'base'>): number {
  if (state.dependents[n].length === 0) return by.base(specs[n], plan.instance);
  let known = ranks.get(state.rules);
  if (known === undefined) {
    const expected = state.tickets.map(({ note }, i) => (note?.superseded ? 0 : by.base(specs[i], plan.instance)));
    ranks.set(state.rules, (known = upwardRanks(state.dependents, expected)));
  }
  return known[n];
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
