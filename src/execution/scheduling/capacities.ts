import type { TicketSpec } from '../plans/ticket.ts';
import type { Estimates } from './estimates.ts';
import type { Fleet } from './fleet.ts';
import { typeOf } from './outcome.ts';
import type { AgentState } from './scheduler-state.ts';
import { classKeyOf, wantedOf } from './waiting.ts';
import { capacityOf, slownessOf } from './why.ts';

/** How old a capacity may be, ms. */
const KEPT_MS = 1_000;

/** What the fleet can do in all, and of each class of tickets, whether any wait or not. */
export class Capacities {
  readonly #fleet: Fleet;
  readonly #estimates: Estimates;
  /** By class. */
  readonly #known = new Map<string, number>();
  #at = -Infinity;

  constructor(fleet: Fleet, estimates: Estimates) {
    this.#fleet = fleet;
    this.#estimates = estimates;
  }

  /** Slots × speed of the open agents that can do such a ticket; known for a second. */
  of(spec: TicketSpec, now: number): number {
    if (now >= this.#at + KEPT_MS || now < this.#at) {
      this.#known.clear();
      this.#at = now;
    }
    const key = classKeyOf(spec);
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const wanted = wantedOf(spec);
    const states = [...this.#fleet.agents()].filter(({ agent }) => this.#fleet.canDo(wanted, agent));
    const capacity = capacityOf(states, typeOf(spec), this.#estimates, now);
    this.#known.set(key, capacity);
    return capacity;
  }

  /** Slots × speed of the open agents that there are in ordinary times, each once. O(agents × classes that wait for them). */
  ofAll(now: number): number {
    let capacity = 0;
    for (const state of this.#fleet.agents()) {
      const { agent, burst, lastResort } = state;
      if (!agent.open || burst || lastResort || agent.kind === 'person') continue;
      capacity += agent.concurrency / this.#slownessOf(state, now);
    }
    return capacity;
  }

  /** Over what waits for the agent, by its work; over what the agent says that it can do when nothing does. */
  #slownessOf({ agent, fits }: AgentState, now: number): number {
    let workMs = 0;
    let takenMs = 0;
    const add = (type: string, ms: number): void => {
      workMs += ms;
      takenMs += ms * slownessOf(this.#estimates, type, agent.key, now);
    };
    for (const { type, backlogMs } of fits.keys()) if (backlogMs > 0) add(type, backlogMs);
    if (workMs === 0) for (const type of agent.taskTypes) add(type, 1);
    return workMs === 0 ? 1 : takenMs / workMs;
  }
}
