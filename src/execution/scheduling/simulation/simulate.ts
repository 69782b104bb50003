import { Heap, type HeapItem } from '../../../platform/heap.ts';
import type { Random } from '../../../platform/clock.ts';
import type { Estimates } from '../estimates.ts';
import { typeOf, type Outcome } from '../outcome.ts';
import { LivePlan } from './live-plan.ts';
import { LiveAgent, type Run } from './live-agent.ts';
import type { SimulationResult } from './result.ts';
import type { Dispatcher, SimulatedAgent, SimulatedPlan } from './scenario.ts';

export type SimulationOptions = {
  fleet: readonly SimulatedAgent[];
  plans: readonly SimulatedPlan[];
  dispatcher: Dispatcher;
  /** For the ranks of tickets; the dispatcher has its own. */
  estimates: Pick<Estimates, 'base'>;
  random: Random;
  /** Told of every attempt that ended, so that models learn. */
  observe?: (outcome: Outcome) => void;
  /** What the scheduler's clock shows at a time of the simulation (ms from the start). Default: runs from an epoch of its own. */
  clock?: (at: number) => number;
  /** After this long without an answer a lease of a silent agent ends, ms. Default 60,000. */
  leaseMs?: number;
  /** Assignments of a cycle at most. Default 1,000. */
  limit?: number;
};

type Event = HeapItem & { at: number; order: number; run: () => void };

const EPOCH = 1_700_000_000_000;
/** After so many cycles in a row that were begun by the clock and gave nothing, only news begins one. */
const IDLE_WAKES = 1_000;

/** Runs plans on a fleet in virtual time: the same arguments give the same result. */
export function simulate(options: SimulationOptions): SimulationResult {
  return new Simulation(options).run();
}

