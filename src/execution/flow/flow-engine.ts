import type { Clock, Random } from '../../platform/clock.ts';
import { Deadlines } from '../../platform/deadlines.ts';
import { ColmeiaError } from '../../platform/errors.ts';
import type { Store } from '../../platform/store/store.ts';
import { EMPTY_HEAD, type JournalEvent, type JournalHead, type JournalWriter } from '../../trust/audit/journal.ts';
import { agentIdOf, type Lease } from '../agents/agent.ts';
import type { AgentRegistry } from '../agents/agent-registry.ts';
import { leaseIdOf, planKey } from '../plans/plan.ts';
import { ReadyQueue } from '../scheduling/ready-queue.ts';
import { schedule } from '../scheduling/schedule.ts';
import { ENGINE, FlowBatch, hasEnded, leaseChanges, type By } from './flow-batch.ts';
import { FLOW_VERSION, isEnded, type ErrorClass, type FlowEvent, type PlanStatus } from './flow-state.ts';
import { appendOne, findKept, findKnown, loadCompanies, type KnownPlan, type LoadedCompany, type PlanRef, type Statements } from './flow-store.ts';
import type { LivePlan, PlanContent } from './live-plan.ts';
import type { TicketSpec } from '../plans/ticket.ts';
import { restorePlan } from './restore.ts';
import type { Submission, Submitted } from './submission.ts';

/** Items of one commit at most: a longer batch would hold the process, a shorter one would waste commits. */
const BATCH_LIMIT = 200;
/** Items that may wait for a commit; beyond it submissions are refused, results of agents are not. */
const QUEUE_LIMIT = 10_000;
/** Times a change is tried again after another writer's commit. */
const TRIES = 5;
/** Rest after a fault of the database. */
const PAUSE_MS = 200;
/** Plan ids remembered per company, so that a decision sent again is answered without a query. */
const REMEMBERED = 5_000;

/** A change in the company's turn: `apply` decides, and the promise resolves after the commit that makes it true. */
type Item = { apply: (batch: FlowBatch) => () => void; reject: (error: unknown) => void; tries: number; submits: PlanRef | null };
/** What runs between two commits, alone. */
type Exclusive = { run: () => Promise<void>; reject: (error: unknown) => void };


type Company = {
  name: string;
  no: number;
  head: JournalHead;
  plans: Map<string, LivePlan>;
  /** Plans that are or were here, by id; the newest last. */
  known: Map<string, KnownPlan>;
};

export type CommittedRow = { instance: string; seq: number; at: Date; firstEvent: number; events: readonly JournalEvent[] };

export type FlowEngineOptions = {
  store: Store;
  clock: Clock;
  random: Random;
  registry: AgentRegistry;
  /** After each commit, in order; must not throw or wait. */
  onCommitted: (rows: readonly CommittedRow[]) => void;
  log: (level: 'info' | 'warn' | 'error', data: Record<string, unknown>, message: string) => void;
};

/**
 * The one writer of the companies this process owns, and the SQL interpreter of decide(). Open plans live in memory;
 * what arrives while a flush is under way forms the next one, and nobody is told before the commit. When a guard refuses
 * a flush (another writer) or the database goes away, memory is dropped and loaded again.
 */
export class FlowEngine implements JournalWriter {
  readonly ready = new ReadyQueue();
  readonly #options: FlowEngineOptions;
  readonly #companies = new Map<string, Company>();
  readonly #plans = new Map<number, LivePlan>();
  readonly #timers = new Deadlines<number>();
  #items: Item[] = [];
  #exclusive: Exclusive[] = [];
  #turning = false;
  /** Something came in since the last turn began. */
  #again = false;
  #stopped = false;
  #lastAt = 0;
  #alarm: NodeJS.Timeout | null = null;
  #alarmAt = Infinity;
  #turn: Promise<void> = Promise.resolve();
  /** True while what is in memory may differ from the database. */
  #stale = new Set<string>();

  constructor(options: FlowEngineOptions) {
    this.#options = options;
    options.registry.onDemand = () => {
      if (this.ready.size > 0) this.#wake();
    };
  }

  // — companies ———————————————————————————————————————————————————————————————————————————————————————————————

