import type { JournalFeed } from '../../platform/bus/journal-feed.ts';
import { readHeads, type BusRow } from '../../platform/bus/journal-reader.ts';
import type { Store } from '../../platform/store/store.ts';
import type { CommittedRow } from '../flow/flow-engine.ts';
import type { Outcome } from '../scheduling/outcome.ts';
import { doubtsOf, outcomesOf, teaches } from './outcomes-of.ts';
import { keepKnowledge, readSpecs } from './swarm-store.ts';

/** Rows of a company that are learned from after a start without (or with an old) snapshot. */
const ROWS_BACK = 2_000;
/** What was learned is kept this long after it changed; a crash in between reads the journal again. */
const KEEP_AFTER_MS = 30_000;
const RETRY_MS = 1_000;

export type JournalLearnerOptions = {
  store: Store;
  feed: Pick<JournalFeed, 'onRows' | 'rowsAfter'>;
  /** An attempt has ended; `isOurs`: this process committed it, and its scheduler has heard of it already. */
  learn: (outcome: Outcome, isOurs: boolean) => void;
  /** An incident: what was learned of the task type in the company may be wrong. */
  doubt: (instance: string, type: string, at: number) => void;
  /** A row that this process did not write; for what is not an attempt. */
  onForeign: (row: BusRow) => void;
  /** JSON of all that was learned. */
  snapshot: () => Record<string, unknown>;
  /** Where each company's journal was when the snapshot that the models began with was made. */
  cursors: Readonly<Record<string, number>>;
  owns: (instance: string) => boolean;
  /** True on the one replica that keeps the snapshot. */
  keeps: () => boolean;
  log: (level: 'info' | 'warn' | 'error', data: Record<string, unknown>, message: string) => void;
};

/**
 * Feeds the models from the journal, each company's rows in order and once: what this process commits without a query,
 * what other replicas commit and what was missed from the journal and the tickets. A cursor per company goes into the
 * snapshot with the models, so that the two always belong together.
 */
export class JournalLearner {
  readonly #options: JournalLearnerOptions;
  readonly #cursors = new Map<string, number>();
  readonly #behind = new Set<string>();
  /** The first row that this process wrote since it owns the company. */
  readonly #ours = new Map<string, number>();
  #pumping: Promise<void> | null = null;
  #keepTimer: NodeJS.Timeout | null = null;
  #keeping: Promise<void> = Promise.resolve();
  #unlisten: () => void = () => {};
  #started = false;
  #stopped = false;

  constructor(options: JournalLearnerOptions) {
    this.#options = options;
  }

  /** What came after the snapshot is caught up with in the background. */
  async start(): Promise<void> {
    const { store, feed, cursors, owns } = this.#options;
    for (const [instance, head] of await readHeads(store, { as: 'engine' }, null)) {
      const cursor = Math.max(cursors[instance] ?? 0, head - ROWS_BACK, 0);
      this.#cursors.set(instance, Math.min(cursor, head));
      if (cursor < head) this.#behind.add(instance);
    }
    this.#unlisten = feed.onRows((instance) => {
      if (!owns(instance)) this.#catchUp(instance);
    });
    this.#started = true;
    if (this.#behind.size > 0) this.#pump();
  }

  /** Rows of this process, right after their commit. */
  committed(rows: readonly CommittedRow[]): void {
    for (const row of rows) {
      if (!this.#ours.has(row.instance)) this.#ours.set(row.instance, row.seq);
      if ((this.#cursors.get(row.instance) ?? 0) !== row.seq - 1) {
        this.#catchUp(row.instance);
        continue;
      }
      this.#cursors.set(row.instance, row.seq);
      if (this.#teach(row, (planId) => row.planOf(planId), true)) this.#keepSoon();
    }
  }

  /** Companies that this process writes from now on: what their last writer did not live to tell is read. */
  owned(names: readonly string[]): void {
    for (const name of names) this.#catchUp(name);
  }

  /** Companies that another replica writes from now on. */
  disowned(names: readonly string[]): void {
    for (const name of names) this.#ours.delete(name);
  }

  /** The company is gone; the journal of the next one of its name begins anew. */
  forget(instance: string): void {
    this.#cursors.delete(instance);
    this.#ours.delete(instance);
    this.#behind.delete(instance);
    this.#keepSoon();
  }

  /** Something that is part of the snapshot has changed. */
  changed(): void {
    this.#keepSoon();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#unlisten();
    await this.#pumping;
    const isDue = this.#keepTimer !== null;
    if (this.#keepTimer !== null) clearTimeout(this.#keepTimer);
    await this.#keeping;
    if (isDue) await this.#keep();
  }

  #catchUp(instance: string): void {
    this.#behind.add(instance);
    this.#pump();
  }

  #pump(): void {
    if (this.#stopped || !this.#started) return; // before the start it is not known from where to read
    this.#pumping ??= this.#run().finally(() => {
      this.#pumping = null;
      if (this.#behind.size > 0) this.#pump();
    });
  }

  async #run(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve)); // never within a commit
    for (const instance of this.#behind) {
      if (this.#stopped) return;
      this.#behind.delete(instance);
      try {
        await this.#read(instance);
      } catch (error) {
        this.#options.log('warn', { err: error, instance }, 'the scheduler could not read what happened; tried again');
        this.#behind.add(instance);
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS).unref());
        return;
      }
    }
  }

  async #read(instance: string): Promise<void> {
    const { store, feed, onForeign } = this.#options;
    while (!this.#stopped) {
      const after = this.#cursors.get(instance) ?? 0;
      const rows = await feed.rowsAfter(instance, after);
      if (rows.length === 0) return;
      const planIds = new Set<string>();
      for (const row of rows.filter(teaches)) for (const { plan } of row.events) if (plan) planIds.add(plan);
      const plans = planIds.size === 0 ? null : await readSpecs(store, instance, [...planIds]);
      if ((this.#cursors.get(instance) ?? 0) !== after) continue; // committed() was faster
      for (const row of rows) {
        this.#cursors.set(instance, row.seq);
        const isOurs = row.seq >= (this.#ours.get(instance) ?? Infinity);
        if (plans !== null) this.#teach(row, (planId) => plans.get(planId), isOurs);
        if (!isOurs) onForeign(row);
      }
      this.#keepSoon();
    }
  }

  /** False = there was nothing in it. */
  #teach(
    row: Pick<BusRow, 'instance' | 'at' | 'events'>,
    plan: Parameters<typeof outcomesOf>[1],
    isOurs: boolean,
  ): boolean {
    const { learn, doubt } = this.#options;
    const outcomes = outcomesOf(row, plan);
    for (const outcome of outcomes) learn(outcome, isOurs);
    for (const type of doubtsOf(row, plan)) doubt(row.instance, type, row.at.getTime());
    return outcomes.length > 0;
  }

  #keepSoon(): void {
    if (this.#stopped || this.#keepTimer !== null) return;
    this.#keepTimer = setTimeout(() => {
      this.#keepTimer = null;
      this.#keeping = this.#keep();
    }, KEEP_AFTER_MS);
    this.#keepTimer.unref();
  }

  async #keep(): Promise<void> {
    const { store, snapshot, keeps, log } = this.#options;
    if (!keeps()) return;
    try {
      await keepKnowledge(store, { ...snapshot(), cursors: Object.fromEntries(this.#cursors) });
    } catch (error) {
      log('warn', { err: error }, 'what the scheduler learned could not be kept; it is learned from the journal again');
    }
  }
}
