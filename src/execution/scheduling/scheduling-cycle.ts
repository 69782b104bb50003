import type { TicketSpec } from '../plans/ticket.ts';
import { isCapped, underGlobalCap } from './caps.ts';
import { forgetHead, lineBefore, type HeadRule } from './class-head.ts';
import type { Estimates } from './estimates.ts';
import { chargeable, lagUnits, type FairShare } from './fair-share.ts';
import type { FilterMoment } from './filter-plugins.ts';
import type { Fleet } from './fleet.ts';
import type { Mode } from './models/burn-mode.ts';
import type { Random } from './models/draws.ts';
import { openClasses, pickTicket } from './pick-ticket.ts';
import { occupy, type Placement } from './placement.ts';
import type { Policy } from './policy.ts';
import type { ReadyTicket } from './ready-ticket.ts';
import type { SchedulerAgent } from './scheduler-agent.ts';
import type { Account, AgentState, Entry, Guard, Line, TicketClass } from './scheduler-state.ts';
import type { Waiting } from './waiting.ts';

export type Assignment = { ticket: ReadyTicket; agent: string };

export type CycleOptions = {
  policy: Policy;
  estimates: Estimates;
  random: Random;
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

/** What waits, what can do it, and what the companies have used. */
type Held = { waiting: Waiting; fleet: Fleet; fair: FairShare; placement: Placement };

const WELL: Guard = { allows: true, limit: Infinity, why: null };
/** Tickets that become late or more urgent, moved in one cycle at most. */
const MOST_STEPS = 256;
/** Tickets of a class that nobody may have, passed over in one cycle at most. */
const MOST_PASSED = 16;
/** A ticket that waited less is given with the duration that was expected of it when it came. */
const REFRESH_AFTER_MS = 1_000;
/** How old the modes of the companies may be, ms. */
const MODES_MS = 250;

/**
 * One cycle after the other, each for the agents that ask: order → filter → score → reserve. Keeps what lasts from one to
 * the next: the moment, by what the next ticket is chosen, and how the error budgets of the companies stood.
 */
export class SchedulingCycle {
  readonly moment: FilterMoment;
  /** With the number of the cycle. */
  readonly rule: HeadRule;
  /** When another cycle may give what this one held back, epoch ms; Infinity = only news can. */
  wakeAt = Infinity;
  readonly #estimates: Estimates;
  readonly #random: Random;
  readonly #modeOf: CycleOptions['modeOf'];
  readonly #waiting: Waiting;
  readonly #fleet: Fleet;
  readonly #fair: FairShare;
  readonly #placement: Placement;
  #policy: Policy;
  /** Assignments so far. */
  #turn = 0;
  #modesAt = -Infinity;

  constructor(options: CycleOptions, { waiting, fleet, fair, placement }: Held) {
    const { policy, estimates, random } = options;
    this.#policy = policy;
    this.#estimates = estimates;
    this.#random = random;
    this.#modeOf = options.modeOf;
    this.#waiting = waiting;
    this.#fleet = fleet;
    this.#fair = fair;
    this.#placement = placement;
    this.moment = {
      now: -Infinity,
      guard: options.guard ?? (() => WELL),
      burstOpen: options.burstOpen ?? (() => false),
      lastResortAfterMs: policy.lastResortAfterMs,
      lastResortOpen: options.lastResortOpen ?? (() => true),
      peopleOpen: options.peopleOpen ?? (() => false),
    };
    this.rule = {
      cycle: 0,
      turns: false,
      lag: 0,
      tightLag: 0,
      extra: 0,
      first: () => fair.first(),
      upTo: (used, most, into) => fair.upTo(used, most, into),
      settle: (line) => waiting.settle(line, this.moment.now),
    };
    this.policy = policy;
  }

  get policy(): Policy {
    return this.#policy;
  }

  set policy(policy: Policy) {
    this.#policy = policy;
    this.#placement.use(policy);
    this.moment.lastResortAfterMs = policy.lastResortAfterMs;
    const { companies, lagSeconds, tightLagSeconds } = policy;
    this.rule.turns = companies === 'turns';
    this.rule.lag = companies === 'none' ? Infinity : lagUnits(companies === 'lag' ? lagSeconds : 0);
    this.rule.tightLag = companies === 'lag' ? lagUnits(tightLagSeconds) : 0;
    this.#modesAt = -Infinity; // `extra` of the rule follows from the lag
  }

  /** Expected duration on an agent of ordinary speed, ms. */
  baseOf({ spec, instance }: { spec: TicketSpec; instance: string }): number {
    return chargeable(this.#estimates.base(spec, instance));
  }

  /** At most `limit` assignments, which count as begun. */
  run(agents: readonly SchedulerAgent[], now: number, limit: number): Assignment[] {
    const assignments: Assignment[] = [];
    this.wakeAt = Infinity;
    if (this.#waiting.size === 0 || agents.length === 0) return assignments;
    this.#start(now);
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
    if (shared.length > 0)
      this.#assignShared(openClasses(shared, this.#waiting.busy, this.rule.cycle), limit, assignments);
    return assignments;
  }

  /** A ticket runs from `at` on; nothing happens when it runs there already. `base`: see baseOf. */
  begin(
    given: { plan: number; n: number; agent: string; at: number; account: Account; entry: Entry | null },
    type: string,
    base: number,
  ): void {
    const { account, agent, at } = given;
    const charged = chargeable(base * this.#estimates.factor(type, agent, at));
    const run = this.#fleet.begin({ ...given, end: at + charged, charged, weight: account.weight });
    if (run === null) return;
    this.#fair.begin(account, charged, account.weight);
    this.#fair.countTurn(account, 1);
    const state = this.#fleet.get(agent);
    if (state !== undefined) occupy(state, this.rule.cycle, run.end);
  }

  #start(now: number): void {
    this.rule.cycle++;
    this.moment.now = now;
    this.#waiting.advance(now, MOST_STEPS);
    if (now < this.#modesAt || now >= this.#modesAt + MODES_MS) this.#readModes(now);
  }

  #readModes(now: number): void {
    this.#modesAt = now;
    if (this.#modeOf === undefined) return;
    this.rule.extra = 0;
    for (const account of this.#fair.accounts()) {
      const mode = this.#modeOf(account.instance);
      if (mode === 'tight') this.rule.extra = this.rule.tightLag;
      if (mode === account.mode) continue;
      if (mode === 'critical' || account.mode === 'critical') account.orderVersion++;
      account.mode = mode;
      for (const line of account.lines) forgetHead(line.class);
    }
  }

  #admit(agent: SchedulerAgent): AgentState | null {
    if (agent.free <= 0 || !agent.open) return null;
    if (this.#fleet.get(agent.key)?.agent !== agent) this.#fleet.set(agent, this.#waiting.classes());
    const state = this.#fleet.get(agent.key)!;
    state.cycle = this.rule.cycle;
    state.left = Math.min(agent.free, agent.concurrency - state.runs.size);
    return state.left > 0 ? state : null;
  }

  /** Since when a ticket must be ready for its turn by age, in this decision; null = the order decides. */
  #aging(): number | null {
    const { agingShare, agingMs } = this.#policy;
    return agingShare > 0 && this.#random() < agingShare ? this.moment.now - agingMs : null;
  }

  #assignShared(open: TicketClass[], limit: number, assignments: Assignment[]): void {
    const aside: Entry[] = [];
    const touched = new Set<TicketClass>();
    while (assignments.length < limit && open.length > 0 && underGlobalCap(this.#policy.caps, this.#fleet)) {
      const entry = pickTicket(open, this.rule, this.#aging());
      if (entry === null) break;
      const { line } = entry;
      const of = line.class;
      if (isCapped(this.#policy.caps, line.account)) {
        this.#skip(line.account, touched);
        continue;
      }
      this.#refresh(entry);
      const placed = this.#placement.place(entry, of.free, this.moment, this.rule.cycle, this.#explores(entry));
      if (placed.kind === 'agent') this.#give(entry, placed.state, assignments);
      else {
        this.#waiting.take(entry);
        aside.push(entry);
        if (placed.kind === 'held') this.wakeAt = Math.min(this.wakeAt, entry.holdUntil);
        else if (++of.passed >= MOST_PASSED) of.free.size = 0;
      }
      if (of.size === 0 || of.free.size === 0) open.splice(open.indexOf(of), 1);
    }
    for (const entry of aside) this.#waiting.putBack(entry, this.moment.now);
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
        this.rule.settle(line);
        if (best === null || lineBefore(line, best.line)) best = line.entries.peek()!;
      }
      if (best === null) return;
      this.#refresh(best);
      const { line } = best;
      const able = states.filter((state) => state.left > 0 && state.fits.has(line.class));
      const state = this.#placement.bestOf(best, able, this.moment, this.#explores(best));
      if (state === null) none.add(line);
      else this.#give(best, state, assignments);
    }
  }

  #give(entry: Entry, state: AgentState, assignments: Assignment[]): void {
    const { ticket, line, base } = entry;
    const { now } = this.moment;
    this.#waiting.take(entry);
    const { plan, n } = ticket;
    this.begin({ plan, n, agent: state.agent.key, at: now, account: line.account, entry }, line.class.type, base);
    state.left--;
    state.turn = ++this.#turn;
    assignments.push({ ticket, agent: state.agent.key });
  }

  #refresh(entry: Entry): void {
    if (this.moment.now - entry.ticket.readyAt < REFRESH_AFTER_MS) return;
    const base = this.baseOf(entry.ticket);
    if (base !== entry.base) this.#waiting.rebase(entry, base);
  }

  #explores({ ticket, line }: Entry): boolean {
    return this.#policy.exploration && ticket.spec.risk_band === 'low' && line.account.mode === 'normal';
  }

  #skip(account: Account, touched: Set<TicketClass>): void {
    account.skipped = this.rule.cycle;
    for (const { class: of } of account.lines) {
      forgetHead(of);
      touched.add(of);
    }
  }
}
