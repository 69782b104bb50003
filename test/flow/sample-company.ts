import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Colmeia, LeaseView, PlanDetail, TicketView } from '../../src/colmeia.ts';
import type { ErrorClass } from '../../src/execution/flow/flow-state.ts';
import type { WhyView } from '../../src/execution/swarm/scheduling-views.ts';
import { isColmeiaError, type ErrorCode } from '../../src/platform/errors.ts';
import type { RecordedEvent } from '../../src/trust/audit/journal.ts';
import { LOCAL_OPERATOR, type Principal } from '../../src/trust/identity/principal.ts';
import { ALL_TASK_TYPES, sampleDecision, type SampleTask } from './sample-decision.ts';

const DEADLINE_MS = 10_000;
let companies = 0;

/** What an attempt of a task does: nothing = it completes with no output; a class = it fails so. */
export type Outcome =
  | { fail: ErrorClass; message?: string; retryAfterMs?: number }
  | { output: Record<string, unknown> }
  | null;

/** A company of its own with its key, so that tests do not take each other's tickets; and an agent that works by hand. */
export class SampleCompany {
  readonly colmeia: Colmeia;
  readonly name: string;
  readonly who: Principal;
  readonly key: string;

  private constructor(colmeia: Colmeia, name: string, who: Principal, key: string) {
    this.colmeia = colmeia;
    this.name = name;
    this.who = who;
    this.key = key;
  }

  static async found(colmeia: Colmeia, tier = 'bronze'): Promise<SampleCompany> {
    const name = `sample-${companies++}`;
    await colmeia.instances.create(LOCAL_OPERATOR, { name, tier });
    const { key } = await colmeia.keys.create(LOCAL_OPERATOR, { kind: 'company', instance: name });
    return SampleCompany.at(colmeia, name, key);
  }

  /** The same company after a restart. */
  static async at(colmeia: Colmeia, name: string, key: string): Promise<SampleCompany> {
    const who = await colmeia.keys.authenticate(key);
    assert.ok(who);
    return new SampleCompany(colmeia, name, who, key);
  }

  async submit(planId: string, tasks: readonly SampleTask[], more?: Parameters<typeof sampleDecision>[2]) {
    return this.colmeia.decisions.submit(this.who, sampleDecision(planId, tasks, more));
  }

  async agent(agent_id: string, more: Record<string, unknown> = {}): Promise<void> {
    await this.colmeia.agents.register(this.who, { agent_id, task_types: ALL_TASK_TYPES, concurrency: 100, ...more });
  }

  async lease(agentId: string, max = 100, wait_ms = 2_000): Promise<LeaseView[]> {
    return (await this.colmeia.agents.lease(this.who, agentId, { max, wait_ms })).leases;
  }

  /** The one lease that has to come. */
  async leaseOne(agentId: string): Promise<LeaseView> {
    const [lease, ...others] = await this.lease(agentId);
    assert.ok(lease, 'no lease came');
    assert.deepEqual(others, []);
    return lease;
  }

  /** The leases of these tasks, which may come one by one. */
  async leaseAll(agentId: string, ...tasks: string[]): Promise<Record<string, LeaseView>> {
    const found: Record<string, LeaseView> = {};
    for (const deadline = Date.now() + DEADLINE_MS; Object.keys(found).length < tasks.length;) {
      assert.ok(Date.now() < deadline, `of ${tasks.join(', ')} only ${Object.keys(found).join(', ')} came`);
      for (const lease of await this.lease(agentId, 100, 200)) found[lease.ticket.task_id] = lease;
    }
    assert.deepEqual(Object.keys(found).sort(), [...tasks].sort());
    return found;
  }

  complete({ lease_id, fencing_token }: LeaseView, output: Record<string, unknown> = {}) {
    return this.colmeia.leases.complete(this.who, lease_id, { fencing_token, output });
  }

  fail(
    { lease_id, fencing_token }: LeaseView,
    error_class: ErrorClass,
    more: { error_message?: string; retry_after_ms?: number } = {},
  ) {
    return this.colmeia.leases.fail(this.who, lease_id, {
      fencing_token,
      error_class,
      error_message: 'no luck',
      ...more,
    });
  }

