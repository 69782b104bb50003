import { ColmeiaError } from '../../platform/errors.ts';
import { isOpen, type FlowEvent, type PlanState } from './flow-state.ts';

/** Time over which ends of tickets count, in ms: after it an end counts e⁻¹. */
const MEMORY_MS = 30_000;
/** Shortest and longest Retry-After, in ms. */
const SOONEST_MS = 1_000;
const LATEST_MS = 60_000;

/**
 * The queue of one company: its tickets that have not come to an end, whatever they wait for, those that run included;
 * and how fast they end. In memory; counted again when the company is taken up.
 */
export class OpenTickets {
  count = 0;
  /** Ends, each counting less with age. */
  #ends = 0;
  #at: number | null = null;
  #since = 0;

  ended(tickets: number, now: number): void {
    this.#ends = this.#endsBy(now) + tickets;
    if (this.#at === null) this.#since = now;
    this.#at = Math.max(now, this.#at ?? now);
  }

  /** Ends a second, of late. */
  rate(now: number): number {
    if (this.#at === null) return 0;
    const age = Math.max(SOONEST_MS, now - this.#since);
    return (1_000 * this.#endsBy(now)) / (MEMORY_MS * -Math.expm1(-age / MEMORY_MS));
  }

  /** Throws QUEUE_FULL when `more` tickets on top of `gathered`, of the batch that gathers, would be more than `cap`. */
  mustTake(more: number, gathered: number, cap: number, instance: string, now: number): void {
    const open = this.count + gathered;
    const excess = open + more - cap;
    if (more <= 0 || excess <= 0) return;
    const message = `company "${instance}" has ${open} open tickets and may have ${cap}; ${more} more do not fit`;
    const waitMs = (1_000 * excess) / this.rate(now);
    const retryAfterMs = Math.ceil(Math.min(LATEST_MS, Math.max(SOONEST_MS, waitMs)));
    throw new ColmeiaError('QUEUE_FULL', message, { retryAfterMs });
  }

  #endsBy(now: number): number {
    return this.#at === null ? 0 : this.#ends * Math.exp(-Math.max(0, now - this.#at) / MEMORY_MS);
  }
}

/** By how much a new revision changes the number of open tickets; 0 for any other event. */
export function growthOf(state: PlanState, event: FlowEvent): number {
  if (event.type !== 'replanned') return 0;
  const after = event.keep.filter((n) => n === null || isOpen(state.tickets[n]?.status ?? 'cancelled')).length;
  return after - state.open;
}
