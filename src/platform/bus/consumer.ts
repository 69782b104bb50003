import { setImmediate as nextTurn } from 'node:timers/promises';

import type { Clock, Random } from '../clock.ts';
import type { Store } from '../store/store.ts';
import { beginAtHeads, readCursors, readFallenBehind, writeCursors } from './consumer-store.ts';
import type { JournalFeed } from './journal-feed.ts';
import { eventsOf, type BusEvent, type BusLine, type BusRow } from './journal-reader.ts';

export type ConsumerOptions = {
  store: Store;
  feed: Pick<JournalFeed, 'onRows' | 'rowsAfter'>;
  /** Name of its cursors in table `consumer`; two of the same name share them. */
  name: string;
  /** Companies it serves now; asked again whenever it matters. */
  instances: () => string[];
  /** The events that are delivered; the others are passed over. Default: all. */
  wants?: (event: BusLine) => boolean;
  /** Each company's events in order, at least once. When it throws, the same events come again. */
  deliver: (events: BusEvent[], signal: AbortSignal) => Promise<void>;
  log: (level: 'info' | 'warn' | 'error', data: Record<string, unknown>, message: string) => void;
  clock: Clock;
  random?: Random;
  /** Events handed over at once, beyond it the rest of a journal row. Default 500. */
  batchEvents?: number;
  /** Where it begins when it never ran: at each company's first event, or after its last. Default 'beginning'. */
  from?: 'beginning' | 'now';
};

/** Rows of the journal not delivered yet, and how old (ms) the oldest event is whose delivery is under way or failed; 0 = none. */
export type ConsumerLag = { rows: number; ageMs: number };

export type Consumer = {
  readonly name: string;
  /** Companies came or went: looks for what was not delivered in them. */
  refresh(): void;
  lag(): ConsumerLag;
  /** Ends after the delivery under way, or aborts it after the grace (default 5,000 ms); keeps how far it got. */
  stop(graceMs?: number): Promise<void>;
};

const WRITE_EVERY_MS = 1_000;
/** Idle for this long: what was delivered is written down. */
const SETTLE_MS = 250;
const RETRY_MS = 500;
const RETRY_MAX_MS = 30_000;

/** A durable reader of the journal. Starts at once, in the background; a database or a receiver that is away is waited for. */
export function startConsumer(options: ConsumerOptions): Consumer {
  return new RunningConsumer(options);
}

type Batch = { events: BusEvent[]; /** Row each company gets to with it. */ upTo: Map<string, number> };

class RunningConsumer implements Consumer {
  readonly name: string;
  readonly #options: ConsumerOptions;
  /** Row up to which each company was delivered. */
  readonly #cursors = new Map<string, number>();
  readonly #unwritten = new Set<string>();
  readonly #heads = new Map<string, number>();
  readonly #dirty = new Set<string>();
  /** The last row that this process committed, while nothing is known of later ones of others. */
  readonly #ours = new Map<string, number>();
  #batch: Batch | null = null;
  #mustSweep = true;
  #isFirst = true;
  #writtenAt = 0;
  #failures = 0;
  #stopped = false;
  readonly #abort = new AbortController();
  readonly #unlisten: () => void;
  readonly #done: Promise<void>;
  #wakeUp: (() => void) | null = null;