  /** Takes what comes until the plan has ended; gives the tasks in the order in which their attempts began. */
  async work(
    planId: string,
    agentId: string,
    how: (task: string, attempt: number) => Outcome = () => null,
  ): Promise<string[]> {
    const begun: string[] = [];
    for (const deadline = Date.now() + DEADLINE_MS; (await this.plan(planId)).ended_at === null;) {
      assert.ok(
        Date.now() < deadline,
        `plan ${planId} did not end: ${JSON.stringify((await this.plan(planId)).progress)}`,
      );
      for (const lease of await this.lease(agentId, 100, 50)) {
        begun.push(lease.ticket.task_id);
        const outcome = how(lease.ticket.task_id, lease.attempt);
        if (outcome === null) await this.complete(lease);
        else if ('output' in outcome) await this.complete(lease, outcome.output);
        else
          await this.fail(lease, outcome.fail, {
            error_message: outcome.message ?? 'no luck',
            ...(outcome.retryAfterMs === undefined ? {} : { retry_after_ms: outcome.retryAfterMs }),
          });
      }
    }
    return begun;
  }

  plan(planId: string): Promise<PlanDetail> {
    return this.colmeia.plans.get(this.who, { planId });
  }

  async tickets(planId: string): Promise<TicketView[]> {
    const { tickets, has_more } = await this.colmeia.tickets.byPlan(this.who, { planId }, { limit: 100 });
    assert.equal(has_more, false);
    return tickets;
  }

  async ticket(planId: string, task: string): Promise<TicketView> {
    const found = (await this.tickets(planId)).findLast((ticket) => ticket.task_id === task);
    assert.ok(found, `no ticket ${task}`);
    return found;
  }

  /** States of the tickets by task. */
  async states(planId: string): Promise<Record<string, string>> {
    return Object.fromEntries((await this.tickets(planId)).map(({ task_id, state }) => [task_id, state]));
  }

  async why(planId: string, task: string): Promise<WhyView> {
    return this.colmeia.tickets.why(this.who, (await this.ticket(planId, task)).ticket_id);
  }

  /** The journal of a plan, oldest first. */
  async journal(planId?: string): Promise<RecordedEvent[]> {
    const events: RecordedEvent[] = [];
    for (let after: string | undefined; ;) {
      const page = await this.colmeia.audit.list(this.who, {
        limit: 100,
        ...(planId === undefined ? {} : { plan_id: planId }),
        ...(after === undefined ? {} : { after }),
      });
      events.unshift(...page.items.toReversed());
      if (page.next === null) return events;
      after = page.next;
    }
  }

  /** Waits for a state to come by itself. */
  async until<T>(what: string, look: () => Promise<T>, met: (value: T) => boolean): Promise<T> {
    for (const deadline = Date.now() + DEADLINE_MS; ;) {
      const value = await look();
      if (met(value)) return value;
      assert.ok(Date.now() < deadline, `${what} did not come; it is ${JSON.stringify(value)}`);
      await sleep(10);
    }
  }
}

/** `assert.rejects` for a coded error; gives the error. */
export async function refused(call: Promise<unknown>, code: ErrorCode) {
  const error = await call.then(
    () => null,
    (thrown: unknown) => thrown,
  );
  if (!isColmeiaError(error, code))
    assert.fail(`expected ${code}, got ${error instanceof Error ? error.stack : 'an answer'}`);
  return error;
}

/**
 * What must hold of every journal: a ticket is leased after all it waits for has completed, completes once, and nothing
 * is said of a plan after it completed. `tickets` are those of one plan.
 */
export function assertFlow(journal: readonly RecordedEvent[], tickets: readonly TicketView[]): void {
  const numberOf = new Map(tickets.map((ticket, n) => [ticket.ticket_id, n]));
  const completed = new Set<number>();
  for (const event of journal) {
    if (event.ticket === undefined) continue;
    if (event.type === 'ticket.leased')
      for (const id of tickets[event.ticket]!.dependencies)
        assert.ok(
          completed.has(numberOf.get(id)!),
          `${tickets[event.ticket]!.task_id} was leased before ${id} completed`,
        );
    if (event.type !== 'ticket.completed') continue;
    assert.ok(!completed.has(event.ticket), `${tickets[event.ticket]!.task_id} completed twice`);
    completed.add(event.ticket);
  }
}
