import { ColmeiaError } from '../../platform/errors.ts';
import { EMPTY_HEAD, type JournalEvent, type JournalWriter } from '../../trust/audit/journal.ts';
import type { Lease } from '../agents/agent.ts';
import type { TicketSpec } from '../plans/ticket.ts';
import { plainDispatcher, type Dispatcher } from '../scheduling/dispatcher.ts';
import { Admission } from './admission.ts';
import { hasFailed, tokenOf } from './attempt.ts';
import { claimTicket } from './claim-ticket.ts';
import { fillBatch, type BatchSources } from './fill-batch.ts';
import type { FlowEngineOptions } from './flow-engine-options.ts';
import { ENGINE, FlowBatch, type AgentUsage, type By } from './flow-batch.ts';
import type { ErrorClass, FlowEvent, PlanState, PlanStatus } from './flow-state.ts';
import {
  appendOne,
  changeCompany,
  findKept,
  loadCompanies,
  type CompanyChange,
  type LoadedCompany,
  type Statements,
} from './flow-store.ts';
import { GroupCommit } from './group-commit.ts';
import type { LeaseRef } from './company-writer.ts';
import type { LivePlan, PlanContent } from './live-plan.ts';
import { applySubmission, notOwner } from './owned-company.ts';
import { beingDeleted, standingAfter } from './company-standing.ts';
import { OwnedPlans } from './owned-plans.ts';
import { judgeRefusal, type RefusedIn } from './refused-flush.ts';
import { UntoldLeases } from './untold-leases.ts';
import type { Submission, Submitted } from './submission.ts';

export type { CommittedRow, FlowEngineOptions } from './flow-engine-options.ts';

/**
 * The one writer of the companies this process owns, and the SQL interpreter of decide(). Open plans live in memory;
 * what arrives while a flush is under way forms the next one, and nobody is told before the commit. When a guard refuses
 * a flush (another writer) or the database goes away, memory is dropped and loaded again.
 */
export class FlowEngine implements JournalWriter {
  readonly dispatcher: Dispatcher;
  readonly #options: FlowEngineOptions;
  readonly #owned: OwnedPlans;
  /** What commits are made of and judged by. */
  readonly #parts: BatchSources & RefusedIn;
  readonly #commits: GroupCommit<FlowBatch>;
  /** Companies whose memory may differ from the database. */
  readonly #stale = new Set<string>();
  readonly #untold = new UntoldLeases();
  readonly #admission: Admission;
  #lastAt = 0;

  constructor(options: FlowEngineOptions) {
    this.#options = options;
    this.#admission = new Admission(options);
    const { registry, clock, store } = options;
    this.dispatcher = options.dispatcher ?? plainDispatcher(options.random);
    this.#owned = new OwnedPlans(registry, this.dispatcher, options.watch);
    const memory = { owned: this.#owned, stale: this.#stale, untold: this.#untold };
    this.#parts = { ...options, ...memory, dispatcher: this.dispatcher };
    this.#commits = new GroupCommit<FlowBatch>({
      clock,
      overlaps: store.tier === 'server',
      open: () =>
        new FlowBatch(
          this.#now(),
          this.dispatcher,
          (key) => this.#owned.plans.get(key)?.state,
          (instance) => this.#owned.starts(instance),
        ),
      send: (batch, before) => this.#send(batch, before),
      commit: (batch) => this.#commit(batch),
      takeBack: (batch) => this.#owned.takeBack(batch),
      refused: (error, failed, built) => judgeRefusal(error, failed, built, this.#parts, this.#lastAt),
      needsRepair: () => this.#stale.size > 0,
      repair: () => this.#reload(),
      stumbled: (error) => {
        options.log('error', { err: error }, 'the flow engine stumbled; it loads its companies again');
        for (const name of this.#owned.companies.keys()) this.#stale.add(name);
      },
      nextAt: () => this.#nextAt(),
    });
    registry.onDemand = () => {
      if (this.dispatcher.size > 0 || this.dispatcher.overdueAt < Infinity) this.#commits.wake();
    };
    registry.onExpired = () => this.#commits.wake();
  }

  #nextAt(): number {
    const { wakeAt, overdueAt } = this.dispatcher;
    const { registry, watch } = this.#options;
    const own = Math.min(this.#owned.timers.next(), registry.nextExpiry(), watch?.nextAt() ?? Infinity);
    return Math.min(own, wakeAt ?? Infinity, overdueAt);
  }

  // — companies ———————————————————————————————————————————————————————————————————————————————————————————————

  /** Takes over companies: their open plans go on from what the database holds. */
  async own(names: readonly string[]): Promise<void> {
    await this.#commits.alone(async () => {
      const fresh = names.filter((name) => !this.owns(name));
      const loaded = await loadCompanies(this.#options.store, fresh);
      for (const company of loaded) this.#takeUp(company);
      const taken = loaded.map(({ name, plans }) => ({ name, planIds: plans.map((plan) => plan.plan_id) }));
      this.#options.onOwned?.({ taken, given: [] });
    });
  }

