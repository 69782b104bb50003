import { setImmediate as nextTurn } from 'node:timers/promises';

import type { Clock, Random } from '../clock.ts';
import { ColmeiaError } from '../errors.ts';
import type { Scope, Store } from '../store/store.ts';
import { eventIdOf, type EventPlace } from './event-id.ts';
import { eventsOf, readHeads, readRows, readSeqBefore, type BusEvent, type BusRow } from './journal-reader.ts';
import type { RecentRows } from './recent-rows.ts';

export type StreamedEvent = BusEvent & { id: string };
/** `slow`: one event took too long. `failed`: the reader threw, or the journal could not be read for long. */
export type CloseReason = 'slow' | 'failed' | 'stopped';

export type SubscriptionOptions = {
  store: Store;
  clock: Clock;
  random: Random;
  log: (level: 'info' | 'warn' | 'error', data: Record<string, unknown>, message: string) => void;
  recent: RecentRows;
  scope: Scope;
  /** null = all companies that the scope sees. */
  instance: string | null;
  planId: string | null;
  after: EventPlace | null;
  /** How much later than its time a row of another replica may come by, in ms. */
  marginMs: number;
  slowAfterMs: number;
  on: (event: StreamedEvent) => unknown;
  onClosed: (reason: CloseReason) => void;
};

/** Everything up to row `seq` was handed over, and `skip` events of the row after it. */
type Cursor = { seq: number; skip: number };

/** Events handed over before the event loop turns. */
const AT_ONCE = 500;
/** Reads that fail one after the other before the reader is let go; with the waits about a minute and a half. */
const READ_TRIES = 20;
const RETRY_MS = 250;
const RETRY_MAX_MS = 5_000;

/** One reader of the live events: holds no events itself, only how far it got in each company. */
export class Subscription {
  readonly #options: SubscriptionOptions;
  readonly #cursors = new Map<string, Cursor>();
  /** Companies with events to hand over, each with a time (epoch ms) before which nothing of it is missing. */
  readonly #pending = new Map<string, number>();
  /** Everything before this, in every company, was handed over. */
  #complete: number;
  #opened = false;
  #pumping = false;
  #closed = false;

  constructor(options: SubscriptionOptions) {
    this.#options = options;
    this.#complete = options.after?.at ?? options.clock.now() - options.marginMs;
  }

  get isClosed(): boolean {
    return this.#closed;
  }

  /** Finds where to begin. Call once; what is woken meanwhile is not lost. */
  async open(): Promise<void> {
    const { store, scope, instance, after, recent } = this.#options;
    const heads = await readHeads(store, scope, instance);
    for (const [name, seq] of heads) recent.noteHead(name, seq);
    const first =
      after === null || instance !== null ? new Map<string, number>() : await readSeqBefore(store, scope, after.at);
    for (const [name, head] of heads) {
      const seq = Math.min(first.get(name) ?? head, head);
      this.#cursors.set(name, { seq, skip: 0 });
      if (seq < head) this.#pending.set(name, this.#complete);
    }
    if (after !== null) {
      this.#cursors.set(after.instance, { seq: after.seq - 1, skip: after.index + 1 });
      this.#pending.set(after.instance, this.#complete);
    }
    this.#opened = true;
    this.#start();
  }

  /** A company has new rows, none of them before `at`; null = not known. Never runs the reader at once. */
  wake(instance: string, at: number | null): void {
    if (this.#closed) return;
    const bound = at ?? this.#complete;
    const before = this.#pending.get(instance);
    if (before === undefined || bound < before) this.#pending.set(instance, bound);
    this.#start();
  }

  /** The company is gone; the journal of the next one of its name begins anew. */
  forget(instance: string): void {
    this.#cursors.delete(instance);
    this.#pending.delete(instance);
  }

  close(reason: CloseReason | null): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#pending.clear();
    if (reason !== null) this.#options.onClosed(reason);
  }

