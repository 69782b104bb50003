import type { Clock } from '../../platform/clock.ts';
import { ColmeiaError } from '../../platform/errors.ts';

/** Changes of one commit at most: a longer batch would hold the process, a shorter one would waste commits. */
export const BATCH_LIMIT = 200;
/** Times a change is tried again after another writer's commit. */
const TRIES = 5;
/** Rest after a fault. */
const PAUSE_MS = 200;

export type GroupCommitHooks<Batch> = {
  clock: Clock;
  /** True when sending does not hold this thread, so that it pays to gather meanwhile. */
  overlaps: boolean;
  open(): Batch;
  /** Makes the batch whole and sends it; null = there is nothing to keep. `before` is committed and will be told after this. */
  send(batch: Batch, before: Batch | null): Promise<void> | null;
  /** The batch is true: memory and listeners follow. Callers are told after it. */
  commit(batch: Batch): void;
  /** Memory as it was before the batch. */
  takeBack(batch: Batch): void;
  /**
   * A flush failed, and it and what was built on it are taken back. Its changes are tried again together, or apart when one
   * of them cannot be kept, or their callers get the error.
   */
  refused(error: unknown, failed: Batch, built: Batch | null): Promise<'again' | 'apart' | 'no'>;
  /** True when nothing may be decided before `repair` has run. */
  needsRepair(): boolean;
  /** Runs alone; when it throws, all callers get the error and it is tried again. */
  repair(): Promise<void>;
  /** Everything may be wrong. */
  stumbled(error: unknown): void;
  /** When something is due by itself, epoch ms; Infinity = never. */
  nextAt(): number;
};

type Item<Batch> = { apply: (batch: Batch) => () => void; reject: (error: unknown) => void; tries: number };
/** `offline`: it needs no database, so that nothing but the end may keep it from running. */
type Alone = { run: () => Promise<void>; reject: (error: unknown) => void; offline: boolean };
type Turn<Batch> = { batch: Batch; items: Item<Batch>[]; told: (() => void)[] };
type Sent<Batch> = Turn<Batch> & { outcome: { error: unknown } | 'committed' | null };

/**
 * Group commit: what comes in while one batch is with the database forms the next, and nobody is told before the commit.
 * Changes run in the order they came, one batch at a time; errors that `apply` throws reach their caller and touch nobody else.
 */
export class GroupCommit<Batch> {
  readonly #hooks: GroupCommitHooks<Batch>;
  #items: Item<Batch>[] = [];
  #alone: Alone[] = [];
  /** The turn that gathers, and the one that is with the database. */
  #open: Turn<Batch> | null = null;
  #sent: Sent<Batch> | null = null;
  #loop: Promise<void> | null = null;
  /** Something came in since the loop last looked; `#resume` wakes it when it waits for the database. */
  #again = false;
  #resume: (() => void) | null = null;
  /** Changes that go one by one, because one of them spoils the others' commit. */
  #apart = 0;
  #stopped = false;
  #alarm: NodeJS.Timeout | null = null;
  #alarmAt = Infinity;

  constructor(hooks: GroupCommitHooks<Batch>) {
    this.#hooks = hooks;
  }

  /** Changes that wait for a commit. */
  get depth(): number {
    return this.#items.length + (this.#open?.items.length ?? 0) + (this.#sent?.items.length ?? 0);
  }

  /** Work that waits to run alone. */
  get aloneDepth(): number {
    return this.#alone.length;
  }

