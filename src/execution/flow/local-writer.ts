import { ColmeiaError } from '../../platform/errors.ts';
import type { Store } from '../../platform/store/store.ts';
import type { AgentRegistry } from '../agents/agent-registry.ts';
import type { Lease } from '../agents/agent.ts';
import { keepLogs } from '../agents/keep-logs.ts';
import { pricedUsage, type ReportedUsage } from '../agents/token-usage.ts';
import { leaseIdOf } from '../plans/plan.ts';
import { ticketRecord } from '../plans/ticket-record.ts';
import type { TicketSpec } from '../plans/ticket.ts';
import type { CompanyWriter, GrantedLease, LeaseRef } from './company-writer.ts';
import { attemptOf, hasFailed } from './attempt.ts';
import type { AgentUsage } from './flow-batch.ts';
import type { FlowEngine } from './flow-engine.ts';
import { isEnded, type FlowEvent, type PlanState } from './flow-state.ts';
import { findTicketFence } from './flow-store.ts';
import type { LivePlan } from './live-plan.ts';
import { notOwner } from './owned-company.ts';

/** The writer of the companies this process owns. */
export function localWriter({
  engine,
  registry,
  store,
}: {
  engine: FlowEngine;
  registry: AgentRegistry;
  store: Store;
}): Omit<CompanyWriter, 'why' | 'explain'> {
  const usageOf = ({ agent }: Lease, usage: ReportedUsage): AgentUsage => ({
    agent,
    ...pricedUsage(usage, registry.get(agent)?.spec.labels ?? {}),
  });

  const mustOwn = (instance: string): void => {
    if (!engine.owns(instance)) throw notOwner(instance);
  };

  /** A result for a plan that is no longer open: fine when it was said before, fenced otherwise. */
  const settled = async (lease: LeaseRef, isSaid: (status: string) => boolean, error: unknown): Promise<void> => {
    if (!(error instanceof ColmeiaError) || error.code !== 'LEASE_FENCED') throw error;
    const kept = await findTicketFence(store, lease.key, lease.n);
    if (kept === null || kept.fence !== lease.fence || !isSaid(kept.status)) throw error;
  };

  return {
    async submit(submission) {
      mustOwn(submission.instance);
      return engine.submit(submission);
    },
    async act({ instance, key, action, who }) {
      mustOwn(instance);
      return engine.act(key, (at) => ({ ...action, at }) as FlowEvent, who);
    },
    async replan({ instance, key, tickets, gate, control, content, who }) {
      mustOwn(instance);
      return engine.act(
        key,
        (at, plan, state) => ({
          type: 'replanned',
          at,
          rules: tickets.rules,
          deadlines: tickets.deadlines,
          keep: keepOf(plan, state, tickets.specs),
          gate,
          control,
        }),
        who,
        { content, specs: tickets.specs },
      );
    },
    async complete({ instance, key, n, fence, result, logs, usage, who }) {
      mustOwn(instance);
      const lease = registry.heardOf(leaseIdOf(key, n, fence));
      if (lease && logs.length > 0) keepLogs(lease, logs);
      const text = `{"logs":${JSON.stringify(lease?.logs ?? logs)},${result.slice(1)}`;
      await engine
        .complete({ instance, key, n, fence }, text, who, lease && usage ? usageOf(lease, usage) : undefined)
        .catch((error) => settled({ instance, key, n, fence }, hasCompleted, error));
    },
    async fail({ instance, key, n, fence, errorClass, error, retryAfterMs, who }) {
      mustOwn(instance);
      registry.heardOf(leaseIdOf(key, n, fence));
      const failed = engine.fail({ instance, key, n, fence }, { errorClass, error, retryAfterMs }, who);
      await failed.catch((refusal) => settled({ instance, key, n, fence }, hasFailed, refusal));
    },
    async heartbeat({ instance, key, n, fence, progress, logs }) {
      mustOwn(instance);
      const { expiresAt, stop } = registry.heartbeat(leaseIdOf(key, n, fence), fence, progress, logs);
      return { expiresAt, cancel: stop };
    },
    async release({ instance, key, n, fence, who }) {
      mustOwn(instance);
      const lease = registry.heardOf(leaseIdOf(key, n, fence));
      if (lease) registry.gaveBack(lease.agent); // first, or it would be offered to the same person again
      await engine.giveBack({ instance, key, n, fence }, who);
    },
    async claim({ instance, key, n, agent, who }) {
      mustOwn(instance);
      return engine.claim({ instance, key, n }, agent, who, (holder) => registry.get(holder)?.spec.kind === 'person');
    },
    changeCompany: (change) => engine.changeCompany(change),
    async append({ instance, events, statements }) {
      mustOwn(instance);
      await engine.append(instance, events, statements);
    },
  };
}

const hasCompleted = (status: string): boolean =>
  status === 'completed' || status === 'compensating' || status === 'compensated';

/** For each task of the new revision, the ticket that does it already: done or under way, and the same in every field. */
function keepOf(plan: LivePlan, state: PlanState, specs: readonly TicketSpec[]): (number | null)[] {
  const same = new Map<string, number>();
  state.tickets.forEach(({ status, note }, n) => {
    const isKept = status === 'completed' || (status === 'running' && !isEnded(state.status));
    if (isKept && plan.specs[n].undoes === null && !note?.superseded) same.set(identityOf(plan.specs[n]), n);
  });
  return specs.map((spec) => same.get(identityOf(spec)) ?? null);
}

const identityOf = ({
  task_id,
  task_type,
  description,
  parameters,
  required_capabilities,
  metadata,
  gated,
  compensation,
}: TicketSpec): string =>
  JSON.stringify([
    task_id,
    task_type,
    description,
    Object.entries(parameters).sort(),
    required_capabilities,
    Object.entries(metadata).sort(),
    gated,
    compensation,
  ]);

/** A lease with the ticket it is about, as the agent gets it. */
export function grantedLease(
  engine: FlowEngine,
  { leaseId, plan: key, n, fence, attempt, expiresAt }: Lease,
): GrantedLease | null {
  const plan = engine.plan(key);
  if (plan === null) return null;
  const state = plan.state.tickets[n];
  const ticket = ticketRecord(plan, {
    ...state,
    startedAt: attemptOf(state, fence)?.startedAt ?? state.startedAt,
    n,
    deps: plan.state.rules[n].deps,
    spec: plan.specs[n],
  });
  return { leaseId, fence, attempt, expiresAt, ticket };
}
