import type { TicketSpec } from '../plans/ticket.ts';
import { PLAIN_ESTIMATES, type Estimates } from './estimates.ts';
import { policyOf } from './policy.ts';
import { Scheduler } from './scheduler.ts';
import type { Assignment } from './scheduling-cycle.ts';
import type { ReadyTicket } from './ready-ticket.ts';
import type { SchedulerAgent } from './scheduler-agent.ts';

/** An attempt as the scheduler knows it. */
export type Run = { plan: number; n: number; instance: string; spec: TicketSpec; agent: string; at: number };

/**
 * What the flow needs of whoever decides which agent gets which ticket. The flow tells it what waits, what runs and what
 * ended, within the batch that makes it true; when that batch is refused, it takes the same steps back.
 */
export type Dispatcher = Pick<Estimates, 'base'> & {
  /** Tickets that wait. */
  readonly size: number;
  /** When there may be something to give though nothing happens, epoch ms; null = only news can change that. */
  readonly wakeAt: number | null;
  add(ticket: ReadyTicket, now: number): void;
  remove(plan: number, n: number): void;
  removePlan(plan: number): void;
  /** An attempt runs that `schedule` did not give: after a restart, or a copy. */
  began(run: Run): void;
  /** `hasResult`: it says something of its agent; one that was cancelled or given back does not. */
  ended(plan: number, n: number, agent: string, at: number, hasResult: boolean): void;
  /** An `ended` at that time is taken back: it runs on. */
  resumed(run: Run, endedAt: number): void;
  /** As if it had never been given. */
  unassign(plan: number, n: number, agent: string): void;
  schedule(agents: readonly SchedulerAgent[], now: number, limit: number): Assignment[];
  /** When an attempt has taken so long that another agent is to try it too, epoch ms; Infinity = none will. */
  readonly overdueAt: number;
  /** Such attempts, with the agent out of `free` that is to try; each begins before the next is asked for. */
  takeOverdue(now: number, free: readonly SchedulerAgent[]): Iterable<{ plan: number; n: number; agent: string }>;
};

/** A scheduler that learns nothing. */
export function plainDispatcher(random: () => number, policy = policyOf('critical-first')): Dispatcher {
  const scheduler = new Scheduler({ policy, estimates: PLAIN_ESTIMATES, random, tierOf: () => 'bronze' });
  return Object.assign(scheduler, { base: PLAIN_ESTIMATES.base, overdueAt: Infinity, takeOverdue: () => [] });
}
