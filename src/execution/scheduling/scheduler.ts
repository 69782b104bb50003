import { fellBack, forgetHead, lineBefore, type HeadRule } from './class-head.ts';
import { isBestEffort } from './contingency/degradation.ts';
import { CRITICAL_ORDER, entryOrder, type EntryOrder } from './entry-order.ts';
import { Capacities } from './capacities.ts';
import type { Estimates } from './estimates.ts';
import { capsHit, isCapped, underGlobalCap, underLabelCaps } from './caps.ts';
import { FairShare, lagUnits } from './fair-share.ts';
import type { FilterMoment } from './filter-plugins.ts';
import { Fleet } from './fleet.ts';
import type { Random } from './models/draws.ts';
import { typeOf } from './outcome.ts';
import { openClasses, pickTicket } from './pick-ticket.ts';
import { placeCopy, type Copy } from './place-copy.ts';
import { occupy, Placement } from './placement.ts';
import type { Policy } from './policy.ts';
import type { ReadyTicket } from './ready-ticket.ts';
import type { SchedulerAgent } from './scheduler-agent.ts';
import type { Mode } from './models/burn-mode.ts';
import type { Account, AgentState, Entry, Guard, Line, TicketClass } from './scheduler-state.ts';
import { Waiting } from './waiting.ts';
import { backlogOf, whyOf, type ClassBacklog, type Why } from './why.ts';
import type { TicketSpec } from '../plans/ticket.ts';

export type Assignment = { ticket: ReadyTicket; agent: string };

export type SchedulerOptions = {
  policy: Policy;
  estimates: Estimates;
  random: Random;
  tierOf: (instance: string) => string;
  /** State of the company's error budget; default normal. */
  modeOf?: (instance: string) => Mode;
  /** Breaker and adaptive concurrency; default: all are well. */
  guard?: (agentKey: string, type: string, now: number) => Guard;
  /** May agents labelled burst work for the class; default no. */
  burstOpen?: (classKey: string, now: number) => boolean;
  /** May agents of last resort work for the class; default yes. */
  lastResortOpen?: (classKey: string) => boolean;
  /** May people who offer it get tickets that did not ask for a person; default no. */
  peopleOpen?: () => boolean;
};

const WELL: Guard = { allows: true, limit: Infinity, why: null };
/** Tickets that become late or more urgent, moved in one cycle at most. */
const MOST_STEPS = 256;
/** Tickets of a class that nobody may have, passed over in one cycle at most. */
const MOST_PASSED = 16;
/** A ticket that waited less is given with the duration that was expected of it when it came. */
const REFRESH_AFTER_MS = 1_000;
/** How old the modes of the companies may be, ms. */
const MODES_MS = 250;
/** What a ticket is charged at most, ms: a wild estimate must not lock a company out. */
const MOST_CHARGED_MS = 30 * 24 * 3_600_000;

/**
 * Which ticket goes to which agent: admit → order → filter → score → reserve → observe. Holds what waits, what runs and
 * what the companies have used; no I/O, no clock: the same calls give the same assignments.
 */
export class Scheduler {
  readonly #options: SchedulerOptions;
  readonly #fair: FairShare;
  readonly #fleet: Fleet;
  readonly #waiting: Waiting;
  readonly #placement: Placement;
  readonly #moment: FilterMoment;
  readonly #rule: HeadRule;
  #policy: Policy;
  #order: EntryOrder;
  #cycle = 0;
  #turn = 0;
  #modesAt = -Infinity;
  #wakeAt = Infinity;
  readonly #capacities: Capacities;

