import type { Clock } from '../../platform/clock.ts';
import type { GrantedLease } from '../flow/company-writer.ts';

const REMEMBERED_MS = 60_000;

/**
 * The last answer of each agent whose poll carried an idempotency key: an agent that lost it asks again under the same key
 * and gets the same leases. A poll under another key says that it was received.
 */
export class RecentPolls {
  readonly #clock: Clock;
  readonly #last = new Map<string, { key: string; at: number; leases: Promise<GrantedLease[]> }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  once(agent: string, key: string | undefined, poll: () => Promise<GrantedLease[]>): Promise<GrantedLease[]> {
    if (key === undefined) return poll();
    const now = this.#clock.now();
    const known = this.#last.get(agent);
    if (known?.key === key && now - known.at < REMEMBERED_MS) return known.leases;
    const answer = { key, at: now, leases: poll() };
    this.#last.set(agent, answer);
    // An empty answer is worth nothing, and would end the agent's next poll at once.
    const forget = (): void => {
      if (this.#last.get(agent) === answer) this.#last.delete(agent);
    };
    answer.leases.then((leases) => leases.length === 0 && forget(), forget);
    return answer.leases;
  }
}
