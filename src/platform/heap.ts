/** An item of a Heap remembers where it stands, so that it can be moved or taken out in O(log n). −1 = in no heap. */
export type HeapItem = { heapIndex: number };

/** Binary heap with the smallest item on top. An item stands in at most one heap. */
export class Heap<T extends HeapItem> {
  readonly #items: T[] = [];
  readonly #before: (a: T, b: T) => boolean;

  constructor(before: (a: T, b: T) => boolean) {
    this.#before = before;
  }

  get size(): number {
    return this.#items.length;
  }

  peek(): T | undefined {
    return this.#items[0];
  }

  /** All of them, in no order but that the first is the smallest. */
  items(): readonly T[] {
    return this.#items;
  }

  /**
   * Adds to `into` those that `isIn` says, in no order; what says so of an item says so of all before it. False = there are
   * more than `most`, and `into` has some of them.
   */
  upTo(isIn: (item: T) => boolean, most: number, into: T[], at = 0): boolean {
    if (at >= this.#items.length || !isIn(this.#items[at])) return true;
    if (into.length >= most) return false;
    into.push(this.#items[at]);
    return this.upTo(isIn, most, into, 2 * at + 1) && this.upTo(isIn, most, into, 2 * at + 2);
  }

  push(item: T): void {
    item.heapIndex = this.#items.length;
    this.#items.push(item);
    this.#up(item);
  }

  pop(): T | undefined {
    const top = this.#items[0];
    if (top !== undefined) this.remove(top);
    return top;
  }

  /** Nothing happens when it is not in a heap. */
  remove(item: T): void {
    const at = item.heapIndex;
    if (at < 0) return;
    item.heapIndex = -1;
    const last = this.#items.pop()!;
    if (last === item) return;
    last.heapIndex = at;
    this.#items[at] = last;
    this.moved(last);
  }

  /** Call after what the order depends on has changed. */
  moved(item: T): void {
    this.#up(item);
    this.#down(item);
  }

  #up(item: T): void {
    const items = this.#items;
    let at = item.heapIndex;
    while (at > 0) {
      const above = items[(at - 1) >> 1];
      if (!this.#before(item, above)) break;
      items[at] = above;
      above.heapIndex = at;
      at = (at - 1) >> 1;
    }
    items[at] = item;
    item.heapIndex = at;
  }

  #down(item: T): void {
    const items = this.#items;
    let at = item.heapIndex;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= items.length) break;
      if (child + 1 < items.length && this.#before(items[child + 1], items[child])) child++;
      if (!this.#before(items[child], item)) break;
      items[at] = items[child];
      items[at].heapIndex = at;
      at = child;
    }
    items[at] = item;
    item.heapIndex = at;
  }
}
