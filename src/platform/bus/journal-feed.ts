import { randomUUID } from 'node:crypto';

import type { Clock, Random } from '../clock.ts';
import { ColmeiaError } from '../errors.ts';
import type { Scope, Store } from '../store/store.ts';
import { parseEventId, type EventPlace } from './event-id.ts';
import { readHeads, readRows, type BusRow } from './journal-reader.ts';
import { RecentRows } from './recent-rows.ts';
import { ReplicaWakes } from './replica-wakes.ts';
import { companyOf, Subscription, type CloseReason, type StreamedEvent } from './subscription.ts';

export type { CloseReason, StreamedEvent } from './subscription.ts';

export type FeedQuery = {
  scope: Scope;
  /** null = every company the scope sees. */
  instance: string | null;
  planId?: string;
  /** Id of the last event the reader has; absent = from now on. */
  after?: string;
};

export type JournalFeedOptions = {
  store: Store;
  clock: Clock;
  log: (level: 'info' | 'warn' | 'error', data: Record<string, unknown>, message: string) => void;
  random?: Random;
  /** Tells replicas of one database apart. Default: a random id. */
  replica?: string;
  /** Events kept in memory for all readers together. Default 20,000. */
  keepEvents?: number;
  /** How long a reader may take for one event. Default 30,000. */
  slowAfterMs?: number;
  /** Default 1,000. */
  maxReaders?: number;
};

/** How far apart the clocks and commits of replicas may be for a reader of all companies to lose nothing. */
const REPLICA_MARGIN_MS = 10_000;
const FETCH_RETRY_MS = 1_000;

type Listener = (instance: string, seq: number) => void;

/**
 * Live delivery of committed journal rows. What this process commits is handed over without a query; what other replicas
 * commit is read once from the journal when they say so (LISTEN/NOTIFY); a reader that fell behind reads the journal in
 * bounded pages. Nothing polls, and no reader slows the writer.
 */
export class JournalFeed {
  readonly #options: Required<JournalFeedOptions>;
  readonly #recent: RecentRows;
  readonly #all = new Set<Subscription>();
  readonly #byInstance = new Map<string, Set<Subscription>>();
  readonly #listeners = new Set<Listener>();
  readonly #wakes: ReplicaWakes | null;
  #fetching: Promise<void> = Promise.resolve();
  readonly #toFetch = new Set<string>();
  #retry: NodeJS.Timeout | null = null;
  #count = 0;
  #stopped = false;

