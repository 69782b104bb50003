/** Numbers of tickets whose maps are kept while they are empty. */
const KEPT = 64;

/**
 * A map by plan and number of the ticket. Plan keys take all the digits that a number has, so that the two cannot be one
 * number, and a string for each look-up costs more than the look-up: there is a map by plan for each number.
 */
export class TicketMap<V> {
  readonly #byNumber: (Map<number, V> | undefined)[] = [];
  size = 0;

  get(plan: number, n: number): V | undefined {
    return this.#byNumber[n]?.get(plan);
  }

  set(plan: number, n: number, value: V): void {
    const plans = (this.#byNumber[n] ??= new Map());
    const before = plans.size;
    plans.set(plan, value);
    this.size += plans.size - before;
  }

  delete(plan: number, n: number): void {
    const plans = this.#byNumber[n];
    if (!plans?.delete(plan)) return;
    this.size--;
    if (plans.size > 0 || n < KEPT) return;
    this.#byNumber[n] = undefined;
    while (this.#byNumber.length > KEPT && this.#byNumber.at(-1) === undefined) this.#byNumber.pop();
  }

  *values(): Generator<V> {
    for (const plans of this.#byNumber) if (plans !== undefined) yield* plans.values();
  }
}
