import type { Estimates } from '../estimates.ts';
import type { ReadyTicket } from '../ready-ticket.ts';
import { upwardRanks } from '../../plans/upward-rank.ts';
import type { PlanEnd } from './result.ts';
import type { SimulatedPlan } from './scenario.ts';

/** A plan from its arrival to its end. */
export class LivePlan {
  readonly plan: number;
  readonly simulated: SimulatedPlan;
  readonly end: PlanEnd;
  /** Attempts begun, by ticket. */
  readonly attempts: Uint16Array;
  /** Since when it waits or, when it runs, waited. ms from the start. */
  readonly readyAt: Float64Array;
  readonly started: Uint8Array;
  readonly #createdAt: number;
  /** Added to a time of the simulation it gives the scheduler's. */
  readonly #offset: number;
  readonly #missing: Int32Array;
  readonly #after: number[][];
  #left: number;
  #waiting = 0;
  #ranks: Float64Array | null = null;
  #rankedAt = 0;
  #ended = 0;

  constructor(plan: number, simulated: SimulatedPlan, createdAt: number, offset: number) {
    const { tasks, name, instance, tier, arrivesAt, deadlineAt } = simulated;
    this.plan = plan;
    this.simulated = simulated;
    this.end = { plan, name, instance, tier, arrivedAt: arrivesAt, endedAt: null, deadlineAt, failed: false };
    this.attempts = new Uint16Array(tasks.length);
    this.started = new Uint8Array(tasks.length);
    this.readyAt = new Float64Array(tasks.length);
    this.#createdAt = createdAt;
    this.#offset = offset;
    this.#missing = Int32Array.from(tasks, (task) => task.deps.length);
    this.#after = tasks.map(() => []);
    tasks.forEach((task, n) => task.deps.forEach((dep) => this.#after[dep]!.push(n)));
    this.#left = tasks.length;
  }

  firstReady(): number[] {
    return this.simulated.tasks.flatMap((task, n) => (task.deps.length === 0 ? [n] : []));
  }

  ticket(n: number, now: number, estimates: Pick<Estimates, 'base'>): ReadyTicket {
    const { instance, tasks, deadlineAt } = this.simulated;
    this.#waiting++;
    return {
      plan: this.plan,
      n,
      instance,
      spec: tasks[n]!.spec,
      createdAt: this.#createdAt,
      deadline: this.#offset + deadlineAt,
      planDeadline: this.#offset + deadlineAt,
      readyAt: now,
      rank: this.#rank(n, estimates),
      near: [], // data has no place in a simulation
    };
  }

  begin(n: number): void {
    this.#waiting--;
    this.attempts[n]!++;
  }

  /** Gives the tickets that are ready by it. */
  complete(n: number, at: number): number[] {
    this.#ended++;
    if (--this.#left === 0 && !this.end.failed) this.end.endedAt = at;
    if (this.end.failed) return [];
    return this.#after[n]!.filter((next) => --this.#missing[next]! === 0);
  }

  /** A ticket failed for good, and with it the plan. Gives how many of its tickets were waiting. */
  fail(at: number): number {
    this.end.failed = true;
    this.end.endedAt = at;
    const waiting = this.#waiting;
    this.#waiting = 0;
    return waiting;
  }

  /** What is expected changes while it runs: the ranks are made anew whenever half as many more of its tickets have ended. */
  #rank(n: number, estimates: Pick<Estimates, 'base'>): number {
    if (this.#ranks === null || this.#ended >= 1.5 * this.#rankedAt + 8) {
      const { tasks, instance } = this.simulated;
      this.#rankedAt = this.#ended;
      this.#ranks = upwardRanks(
        this.#after,
        tasks.map((task) => estimates.base(task.spec, instance)),
      );
    }
    return this.#ranks[n]!;
  }
}
