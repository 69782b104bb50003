import { RecentMap } from './recent-map.ts';

const HALF_LIFE_MS = 30 * 60_000;
/** Companies that are remembered. */
const MOST = 10_000;

/** How many agent-slots each company has used of late: running time that ended ÷ time, decayed. */
export class Demand {
  readonly #companies = new RecentMap<{ ms: number; at: number }>(MOST);

  add(instance: string, durationMs: number, at: number): void {
    const known = this.#companies.get(instance);
    const ms = known === undefined ? 0 : known.ms * decay(at - known.at);
    this.#companies.put(instance, { ms: ms + durationMs, at: Math.max(at, known?.at ?? at) });
  }

  /** Slots. */
  of(instance: string, now: number): number {
    const known = this.#companies.get(instance);
    if (known === undefined) return 0;
    return (known.ms * decay(now - known.at)) / (HALF_LIFE_MS / Math.LN2);
  }
}

const decay = (ms: number): number => 0.5 ** (Math.max(0, ms) / HALF_LIFE_MS);