  #start(): void {
    if (this.#pumping || !this.#opened || this.#closed || this.#pending.size === 0) return;
    this.#pumping = true;
    setImmediate(() => void this.#pump());
  }

  async #pump(): Promise<void> {
    try {
      while (!this.#closed && this.#pending.size > 0) {
        const [[instance, bound]] = this.#pending;
        this.#pending.delete(instance); // whoever wakes it from here on puts it back, behind the others
        const rows = await this.#next(instance, bound);
        for (const row of rows) if (!this.#closed) await this.#handOver(row);
        if (rows.length > 0 && !this.#closed) this.wake(instance, rows.at(-1)!.at.getTime());
      }
    } catch (error) {
      if (!this.#closed) this.#options.log('warn', { err: error }, 'a reader of the live events was let go');
      this.close('failed');
    } finally {
      this.#pumping = false;
      this.#start();
    }
  }

  async #next(instance: string, bound: number): Promise<BusRow[]> {
    const { recent, store, scope, random } = this.#options;
    const { seq } = this.#cursorOf(instance);
    const known = recent.after(instance, seq);
    if (known !== null) return known;
    for (let tries = 1; ; tries++) {
      try {
        const rows = await readRows(store, scope, instance, seq);
        if (rows.length === 0) recent.noteHead(instance, seq);
        return rows;
      } catch (error) {
        if (tries === READ_TRIES || this.#closed) throw error;
        this.wake(instance, bound); // what is missing stays known while it waits
        const ms = Math.min(RETRY_MAX_MS, RETRY_MS * 2 ** tries) * (0.5 + random() / 2);
        await new Promise((resolve) => setTimeout(resolve, ms).unref());
      }
    }
  }

  async #handOver(row: BusRow): Promise<void> {
    const { planId } = this.#options;
    const { instance, seq } = row;
    const cursor = this.#cursorOf(instance);
    if (seq <= cursor.seq) return;
    const skip = seq === cursor.seq + 1 ? cursor.skip : 0;
    let index = skip;
    for (const event of eventsOf(row, skip)) {
      if (planId === null || event.plan === planId) {
        const id = eventIdOf({ at: this.#completeBefore(row), instance, seq, index });
        await this.#give({ ...event, id });
        if (this.#closed) return;
      }
      if (++index % AT_ONCE === 0) await nextTurn();
    }
    if (this.#cursors.get(instance) === cursor) this.#cursors.set(instance, { seq, skip: 0 }); // else it was forgotten
  }

  /** Rows of other companies may be missing that are older than this one. */
  #completeBefore(row: BusRow): number {
    if (this.#options.instance !== null) return row.at.getTime();
    let at = row.at.getTime() - this.#options.marginMs;
    for (const [instance, bound] of this.#pending) if (instance !== row.instance && bound < at) at = bound;
    return (this.#complete = Math.max(0, at));
  }

  async #give(event: StreamedEvent): Promise<void> {
    const taken = this.#options.on(event);
    if (!(taken instanceof Promise)) return;
    let timer: NodeJS.Timeout | undefined;
    const slow = new Promise<'slow'>(
      (resolve) => (timer = setTimeout(() => resolve('slow'), this.#options.slowAfterMs)),
    );
    const how = await Promise.race([taken, slow]).finally(() => clearTimeout(timer));
    if (how !== 'slow') return;
    taken.catch(() => undefined); // nobody waits for it any more
    this.close('slow');
  }

  #cursorOf(instance: string): Cursor {
    let cursor = this.#cursors.get(instance);
    if (cursor === undefined) this.#cursors.set(instance, (cursor = { seq: 0, skip: 0 })); // made after this reader came
    return cursor;
  }
}

/** Which one company a reader means; null = all. Throws INSTANCE_NOT_FOUND when it may not see it. */
export function companyOf(scope: Scope, instance: string | null): string | null {
  if (scope.as !== 'company') return instance;
  if (instance !== null && instance !== scope.instance)
    throw new ColmeiaError('INSTANCE_NOT_FOUND', `there is no company "${instance}"`);
  return scope.instance;
}