  constructor(options: ConsumerOptions) {
    this.#options = options;
    this.name = options.name;
    this.#unlisten = options.feed.onRows((instance, seq) => {
      this.#noteHead(instance, seq);
      if (seq > 0) this.#ours.set(instance, seq);
      else this.#ours.delete(instance);
      this.#dirty.add(instance);
      this.#wakeUp?.();
    });
    this.#done = this.#run();
  }

  refresh(): void {
    this.#mustSweep = true;
    this.#wakeUp?.();
  }

  lag(): ConsumerLag {
    let rows = 0;
    for (const [instance, head] of this.#heads) {
      const cursor = this.#cursors.get(instance);
      if (cursor !== undefined && head > cursor) rows += head - cursor;
    }
    const oldest = this.#batch?.events[0]?.at.getTime();
    return { rows, ageMs: oldest === undefined ? 0 : Math.max(0, this.#options.clock.now() - oldest) };
  }

  async stop(graceMs = 5_000): Promise<void> {
    this.#stopped = true;
    this.#unlisten();
    this.#wakeUp?.();
    const timer = setTimeout(() => this.#abort.abort(), graceMs);
    const late = new Promise<void>((resolve) =>
      this.#abort.signal.addEventListener('abort', () => setTimeout(resolve, 500)),
    );
    await Promise.race([this.#done, late]).finally(() => clearTimeout(timer));
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      try {
        await this.#step();
        this.#failures = 0;
      } catch (error) {
        if (this.#stopped) break;
        await this.#backOff(error);
      }
    }
    await this.#write().catch((error: unknown) => {
      this.#options.log(
        'warn',
        { err: error, consumer: this.name },
        'how far a consumer got could not be kept; it delivers some events again',
      );
    });
  }

  async #step(): Promise<void> {
    const { deliver, clock } = this.#options;
    if (this.#mustSweep) await this.#sweep();
    this.#batch ??= await this.#gather();
    if (this.#batch === null) return this.#idle();
    if (this.#batch.events.length > 0) await deliver(this.#batch.events, this.#abort.signal);
    for (const [instance, seq] of this.#batch.upTo) {
      this.#cursors.set(instance, Math.max(seq, this.#cursors.get(instance) ?? 0));
      this.#unwritten.add(instance);
    }
    this.#batch = null;
    await nextTurn(); // a receiver that is never busy must not keep the process from anything else
    if (Math.abs(clock.now() - this.#writtenAt) >= WRITE_EVERY_MS) await this.#write();
  }

  /** Finds in one query the companies with events that were not delivered. */
  async #sweep(): Promise<void> {
    const { store, name, instances, from } = this.#options;
    this.#mustSweep = false;
    try {
      if (this.#isFirst && from === 'now') await beginAtHeads(store, name);
      this.#isFirst = false;
      await this.#write();
      this.#cursors.clear(); // another replica may have gone on meanwhile
      this.#ours.clear();
      for (const { instance, head, cursor } of await readFallenBehind(store, name, instances())) {
        this.#noteHead(instance, head);
        this.#cursors.set(instance, cursor);
        this.#dirty.add(instance);
      }
    } catch (error) {
      this.#mustSweep = true;
      throw error;
    }
  }

  async #gather(): Promise<Batch | null> {
    const { feed, store, name, instances, batchEvents = 500 } = this.#options;
    if (this.#dirty.size === 0) return null;
    const ours = new Set(instances());
    for (const instance of this.#dirty) if (!ours.has(instance)) this.#leave(instance);
    const unknown = [...this.#dirty].filter((instance) => !this.#cursors.has(instance));
    if (unknown.length > 0) {
      const kept = await readCursors(store, name, unknown);
      for (const instance of unknown) this.#cursors.set(instance, kept.get(instance) ?? 0);
    }
    const batch: Batch = { events: [], upTo: new Map() };
    for (const instance of [...this.#dirty]) {
      if (batch.events.length >= batchEvents) break;
      this.#dirty.delete(instance); // whoever wakes it from here on puts it back
      try {
        this.#take(batch, instance, await feed.rowsAfter(instance, this.#cursors.get(instance)!), batchEvents);
      } catch (error) {
        this.#dirty.add(instance);
        for (const taken of batch.upTo.keys()) this.#dirty.add(taken);
        throw error;
      }
    }
    return batch.upTo.size === 0 ? null : batch;
  }

  #take(batch: Batch, instance: string, rows: readonly BusRow[], limit: number): void {
    const { wants } = this.#options;
    for (const row of rows) {
      if (batch.events.length >= limit) break;
      if (wants === undefined || row.events.some(wants))
        for (const event of eventsOf(row)) if (wants?.(event) ?? true) batch.events.push(event);
      batch.upTo.set(instance, row.seq);
      this.#noteHead(instance, row.seq);
    }
    // What this process committed last is the end; otherwise there may be more.
    if (rows.length > 0 && batch.upTo.get(instance) !== this.#ours.get(instance)) this.#dirty.add(instance);
  }

  #leave(instance: string): void {
    this.#dirty.delete(instance);
    this.#heads.delete(instance);
    this.#ours.delete(instance);
    if (!this.#unwritten.has(instance)) this.#cursors.delete(instance);
  }

  #noteHead(instance: string, seq: number): void {
    if (seq > (this.#heads.get(instance) ?? 0)) this.#heads.set(instance, seq);
  }

  async #write(): Promise<void> {
    if (this.#unwritten.size === 0) return;
    const { store, name, clock } = this.#options;
    const cursors = [...this.#unwritten].map((instance) => [instance, this.#cursors.get(instance)!] as const);
    this.#unwritten.clear();
    try {
      await writeCursors(store, name, cursors);
      this.#writtenAt = clock.now();
    } catch (error) {
      for (const [instance] of cursors) this.#unwritten.add(instance);
      throw error;
    }
  }

  /** Until there is work; meanwhile what was delivered is written down. */
  async #idle(): Promise<void> {
    const isNeeded = (): boolean => this.#stopped || this.#mustSweep || this.#dirty.size > 0;
    if (this.#unwritten.size > 0 && !isNeeded()) await this.#sleep(SETTLE_MS);
    if (isNeeded()) return;
    if (this.#unwritten.size > 0) await this.#write();
    else await this.#sleep(null);
  }

  async #backOff(error: unknown): Promise<void> {
    const { log, random = Math.random } = this.#options;
    const delayMs = Math.min(RETRY_MAX_MS, RETRY_MS * 2 ** Math.min(this.#failures++, 10)) * (0.5 + random() / 2);
    if (this.#failures === 1 || this.#failures % 10 === 0) {
      const said = { err: error, consumer: this.name, failures: this.#failures, delayMs: Math.round(delayMs) };
      log('warn', said, 'a consumer waits for its receiver');
    }
    const until = performance.now() + delayMs;
    while (!this.#stopped && performance.now() < until) await this.#sleep(until - performance.now());
  }

  /** Ends early when something wakes the consumer; null = only then. */
  #sleep(ms: number | null): Promise<void> {
    return new Promise((resolve) => {
      const timer = ms === null ? undefined : setTimeout(() => this.#wakeUp?.(), ms);
      this.#wakeUp = () => {
        clearTimeout(timer);
        this.#wakeUp = null;
        resolve();
      };
    });
  }
}