  /** Takes over companies: their open plans go on from what the database holds. */
  async own(names: readonly string[]): Promise<void> {
    await this.#exclusively(async () => {
      const fresh = names.filter((name) => !this.#companies.has(name));
      for (const company of await loadCompanies(this.#options.store, fresh)) this.#takeUp(company);
    });
  }

  /** Gives companies up after the commit under way; what waits for them is answered NOT_OWNER. */
  async disown(names: readonly string[]): Promise<void> {
    await this.#exclusively(async () => names.forEach((name) => this.#drop(name)));
  }

  owns(instance: string): boolean {
    return this.#companies.has(instance);
  }

  ownedCompanies(): string[] {
    return [...this.#companies.keys()];
  }

  /** null = not open, or not owned here. */
  plan(key: number): LivePlan | null {
    return this.#plans.get(key) ?? null;
  }

  get openPlans(): number {
    return this.#plans.size;
  }

  // — changes ———————————————————————————————————————————————————————————————————————————————————————————————

  /** C1–C2 in one commit. The same decision again gives the same answer; another one under its plan id is PLAN_CONFLICT. */
  submit(submission: Submission): Promise<Submitted> {
    if (this.#items.length >= QUEUE_LIMIT) {
      return Promise.reject(new ColmeiaError('QUEUE_FULL', `${QUEUE_LIMIT} changes wait for the database`, { retryAfterMs: 1_000 }));
    }
    const { instance, planId } = submission;
    return this.#change((batch) => this.#applySubmission(batch, submission), { instance, planId });
  }

  /**
   * Runs one event on a plan of ours; an ended plan is loaded, and stays in memory when the event opens it again.
   * `revised`: what a new revision changes beside the state. Throws PLAN_STATE when the plan does not allow the event.
   */
  async reopen(
    key: number, event: (at: number, plan: LivePlan) => FlowEvent, who: By, revised?: { content: PlanContent; specs: readonly TicketSpec[] },
  ): Promise<PlanStatus> {
    if (!this.#plans.has(key)) {
      const kept = await findKept(this.#options.store, key);
      if (kept === null) throw new ColmeiaError('PLAN_NOT_FOUND', 'plan not found');
      if (!this.owns(kept.instance)) throw notOwner(kept.instance);
      if (!this.#plans.has(key)) this.#plans.set(key, kept);
    }
    try {
      return await this.#change((batch) => {
        const plan = this.#plans.get(key);
        if (plan === undefined) throw new ColmeiaError('PLAN_STATE', 'the plan has ended just now; try again');
        const refusal = batch.step(plan, event(batch.at, plan), who, revised);
        if (refusal) throw new ColmeiaError(refusal.code, refusal.message);
        return batch.stateOf(plan).status;
      });
    } finally {
      const plan = this.#plans.get(key);
      if (plan && isEnded(plan.state.status)) this.#plans.delete(key);
    }
  }

  /** An attempt that counted. `result` is the JSON text of output, metadata and logs. Throws LEASE_FENCED. */
  complete(key: number, n: number, fence: number, result: string, who: By): Promise<void> {
    return this.#change((batch) => {
      const plan = this.#plans.get(key);
      if (plan === undefined) throw fenced(fence);
      const ticket = batch.stateOf(plan).tickets[n];
      if (ticket?.status === 'completed' && ticket.fence === fence) return; // said before
      this.#endAttempt(batch, plan, n, { type: 'completed', at: batch.at, n, fence }, who);
      batch.drafts.get(key)!.results.set(n, result);
    });
  }