class Simulation {
  readonly #options: SimulationOptions;
  readonly #clock: (at: number) => number;
  readonly #events = new Heap<Event>((a, b) => (a.at !== b.at ? a.at < b.at : a.order < b.order));
  readonly #agents = new Map<string, LiveAgent>();
  readonly #free = new Set<LiveAgent>();
  /** Also those that left. */
  readonly #known: LiveAgent[] = [];
  readonly #plans = new Map<number, LivePlan>();
  readonly #result: SimulationResult = {
    plans: [],
    makespanMs: 0,
    utilisation: 0,
    waits: [],
    attempts: 0,
    attemptsOf: {},
    services: [],
    stuck: 0,
  };
  #order = 0;
  #at = 0;
  #waiting = 0;
  /** Cycles in a row that were begun by the clock and gave nothing. */
  #idleWakes = 0;
  #wakeAt = -1;

  constructor(options: SimulationOptions) {
    this.#options = options;
    this.#clock = options.clock ?? ((at) => EPOCH + at);
  }

  run(): SimulationResult {
    const { fleet, plans } = this.#options;
    for (const agent of fleet) this.#planAgent(agent);
    plans.forEach((plan, i) => this.#on(plan.arrivesAt, () => this.#arrive(plan, i + 1)));
    for (let event = this.#events.peek(); event !== undefined; event = this.#events.peek()) {
      this.#at = event.at;
      while (event !== undefined && event.at === this.#at) {
        this.#events.pop();
        event.run();
        event = this.#events.peek();
      }
      this.#cycle();
    }
    return this.#sum();
  }

  #on(at: number, run: () => void): void {
    this.#events.push({ heapIndex: -1, at, order: this.#order++, run });
  }

  #planAgent(simulated: SimulatedAgent): void {
    const agent = new LiveAgent(simulated);
    this.#known.push(agent);
    this.#on(simulated.from, () => {
      this.#agents.set(agent.seen.key, agent);
      this.#options.dispatcher.setAgent(agent.seen);
      this.#noteRoom(agent);
      this.#stir();
    });
    for (const { at, open } of simulated.turns)
      this.#on(at, () => {
        agent.seen.open = open;
        this.#noteRoom(agent);
        this.#stir();
      });
    if (simulated.until !== null) this.#on(simulated.until, () => this.#leave(agent));
  }

  #arrive(simulated: SimulatedPlan, plan: number): void {
    const live = new LivePlan(plan, simulated, this.#clock(this.#at), this.#clock(this.#at) - this.#at);
    this.#plans.set(plan, live);
    this.#result.plans.push(live.end);
    for (const n of live.firstReady()) this.#ready(live, n);
    this.#stir();
  }

  #ready(live: LivePlan, n: number): void {
    const now = this.#clock(this.#at);
    live.readyAt[n] = this.#at;
    this.#waiting++;
    this.#options.dispatcher.add(live.ticket(n, now, this.#options.estimates), now);
  }

  /** Something happened that a held ticket may have waited for. */
  #stir(): void {
    this.#idleWakes = 0;
  }

  #cycle(): void {
    const { dispatcher, limit = 1_000 } = this.#options;
    const now = this.#clock(this.#at);
    let assigned = 0;
    while (this.#waiting > 0 && this.#free.size > 0) {
      const seen = [...this.#free].map((agent) => agent.seen);
      const assignments = dispatcher.schedule(seen, now, limit);
      for (const { ticket, agent } of assignments) this.#begin(this.#plans.get(ticket.plan)!, ticket.n, agent);
      assigned += assignments.length;
      if (assignments.length < limit) break;
    }
    if (assigned > 0) this.#stir();
    this.#planWake(now);
  }

  /** What a scheduler holds back it may give later without any news. */
  #planWake(now: number): void {
    if (this.#waiting === 0 || this.#free.size === 0 || this.#idleWakes >= IDLE_WAKES) return;
    const { wakeAt } = this.#options.dispatcher;
    if (wakeAt === null || wakeAt === undefined) return;
    const at = this.#at + Math.max(1, wakeAt - now);
    if (this.#wakeAt > this.#at && this.#wakeAt <= at) return;
    this.#wakeAt = at;
    this.#on(at, () => void this.#idleWakes++);
  }

  #begin(live: LivePlan, n: number, key: string): void {
    const agent = this.#agents.get(key);
    if (agent === undefined) throw new Error(`${live.end.name}: ticket ${n} went to ${key}, which is not there`);
    const run: Run = { live, n, agent, givenAt: this.#at, from: null, ended: false };
    live.begin(n);
    this.#waiting--;
    this.#result.attempts++;
    this.#result.attemptsOf[key] = (this.#result.attemptsOf[key] ?? 0) + 1;
    if (live.started[n] === 0) {
      live.started[n] = 1;
      this.#result.waits.push(this.#at - live.readyAt[n]!);
    }
    agent.take(run);
    this.#noteRoom(agent);
    if (agent.is.silent)
      this.#on(this.#at + (this.#options.leaseMs ?? 60_000), () => this.#finish(run, 'failed', 'timeout'));
    else if (agent.hasSlot()) this.#work(run);
    else agent.inside.push(run);
  }

  #work(run: Run): void {
    const { agent, live, n } = run;
    const { spec, durationMs } = live.simulated.tasks[n]!;
    run.from = this.#at;
    agent.working++;
    const takes = durationMs * agent.is.factor(typeOf(spec), this.#at);
    if (agent.is.fails > 0 && this.#options.random() < agent.is.fails)
      this.#on(this.#at + takes * agent.is.failsAfter, () => this.#finish(run, 'failed', 'transient'));
    else this.#on(this.#at + takes, () => this.#finish(run, 'completed', null));
  }

  #finish(run: Run, result: Outcome['result'], errorClass: Outcome['errorClass']): void {
    if (run.ended) return;
    this.#stir();
    const { live, n, agent } = run;
    this.#giveUp(run);
    const next = agent.hasSlot() ? agent.inside.shift() : undefined;
    if (next !== undefined) this.#work(next);
    const { spec } = live.simulated.tasks[n]!;
    const now = this.#clock(this.#at);
    const again = result === 'failed' && live.attempts[n]! <= spec.max_retries;
    this.#options.observe?.({
      at: now,
      instance: live.simulated.instance,
      plan: live.plan,
      n,
      type: typeOf(spec),
      spec,
      agent: agent.seen.key,
      durationMs: this.#at - run.givenAt,
      result,
      errorClass,
      isLost: false,
      retryAfterMs: null,
      slackMs: again ? null : live.simulated.deadlineAt - this.#at,
    });
    if (result === 'completed') {
      for (const ready of live.complete(n, this.#at)) this.#ready(live, ready);
    } else if (live.end.failed) return;
    else if (again) this.#ready(live, n);
    else {
      this.#waiting -= live.fail(this.#at);
      this.#options.dispatcher.removePlan(live.plan);
    }
  }

  /** The ticket is no longer with the agent. */
  #giveUp(run: Run): void {
    run.ended = true;
    const { live, n, agent } = run;
    agent.drop(run);
    this.#noteRoom(agent);
    if (run.from !== null) {
      agent.busyMs += this.#at - run.from;
      const { instance } = live.simulated;
      this.#result.services.push({ instance, readyAt: live.readyAt[n]!, from: run.from, to: this.#at });
    }
    this.#options.dispatcher.ended(live.plan, n, agent.seen.key, this.#clock(this.#at));
  }

  /** What it ran is given to others; no attempt is counted. */
  #leave(agent: LiveAgent): void {
    this.#stir();
    this.#options.dispatcher.removeAgent(agent.seen.key);
    for (const run of [...agent.runs]) {
      this.#giveUp(run);
      run.live.attempts[run.n]!--;
      if (!run.live.end.failed) this.#ready(run.live, run.n);
    }
    agent.inside.length = 0;
    this.#agents.delete(agent.seen.key);
    this.#free.delete(agent);
  }

  #noteRoom(agent: LiveAgent): void {
    agent.seen.free = agent.seen.open ? Math.max(0, agent.seen.concurrency - agent.runs.size) : 0;
    if (agent.seen.free > 0 && this.#agents.has(agent.seen.key)) this.#free.add(agent);
    else this.#free.delete(agent);
  }

  #sum(): SimulationResult {
    const result = this.#result;
    const ends = result.plans.map((end) => end.endedAt ?? this.#at);
    const first = Math.min(...result.plans.map((end) => end.arrivedAt), Infinity);
    const last = ends.reduce((most, end) => Math.max(most, end), 0);
    result.makespanMs = result.plans.length === 0 ? 0 : last - first;
    result.stuck = result.plans.filter((end) => end.endedAt === null).length;
    let offered = 0;
    let busy = 0;
    for (const agent of this.#known) {
      const there = Math.min(agent.is.until ?? last, last) - Math.max(agent.is.from, first);
      offered += Math.max(0, there) * agent.slots;
      busy += agent.busyMs;
    }
    result.utilisation = offered === 0 ? 0 : busy / offered;
    return result;
  }
}
