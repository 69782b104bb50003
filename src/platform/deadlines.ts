import { Heap } from './heap.ts';

type Entry<K> = { heapIndex: number; key: K; at: number };

/** What is due when: one time per key, changed and removed in O(log n). No timer of its own. */
export class Deadlines<K> {
  readonly #byKey = new Map<K, Entry<K>>();
  readonly #order = new Heap<Entry<K>>((a, b) => a.at < b.at);

  set(key: K, at: number): void {
    const entry = this.#byKey.get(key);
    if (entry === undefined) {
      const added = { heapIndex: -1, key, at };
      this.#byKey.set(key, added);
      this.#order.push(added);
    } else {
      entry.at = at;
      this.#order.moved(entry);
    }
  }

  delete(key: K): void {
    const entry = this.#byKey.get(key);
    if (entry === undefined) return;
    this.#byKey.delete(key);
    this.#order.remove(entry);
  }

  /** The nearest time; Infinity = nothing is due ever. */
  next(): number {
    return this.#order.peek()?.at ?? Infinity;
  }

  /** Takes out what is due by now, earliest first, at most `limit`. */
  take(now: number, limit = Infinity): K[] {
    const due: K[] = [];
    while (due.length < limit && this.next() <= now) {
      const entry = this.#order.pop()!;
      this.#byKey.delete(entry.key);
      due.push(entry.key);
    }
    return due;
  }

  clear(): void {
    for (const key of [...this.#byKey.keys()]) this.delete(key);
  }
}
