import { ColmeiaError } from '../../platform/errors.ts';
import type { Dispatcher } from '../scheduling/dispatcher.ts';
import { attemptsOf } from './attempt.ts';
import type { By, FlowBatch } from './flow-batch.ts';
import type { LivePlan } from './live-plan.ts';

/**
 * Gives a ticket to an agent past the scheduler: one that is ready, or that another agent has, whose attempt then does not
 * count. Throws PLAN_STATE when it is neither, or `mayLose` says no to the agent that has it.
 */
export function claimTicket(
  batch: FlowBatch,
  ready: Pick<Dispatcher, 'remove'>,
  { plan, n, agent, who }: { plan: LivePlan; n: number; agent: string; who: By },
  mayLose: (agent: string) => boolean,
): void {
  const attempts = attemptsOf(batch.stateOf(plan).tickets[n]);
  if (attempts.length === 1 && attempts[0].agent === agent) return;
  const taken = attempts.find((attempt) => !mayLose(attempt.agent));
  if (taken !== undefined) throw new ColmeiaError('PLAN_STATE', 'the ticket is being worked on by an agent');
  for (const { fence } of attempts) batch.endAttempt(plan, n, { type: 'released', at: batch.at, n, fence }, who);
  const { tickets, control } = batch.stateOf(plan);
  if (tickets[n].status !== 'ready' || control.paused)
    throw new ColmeiaError('PLAN_STATE', `the ticket is ${control.paused ? 'paused' : tickets[n].status}`);
  ready.remove(plan.key, n);
  batch.step(plan, { type: 'leased', at: batch.at, leases: [{ n, agent }] }, who);
  batch.taken.set(agent, (batch.taken.get(agent) ?? 0) + 1);
}