  /** Resolves with what `decide` returned, after the commit that makes it true. */
  change<T>(decide: (batch: Batch) => T): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      if (this.#stopped) return reject(stopping());
      const apply = (batch: Batch) => {
        const value = decide(batch);
        return () => resolve(value);
      };
      this.#items.push({ apply, reject, tries: 0 });
      this.wake();
    });
  }

  /** Runs `work` between two commits, with nothing under way. */
  alone<T>(work: () => Promise<T>, { offline = false } = {}): Promise<T> {
    return new Promise((resolve, reject) => {
      if (this.#stopped) return reject(stopping());
      this.#alone.push({ run: () => work().then(resolve, reject), reject, offline });
      this.wake();
    });
  }

  /** Something may be due. */
  wake(): void {
    this.#again = true;
    this.#resume?.();
    if (!this.#stopped) this.#loop ??= immediate().then(() => this.#run());
  }

  /** Ends after the commit under way; what still waits is answered SHUTTING_DOWN. */
  async stop(): Promise<void> {
    this.#stopped = true;
    if (this.#alarm) clearTimeout(this.#alarm);
    this.wake();
    await this.#loop;
    this.#rejectAll(stopping());
  }

  async #run(): Promise<void> {
    while (!this.#stopped || this.#sent !== null) {
      this.#again = false;
      try {
        if (!(await this.#step())) break;
      } catch (error) {
        this.#takeBack(this.#open, this.#sent);
        this.#rejectAll(error);
        this.#hooks.stumbled(error);
        await sleep(PAUSE_MS);
      }
      await immediate(); // the event loop turns between two commits
    }
    this.#loop = null;
    if (this.#stopped) return;
    if (this.#again) this.wake();
    else this.#setAlarm();
  }

  /**
   * Gathers, sends, tells. With a server the next batch is sent before the first is told, so that process and server work
   * side by side; the embedded database works in this thread, so there telling comes first and batches are larger.
   * False = there is nothing to do and nothing under way.
   */
  async #step(): Promise<boolean> {
    let committed: Sent<Batch> | null = null;
    const sent = this.#sent;
    if (sent !== null && sent.outcome !== null) {
      this.#sent = null;
      if (sent.outcome !== 'committed') return this.#refused(sent.outcome.error, sent);
      if (this.#hooks.overlaps) committed = sent;
      else {
        this.#commit(sent);
        await immediate();
      }
    }
    this.#gather();
    let isBusy = this.#sent !== null;
    if (!isBusy && !this.#stopped) isBusy = await this.#sendOrWorkAlone(committed);
    if (committed !== null) this.#commit(committed);
    if (this.#again || !isBusy) return this.#again || committed !== null;
    await new Promise<void>((resolve) => (this.#resume = resolve));
    this.#resume = null;
    return true;
  }

  /** With nothing at the database: the next batch, or what must run alone. False = there was nothing. */
  async #sendOrWorkAlone(before: Sent<Batch> | null): Promise<boolean> {
    if (this.#open !== null) {
      const isSent = this.#send(before);
      if (!isSent && this.#mustBeAlone) this.#again = true; // its time has come
      return isSent;
    }
    if (!this.#mustBeAlone) return this.#send(before);
    this.#again = true;
    if (before !== null) return false; // first tell, then alone
    const offline = this.#alone.findIndex((work) => work.offline);
    if (offline >= 0) await this.#alone.splice(offline, 1)[0]!.run();
    else if (this.#hooks.needsRepair()) await this.#hooks.repair().catch((error) => this.#cannotRepair(error));
    else await this.#alone.shift()!.run();
    return true;
  }

  get #mustBeAlone(): boolean {
    return this.#alone.length > 0 || this.#hooks.needsRepair();
  }

  async #cannotRepair(error: unknown): Promise<void> {
    this.#rejectAll(error);
    await sleep(PAUSE_MS);
  }

  #gather(): void {
    if (this.#items.length === 0 || (this.#open === null && this.#mustBeAlone)) return;
    const turn = (this.#open ??= { batch: this.#hooks.open(), items: [], told: [] });
    const room = (this.#apart > 0 ? 1 : BATCH_LIMIT) - turn.items.length;
    for (const item of room > 0 ? this.#items.splice(0, room) : []) {
      if (this.#apart > 0) this.#apart--;
      try {
        turn.told.push(item.apply(turn.batch));
      } catch (error) {
        turn.told.push(() => item.reject(error)); // what it was refused for may not have come true yet
      }
      turn.items.push(item);
    }
  }

  #send(before: Sent<Batch> | null): boolean {
    const turn = this.#open ?? { batch: this.#hooks.open(), items: [], told: [] };
    this.#open = null;
    const flush = this.#hooks.send(turn.batch, before?.batch ?? null);
    if (flush === null) {
      for (const tell of turn.told) tell();
      return false;
    }
    const sent: Sent<Batch> = { ...turn, outcome: null };
    this.#sent = sent;
    void flush
      .then(
        () => (sent.outcome = 'committed'),
        (error: unknown) => (sent.outcome = { error }),
      )
      .then(() => this.wake());
    return true;
  }

  #commit({ batch, told }: Turn<Batch>): void {
    this.#hooks.commit(batch);
    for (const tell of told) tell();
  }

  /** Nothing of the batch came true, and what gathered meanwhile was built on it: both are taken back. */
  async #refused(error: unknown, sent: Sent<Batch>): Promise<boolean> {
    const built = this.#open;
    this.#takeBack(built, sent);
    this.#again = true;
    this.#items.unshift(...(built?.items ?? []));
    const verdict = await this.#hooks.refused(error, sent.batch, built?.batch ?? null).catch(() => 'no' as const);
    const isApart = verdict === 'apart' && sent.items.length > 1;
    const again = sent.items.filter((item) => (verdict === 'again' || isApart) && ++item.tries <= TRIES);
    if (isApart) this.#apart = again.length;
    this.#items.unshift(...again);
    const told = verdict === 'again' ? contended(error) : error;
    for (const item of sent.items) if (!again.includes(item)) item.reject(told);
    if (again.length === 0) await sleep(PAUSE_MS);
    return true;
  }

  #takeBack(...turns: (Turn<Batch> | null)[]): void {
    for (const turn of turns) if (turn !== null) this.#hooks.takeBack(turn.batch);
    this.#open = null;
    this.#sent = null;
  }

  #rejectAll(error: unknown): void {
    const open = this.#open;
    this.#takeBack(open);
    for (const item of [...(open?.items ?? []), ...this.#items.splice(0)]) item.reject(error);
    const stays = ({ offline }: Alone): boolean => offline && !this.#stopped;
    for (const work of this.#alone) if (!stays(work)) work.reject(error);
    this.#alone = this.#alone.filter(stays);
  }

  #setAlarm(): void {
    const at = this.#hooks.nextAt();
    if (at === Infinity || (this.#alarm !== null && this.#alarmAt === at)) return;
    if (this.#alarm !== null) clearTimeout(this.#alarm);
    this.#alarmAt = at;
    const ms = Math.min(Math.max(0, at - this.#hooks.clock.now()) + 1, 2 ** 31 - 1);
    this.#alarm = setTimeout(() => {
      this.#alarm = null;
      this.wake();
    }, ms);
  }
}

const contended = (cause: unknown): ColmeiaError =>
  new ColmeiaError('NOT_OWNER', 'another writer has the company just now', { retryAfterMs: 200, cause });
const stopping = (): ColmeiaError => new ColmeiaError('SHUTTING_DOWN', 'this process is stopping');
const immediate = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
