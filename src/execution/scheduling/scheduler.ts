import type { TicketSpec } from '../plans/ticket.ts';
import { Capacities } from './capacities.ts';
import { capsHit, isCapped, underGlobalCap, underLabelCaps } from './caps.ts';
import { fellBack, forgetHead } from './class-head.ts';
import { isBestEffort } from './contingency/degradation.ts';
import type { Run } from './dispatcher.ts';
import { CRITICAL_ORDER, entryOrder, type EntryOrder } from './entry-order.ts';
import type { Estimates } from './estimates.ts';
import { FairShare } from './fair-share.ts';
import { Fleet } from './fleet.ts';
import { typeOf } from './outcome.ts';
import { placeCopy, type Copy } from './place-copy.ts';
import { Placement } from './placement.ts';
import type { Policy } from './policy.ts';
import type { ReadyTicket } from './ready-ticket.ts';
import type { SchedulerAgent } from './scheduler-agent.ts';
import type { Entry } from './scheduler-state.ts';
import { SchedulingCycle, type Assignment, type CycleOptions } from './scheduling-cycle.ts';
import { Waiting } from './waiting.ts';
import { backlogOf, whyOf, type ClassBacklog, type Why } from './why.ts';

export type SchedulerOptions = CycleOptions & { tierOf: (instance: string) => string };

/**
 * Which ticket goes to which agent: admit → order → filter → score → reserve → observe. Holds what waits, what runs and
 * what the companies have used; no I/O, no clock: the same calls give the same assignments.
 */
export class Scheduler {
  readonly #estimates: Estimates;
  readonly #fair: FairShare;
  readonly #fleet: Fleet;
  readonly #waiting: Waiting;
  readonly #placement: Placement;
  readonly #capacities: Capacities;
  readonly #cycle: SchedulingCycle;
  #order: EntryOrder;

  constructor(options: SchedulerOptions) {
    const { policy, estimates, random } = options;
    this.#estimates = estimates;
    this.#order = entryOrder(policy.order);
    this.#fair = new FairShare(
      (instance) => this.#cycle.policy.tiers[options.tierOf(instance)] ?? 1,
      (account, by) => fellBack(account, by, this.#cycle.rule),
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
      underLabelCaps(this.#cycle.policy.caps, this.#fleet, state),
    );
    this.#cycle = new SchedulingCycle(options, {
      waiting: this.#waiting,
      fleet: this.#fleet,
      fair: this.#fair,
      placement: this.#placement,
    });
    this.#use(policy);
  }

  get policy(): Policy {
    return this.#cycle.policy;
  }

  /** From the next cycle on; what waits and what the companies have used stays. */
  set policy(policy: Policy) {
    this.#order = entryOrder(policy.order);
    this.#cycle.policy = policy;
    this.#use(policy);
    this.#fair.weigh();
    for (const account of this.#fair.accounts()) account.orderVersion++;
  }

  #use(policy: Policy): void {
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
    return this.#cycle.wakeAt === Infinity ? null : this.#cycle.wakeAt;
  }

  /** Idempotent. A ticket that is tried again has ended first. */
  add(ticket: ReadyTicket, now: number): void {
    this.#waiting.add(ticket, this.#cycle.baseOf(ticket), now);
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
  began(run: Run): void {
    const { plan, n, instance, spec, agent, at } = run;
    if (this.#fleet.runs(plan, n, agent)) return;
    const given = { plan, n, agent, at, account: this.#fair.account(instance), entry: null };
    this.#cycle.begin(given, typeOf(spec), this.#cycle.baseOf(run));
  }

  /** The company is charged what it really took. Nothing happens when it does not run there. */
  ended(plan: number, n: number, agent: string, at: number): void {
    const run = this.#fleet.end(plan, n, agent);
    if (run === null) return;
    this.#fair.end(run.account, run.charged, at - run.at, run.weight);
  }

  /** `ended` is taken back: it runs on, and the company has back what it was charged for the end. */
  resumed(run: Run, endedAt: number): void {
    if (this.#fleet.runs(run.plan, run.n, run.agent)) return;
    this.began(run);
    const account = this.#fair.account(run.instance);
    this.#fair.refund(account, endedAt - run.at, account.weight);
    this.#fair.countTurn(account, -1);
  }

  /** As if it had never been given: the ticket waits again where it stood, and the company has it back. */
  unassign(plan: number, n: number, agent: string): void {
    const run = this.#fleet.end(plan, n, agent);
    if (run === null) return;
    this.#fair.end(run.account, run.charged, 0, run.weight);
    this.#fair.countTurn(run.account, -1);
    if (run.entry !== null) this.#waiting.putBack(run.entry, this.#cycle.moment.now);
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
    this.#fair.charge(account, ms, account.weight);
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
      policy: this.#cycle.policy,
      estimates: this.#estimates,
      moment: { ...this.#cycle.moment, now },
      waiting: this.size,
      lagMs,
      leastMs,
      caps: capsHit(this.#cycle.policy.caps, this.#fleet, account, of),
    });
  }

  /** An agent for a second attempt of a ticket that runs, see placeCopy; null = none can, or a cap is reached. */
  placeCopy(copy: Copy, free: readonly SchedulerAgent[], now: number): string | null {
    const { caps } = this.#cycle.policy;
    if (!underGlobalCap(caps, this.#fleet) || isCapped(caps, this.#fair.account(copy.instance))) return null;
    return placeCopy(copy, free, {
      fleet: this.#fleet,
      estimates: this.#estimates,
      caps,
      moment: this.#cycle.moment,
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

  /** The company is gone. */
  forget(instance: string): void {
    this.#fair.forget(instance);
  }

  /** The tier of a company has changed: what begins from now on counts by it. */
  weigh(): void {
    this.#fair.weigh();
  }

  weightOf(instance: string): number {
    return this.#fair.account(instance).weight;
  }

  /** Slots × speed of the open agents that can do such a ticket; known for a second. */
  capacityFor(spec: TicketSpec, now: number): number {
    return this.#capacities.of(spec, now);
  }

  /** Slots × speed of the open agents that there are in ordinary times, each once, for what waits for them. */
  capacity(now: number): number {
    return this.#capacities.ofAll(now);
  }

  /** All that are known. */
  *agents(): Generator<SchedulerAgent> {
    for (const { agent } of this.#fleet.agents()) yield agent;
  }

  /** In the operator's currency; 0 = it costs nothing, or is not known. */
  costPerHour(agent: string): number {
    return this.#fleet.get(agent)?.costPerHour ?? 0;
  }

  /** What waits by class, and what can do it. O(classes × their agents). */
  backlog(now: number): ClassBacklog[] {
    return [...this.#waiting.busy].map((of) => backlogOf(of, this.#estimates, now));
  }

  /** One cycle over the agents that ask; at most `limit` assignments. What it assigns counts as begun. */
  schedule(agents: readonly SchedulerAgent[], now: number, limit: number): Assignment[] {
    return this.#cycle.run(agents, now, limit);
  }

  #standing(entry: Entry): readonly number[] {
    if (entry.line.account.mode !== 'critical') return entry.keys;
    if (isBestEffort(entry.ticket.spec)) return [Infinity];
    const moment = { now: this.#cycle.moment.now, base: entry.base };
    return this.#order.map((plugin) => plugin.key(entry.ticket, moment));
  }
}
