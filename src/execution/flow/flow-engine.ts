import type { Clock, Random } from '../../platform/clock.ts';
import { Deadlines } from '../../platform/deadlines.ts';
import { ColmeiaError } from '../../platform/errors.ts';
import type { Store } from '../../platform/store/store.ts';
import { EMPTY_HEAD, type JournalEvent, type JournalWriter } from '../../trust/audit/journal.ts';
import { agentIdOf, type Lease } from '../agents/agent.ts';
import type { AgentRegistry } from '../agents/agent-registry.ts';
import { leaseIdOf } from '../plans/plan.ts';
import { ReadyQueue } from '../scheduling/ready-queue.ts';
import { schedule } from '../scheduling/schedule.ts';
import { ENGINE, FlowBatch, leaseChanges, type By, type SealedRow } from './flow-batch.ts';
import { isEnded, type ErrorClass, type FlowEvent, type PlanState, type PlanStatus } from './flow-state.ts';
import {
  appendOne,
  findKept,
  findKnown,
  loadCompanies,
  type LoadedCompany,
  type PlanRef,
  type Statements,
} from './flow-store.ts';
import { isPlanChanged, type DraftPlan, type LivePlan, type PlanContent } from './live-plan.ts';
import { applySubmission, remember, type OwnedCompany } from './owned-company.ts';
import type { TicketSpec } from '../plans/ticket.ts';
import type { Submission, Submitted } from './submission.ts';

/** Items of one commit at most: a longer batch would hold the process, a shorter one would waste commits. */
const BATCH_LIMIT = 200;
/** Items that may wait for a commit; beyond it submissions are refused, results of agents are not. */
const QUEUE_LIMIT = 10_000;
/** Times a change is tried again after another writer's commit. */
const TRIES = 5;
/** Rest after a fault of the database. */
const PAUSE_MS = 200;

/** A change in the company's turn: `apply` decides, and what it returns tells the caller after the commit. */
type Item = {
  apply: (batch: FlowBatch) => () => void;
  reject: (error: unknown) => void;
  tries: number;
  submits: PlanRef | null;
};
/** What runs between two commits, alone. */
type Exclusive = { run: () => Promise<void>; reject: (error: unknown) => void };
/** A batch with the changes in it. */
type Turn = { batch: FlowBatch; items: Item[]; told: (() => void)[] };
/** A turn that was sent; `outcome` is set when the database has answered. */
type Sent = Turn & { rows: SealedRow[]; outcome: { error: unknown } | 'committed' | null };

export type CommittedRow = {
  instance: string;
  seq: number;
  at: Date;
  firstEvent: number;
  events: readonly JournalEvent[];
};

