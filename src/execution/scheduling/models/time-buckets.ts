/** Late results and all results of a window of time. `allowed` is how many of them the objective allows to be late. */
export type WindowCounts = { total: number; late: number; allowed: number };

/** Buckets of growing width: what is recent is kept finely, four weeks by days. */
const RINGS = [
  { widthMs: 30_000, slots: 10, first: 0 },
  { widthMs: 300_000, slots: 12, first: 10 },
  { widthMs: 1_800_000, slots: 12, first: 22 },
  { widthMs: 86_400_000, slots: 28, first: 34 },
] as const;
const SLOTS = 62;
const FIELDS = 3;

/** A window is the newest slots of a ring: it is up to one slot shorter than its name says. */
const WINDOWS = {
  '5m': { ring: 0, slots: 10 },
  '30m': { ring: 1, slots: 6 },
  '1h': { ring: 1, slots: 12 },
  '6h': { ring: 2, slots: 12 },
  '28d': { ring: 3, slots: 28 },
} as const;
export type BurnWindow = keyof typeof WINDOWS;

/** Ring, age in slots and the three counts, for each slot that is not empty; `at` is the time of age 0. */
export type TimeBucketsSnapshot = { at: number; slots: number[][] };

/** Results on time and late over several windows at once: O(1) to add, at most 12 slots to read, 2 KB each. */
export class TimeBuckets {
  readonly #counts = new Float64Array(SLOTS * FIELDS);
  /** Number of the newest slot of each ring, counted from the epoch. */
  readonly #heads: number[];

  constructor(now: number) {
    this.#heads = RINGS.map((ring) => Math.floor(now / ring.widthMs));
  }

  /** A result of the past goes to its own slot; one older than a ring is left out of that ring. */
  add(at: number, late: boolean, allowed: number): void {
    for (let r = 0; r < RINGS.length; r++) {
      const ring = RINGS[r];
      const slot = Math.floor(at / ring.widthMs);
      if (slot > this.#heads[r]) this.#advance(r, slot);
      else if (slot <= this.#heads[r] - ring.slots) continue;
      const place = FIELDS * (ring.first + modulo(slot, ring.slots));
      this.#counts[place]++;
      if (late) this.#counts[place + 1]++;
      this.#counts[place + 2] += allowed;
    }
  }

  counts(window: BurnWindow, now: number): WindowCounts {
    const { ring: r, slots } = WINDOWS[window];
    const ring = RINGS[r];
    const head = this.#heads[r];
    const newest = Math.max(Math.floor(now / ring.widthMs), head);
    const sum = { total: 0, late: 0, allowed: 0 };
    for (let slot = head; slot > newest - slots; slot--) {
      const place = FIELDS * (ring.first + modulo(slot, ring.slots));
      sum.total += this.#counts[place];
      sum.late += this.#counts[place + 1];
      sum.allowed += this.#counts[place + 2];
    }
    return sum;
  }

  /**
   * The clock was set back to `now`: the newest counts become those of now, the others keep their distance to them. Nothing
   * happens when there is nothing of the future.
   */
  setBack(now: number): void {
    for (const [r, ring] of RINGS.entries()) {
      const head = Math.floor(now / ring.widthMs);
      const back = this.#heads[r] - head;
      if (back <= 0) continue;
      const old = this.#counts.slice(FIELDS * ring.first, FIELDS * (ring.first + ring.slots));
      for (let slot = head; slot > head - ring.slots; slot--) {
        const from = FIELDS * modulo(slot + back, ring.slots);
        this.#counts.set(old.subarray(from, from + FIELDS), FIELDS * (ring.first + modulo(slot, ring.slots)));
      }
      this.#heads[r] = head;
    }
  }

  snapshot(): TimeBucketsSnapshot {
    const slots: number[][] = [];
    for (const [r, ring] of RINGS.entries()) {
      for (let age = 0; age < ring.slots; age++) {
        const place = FIELDS * (ring.first + modulo(this.#heads[r] - age, ring.slots));
        const [total, late, allowed] = this.#counts.subarray(place, place + FIELDS);
        if (total > 0) slots.push([r, age, total, late, allowed]);
      }
    }
    return { at: this.#heads[0] * RINGS[0].widthMs, slots };
  }

  static restore({ at, slots }: TimeBucketsSnapshot): TimeBuckets {
    const buckets = new TimeBuckets(at);
    for (const [r, age, ...counts] of slots) {
      const ring = RINGS[r];
      if (ring === undefined || !(age >= 0 && age < ring.slots) || counts.length !== FIELDS) continue;
      buckets.#counts.set(counts, FIELDS * (ring.first + modulo(buckets.#heads[r] - age, ring.slots)));
    }
    return buckets;
  }

  #advance(r: number, slot: number): void {
    const ring = RINGS[r];
    const oldest = Math.max(this.#heads[r] + 1, slot - ring.slots + 1);
    for (let cleared = oldest; cleared <= slot; cleared++) {
      const place = FIELDS * (ring.first + modulo(cleared, ring.slots));
      this.#counts.fill(0, place, place + FIELDS);
    }
    this.#heads[r] = slot;
  }
}

/** Never negative, also before the epoch. */
const modulo = (value: number, by: number): number => ((value % by) + by) % by;
