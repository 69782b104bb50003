import type { Dispatcher } from '../scheduling/dispatcher.ts';
import type { SchedulerAgent } from '../scheduling/scheduler-agent.ts';
import { ENGINE, type FlowBatch } from './flow-batch.ts';
import type { FlowEngineOptions } from './flow-engine-options.ts';
import { BATCH_LIMIT } from './group-commit.ts';
import type { OwnedPlans } from './owned-plans.ts';

/** Leases that one commit begins, at most. */
const LEASE_LIMIT = 10 * BATCH_LIMIT;

/** Where what a batch is filled with comes from. */
export type BatchSources = Pick<FlowEngineOptions, 'registry' | 'random' | 'watch' | 'onScheduled'> & {
  owned: Pick<OwnedPlans, 'plans' | 'timers'>;
  dispatcher: Dispatcher;
};

/**
 * Adds to a batch what time and agents make possible: what is due, attempts that are lost, tickets for the agents that ask.
 * `before`: the batch whose leases are granted and ended only after this one is sent.
 */
export function fillBatch(batch: FlowBatch, before: FlowBatch | null, sources: BatchSources): void {
  applyDue(batch, sources);
  schedule(batch, before, sources);
}

function applyDue(batch: FlowBatch, { owned, registry, random, watch }: BatchSources): void {
  for (const key of owned.timers.take(batch.at, BATCH_LIMIT)) {
    const plan = owned.plans.get(key);
    if (plan) batch.step(plan, { type: 'due', at: batch.at, jitter: random() }, ENGINE);
  }
  for (const { plan, event } of watch?.take(batch.at) ?? [])
    batch.log(plan.instance, { ...event, ...ENGINE, plan: plan.plan_id }, plan.key);
  for (const lease of registry.takeExpired(batch.at)) {
    const { n, fence } = lease;
    const plan = owned.plans.get(lease.plan);
    const error = registry.whyExpired(lease);
    const lost = { type: 'lost', n, fence, error, retryAfterMs: null, jitter: random() } as const;
    if (plan && batch.holds(plan, n, fence)) {
      batch.endAttempt(plan, n, { ...lost, at: batch.at }, ENGINE);
      batch.expired.push(lease);
    } else registry.end(lease.leaseId);
  }
}

function schedule(batch: FlowBatch, before: FlowBatch | null, sources: BatchSources): void {
  const { owned, dispatcher, registry, onScheduled } = sources;
  const isOverdue = dispatcher.overdueAt <= batch.at;
  if (dispatcher.size === 0 && !isOverdue) return;
  const startedAt = performance.now();
  const candidates = registry.candidates(batch.freed, before);
  for (const candidate of candidates) candidate.free -= batch.taken.get(candidate.key) ?? 0; // by copies
  const assignments = dispatcher.schedule(candidates, batch.at, LEASE_LIMIT);
  onScheduled?.(performance.now() - startedAt, assignments);
  const byPlan = new Map<number, { n: number; agent: string }[]>();
  for (const { ticket, agent } of assignments) {
    batch.taken.set(agent, (batch.taken.get(agent) ?? 0) + 1);
    const leases = byPlan.get(ticket.plan);
    if (leases) leases.push({ n: ticket.n, agent });
    else byPlan.set(ticket.plan, [{ n: ticket.n, agent }]);
  }
  for (const [key, leases] of byPlan) {
    const plan = batch.drafts.get(key)?.plan ?? owned.plans.get(key)!;
    batch.step(plan, { type: 'leased', at: batch.at, leases }, ENGINE);
  }
  if (isOverdue) copyOverdue(batch, candidates, sources);
}

/** Attempts that take too long get a second one, at agents that still have room. */
function copyOverdue(
  batch: FlowBatch,
  candidates: readonly SchedulerAgent[],
  { owned, dispatcher }: BatchSources,
): void {
  const free = candidates.filter(({ key, free: room }) => room > (batch.taken.get(key) ?? 0));
  for (const { plan: key, n, agent } of dispatcher.takeOverdue(batch.at, free)) {
    const plan = owned.plans.get(key);
    if (plan) batch.copy(plan, n, agent);
  }
}