  constructor(options: SchedulerOptions) {
    const { policy, estimates, random } = options;
    this.#options = options;
    this.#policy = policy;
    this.#order = entryOrder(policy.order);
    this.#fair = new FairShare(
      (instance) => this.#policy.tiers[options.tierOf(instance)] ?? 1,
      (account, by) => fellBack(account, by, this.#rule),
    );
    this.#fleet = new Fleet((of, isServed) => {
      for (const line of of.lines) {
        if (isServed) this.#fair.enters(line.account, true);
        else this.#fair.leaves(line.account);
      }
    });
    this.#capacities = new Capacities(this.#fleet, estimates);
    this.#waiting = new Waiting({
      account: (instance) => this.#fair.account(instance),
      fill: (of) => this.#fleet.fill(of),
      forget: (of) => this.#fleet.empty(of),
      enters: (line, fresh) => {
        if (line.class.members > 0) this.#fair.enters(line.account, fresh);
      },
      leaves: (line) => {
        if (line.class.members > 0) this.#fair.leaves(line.account);
      },
      orderOf: (account) => (account.mode === 'critical' ? CRITICAL_ORDER : this.#order),
      standing: (entry) => this.#standing(entry),
    });
    this.#placement = new Placement(policy, estimates, random, (state) =>
      underLabelCaps(this.#policy.caps, this.#fleet, state),
    );
    this.#moment = {
      now: -Infinity,
      guard: options.guard ?? (() => WELL),
      burstOpen: options.burstOpen ?? (() => false),
      lastResortAfterMs: policy.lastResortAfterMs,
      lastResortOpen: options.lastResortOpen ?? (() => true),
      peopleOpen: options.peopleOpen ?? (() => false),
    };
    this.#rule = {
      cycle: 0,
      turns: false,
      lag: 0,
      tightLag: 0,
      extra: 0,
      first: () => this.#fair.first(),
      upTo: (used, most, into) => this.#fair.upTo(used, most, into),
      settle: (line) => this.#waiting.settle(line, this.#moment.now),
    };
    this.#use(policy);
  }

  get policy(): Policy {
    return this.#policy;
  }

  /** From the next cycle on; what waits and what the companies have used stays. */
  set policy(policy: Policy) {
    this.#policy = policy;
    this.#order = entryOrder(policy.order);
    this.#use(policy);
    this.#fair.weigh();
    for (const account of this.#fair.accounts()) account.orderVersion++;
  }

  #use(policy: Policy): void {
    this.#placement.use(policy);
    this.#moment.lastResortAfterMs = policy.lastResortAfterMs;
    this.#rule.turns = policy.companies === 'turns';
    const { companies, lagSeconds, tightLagSeconds } = policy;
    this.#rule.lag = companies === 'none' ? Infinity : lagUnits(companies === 'lag' ? lagSeconds : 0);
    this.#rule.tightLag = companies === 'lag' ? lagUnits(tightLagSeconds) : 0;
    for (const of of this.#waiting.classes()) this.#fleet.empty(of);
    this.#fleet.use(policy.filters, Object.keys(policy.caps.perLabel));
    for (const of of this.#waiting.busy) this.#fleet.fill(of);
    for (const of of this.#waiting.classes()) forgetHead(of);
  }

  /** Tickets that wait. */
  get size(): number {
    return this.#waiting.size;
  }

  /** When another cycle may give what this one held back, epoch ms; null = only news can. */
  get wakeAt(): number | null {
    return this.#wakeAt === Infinity ? null : this.#wakeAt;
  }

  /** Idempotent. A ticket that is tried again has ended first. */
  add(ticket: ReadyTicket, now: number): void {
    this.#waiting.add(ticket, this.#base(ticket), now);
  }

  remove(plan: number, n: number): void {
    this.#waiting.remove(plan, n);
  }

  removePlan(plan: number): void {
    this.#waiting.removePlan(plan);
  }

  /** Nothing waits any more; what runs goes on. */
  clear(): void {
    this.#waiting.clear();
  }

  /** A ticket runs that `schedule` did not give: after a restart, or a speculative copy. Idempotent. */
  began(run: { plan: number; n: number; instance: string; spec: TicketSpec; agent: string; at: number }): void {
    const { plan, n, instance, spec, agent, at } = run;
    if (this.#fleet.runs(plan, n, agent)) return;
    const base = clamp(this.#options.estimates.base(spec, instance));
    this.#begin({ plan, n, agent, at, account: this.#fair.account(instance), entry: null }, typeOf(spec), base);
  }

  /** The company is charged what it really took. Nothing happens when it does not run there. */
  ended(plan: number, n: number, agent: string, at: number): void {
    const run = this.#fleet.end(plan, n, agent);
    if (run === null) return;
    const realMs = Math.min(Math.max(0, at - run.at), MOST_CHARGED_MS);
    this.#fair.end(run.account, run.charged, realMs, run.weight);
  }

  /** As if it had never been given: the ticket waits again where it stood, and the company has it back. */
  unassign(plan: number, n: number, agent: string): void {
    const run = this.#fleet.end(plan, n, agent);
    if (run === null) return;
    this.#fair.end(run.account, run.charged, 0, run.weight);
    this.#fair.countTurn(run.account, -1);
    if (run.entry !== null) this.#waiting.putBack(run.entry, this.#moment.now);
  }

  /** An agent joins or changes. Its `free` and `open` may change at any time without a call. */
  setAgent(agent: SchedulerAgent): void {
    this.#fleet.set(agent, this.#waiting.classes());
  }

  removeAgent(key: string): void {
    this.#fleet.remove(key);
  }

  /** A company has used agents through another process, ms of running time. */
  charge(instance: string, ms: number): void {
    const account = this.#fair.account(instance);
    this.#fair.charge(account, Math.min(Math.max(0, ms), MOST_CHARGED_MS), account.weight);
  }

  /** Weighted ms of running time that each company is ahead of one that came now. */
  debts(): Record<string, number> {
    return this.#fair.debts();
  }

  restoreDebts(debts: Readonly<Record<string, unknown>>): void {
    this.#fair.restore(debts);
  }

  /** Why the ticket waits; null = it does not wait. */
  why(plan: number, n: number, now: number): Why | null {
    const entry = this.#waiting.find(plan, n);
    if (entry === undefined) return null;
    const { account, class: of } = entry.line;
    const lagMs = this.#fair.lagMs(account);
    let leastMs = Infinity;
    for (const line of of.lines) leastMs = Math.min(leastMs, this.#fair.lagMs(line.account));
    return whyOf({
      entry,
      fleet: this.#fleet,
      placement: this.#placement,
      policy: this.#policy,
      estimates: this.#options.estimates,
      moment: { ...this.#moment, now },
      waiting: this.size,
      lagMs,
      leastMs,
      caps: capsHit(this.#policy.caps, this.#fleet, account, of),
    });
  }

  /** An agent for a second attempt of a ticket that runs, see placeCopy; null = none can, or a cap is reached. */
  placeCopy(copy: Copy, free: readonly SchedulerAgent[], now: number): string | null {
    const { caps } = this.#policy;
    if (!underGlobalCap(caps, this.#fleet) || isCapped(caps, this.#fair.account(copy.instance))) return null;
    return placeCopy(copy, free, {
      fleet: this.#fleet,
      estimates: this.#options.estimates,
      caps,
      moment: this.#moment,
      now,
    });
  }

  /** What waits and runs of each company, ms at ordinary speed. */
  loads(): { instance: string; weight: number; waitingMs: number; runningMs: number }[] {
    const loads = [];
    for (const account of this.#fair.accounts()) {
      const { instance, weight, waitingMs } = account;
      loads.push({ instance, weight, waitingMs, runningMs: this.#fair.runningMs(account) });
    }
    return loads;
  }

  weightOf(instance: string): number {
    return this.#fair.account(instance).weight;
  }

  /** Slots × speed of the open agents that can do such a ticket; known for a second. */
  capacityFor(spec: TicketSpec, now: number): number {
    return this.#capacities.of(spec, now);
  }

  /** What waits by class, and what can do it. O(classes × their agents). */
  backlog(now: number): ClassBacklog[] {
    return [...this.#waiting.busy].map((of) => backlogOf(of, this.#options.estimates, now));
  }

  /** One cycle over the agents that ask; at most `limit` assignments. What it assigns counts as begun. */
  schedule(agents: readonly SchedulerAgent[], now: number, limit: number): Assignment[] {
    const assignments: Assignment[] = [];
    this.#wakeAt = Infinity;
    if (this.#waiting.size === 0 || agents.length === 0) return assignments;
    this.#startCycle(now);
    const shared: AgentState[] = [];
    const bound = new Map<string, AgentState[]>();
    for (const agent of agents) {
      const state = this.#admit(agent);
      if (state === null) continue;
      const { instance } = agent;
      if (instance === null) shared.push(state);
      else if (bound.has(instance)) bound.get(instance)!.push(state);
      else bound.set(instance, [state]);
    }
    // An agent bound to a company can do least, so it chooses first.
    for (const [instance, states] of bound) this.#assignBound(instance, states, limit, assignments);
    if (shared.length > 0) this.#assignShared(openClasses(shared, this.#waiting.busy, this.#cycle), limit, assignments);
    return assignments;
  }

  #startCycle(now: number): void {
    this.#cycle++;
    this.#moment.now = now;
    this.#rule.cycle = this.#cycle;
    this.#waiting.advance(now, MOST_STEPS);
    if (now >= this.#modesAt && now < this.#modesAt + MODES_MS) return;
    this.#modesAt = now;
    const { modeOf } = this.#options;
    if (modeOf === undefined) return;
    this.#rule.extra = 0;
    for (const account of this.#fair.accounts()) {
      const mode = modeOf(account.instance);
      if (mode === 'tight') this.#rule.extra = this.#rule.tightLag;
      if (mode === account.mode) continue;
      if (mode === 'critical' || account.mode === 'critical') account.orderVersion++;
      account.mode = mode;
      for (const line of account.lines) forgetHead(line.class);
    }
  }

  #admit(agent: SchedulerAgent): AgentState | null {
    if (agent.free <= 0 || !agent.open) return null;
    if (this.#fleet.get(agent.key)?.agent !== agent) this.setAgent(agent);
    const state = this.#fleet.get(agent.key)!;
    state.cycle = this.#cycle;
    state.left = Math.min(agent.free, agent.concurrency - state.runs.size);
    return state.left > 0 ? state : null;
  }

  /** Since when a ticket must be ready for its turn by age, in this decision; null = the order decides. */
  #aging(): number | null {
    const { agingShare, agingMs } = this.#policy;
    return agingShare > 0 && this.#options.random() < agingShare ? this.#moment.now - agingMs : null;
  }

  #assignShared(open: TicketClass[], limit: number, assignments: Assignment[]): void {
    const aside: Entry[] = [];
    const touched = new Set<TicketClass>();
    while (assignments.length < limit && open.length > 0 && underGlobalCap(this.#policy.caps, this.#fleet)) {
      const entry = pickTicket(open, this.#rule, this.#aging());
      if (entry === null) break;
      const { line } = entry;
      const of = line.class;
      if (isCapped(this.#policy.caps, line.account)) {
        this.#skip(line.account, touched);
        continue;
      }
      this.#refresh(entry);
      const placed = this.#placement.place(entry, of.free, this.#moment, this.#cycle, this.#explores(entry));
      if (placed.kind === 'agent') this.#give(entry, placed.state, assignments);
      else {
        this.#waiting.take(entry);
        aside.push(entry);
        if (placed.kind === 'held') this.#wakeAt = Math.min(this.#wakeAt, entry.holdUntil);
        else if (++of.passed >= MOST_PASSED) of.free.size = 0;
      }
      if (of.size === 0 || of.free.size === 0) open.splice(open.indexOf(of), 1);
    }
    for (const entry of aside) this.#waiting.putBack(entry, this.#moment.now);
    for (const of of touched) forgetHead(of);
  }

  #assignBound(instance: string, states: readonly AgentState[], limit: number, assignments: Assignment[]): void {
    const account = this.#fair.account(instance);
    const none = new Set<Line>();
    while (
      assignments.length < limit &&
      underGlobalCap(this.#policy.caps, this.#fleet) &&
      !isCapped(this.#policy.caps, account)
    ) {
      let best: Entry | null = null;
      for (const line of account.lines) {
        if (none.has(line) || !states.some((state) => state.left > 0 && state.fits.has(line.class))) continue;
        this.#rule.settle(line);
        if (best === null || lineBefore(line, best.line)) best = line.entries.peek()!;
      }
      if (best === null) return;
      this.#refresh(best);
      const { line } = best;
      const able = states.filter((state) => state.left > 0 && state.fits.has(line.class));
      const state = this.#placement.bestOf(best, able, this.#moment, this.#explores(best));
      if (state === null) none.add(line);
      else this.#give(best, state, assignments);
    }
  }

  #give(entry: Entry, state: AgentState, assignments: Assignment[]): void {
    const { ticket, line, base } = entry;
    const { now } = this.#moment;
    this.#waiting.take(entry);
    const { plan, n } = ticket;
    this.#begin({ plan, n, agent: state.agent.key, at: now, account: line.account, entry }, line.class.type, base);
    state.left--;
    state.turn = ++this.#turn;
    assignments.push({ ticket, agent: state.agent.key });
  }

  #begin(
    given: { plan: number; n: number; agent: string; at: number; account: Account; entry: Entry | null },
    type: string,
    base: number,
  ): void {
    const { account, agent, at } = given;
    const charged = clamp(base * this.#options.estimates.factor(type, agent, at));
    const run = this.#fleet.begin({ ...given, end: at + charged, charged, weight: account.weight });
    if (run === null) return;
    this.#fair.begin(account, charged, account.weight);
    this.#fair.countTurn(account, 1);
    const state = this.#fleet.get(agent);
    if (state !== undefined) occupy(state, this.#cycle, run.end);
  }

  #base({ spec, instance }: ReadyTicket): number {
    return clamp(this.#options.estimates.base(spec, instance));
  }

  #refresh(entry: Entry): void {
    if (this.#moment.now - entry.ticket.readyAt < REFRESH_AFTER_MS) return;
    const base = this.#base(entry.ticket);
    if (base !== entry.base) this.#waiting.rebase(entry, base);
  }

  #explores({ ticket, line }: Entry): boolean {
    return this.#policy.exploration && ticket.spec.risk_band === 'low' && line.account.mode === 'normal';
  }

  #standing(entry: Entry): readonly number[] {
    if (entry.line.account.mode !== 'critical') return entry.keys;
    if (isBestEffort(entry.ticket.spec)) return [Infinity];
    const moment = { now: this.#moment.now, base: entry.base };
    return this.#order.map((plugin) => plugin.key(entry.ticket, moment));
  }

  #skip(account: Account, touched: Set<TicketClass>): void {
    account.skipped = this.#cycle;
    for (const { class: of } of account.lines) {
      forgetHead(of);
      touched.add(of);
    }
  }
}

/** A duration that can be reckoned with, ms. */
const clamp = (ms: number): number => (ms >= 1 ? Math.min(ms, MOST_CHARGED_MS) : 1);
