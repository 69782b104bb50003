import { agentIdOf } from '../agents/agent.ts';
import { attemptsOf } from '../flow/attempt.ts';
import { isOpen, type PlanState } from '../flow/flow-state.ts';
import type { LivePlan } from '../flow/live-plan.ts';
import { ticketIdOf } from '../plans/plan.ts';
import { forecastStart } from '../scheduling/models/plan-forecast.ts';
import { typeOf } from '../scheduling/outcome.ts';
import type { Why } from '../scheduling/why.ts';
import type { CompanyStanding, WhyQueue, WhyView } from './scheduling-views.ts';
import type { Swarm } from './swarm.ts';
import { classNameOf } from './class-name.ts';

const MOST_NAMED = 20;
const MOST_COMPANIES = 10;

/** Why a ticket of an open plan of this process does not run, and when it will. Names are not hidden yet. */
export function whyTicket(
  swarm: Swarm,
  plan: LivePlan,
  n: number,
  { now, starts }: { now: number; /** False: the company is paused. */ starts: boolean },
): WhyView {
  const { state, instance } = plan;
  const ticket = state.tickets[n];
  const why = swarm.scheduler.why(plan.key, n, now);
  return {
    ticket_id: ticketIdOf(plan.key, n),
    plan_id: plan.plan_id,
    instance,
    task_type: typeOf(plan.specs[n]),
    state: ticket.status,
    at: now,
    waits_for: waitsFor(plan, state, n, starts),
    queue: why === null ? null : queueOf(swarm, why),
    company: why === null ? null : companyOf(swarm, instance, why),
    forecast_start: why === null ? null : startOf(swarm, instance, why, now),
  };
}

/** A ticket of a plan that is not open any more. */
export function whyEnded(
  ticket: Pick<WhyView, 'ticket_id' | 'plan_id' | 'instance' | 'task_type' | 'state'>,
  now: number,
): WhyView {
  const waits_for = { what: 'nothing' as const, tickets: [], until: null, agent_id: null };
  return { ...ticket, at: now, waits_for, queue: null, company: null, forecast_start: null };
}

function waitsFor(plan: LivePlan, state: PlanState, n: number, starts: boolean): WhyView['waits_for'] {
  const ticket = state.tickets[n];
  const nothing = { tickets: [] as string[], until: null, agent_id: null };
  const couldBegin = ticket.status === 'ready' || ticket.status === 'waiting' || ticket.status === 'backoff';
  const isPaused = state.control.paused && ticket.status !== 'backoff';
  if (state.status === 'waiting_approval' || ticket.status === 'approval') return { what: 'approval', ...nothing };
  if (couldBegin && !starts) return { what: 'company', ...nothing };
  if (couldBegin && isPaused) return { what: 'resume', ...nothing };
  switch (ticket.status) {
    case 'waiting': {
      const open = state.rules[n].deps.filter((dep) => isOpen(state.tickets[dep].status)).slice(0, MOST_NAMED);
      return { what: 'dependencies', ...nothing, tickets: open.map((dep) => ticketIdOf(plan.key, dep)) };
    }
    case 'ready':
      return { what: 'agent', ...nothing };
    case 'backoff':
      return { what: 'backoff', ...nothing, until: ticket.due };
    case 'running': {
      const [{ agent, startedAt }] = attemptsOf(ticket);
      return { what: 'result', ...nothing, until: startedAt + state.rules[n].timeoutMs, agent_id: agentIdOf(agent) };
    }
    default:
      return { what: 'nothing', ...nothing };
  }
}

function queueOf(swarm: Swarm, why: Why): WhyQueue {
  const { position, ahead, doomed, agents, filters, candidates, caps, heldFor } = why;
  const companies = Object.entries(ahead.byCompany).sort((a, b) => b[1] - a[1]);
  const named = companies.slice(0, MOST_COMPANIES).map(([instance, tickets]) => ({ instance, tickets }));
  const rest = companies.slice(MOST_COMPANIES).reduce((sum, [, tickets]) => sum + tickets, 0);
  return {
    class: classNameOf(why.class),
    since: why.since,
    position: position.inClass,
    of: position.of,
    overall: position.overall,
    overall_of: swarm.size,
    ahead: {
      tickets: ahead.tickets,
      seconds: Math.round(ahead.workMs) / 1_000,
      companies: rest === 0 ? named : [...named, { instance: 'others', tickets: rest }],
    },
    doomed,
    agents,
    filters: filters.map(({ filter, removed, what }) => ({ name: filter, removed, what })),
    candidates: candidates.map(({ agent, costMs, parts, busyUntil }) => ({
      agent_id: agent,
      score: Math.round(costMs),
      parts,
      busy_until: busyUntil === null ? null : Math.round(busyUntil),
    })),
    caps,
    held_for: heldFor === null ? null : { agent_id: heldFor.agent, until: heldFor.until },
  };
}

function companyOf(swarm: Swarm, instance: string, { company }: Why): CompanyStanding {
  const { lagMs, allowedMs, eligible, running, waiting, mode } = company;
  return {
    tier: swarm.tierOf(instance),
    weight: swarm.scheduler.weightOf(instance),
    running,
    waiting,
    lag_seconds: Math.round(lagMs) / 1_000,
    lag_limit_seconds: Math.round(allowedMs) / 1_000,
    eligible,
    mode,
  };
}

/** With what was learned of how right such forecasts were. */
function startOf(
  swarm: Swarm,
  instance: string,
  { ahead, freeAt, capacity: slots }: Why,
  now: number,
): WhyView['forecast_start'] {
  if (freeAt === null || slots === 0) return null;
  const others = swarm.otherLoads(instance, now);
  const queue = { aheadMs: ahead.ownMs, weight: swarm.scheduler.weightOf(instance), others, slots };
  const { p50, p90 } = swarm.forecastError.range('start', instance, forecastStart(queue, freeAt - now));
  return { p50: Math.round(now + p50), p90: Math.round(now + p90) };
}
