import type { Clock } from '../../platform/clock.ts';
import type { GrantedLease } from '../flow/company-writer.ts';

const REMEMBERED_MS = 60_000;
const REMEMBERED = 10_000;

/** Answers of polls that carried an idempotency key: an agent that lost the answer asks again and gets the same leases. */
export class RecentPolls {
  readonly #clock: Clock;
  readonly #answers = new Map<string, { at: number; leases: Promise<GrantedLease[]> }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  once(key: string, isKeyed: boolean, poll: () => Promise<GrantedLease[]>): Promise<GrantedLease[]> {
    if (!isKeyed) return poll();
    const now = this.#clock.now();
    const known = this.#answers.get(key);
    if (known !== undefined && now - known.at < REMEMBERED_MS) return known.leases;
    const leases = poll();
    this.#answers.set(key, { at: now, leases });
    // An empty answer is worth nothing, and would end the agent's next poll at once.
    leases.then(
      (got) => got.length === 0 && this.#answers.delete(key),
      () => this.#answers.delete(key),
    );
    for (const [oldest, { at }] of this.#answers) {
      if (this.#answers.size <= REMEMBERED && now - at < REMEMBERED_MS) break;
      this.#answers.delete(oldest);
    }
    return leases;
  }
}
