/**
 * A map of at most `limit` entries: putting one more drops the entry that was put longest ago. While it is not half full an
 * entry keeps its place, as moving it costs more than all else: what is in use is put again before the map is full.
 */
export class RecentMap<V> {
  readonly #entries = new Map<string, V>();
  readonly #limit: number;

  constructor(limit: number) {
    this.#limit = limit;
  }

  get size(): number {
    return this.#entries.size;
  }

  get(key: string): V | undefined {
    return this.#entries.get(key);
  }

  /** The entry becomes the most recent, unless the map is less than half full and has it. */
  put(key: string, value: V): void {
    if (2 * this.#entries.size > this.#limit) this.#entries.delete(key);
    this.#entries.set(key, value);
    if (this.#entries.size <= this.#limit) return;
    for (const oldest of this.#entries.keys()) {
      this.#entries.delete(oldest);
      return;
    }
  }

  /** O(size). */
  drop(isGone: (key: string) => boolean): void {
    for (const key of this.#entries.keys()) if (isGone(key)) this.#entries.delete(key);
  }

  /** The least recent first, so that putting them again in this order restores the map. */
  entries(): IterableIterator<[string, V]> {
    return this.#entries.entries();
  }
}