export type FlowEngineOptions = {
  store: Store;
  clock: Clock;
  random: Random;
  registry: AgentRegistry;
  /** After each commit, in order; must not throw or wait. */
  onCommitted: (rows: readonly CommittedRow[]) => void;
  /** Companies came with their open plans, or went. */
  onOwned?: (change: { taken: { name: string; planIds: string[] }[]; given: string[] }) => void;
  /** How long the database took for a commit. */
  onFlushed?: (ms: number) => void;
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
  readonly #companies = new Map<string, OwnedCompany>();
  readonly #plans = new Map<number, LivePlan>();
  readonly #timers = new Deadlines<number>();
  #items: Item[] = [];
  #exclusive: Exclusive[] = [];
  /** The turn that gathers, and the one that is with the database. */
  #open: Turn | null = null;
  #sent: Sent | null = null;
  /** Companies whose memory may differ from the database. */
  readonly #stale = new Set<string>();
  #loop: Promise<void> | null = null;
  /** Something came in since the loop last looked; `#resume` wakes it when it waits for the database. */
  #again = false;
  #resume: (() => void) | null = null;
  #stopped = false;
  #lastAt = 0;
  #alarm: NodeJS.Timeout | null = null;
  #alarmAt = Infinity;

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
      const loaded = await loadCompanies(this.#options.store, fresh);
      for (const company of loaded) this.#takeUp(company);
      this.#options.onOwned?.({
        taken: loaded.map(({ name, plans }) => ({ name, planIds: plans.map((plan) => plan.plan_id) })),
        given: [],
      });
    });
  }

  /** Gives companies up after the commit under way; what waits for them is answered NOT_OWNER. */
  async disown(names: readonly string[]): Promise<void> {
    await this.#exclusively(async () => {
      for (const name of names) this.#drop(name);
      this.#options.onOwned?.({ taken: [], given: [...names] });
    });
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

  /** Changes that wait for a commit. */
  get queueDepth(): number {
    return this.#items.length + (this.#open?.items.length ?? 0) + (this.#sent?.items.length ?? 0);
  }

  // — changes ———————————————————————————————————————————————————————————————————————————————————————————————

  /** C1–C2 in one commit. The same decision again gives the same answer; another one under its plan id is PLAN_CONFLICT. */
  submit(submission: Submission): Promise<Submitted> {
    if (this.#items.length >= QUEUE_LIMIT) {
      return Promise.reject(
        new ColmeiaError('QUEUE_FULL', `${QUEUE_LIMIT} changes wait for the database`, { retryAfterMs: 1_000 }),
      );
    }
    const { instance, planId } = submission;
    return this.#change(
      (batch) => {
        const company = this.#companies.get(instance);
        if (company === undefined) throw notOwner(instance);
        return applySubmission(batch, company, submission);
      },
      { instance, planId },
    );
  }

  /**
   * Runs one event on a plan of ours; an ended plan is loaded, and stays in memory when the event opens it again.
   * `revised`: what a new revision changes beside the state. Throws PLAN_STATE when the plan does not allow the event.
   */
  async reopen(
    key: number,
    event: (at: number, plan: LivePlan) => FlowEvent,
    who: By,
    revised?: { content: PlanContent; specs: readonly TicketSpec[] },
  ): Promise<PlanStatus> {
    if (!this.#plans.has(key)) {
      const kept = await findKept(this.#options.store, key);
      if (kept === null) throw new ColmeiaError('PLAN_NOT_FOUND', 'plan not found');
      const company = this.#companies.get(kept.instance);
      if (company === undefined) throw notOwner(kept.instance);
      if (!this.#plans.has(key)) {
        this.#plans.set(key, kept);
        company.plans.add(kept); // so that it goes when the company is loaded again
      }
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
      if (plan && isEnded(plan.state.status)) {
        this.#plans.delete(key);
        this.#companies.get(plan.instance)?.plans.delete(plan);
      }
    }
  }

  /** An attempt that counted. `result` is the JSON text of output, metadata and logs. Throws LEASE_FENCED. */
  complete(key: number, n: number, fence: number, result: string, who: By): Promise<void> {
    return this.#change((batch) => {
      const plan = this.#plans.get(key);
      if (plan === undefined) throw fenced(fence);
      const ticket = batch.stateOf(plan).tickets[n];
      if (ticket?.status === 'completed' && ticket.fence === fence) return; // said before
      const refusal = this.#endAttempt(batch, plan, n, { type: 'completed', at: batch.at, n, fence }, who);
      if (refusal) throw refusal;
      batch.drafts.get(key)!.results.set(n, result);
    });
  }

  fail(
    key: number,
    n: number,
    fence: number,
    failure: { errorClass: ErrorClass; error: string; retryAfterMs: number | null },
    who: By,
  ): Promise<void> {
    return this.#change((batch) => {
      const plan = this.#plans.get(key);
      if (plan === undefined) throw fenced(fence);
      const ticket = batch.stateOf(plan).tickets[n];
      if (ticket?.fence === fence && hasFailed(ticket.status)) return; // said before
      const refusal = this.#endAttempt(
        batch,
        plan,
        n,
        { type: 'failed', at: batch.at, n, fence, ...failure, jitter: this.#options.random() },
        who,
      );
      if (refusal) throw refusal;
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
    this.#wake();
    await this.#loop;
    this.#rejectAll(new ColmeiaError('SHUTTING_DOWN', 'this process is stopping'));
  }

  // — the loop ————————————————————————————————————————————————————————————————————————————————————————————————

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
      const apply = (batch: FlowBatch) => {
        const value = decideOn(batch);
        return () => resolve(value);
      };
      this.#items.push({ apply, reject, tries: 0, submits });
      this.#wake();
    });
  }

  #wake(): void {
    this.#again = true;
    this.#resume?.();
    if (!this.#stopped) this.#loop ??= immediate().then(() => this.#run());
  }

  async #run(): Promise<void> {
    while (!this.#stopped || this.#sent !== null) {
      this.#again = false;
      try {
        if (!(await this.#step())) break;
      } catch (error) {
        this.#options.log('error', { err: error }, 'the flow engine stumbled; it loads its companies again');
        this.#takeBack(this.#open, this.#sent);
        this.#rejectAll(error);
        for (const name of this.#companies.keys()) this.#stale.add(name);
        await sleep(PAUSE_MS);
      }
      await immediate(); // the event loop turns between two commits
    }
    this.#loop = null;
    if (this.#stopped) return;
    if (this.#again) this.#wake();
    else this.#setAlarm();
  }

  /**
   * Gathers, sends, tells. While one turn is with the database the next one gathers, and it is sent before the first is
   * told, so that process and server work side by side; the embedded database works in this thread, so there telling
   * comes first and turns are larger. False = there is nothing to do and nothing under way.
   */
  async #step(): Promise<boolean> {
    let committed: Sent | null = null;
    const sent = this.#sent;
    if (sent !== null && sent.outcome !== null) {
      this.#sent = null;
      if (sent.outcome !== 'committed') return this.#refused(sent.outcome.error, sent);
      if (this.#options.store.tier === 'embedded') {
        this.#commit(sent);
        await immediate();
      } else committed = sent;
    }
    this.#gather();
    let isBusy = this.#sent !== null;
    if (this.#sent === null && !this.#stopped) isBusy = await this.#sendOrWork(committed);
    if (committed !== null) this.#commit(committed);
    if (this.#again || !isBusy) return this.#again || committed !== null;
    await new Promise<void>((resolve) => (this.#resume = resolve));
    this.#resume = null;
    return true;
  }

  /** With nothing at the database: what must run alone, or the next turn. False = there was nothing. */
  async #sendOrWork(told: Sent | null): Promise<boolean> {
    const mustBeAlone = this.#stale.size > 0 || this.#exclusive.length > 0;
    if (this.#open !== null || !mustBeAlone) {
      const isSent = this.#send(told);
      if (!isSent && mustBeAlone) this.#again = true; // its time has come
      return isSent;
    }
    if (told !== null) {
      this.#again = true; // first tell, then alone
      return false;
    }
    this.#again = true;
    if (this.#stale.size > 0) return this.#reload();
    await this.#exclusive.shift()!.run();
    return true;
  }

  #gather(): void {
    if (this.#items.length === 0 || (this.#stale.size > 0 && this.#open === null)) return;
    const turn = (this.#open ??= this.#newTurn());
    const room = BATCH_LIMIT - turn.items.length;
    for (const item of room > 0 ? this.#items.splice(0, room) : []) {
      try {
        turn.told.push(item.apply(turn.batch));
        turn.items.push(item);
      } catch (error) {
        item.reject(error);
      }
    }
  }

  #newTurn(): Turn {
    this.#lastAt = Math.max(this.#options.clock.now(), this.#lastAt); // never back, whatever the clock does
    return {
      batch: new FlowBatch(this.#lastAt, this.ready, (key) => this.#plans.get(key)?.state),
      items: [],
      told: [],
    };
  }

  /** Adds what time and agents make possible, and sends the turn. False = it came to nothing. */
  #send(told: Sent | null): boolean {
    const turn = this.#open ?? this.#newTurn();
    this.#open = null;
    const { batch } = turn;
    this.#applyDue(batch);
    this.#schedule(batch, told?.batch ?? null);
    if (batch.isEmpty) {
      this.#followMemory(batch);
      for (const tell of turn.told) tell();
      return false;
    }
    const { args, rows } = batch.seal((instance) => this.#companies.get(instance)?.head ?? EMPTY_HEAD);
    for (const row of rows) this.#advanceHead(batch, row);
    for (const draft of batch.drafts.values()) this.#promote(batch, draft);
    const sent: Sent = { ...turn, rows, outcome: null };
    this.#sent = sent;
    const { store, onFlushed } = this.#options;
    const sentAt = performance.now();
    store
      .flush(args)
      .then(
        () => (sent.outcome = 'committed'),
        (error: unknown) => (sent.outcome = { error }),
      )
      .finally(() => {
        onFlushed?.(performance.now() - sentAt);
        this.#wake();
      });
    return true;
  }

  /** Without an event only what is derived has changed, the time of the next wake: nothing to keep. */
  #followMemory(batch: FlowBatch): void {
    for (const { plan, after } of batch.drafts.values()) plan.state = after;
    for (const [key, at] of batch.timers) if (this.#plans.has(key)) this.#timers.set(key, at);
  }

  #advanceHead(batch: FlowBatch, row: SealedRow): void {
    const company = this.#companies.get(row.instance);
    if (company === undefined) return;
    const before = company.head;
    company.head = { seq: row.seq, events: row.events, plans: row.given, hash: row.hash };
    batch.undo.push(() => (company.head = before));
  }

  /** Memory goes ahead of the database, for the next turn to build on; `undo` takes it back. */
  #promote(batch: FlowBatch, draft: DraftPlan): void {
    const { plan } = draft;
    const { state, specs, rev } = plan;
    Object.assign(plan, { state: draft.after, specs: draft.specs, rev: rev + Number(isPlanChanged(draft)) });
    const isNew = !this.#plans.has(plan.key);
    this.#plans.set(plan.key, plan);
    batch.undo.push(() => {
      Object.assign(plan, { state, specs, rev });
      if (isNew) this.#plans.delete(plan.key);
    });
  }

  // — what comes by itself ——————————————————————————————————————————————————————————————————————————————————————

  #applyDue(batch: FlowBatch): void {
    const { registry, random } = this.#options;
    for (const key of this.#timers.take(batch.at, BATCH_LIMIT)) {
      const plan = this.#plans.get(key);
      if (plan) batch.step(plan, { type: 'due', at: batch.at, jitter: random() }, ENGINE);
    }
    for (const lease of registry.takeExpired(batch.at)) {
      const plan = this.#plans.get(lease.plan);
      const error = `agent ${agentIdOf(lease.agent)} was not heard of for ${registry.leaseDurationMs} ms`;
      const event: FlowEvent = {
        type: 'failed',
        at: batch.at,
        n: lease.n,
        fence: lease.fence,
        errorClass: 'timeout',
        error,
        retryAfterMs: null,
        jitter: random(),
      };
      if (plan && this.#endAttempt(batch, plan, lease.n, event, ENGINE) === null) batch.expired.push(lease);
      else registry.end(lease.leaseId);
    }
  }

  /** Returns the refusal, or null when the attempt has ended. */
  #endAttempt(batch: FlowBatch, plan: LivePlan, n: number, event: FlowEvent, who: By): ColmeiaError | null {
    const { agent } = batch.stateOf(plan).tickets[n] ?? {};
    const refusal = batch.step(plan, event, who);
    if (refusal) return new ColmeiaError(refusal.code, refusal.message);
    if (agent) batch.freed.set(agent, (batch.freed.get(agent) ?? 0) + 1);
    return null;
  }

  /** `told`: the turn before, whose leases are granted and ended only after this one is sent. */
  #schedule(batch: FlowBatch, told: FlowBatch | null): void {
    if (this.ready.size === 0) return;
    const candidates = this.#options.registry.candidates(batch.freed, told);
    const byPlan = new Map<number, { n: number; agent: string }[]>();
    for (const { ticket, agent } of schedule(this.ready, candidates, batch.at, 10 * BATCH_LIMIT)) {
      batch.taken.set(agent, (batch.taken.get(agent) ?? 0) + 1);
      const leases = byPlan.get(ticket.plan);
      if (leases) leases.push({ n: ticket.n, agent });
      else byPlan.set(ticket.plan, [{ n: ticket.n, agent }]);
    }
    for (const [key, leases] of byPlan) {
      const plan = batch.drafts.get(key)?.plan ?? this.#plans.get(key)!;
      batch.step(plan, { type: 'leased', at: batch.at, leases }, ENGINE);
    }
  }

  // — after the database has answered ————————————————————————————————————————————————————————————————————————————

  /** It is true now: agents get their leases, callers and listeners hear. */
  #commit({ batch, rows, told }: Sent): void {
    const { registry, onCommitted } = this.#options;
    const granted = new Map<string, Lease[]>();
    for (const draft of batch.drafts.values()) {
      const { plan, after } = draft;
      const { ended, begun, stopped } = leaseChanges(draft);
      for (const n of ended) registry.end(leaseIdOf(plan.key, n, draft.before!.tickets[n].fence));
      for (const n of begun) {
        const lease = this.#grant(plan, n, after);
        const leases = granted.get(lease.agent);
        if (leases) leases.push(lease);
        else granted.set(lease.agent, [lease]);
      }
      for (const n of stopped) {
        const lease = registry.lease(leaseIdOf(plan.key, n, after.tickets[n].fence));
        if (lease) lease.stop = true;
      }
      this.#keep(plan, after);
    }
    for (const [key, at] of batch.timers) if (this.#plans.has(key)) this.#timers.set(key, at);
    for (const [agent, leases] of granted) for (const lease of registry.deliver(agent, leases)) this.release(lease);
    for (const tell of told) tell();
    onCommitted(
      rows.map((row) => ({
        instance: row.instance,
        seq: row.seq,
        at: new Date(row.at),
        firstEvent: row.events - row.recorded.length + 1,
        events: row.recorded,
      })),
    );
  }

  #grant(plan: LivePlan, n: number, state: PlanState): Lease {
    const { fence, attempt, agent, note } = state.tickets[n];
    const leaseId = leaseIdOf(plan.key, n, fence);
    return this.#options.registry.grant(
      { leaseId, plan: plan.key, n, fence, attempt, agent: agent! },
      note?.stopAt !== undefined,
    );
  }

  /** A lease that nobody took up: the ticket is ready again and no attempt is counted. */
  release({ plan: key, n, fence }: Pick<Lease, 'plan' | 'n' | 'fence'>): void {
    const released = this.#change((batch) => {
      const plan = this.#plans.get(key);
      if (plan) this.#endAttempt(batch, plan, n, { type: 'released', at: batch.at, n, fence }, ENGINE);
    });
    released.catch(() => {}); // then it runs out
  }

  #keep(plan: LivePlan, { status }: PlanState): void {
    const company = this.#companies.get(plan.instance);
    if (company === undefined) return;
    const known = company.known.get(plan.plan_id);
    if (known) Object.assign(known, { status, rev: plan.rev });
    else
      remember(company, plan.plan_id, {
        key: plan.key,
        digest: plan.digest,
        status,
        invalid: false,
        rev: plan.rev,
        faults: [],
      });
    if (!isEnded(status)) company.plans.add(plan);
    else if (isEnded(plan.state.status)) {
      this.#plans.delete(plan.key);
      company.plans.delete(plan);
      this.#timers.delete(plan.key);
    }
  }

  /**
   * Nothing of the turn came true, and what gathered meanwhile was built on it: both are taken back. A plan id that exists
   * is a decision sent again that memory did not know: it is looked up and the changes tried again. A refused guard is
   * another writer: the companies are loaded again, then the changes are tried again. After anything else the callers are
   * told, and as the commit may have come true all the same, the companies are loaded again.
   */
  async #refused(error: unknown, sent: Sent): Promise<boolean> {
    const { store, registry, log } = this.#options;
    const open = this.#open;
    const touched = this.#takeBack(open, sent);
    const { code, constraint } = error as { code?: string; constraint?: string };
    const isKnownPlan = code === '23505' && constraint === 'plan_id';
    const isTriedAgain = isKnownPlan || code === '23505' || code === 'CM001';
    const again = [
      ...sent.items.filter((item) => {
        const isTried = isTriedAgain && ++item.tries <= TRIES;
        if (!isTried) item.reject(error);
        return isTried;
      }),
      ...(open?.items ?? []),
    ];
    this.#items.unshift(...again);
    this.#again = true;
    for (const plan of touched) this.#ripen(plan);
    for (const lease of [...sent.batch.expired, ...(open?.batch.expired ?? [])]) registry.expireNow(lease);
    if (isKnownPlan) {
      for (const [ref, known] of await findKnown(
        store,
        sent.items.flatMap((item) => item.submits ?? []),
      )) {
        const company = this.#companies.get(ref.instance);
        if (company) remember(company, ref.planId, known);
      }
      return true;
    }
    for (const row of sent.rows) this.#stale.add(row.instance);
    log(
      'warn',
      { err: error, instances: sent.rows.map((row) => row.instance) },
      'a commit was refused; its companies are loaded again',
    );
    if (!isTriedAgain) await sleep(PAUSE_MS);
    return true;
  }

  /** Memory as it was before these turns, the later one first. Returns the plans they touched that existed before. */
  #takeBack(...turns: (Turn | null)[]): Set<LivePlan> {
    const touched = new Set<LivePlan>();
    for (const turn of turns) {
      if (turn === null) continue;
      for (const undo of turn.batch.undo.splice(0).reverse()) undo();
      for (const { plan } of turn.batch.drafts.values()) {
        this.ready.removePlan(plan.key);
        touched.add(plan);
      }
    }
    this.#open = null;
    this.#sent = null;
    return new Set([...touched].filter((plan) => this.#plans.get(plan.key) === plan));
  }

  #rejectAll(error: unknown): void {
    const open = this.#open;
    this.#takeBack(open);
    for (const item of [...(open?.items ?? []), ...this.#items.splice(0)]) item.reject(error);
    for (const item of this.#exclusive.splice(0)) item.reject(error);
  }

  // — memory ————————————————————————————————————————————————————————————————————————————————————————————————

  /** False = the database is away: what waits is answered, and it is tried again soon. */
  async #reload(): Promise<boolean> {
    const names = [...this.#stale];
    try {
      const loaded = await loadCompanies(this.#options.store, names);
      for (const name of names) this.#drop(name);
      for (const company of loaded) this.#takeUp(company);
      this.#stale.clear();
      return true;
    } catch (error) {
      this.#rejectAll(error);
      await sleep(PAUSE_MS);
      return true;
    }
  }

  #takeUp({ name, no, head, plans }: LoadedCompany): void {
    this.#companies.set(name, { name, no, head, plans: new Set(), known: new Map() });
    for (const plan of plans) {
      this.#plans.set(plan.key, plan);
      this.#keep(plan, plan.state);
      plan.state.tickets.forEach((ticket, n) => {
        if (ticket.status === 'running') this.#grant(plan, n, plan.state);
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
      this.ready.add(
        { plan: plan.key, n, instance: plan.instance, spec: plan.specs[n], createdAt: plan.created_at, deadline },
        this.#lastAt,
      );
    });
    if (state.timerAt !== null) this.#timers.set(plan.key, state.timerAt);
  }

  #drop(name: string): void {
    const company = this.#companies.get(name);
    if (company === undefined) return;
    for (const plan of company.plans) {
      this.ready.removePlan(plan.key);
      this.#timers.delete(plan.key);
      this.#plans.delete(plan.key);
    }
    const keys = new Set([...company.plans].map((plan) => plan.key));
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
    this.#alarm = setTimeout(
      () => {
        this.#alarm = null;
        this.#wake();
      },
      Math.min(Math.max(0, at - this.#options.clock.now()) + 1, 2 ** 31 - 1),
    );
  }
}

/** States a ticket can be in after a failed attempt, while its token is still the last one. */
export const hasFailed = (status: string): boolean =>
  status === 'backoff' || status === 'ready' || status === 'failed' || status === 'cancelled';

const immediate = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const notOwner = (instance: string): ColmeiaError =>
  new ColmeiaError('NOT_OWNER', `company "${instance}" is not at home here just now`, { retryAfterMs: 200 });
const fenced = (fence: number): ColmeiaError =>
  new ColmeiaError('LEASE_FENCED', `fencing token ${fence} is stale: the plan has ended`);
