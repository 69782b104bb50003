import type { BusRow } from './journal-reader.ts';

/** Rows handed out at once at most. */
const AT_ONCE = 100;

/** The last committed rows of all companies, shared by all readers and bounded by the number of events. */
export class RecentRows {
  readonly #limit: number;
  readonly #rows = new Map<string, Map<number, BusRow>>();
  /** The last row of each company that came by. */
  readonly #heads = new Map<string, number>();
  /** In the order of their arrival; those before `#oldest` are gone. */
  #order: BusRow[] = [];
  #oldest = 0;
  #events = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  add(row: BusRow): void {
    const { instance, seq } = row;
    if (seq > (this.#heads.get(instance) ?? 0)) this.#heads.set(instance, seq);
    let rows = this.#rows.get(instance);
    if (rows === undefined) this.#rows.set(instance, (rows = new Map()));
    if (rows.has(seq)) return;
    rows.set(seq, row);
    this.#order.push(row);
    this.#events += row.events.length;
    while (this.#events > this.#limit && this.#oldest < this.#order.length) this.#dropOldest();
  }

  /** The company is gone; the journal of the next one of its name begins anew. */
  forget(instance: string): void {
    this.#heads.delete(instance);
    this.#rows.delete(instance);
  }

  /** The journal of a company ends at `seq` or later, as the database said. */
  noteHead(instance: string, seq: number): void {
    if (seq > (this.#heads.get(instance) ?? -1)) this.#heads.set(instance, seq);
  }

  /** null = not known. */
  head(instance: string): number | null {
    return this.#heads.get(instance) ?? null;
  }

  /** What follows row `seq` without a gap; empty = nothing as far as is known; null = the journal has to be asked. */
  after(instance: string, seq: number): BusRow[] | null {
    const head = this.#heads.get(instance);
    if (head === undefined) return null;
    if (seq >= head) return [];
    const rows = this.#rows.get(instance);
    const found: BusRow[] = [];
    for (let next = rows?.get(seq + 1); next !== undefined; next = rows!.get(next.seq + 1)) {
      found.push(next);
      if (found.length === AT_ONCE) break;
    }
    return found.length === 0 ? null : found;
  }

  #dropOldest(): void {
    const row = this.#order[this.#oldest++];
    const rows = this.#rows.get(row.instance);
    if (rows?.get(row.seq) === row) rows.delete(row.seq); // another one's, when the company was forgotten meanwhile
    if (rows?.size === 0) this.#rows.delete(row.instance);
    this.#events -= row.events.length;
    if (this.#oldest > 1_000 && this.#oldest * 2 > this.#order.length) {
      this.#order = this.#order.slice(this.#oldest);
      this.#oldest = 0;
    }
  }
}