  /** Gives companies up after the commit under way; what waits for them is answered NOT_OWNER. */
  async disown(names: readonly string[]): Promise<void> {
    await this.#commits.alone(
      async () => {
        for (const name of names) {
          this.#owned.drop(name);
          this.#stale.delete(name);
        }
        this.#options.onOwned?.({ taken: [], given: [...names] });
      },
      { offline: true },
    );
  }

  owns(instance: string): boolean {
    return this.#owned.companies.has(instance);
  }

  /** False: tickets of the company do not begin now, as it is paused, being deleted, or not at home here. */
  starts(instance: string): boolean {
    return this.#owned.starts(instance);
  }

  ownedCompanies(): string[] {
    return [...this.#owned.companies.keys()];
  }

  /** null = not open, or not owned here. */
  plan(key: number): LivePlan | null {
    return this.#owned.plans.get(key) ?? null;
  }

  openPlansOf(instance: string): Iterable<LivePlan> {
    return this.#owned.companies.get(instance)?.plans ?? [];
  }

  allOpenPlans(): Iterable<LivePlan> {
    return this.#owned.plans.values();
  }

  get openPlans(): number {
    return this.#owned.plans.size;
  }

  /** Tickets of a company of ours that have not come to an end. */
  openTickets(instance: string): number {
    return this.#owned.companies.get(instance)?.open.count ?? 0;
  }

  /** Changes that wait for a commit. */
  get queueDepth(): number {
    return this.#commits.depth;
  }

  // — changes ———————————————————————————————————————————————————————————————————————————————————————————————

  /**
   * C1–C2 in one commit. The same decision again gives the same answer; another one under its plan id is PLAN_CONFLICT.
   * Throws QUEUE_FULL, and what `admit` says.
   */
  submit(submission: Submission): Promise<Submitted> {
    const { instance } = submission;
    return this.#admission.decision(this.#commits.depth, () =>
      this.#commits.change((batch) => {
        const company = this.#owned.companies.get(instance);
        if (company === undefined) throw notOwner(instance);
        return applySubmission(batch, company, submission, this.#admission);
      }),
    );
  }

  /**
   * Runs one event on a plan of ours; an ended plan is loaded, and stays in memory when the event opens it again.
   * `revised`: what a new revision changes beside the state. Throws PLAN_STATE when the plan does not allow the event.
   */
  async act(
    key: number,
    event: (at: number, plan: LivePlan, state: PlanState) => FlowEvent,
    who: By,
    revised?: { content: PlanContent; specs: readonly TicketSpec[] },
  ): Promise<PlanStatus> {
    if (this.plan(key) === null) {
      const kept = await findKept(this.#options.store, key);
      if (kept === null) throw new ColmeiaError('PLAN_NOT_FOUND', 'plan not found');
      const company = this.#owned.companies.get(kept.instance);
      if (company === undefined) throw notOwner(kept.instance);
      this.#owned.hold(kept, company);
    }
    try {
      return await this.#admission.counted(() =>
        this.#commits.change((batch) => {
          const plan = this.plan(key);
          if (plan === null) throw new ColmeiaError('PLAN_STATE', 'the plan has ended just now; try again');
          const made = event(batch.at, plan, batch.stateOf(plan));
          if (this.#owned.companies.get(plan.instance)?.standing === 'deleting' && made.type !== 'cancelled')
            throw beingDeleted(plan.instance);
          this.#admission.mustGrow(batch, plan, made, this.#owned.companies.get(plan.instance)?.open);
          const refusal = batch.step(plan, made, who, revised);
          if (refusal) throw new ColmeiaError(refusal.code, refusal.message);
          return batch.stateOf(plan).status;
        }),
      );
    } finally {
      this.#owned.letGo(key);
    }
  }

  /** An attempt that counted. `result` is the JSON text of output, metadata and logs. Throws LEASE_FENCED. */
  complete({ instance, key, n, fence }: LeaseRef, result: string, who: By, usage?: AgentUsage): Promise<void> {
    return this.#commits.change((batch) => {
      const plan = this.#holder(instance, key, fence);
      const ticket = batch.stateOf(plan).tickets[n];
      if (ticket?.status === 'completed' && tokenOf(ticket) === fence) return; // said before
      if (usage) batch.usage.set(`${key}/${n}`, usage);
      batch.endAttempt(plan, n, { type: 'completed', at: batch.at, n, fence }, who);
      batch.drafts.get(key)!.results.set(n, result);
    });
  }

  /** An attempt that failed. Throws LEASE_FENCED. */
  fail({ instance, key, n, fence }: LeaseRef, failure: Failure, who: By): Promise<void> {
    return this.#commits.change((batch) => {
      const plan = this.#holder(instance, key, fence);
      const ticket = batch.stateOf(plan).tickets[n];
      if (ticket !== undefined && tokenOf(ticket) === fence && hasFailed(ticket.status)) return; // said before
      const jitter = this.#options.random();
      batch.endAttempt(plan, n, { type: 'failed', at: batch.at, n, fence, ...failure, jitter }, who);
    });
  }

  /** An attempt that its agent says it does not have (any more); the ticket is tried again at once. Throws LEASE_FENCED. */
  lose({ instance, key, n, fence }: LeaseRef, error: string): Promise<void> {
    return this.#commits.change((batch) => {
      const plan = this.#holder(instance, key, fence);
      const lost = { type: 'lost', n, fence, error, retryAfterMs: 0, jitter: this.#options.random() } as const;
      batch.endAttempt(plan, n, { ...lost, at: batch.at }, ENGINE);
    });
  }

  /**
   * A second attempt of a running ticket at another agent, in the next commit. Nothing happens when the ticket does not
   * allow it any more: it ended, is to stop, has its copy, or may not run twice.
   */
  copy({ key, n, agent }: { key: number; n: number; agent: string }): void {
    const begun = this.#commits.change((batch) => {
      const plan = this.plan(key);
      if (plan) batch.copy(plan, n, agent);
    });
    begun.catch(() => {});
  }

  /** A lease that nobody took up: the ticket is ready again and no attempt is counted. Should it fail, the lease runs out. */
  release({ plan: key, n, fence }: Pick<Lease, 'plan' | 'n' | 'fence'>): void {
    const released = this.#commits.change((batch) => {
      const plan = this.plan(key);
      if (plan && batch.holds(plan, n, fence))
        batch.endAttempt(plan, n, { type: 'released', at: batch.at, n, fence }, ENGINE);
    });
    released.catch(() => {});
  }

  /** The same for whoever says so. Throws LEASE_FENCED. */
  giveBack({ instance, key, n, fence }: LeaseRef, who: By): Promise<void> {
    return this.#commits.change((batch) =>
      batch.endAttempt(this.#holder(instance, key, fence), n, { type: 'released', at: batch.at, n, fence }, who),
    );
  }

  /** A ticket goes to an agent past the scheduler, see claimTicket; answers its fencing token. */
  claim(
    { instance, key, n }: Omit<LeaseRef, 'fence'>,
    agent: string,
    who: By,
    mayLose: (agent: string) => boolean,
  ): Promise<number> {
    return this.#commits.change((batch) => {
      if (!this.owns(instance)) throw notOwner(instance);
      const plan = this.plan(key);
      if (plan === null) throw new ColmeiaError('PLAN_STATE', 'the plan has ended');
      if (!this.#owned.starts(instance))
        throw new ColmeiaError('INSTANCE_STATE', `company "${instance}" is paused and starts no ticket`);
      claimTicket(batch, this.dispatcher, { plan, n, agent, who }, mayLose);
      return batch.stateOf(plan).tickets[n].fence;
    });
  }

  /** Other capabilities' changes: their statements and their events in one transaction of their own, in the company's order. */
  append(instance: string, events: readonly JournalEvent[], statements: Statements = []): Promise<void> {
    return this.#admission.alone(this.#commits.aloneDepth, () =>
      this.#commits.alone(() => this.#append(instance, events, statements)),
    );
  }

  async #append(instance: string, events: readonly JournalEvent[], statements: Statements): Promise<void> {
    const { store, onCommitted } = this.#options;
    const company = this.#owned.companies.get(instance);
    if (company === undefined) throw notOwner(instance);
    const at = new Date(this.#now());
    const firstEvent = company.head.events + 1;
    try {
      company.head = await appendOne(store, instance, company.head, at, events, statements);
    } catch (error) {
      this.#stale.add(instance);
      throw error;
    }
    const standing = standingAfter(events);
    if (standing !== null) this.#owned.stand(instance, standing, at.getTime());
    onCommitted([{ instance, seq: company.head.seq, at, firstEvent, events, planOf: () => undefined }]);
  }

  /**
   * Takes every row of a company away, or (`to`) gives all of them another name, between two commits; the company is at home
   * nowhere then. Answers how many rows went, by table. Throws INSTANCE_STATE when plans of one to be renamed are open.
   */
  changeCompany(change: CompanyChange): Promise<Record<string, number>> {
    return this.#commits.alone(async () => {
      const { instance, to } = change;
      const company = this.#owned.companies.get(instance);
      if (company === undefined) throw notOwner(instance);
      if (to !== null && company.plans.size > 0)
        throw new ColmeiaError(
          'INSTANCE_STATE',
          `company "${instance}" has open plans; it is renamed when they have ended`,
        );
      this.#stale.add(instance); // should the answer be lost: what is gone then is not there to be loaded
      const removed = await changeCompany(this.#options.store, change);
      this.#owned.drop(instance);
      this.#stale.delete(instance);
      this.#options.onOwned?.({ taken: [], given: [instance] });
      return removed;
    });
  }

  /** Ends after the commit under way; what still waits is answered SHUTTING_DOWN. */
  stop(): Promise<void> {
    return this.#commits.stop();
  }

  // — one commit ——————————————————————————————————————————————————————————————————————————————————————————————

  /** Never back, whatever the clock does. */
  #now(): number {
    return (this.#lastAt = Math.max(this.#options.clock.now(), this.#lastAt));
  }

  #holder(instance: string, key: number, fence: number): LivePlan {
    if (!this.owns(instance)) throw notOwner(instance);
    const plan = this.plan(key);
    if (plan === null) throw new ColmeiaError('LEASE_FENCED', `fencing token ${fence} is stale: the plan has ended`);
    return plan;
  }

  /** Without an event only what is derived has changed, the time of the next wake. */
  #send(batch: FlowBatch, before: FlowBatch | null): Promise<void> | null {
    fillBatch(batch, before, this.#parts);
    if (batch.isEmpty) {
      this.#owned.promote(batch);
      this.#owned.setTimers(batch);
      return null;
    }
    const args = batch.seal((instance) => this.#owned.companies.get(instance)?.head ?? EMPTY_HEAD);
    this.#owned.advanceHeads(batch);
    this.#owned.promote(batch);
    const { store, onFlushed } = this.#options;
    const sentAt = performance.now();
    const events = batch.rows.reduce((sum, row) => sum + row.recorded.length, 0);
    return store.flush(args).finally(() => onFlushed?.(performance.now() - sentAt, events));
  }

  #commit(batch: FlowBatch): void {
    this.#owned.settle(batch);
    for (const lease of batch.undelivered) this.release(lease);
    this.#options.onCommitted(batch.committed());
  }

  async #reload(): Promise<void> {
    const names = [...this.#stale].filter((name) => this.owns(name));
    const loaded = await loadCompanies(this.#options.store, names);
    for (const name of names) this.#owned.drop(name);
    for (const company of loaded) this.#takeUp(company);
    this.#stale.clear();
  }

  #takeUp(company: LoadedCompany): void {
    this.#lastAt = Math.max(this.#lastAt, company.lastAt); // its last writer's clock may have been ahead
    this.#owned.takeUp(company, this.#now());
    for (const lease of this.#untold.take(company)) this.release(lease);
  }
}

type Failure = { errorClass: ErrorClass; error: string; retryAfterMs: number | null };