  constructor(options: JournalFeedOptions) {
    const defaults = {
      random: Math.random,
      replica: randomUUID(),
      keepEvents: 20_000,
      slowAfterMs: 30_000,
      maxReaders: 1_000,
    };
    this.#options = { ...defaults, ...options };
    this.#recent = new RecentRows(this.#options.keepEvents);
    const { store, replica, log } = this.#options;
    const on = (instances: string[] | null): void => (instances === null ? void this.#sweep() : this.wake(instances));
    this.#wakes = store.tier === 'server' ? new ReplicaWakes({ store, replica, on, log }) : null;
  }

  /** Begins to hear of other replicas. Nothing to wait for when embedded. */
  async start(): Promise<void> {
    if (this.#wakes === null) return;
    this.#options.store.onAvailability((why) => {
      if (why === null && !this.#stopped) void this.#sweep(); // notices were lost meanwhile
    });
    await this.#wakes.start();
  }

  /** Rows that this process has committed, in order. Never throws, never waits, runs no reader. */
  publish(rows: readonly BusRow[]): void {
    try {
      for (const row of rows) this.#came(row, true);
    } catch (error) {
      this.#options.log('error', { err: error }, 'committed events could not be handed to the live feed');
    }
  }

  /** Companies have rows that another replica committed. */
  wake(instances: readonly string[]): void {
    if (this.#stopped) return;
    for (const instance of instances) {
      if (this.#all.size > 0 || this.#byInstance.has(instance)) this.#toFetch.add(instance);
      for (const listener of this.#listeners) listener(instance, 0);
    }
    if (this.#toFetch.size > 0) this.#fetching = this.#fetching.then(() => this.#fetch());
  }

  /**
   * Hands each event to `on`, each company's in order and once. When `on` returns a promise the next event waits for it;
   * one that takes longer than `slowAfterMs` closes the reader, which can come back with `after`. Resolves, once the place
   * to begin is known, with the function that stops. Throws INSTANCE_NOT_FOUND, INVALID_REQUEST for a bad `after`,
   * QUEUE_FULL when there are too many readers, STORE_UNAVAILABLE.
   */
  async subscribe(
    query: FeedQuery,
    on: (event: StreamedEvent) => unknown,
    onClosed?: (reason: CloseReason) => void,
  ): Promise<() => void> {
    const { store, clock, random, log, slowAfterMs, maxReaders } = this.#options;
    const instance = companyOf(query.scope, query.instance);
    const after = query.after === undefined ? null : placeOf(query.after, instance);
    if (this.#stopped) throw new ColmeiaError('SHUTTING_DOWN', 'this process is stopping');
    if (this.#count >= maxReaders)
      throw new ColmeiaError('QUEUE_FULL', `${maxReaders} readers follow the events`, { retryAfterMs: 5_000 });
    const subscription = new Subscription({
      store,
      clock,
      random,
      log,
      recent: this.#recent,
      scope: query.scope,
      instance,
      planId: query.planId ?? null,
      after,
      marginMs: store.tier === 'server' ? REPLICA_MARGIN_MS : 0,
      slowAfterMs,
      on,
      onClosed: (reason) => {
        this.#forget(subscription, instance);
        onClosed?.(reason);
      },
    });
    this.#remember(subscription, instance);
    const stop = (): void => {
      if (!subscription.isClosed) this.#forget(subscription, instance);
      subscription.close(null);
    };
    try {
      await subscription.open();
    } catch (error) {
      stop();
      throw error;
    }
    return stop;
  }

  /** A company is gone: what is kept of its events goes too, and who reads them alone is let go. */
  forget(instance: string): void {
    this.#recent.forget(instance);
    this.#toFetch.delete(instance);
    for (const subscription of this.#all) subscription.forget(instance);
    for (const subscription of [...(this.#byInstance.get(instance) ?? [])]) subscription.close('failed');
  }

  /** Calls `on` with each company that has new rows and the last of them (0 = not known). `on` must not throw or wait. */
  onRows(on: Listener): () => void {
    this.#listeners.add(on);
    return () => this.#listeners.delete(on);
  }

  /** The next rows after `seq`, from memory when it has them, else from the journal; a bounded page. */
  async rowsAfter(instance: string, seq: number): Promise<BusRow[]> {
    const known = this.#recent.after(instance, seq);
    return known !== null && known.length > 0 ? known : readRows(this.#options.store, { as: 'engine' }, instance, seq);
  }

  get readers(): number {
    return this.#count;
  }

  /** Lets every reader go. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#wakes?.stop();
    if (this.#retry) clearTimeout(this.#retry);
    const all = [...this.#all, ...[...this.#byInstance.values()].flatMap((set) => [...set])];
    for (const subscription of all) subscription.close('stopped');
    await this.#fetching;
  }

  #came(row: BusRow, isOurs: boolean): void {
    const { instance, seq } = row;
    this.#recent.add(row);
    this.#wakeReaders(instance, row.at.getTime());
    if (!isOurs) return;
    for (const listener of this.#listeners) listener(instance, seq);
    this.#wakes?.announce(instance);
  }

  #wakeReaders(instance: string, at: number | null): void {
    for (const subscription of this.#all) subscription.wake(instance, at);
    for (const subscription of this.#byInstance.get(instance) ?? []) subscription.wake(instance, at);
  }

  /** Rows of other replicas: read once for all readers. One that cannot keep up with this reads by itself. */
  async #fetch(): Promise<void> {
    const { log } = this.#options;
    for (const instance of this.#toFetch) {
      if (this.#stopped) return;
      this.#toFetch.delete(instance);
      const head = this.#recent.head(instance);
      if (head === null) this.#wakeReaders(instance, null); // new to us: each reader reads from where it stands
      else
        await this.#fetchAfter(instance, head).catch((error: unknown) => {
          log('warn', { err: error, instance }, 'new events of another replica could not be read; tried again');
          this.#toFetch.add(instance);
        });
      if (this.#toFetch.has(instance)) return this.#fetchLater();
    }
  }

  async #fetchAfter(instance: string, head: number): Promise<void> {
    for (let seq = head; !this.#stopped;) {
      const rows = await readRows(this.#options.store, { as: 'engine' }, instance, seq);
      if (rows.length === 0) return;
      for (const row of rows) this.#came(row, false);
      seq = rows.at(-1)!.seq;
    }
  }

  #fetchLater(): void {
    this.#retry ??= setTimeout(() => {
      this.#retry = null;
      this.#fetching = this.#fetching.then(() => this.#fetch());
    }, FETCH_RETRY_MS);
  }

  /** Anything may have happened: finds the companies whose journal went on. */
  async #sweep(): Promise<void> {
    try {
      const heads = await readHeads(this.#options.store, { as: 'engine' }, null);
      this.wake(
        [...heads].filter(([instance, seq]) => seq > (this.#recent.head(instance) ?? 0)).map(([instance]) => instance),
      );
    } catch (error) {
      this.#options.log('warn', { err: error }, 'the journal could not be swept for events of other replicas');
    }
  }

  #remember(subscription: Subscription, instance: string | null): void {
    this.#count++;
    if (instance === null) this.#all.add(subscription);
    else if (this.#byInstance.has(instance)) this.#byInstance.get(instance)!.add(subscription);
    else this.#byInstance.set(instance, new Set([subscription]));
  }

  #forget(subscription: Subscription, instance: string | null): void {
    const readers = instance === null ? this.#all : this.#byInstance.get(instance);
    if (!readers?.delete(subscription)) return;
    this.#count--;
    if (instance !== null && readers.size === 0) this.#byInstance.delete(instance);
  }
}

function placeOf(after: string, instance: string | null): EventPlace {
  const place = parseEventId(after);
  if (place !== null && (instance === null || place.instance === instance)) return place;
  const message =
    place === null ? 'is not the id of an event' : `is the id of an event of another company than "${instance}"`;
  throw new ColmeiaError('INVALID_REQUEST', `after ${message}`, { faults: [{ path: 'after', message }] });
}