  fail(key: number, n: number, fence: number, failure: { errorClass: ErrorClass; error: string; retryAfterMs: number | null }, who: By): Promise<void> {
    return this.#change((batch) => {
      const plan = this.#plans.get(key);
      if (plan === undefined) throw fenced(fence);
      const ticket = batch.stateOf(plan).tickets[n];
      if (ticket?.fence === fence && hasFailed(ticket.status)) return; // said before
      this.#endAttempt(batch, plan, n, { type: 'failed', at: batch.at, n, fence, ...failure, jitter: this.#options.random() }, who);
    });
  }

  /** Other capabilities' changes: their statements and their events in one transaction of their own, in the company's order. */
  append(instance: string, events: readonly JournalEvent[], statements: Statements = []): Promise<void> {
    return this.#exclusively(() => this.#appendOne(instance, events, statements));
  }

  /** Ends after the commit under way; what still waits is answered SHUTTING_DOWN. */
  async stop(): Promise<void> {
    this.#stopped = true;
    if (this.#alarm) clearTimeout(this.#alarm);
    await this.#turn;
    const error = new ColmeiaError('SHUTTING_DOWN', 'this process is stopping');
    for (const item of this.#items.splice(0)) item.reject(error);
    for (const item of this.#exclusive.splice(0)) item.reject(error);
  }

  // — the turn ————————————————————————————————————————————————————————————————————————————————————————————————

  #exclusively(work: () => Promise<void>): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#stopped) return reject(new ColmeiaError('SHUTTING_DOWN', 'this process is stopping'));
      this.#exclusive.push({ run: () => work().then(resolve, reject), reject });
      this.#wake();
    });
  }

  #change<T>(decideOn: (batch: FlowBatch) => T, submits: PlanRef | null = null): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      if (this.#stopped) return reject(new ColmeiaError('SHUTTING_DOWN', 'this process is stopping'));
      this.#items.push({
        tries: 0,
        submits,
        apply: (batch) => {
          const value = decideOn(batch);
          return () => resolve(value);
        },
        reject,
      });
      this.#wake();
    });
  }

  #wake(): void {
    if (this.#stopped) return;
    this.#again = true;
    if (this.#turning) return;
    this.#turning = true;
    setImmediate(() => {
      this.#turn = this.#loop();
    });
  }

  async #loop(): Promise<void> {
    while (!this.#stopped) {
      try {
        this.#again = false;
        if (this.#stale.size > 0 && !(await this.#reload())) break;
        const isBusy = this.#exclusive.length > 0 ? await this.#runExclusive() : await this.#turnOnce();
        if (!isBusy && !this.#again) break;
      } catch (error) {
        this.#options.log('error', { err: error }, 'the flow engine stumbled; it loads its companies again');
        for (const name of this.#companies.keys()) this.#stale.add(name);
        await sleep(PAUSE_MS);
      }
      await new Promise((resolve) => setImmediate(resolve)); // the event loop turns between two commits
    }
    this.#turning = false;
    if (!this.#stopped) this.#setAlarm();
  }

  async #runExclusive(): Promise<boolean> {
    await this.#exclusive.shift()!.run();
    return true;
  }

  /** One commit. False = there was nothing to do. */
  async #turnOnce(): Promise<boolean> {
    const { clock } = this.#options;
    const at = (this.#lastAt = Math.max(clock.now(), this.#lastAt)); // never back, whatever the clock does
    const items = this.#items.splice(0, BATCH_LIMIT);
    const batch = new FlowBatch(at, this.ready);
    const done = this.#apply(batch, items);
    this.#applyDue(batch);
    this.#schedule(batch);
    if (batch.isEmpty) {
      for (const { told } of done) told();
      return items.length > 0;
    }
    const { args, rows } = batch.seal((instance) => this.#companies.get(instance)?.head ?? EMPTY_HEAD);
    try {
      await this.#options.store.flush(args);
    } catch (error) {
      await this.#refused(error, batch, done.map(({ item }) => item), rows.map((row) => row.instance));
      return true;
    }
    this.#commit(batch, rows);
    for (const { told } of done) told();
    return true;
  }

  #apply(batch: FlowBatch, items: readonly Item[]): { item: Item; told: () => void }[] {
    const done: { item: Item; told: () => void }[] = [];
    for (const item of items) {
      try {
        done.push({ item, told: item.apply(batch) });
      } catch (error) {
        item.reject(error);
      }
    }
    return done;
  }

  #applyDue(batch: FlowBatch): void {
    const { registry, random } = this.#options;
    for (const key of this.#timers.take(batch.at, BATCH_LIMIT)) {
      const plan = this.#plans.get(key);
      if (plan) batch.step(plan, { type: 'due', at: batch.at, jitter: random() }, ENGINE);
    }
    for (const lease of registry.takeExpired(batch.at)) {
      const plan = this.#plans.get(lease.plan);
      const error = `agent ${agentIdOf(lease.agent)} was not heard of for ${registry.leaseDurationMs} ms`;
      if (plan) {
        this.#endAttempt(batch, plan, lease.n, {
          type: 'failed', at: batch.at, n: lease.n, fence: lease.fence, errorClass: 'timeout', error, retryAfterMs: null, jitter: random(),
        }, ENGINE, false);
        batch.expired.push(lease);
      } else registry.end(lease.leaseId);
    }
  }

  #endAttempt(batch: FlowBatch, plan: LivePlan, n: number, event: FlowEvent, who: By, strict = true): void {
    const { agent } = batch.stateOf(plan).tickets[n] ?? {};
    const refusal = batch.step(plan, event, who);
    if (refusal) {
      if (strict) throw new ColmeiaError(refusal.code, refusal.message);
    } else if (agent) batch.freed.set(agent, (batch.freed.get(agent) ?? 0) + 1);
  }

  #schedule(batch: FlowBatch): void {
    if (this.ready.size === 0) return;
    const candidates = this.#options.registry.candidates(batch.freed);
    const byPlan = new Map<number, { n: number; agent: string }[]>();
    for (const { ticket, agent } of schedule(this.ready, candidates, batch.at, 10 * BATCH_LIMIT)) {
      const leases = byPlan.get(ticket.plan);
      if (leases) leases.push({ n: ticket.n, agent });
      else byPlan.set(ticket.plan, [{ n: ticket.n, agent }]);
    }
    for (const [key, leases] of byPlan) {
      const plan = batch.drafts.get(key)?.plan ?? this.#plans.get(key)!;
      batch.step(plan, { type: 'leased', at: batch.at, leases }, ENGINE);
    }
  }

  /** The database holds it: memory follows, agents get their leases, listeners hear. */
  #commit(batch: FlowBatch, rows: ReturnType<FlowBatch['seal']>['rows']): void {
    const { registry, onCommitted } = this.#options;
    for (const row of rows) {
      const company = this.#companies.get(row.instance);
      if (company) company.head = { seq: row.seq, events: row.events, plans: row.given, hash: row.hash };
    }
    const granted = new Map<string, Lease[]>();
    for (const draft of batch.drafts.values()) {
      const { plan, after } = draft;
      const { ended, begun, stopped } = leaseChanges(draft);
      const isChanged = draft.before !== null && (draft.before.status !== after.status || draft.before.control !== after.control || draft.content !== null);
      for (const n of ended) registry.end(leaseIdOf(plan.key, n, draft.before!.tickets[n].fence));
      Object.assign(plan, { state: after, specs: draft.specs, rev: plan.rev + Number(isChanged), digest: draft.content?.digest ?? plan.digest });
      for (const n of begun) {
        const lease = this.#grant(plan, n);
        const leases = granted.get(lease.agent);
        if (leases) leases.push(lease);
        else granted.set(lease.agent, [lease]);
      }
      for (const n of stopped) {
        const lease = registry.lease(leaseIdOf(plan.key, n, after.tickets[n].fence));
        if (lease) lease.stop = true;
      }
      this.#keep(plan, hasEnded(draft));
    }
    for (const [key, at] of batch.timers) if (this.#plans.has(key)) this.#timers.set(key, at);
    for (const [agent, leases] of granted) this.#giveBack(registry.deliver(agent, leases));
    onCommitted(rows.map((row) => ({
      instance: row.instance, seq: row.seq, at: new Date(row.at), firstEvent: row.events - row.recorded.length + 1, events: row.recorded,
    })));
  }

  #grant(plan: LivePlan, n: number): Lease {
    const { fence, attempt, agent, note } = plan.state.tickets[n];
    const leaseId = leaseIdOf(plan.key, n, fence);
    return this.#options.registry.grant({ leaseId, plan: plan.key, n, fence, attempt, agent: agent! }, note?.stopAt !== undefined);
  }

  /** Leases that no poll took up: the tickets are ready again and no attempt is counted. */
  #giveBack(leases: readonly Lease[]): void {
    for (const lease of leases) this.release(lease);
  }

  release({ plan: key, n, fence }: Pick<Lease, 'plan' | 'n' | 'fence'>): void {
    const plan = this.#plans.get(key);
    if (plan) void this.#change((batch) => this.#endAttempt(batch, plan, n, { type: 'released', at: batch.at, n, fence }, ENGINE, false)).catch(() => {});
  }

  #keep(plan: LivePlan, ended: boolean): void {
    const company = this.#companies.get(plan.instance)!;
    remember(company, plan.plan_id, { key: plan.key, digest: plan.digest, status: plan.state.status, invalid: false, rev: plan.rev, faults: [] });
    if (ended) {
      this.#plans.delete(plan.key);
      company.plans.delete(plan.plan_id);
      this.#timers.delete(plan.key);
    } else {
      this.#plans.set(plan.key, plan);
      company.plans.set(plan.plan_id, plan);
    }
  }

  // — submissions —————————————————————————————————————————————————————————————————————————————————————————————

  #applySubmission(batch: FlowBatch, submission: Submission): Submitted {
    const company = this.#companies.get(submission.instance);
    if (company === undefined) throw notOwner(submission.instance);
    const { planId, content } = submission;
    const known = company.known.get(planId) ?? null;
    if (known !== null && known.digest === content.digest) {
      const status = batch.drafts.get(known.key)?.after.status ?? company.plans.get(planId)?.state.status ?? known.status;
      return { planId, status, duplicate: true, faults: known.faults };
    }
    if (submission.kind === 'invalid' && known !== null) {
      batch.log(company.name, { type: 'decision.rejected', by: submission.by, plan: planId, data: { faults: submission.faults } });
      return { planId, status: 'rejected', duplicate: false, faults: submission.faults };
    }
    if (known !== null && !known.invalid) {
      throw new ColmeiaError('PLAN_CONFLICT', `plan "${planId}" exists with a different decision; give the new one an id of its own, or replan`);
    }
    return submission.kind === 'run' ? this.#begin(batch, company, submission, known) : this.#reject(batch, company, submission);
  }

  #begin(batch: FlowBatch, company: Company, submission: Extract<Submission, { kind: 'run' }>, replaced: KnownPlan | null): Submitted {
    const { planId, tickets, gate, control, content, by } = submission;
    const key = replaced?.key ?? planKey(company.no, batch.give(company.name, company.head));
    const none = { flow: FLOW_VERSION, status: 'rejected' as const, control, rules: [], tickets: [] };
    const plan: LivePlan = {
      key, instance: company.name, plan_id: planId, ...submission.correlation, created_at: batch.at, digest: content.digest,
      rev: replaced?.rev ?? 1, state: restorePlan(none), specs: tickets.specs,
    };
    const event: FlowEvent = { type: 'submitted', at: batch.at, rules: tickets.rules, deadlines: tickets.deadlines, gate, control };
    batch.begin(plan, content, event, { by }, replaced === null ? null : plan.state);
    const { status } = batch.stateOf(plan);
    this.#rememberInBatch(batch, company, planId, { key, digest: content.digest, status, invalid: false, rev: plan.rev, faults: [] });
    return { planId, status, duplicate: false, faults: [] };
  }

  #reject(batch: FlowBatch, company: Company, submission: Extract<Submission, { kind: 'invalid' | 'refused' }>): Submitted {
    const { planId, content, by } = submission;
    const key = planKey(company.no, batch.give(company.name, company.head));
    const faults = submission.kind === 'invalid' ? submission.faults : [];
    const data = submission.kind === 'invalid' ? { faults } : { why: submission.why };
    batch.columns.rejectedPlan({ key, instance: company.name, id: planId, flow: FLOW_VERSION, ...content, at: batch.at, result: data });
    batch.log(company.name, { type: submission.kind === 'invalid' ? 'decision.rejected' : 'plan.rejected', by, plan: planId, data }, key);
    this.#rememberInBatch(batch, company, planId, { key, digest: content.digest, status: 'rejected', invalid: submission.kind === 'invalid', rev: 1, faults });
    return { planId, status: 'rejected', duplicate: false, faults };
  }

  // — faults ————————————————————————————————————————————————————————————————————————————————————————————————

  /** Known from here on, so that the same decision in the same batch finds it; forgotten when the flush is refused. */
  #rememberInBatch(batch: FlowBatch, company: Company, planId: string, known: KnownPlan): void {
    const before = company.known.get(planId);
    remember(company, planId, known);
    batch.undo.push(() => (before === undefined ? company.known.delete(planId) : company.known.set(planId, before)));
  }

  /**
   * Nothing of the batch came true, and memory is still what it was. A plan id that exists is a decision sent again that
   * memory did not know: it is looked up and the batch tried again. A refused guard is another writer: companies are
   * loaded again, then the batch is tried again. Anything else is answered, and as the commit may have come true all the
   * same, the companies are loaded again.
   */
  async #refused(error: unknown, batch: FlowBatch, items: readonly Item[], instances: readonly string[]): Promise<void> {
    const { code, constraint } = error as { code?: string; constraint?: string };
    for (const undo of batch.undo.reverse()) undo();
    const isKnownPlan = code === '23505' && constraint === 'plan_id';
    if (!isKnownPlan) for (const instance of instances) this.#stale.add(instance);
    if (!isKnownPlan && code !== 'CM001' && code !== '23505') {
      for (const item of items) item.reject(error);
      this.#options.log('warn', { err: error, instances }, 'a flush failed; its companies are loaded again');
      await sleep(PAUSE_MS);
      return;
    }
    for (const item of items) {
      if (++item.tries > TRIES) item.reject(error);
      else this.#items.unshift(item);
    }
    if (!isKnownPlan) {
      this.#options.log('warn', { code, instances }, 'another writer was here; its companies are loaded again');
      return;
    }
    const submits = items.flatMap((item) => (item.submits ? [item.submits] : []));
    for (const [ref, known] of await findKnown(this.#options.store, submits)) {
      const company = this.#companies.get(ref.instance);
      if (company) remember(company, ref.planId, known);
    }
    for (const { plan, before } of batch.drafts.values()) if (before !== null) this.#ripen(plan);
    for (const lease of batch.expired) this.#options.registry.expireNow(lease);
  }

  /** False = the database is away: what waits is answered, and its return wakes the engine. */
  async #reload(): Promise<boolean> {
    const names = [...this.#stale];
    try {
      const loaded = await loadCompanies(this.#options.store, names);
      for (const name of names) this.#drop(name);
      for (const company of loaded) this.#takeUp(company);
      this.#stale.clear();
      return true;
    } catch (error) {
      for (const item of this.#items.splice(0)) item.reject(error);
      for (const item of this.#exclusive.splice(0)) item.reject(error);
      this.#setAlarm(this.#options.clock.now() + 1_000);
      return false;
    }
  }

  #takeUp({ name, no, head, plans }: LoadedCompany): void {
    this.#companies.set(name, { name, no, head, plans: new Map(), known: new Map() });
    for (const plan of plans) {
      this.#keep(plan, false);
      plan.state.tickets.forEach((ticket, n) => {
        if (ticket.status === 'running') this.#grant(plan, n);
      });
      this.#ripen(plan);
    }
  }

  /** Puts the ready tickets and the timer of a plan where they belong by its state. */
  #ripen(plan: LivePlan): void {
    const { state } = plan;
    this.ready.removePlan(plan.key);
    state.tickets.forEach(({ status, deadline }, n) => {
      if (status !== 'ready' || state.control.paused) return;
      this.ready.add({ plan: plan.key, n, instance: plan.instance, spec: plan.specs[n], createdAt: plan.created_at, deadline }, this.#lastAt);
    });
    if (state.timerAt !== null) this.#timers.set(plan.key, state.timerAt);
  }

  #drop(name: string): void {
    const company = this.#companies.get(name);
    if (company === undefined) return;
    for (const plan of company.plans.values()) {
      this.ready.removePlan(plan.key);
      this.#timers.delete(plan.key);
      this.#plans.delete(plan.key);
    }
    const keys = new Set([...company.plans.values()].map((plan) => plan.key));
    this.#options.registry.forget((lease) => keys.has(lease.plan));
    this.#companies.delete(name);
  }

  async #appendOne(instance: string, events: readonly JournalEvent[], statements: Statements): Promise<void> {
    const { store, clock, onCommitted } = this.#options;
    const company = this.#companies.get(instance);
    if (company === undefined) throw notOwner(instance);
    const at = (this.#lastAt = Math.max(clock.now(), this.#lastAt));
    const firstEvent = company.head.events + 1;
    try {
      company.head = await appendOne(store, instance, company.head, new Date(at), events, statements);
    } catch (error) {
      this.#stale.add(instance);
      throw error;
    }
    onCommitted([{ instance, seq: company.head.seq, at: new Date(at), firstEvent, events }]);
  }

  // — time ——————————————————————————————————————————————————————————————————————————————————————————————————

  #setAlarm(latest = Infinity): void {
    const at = Math.min(latest, this.#timers.next(), this.#options.registry.nextExpiry());
    if (at === Infinity || (this.#alarm !== null && this.#alarmAt === at)) return;
    if (this.#alarm !== null) clearTimeout(this.#alarm);
    this.#alarmAt = at;
    this.#alarm = setTimeout(() => {
      this.#alarm = null;
      this.#wake();
    }, Math.min(Math.max(0, at - this.#options.clock.now()) + 1, 2 ** 31 - 1));
  }
}

/** States a ticket can be in after a failed attempt, while its token is still the last one. */
export const hasFailed = (status: string): boolean => status === 'backoff' || status === 'ready' || status === 'failed' || status === 'cancelled';

function remember(company: Company, planId: string, known: KnownPlan): void {
  company.known.delete(planId);
  company.known.set(planId, known);
  if (company.known.size > REMEMBERED) company.known.delete(company.known.keys().next().value!);
}

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const notOwner = (instance: string): ColmeiaError =>
  new ColmeiaError('NOT_OWNER', `company "${instance}" is not at home here just now`, { retryAfterMs: 200 });
const fenced = (fence: number): ColmeiaError => new ColmeiaError('LEASE_FENCED', `fencing token ${fence} is stale: the plan has ended`);
