import { RecentMap } from './recent-map.ts';

/** The probabilities with which bounds are kept, ascending. */
const LEVELS = [0.05, 0.5, 0.9, 0.95] as const;

type Quantiles = { n: number; at: [number, number, number, number] };
export type ConformalSnapshot = { all: Quantiles; fresh: Quantiles; keys: [string, Quantiles][] };

/** What a standard normal would give: the state before anything was seen. */
const NORMAL: Quantiles = { n: 0, at: [-1.64, 0, 1.28, 1.64] };
const KEYS = 4096;

/**
 * Bounds of scores (in standard deviations) that are kept with a given probability, whatever their distribution and however
 * it drifts: each quantile goes up after a miss and down after a hit, in the proportion that makes the share of misses right
 * in the long run (adaptive conformal inference: Gibbs and Candès 2021; quantile tracking: Angelopoulos et al. 2023).
 * One set for each key, which starts from the set of all. At most 4,096 keys, the least recent is dropped: 100 bytes each.
 */
export class ConformalBound {
  readonly #all: Quantiles;
  /** Of the first score of each key: what to expect of a key that was not seen. */
  readonly #fresh: Quantiles;
  readonly #keys = new RecentMap<Quantiles>(KEYS);
  readonly #steps: { first: number; last: number };

  /** `steps`: how far a quantile moves at a miss, for the first observation of a key and for late ones. */
  constructor(snapshot?: Partial<ConformalSnapshot>, steps = { first: 1, last: 0.06 }) {
    this.#steps = steps;
    this.#all = copy(snapshot?.all ?? NORMAL);
    this.#fresh = copy(snapshot?.fresh ?? NORMAL);
    for (const [key, one] of snapshot?.keys ?? []) this.#keys.put(key, copy(one));
  }

  /** The score that is not passed with probability `p`; of the nearest level that is kept. */
  bound(key: string, p: number): number {
    const one = this.#keys.get(key) ?? this.#fresh;
    let nearest = 0;
    for (let i = 1; i < LEVELS.length; i++) if (Math.abs(LEVELS[i]! - p) < Math.abs(LEVELS[nearest]! - p)) nearest = i;
    // Tracked apart, so that a lower one may stand above for a while.
    let bound = one.at[nearest]!;
    for (let i = 0; i < nearest; i++) bound = Math.max(bound, one.at[i]!);
    return bound;
  }

  /** `censored`: the score is at least this. A hit is then unknown, and only a miss says something. */
  observe(key: string, score: number, censored = false): void {
    if (!Number.isFinite(score)) return;
    let one = this.#keys.get(key);
    if (one === undefined) {
      one = { n: 0, at: [...this.#all.at] };
      this.#move(this.#fresh, score, censored);
    }
    this.#keys.put(key, one);
    this.#move(one, score, censored);
    this.#move(this.#all, score, censored);
  }

  drop(isGone: (key: string) => boolean): void {
    this.#keys.drop(isGone);
  }

  snapshot(): ConformalSnapshot {
    return {
      all: copy(this.#all),
      fresh: copy(this.#fresh),
      keys: [...this.#keys.entries()].map(([key, one]) => [key, copy(one)]),
    };
  }

  #move(one: Quantiles, score: number, censored: boolean): void {
    const { first, last } = this.#steps;
    const step = Math.max(last, first / (one.n + 2));
    for (let i = 0; i < LEVELS.length; i++) {
      const miss = score > one.at[i];
      if (censored && !miss) continue;
      one.at[i] += step * (miss ? LEVELS[i] : LEVELS[i] - 1);
    }
    one.n++;
  }
}

/** A snapshot with other levels is of another version: what it says is learned again. */
function copy({ n, at }: Quantiles): Quantiles {
  return at.length === LEVELS.length ? { n, at: [...at] } : copy(NORMAL);
}
