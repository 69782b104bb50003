import type { TicketSpec } from '../plans/ticket.ts';
import type { Estimates } from './estimates.ts';
import type { Fleet } from './fleet.ts';
import { typeOf } from './outcome.ts';
import { classKeyOf, wantedOf } from './waiting.ts';
import { capacityOf } from './why.ts';

/** How old a capacity may be, ms. */
const KEPT_MS = 1_000;

/** What the fleet can do of each class of tickets, whether any wait or not. */
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
}
