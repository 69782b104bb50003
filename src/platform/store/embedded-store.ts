import fs from 'node:fs';
import path from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';

import { ColmeiaError, type ErrorCode } from '../errors.ts';
import { type DataFolderLock, lockDataFolder } from './data-folder-lock.ts';
import { migrate, readMigrations } from './migrate.ts';
import { Notices } from './notices.ts';
import { PgliteCrash, PgliteSession } from './pglite-session.ts';
import { assertSeedFits, loadSeed, restoreSeed } from './seed.ts';
import { type Scope, type Sql, type Store } from './store.ts';
import { inTransaction } from './transaction.ts';

export type EmbeddedOptions = {
  /** Made when missing; null = in memory, for tests. One machine's own disk, never a shared one. */
  dataFolder: string | null;
  /** Default 16; 64 past 50,000 plans at rest. */
  sharedBuffersMb?: number;
  log?: (event: object, message: string) => void;
  /** Longest a transaction of `read` or `write` may hold the store. Default 30,000. */
  deadlineMs?: number;
};

/** PGlite never checkpoints by itself: after 600 MB of WAL a crash takes ten seconds to open again. */
const CHECKPOINT_WAL_BYTES = 8 * 1024 * 1024;
const CHECKPOINT_IDLE_MS = 60_000;
/** Asking for the WAL position costs as much as a small read, so it is asked now and then. */
const MEASURE_EVERY_CHANGES = 16;
const MEASURE_EVERY_BYTES = 256 * 1024;
const REOPEN_FIRST_MS = 500;
const REOPEN_LAST_MS = 15_000;

/** PGlite never analyzes, and plans are made while tables are empty: keep those of the flow on the keys. */
const PLANS = { enable_seqscan: 'off', enable_hashjoin: 'off', enable_mergejoin: 'off' };
const WAL_POSITION = `select pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')`;
const FLUSH_ARITY = `select pronargs as n from pg_proc where oid = 'colmeia_flush'::regproc`;

/**
 * PostgreSQL in this process. Throws DATA_FOLDER_LOCKED when another process has the folder, DATA_FOLDER_NEWER when a newer
 * version wrote it, STORE_FULL or STORE_UNAVAILABLE when it cannot be opened.
 */
export async function openEmbeddedStore(options: EmbeddedOptions): Promise<Store> {
  const { dataFolder } = options;
  if (dataFolder !== null) fs.mkdirSync(dataFolder, { recursive: true, mode: 0o700 });
  const lock = dataFolder === null ? null : lockDataFolder(dataFolder);
  try {
    const store = new EmbeddedStore(options, lock);
    await store.open();
    return store;
  } catch (error) {
    lock?.release();
    throw explain(error);
  }
}

/** What a caller is told about a failure of the database itself; errors of SQL pass as they are. */
function explain(error: unknown): unknown {
  const code = (error as { code?: string }).code;
  const full =
    error instanceof PgliteCrash ? error.diskFull : code === '53100' || code === 'ENOSPC' || code === 'EDQUOT';
  if (full) return failure('STORE_FULL', 'its disk is full', error);
  return error instanceof PgliteCrash ? failure('STORE_UNAVAILABLE', error.message, error) : error;
}

function failure(code: ErrorCode, reason: string, cause?: unknown): ColmeiaError {
  return new ColmeiaError(code, `The database is not available: ${reason}.`, { retryAfterMs: 1000, cause });
}

class EmbeddedStore implements Store {
  readonly tier = 'embedded';
  readonly #folder: string | null;
  readonly #sharedBuffersMb: number;
  readonly #deadlineMs: number;
  readonly #log: (event: object, message: string) => void;
  readonly #lock: DataFolderLock | null;
  readonly #notices = new Notices();
  readonly #watchers: ((unavailable: string | null) => void)[] = [];

  #session: PgliteSession | null = null;
  #flushArity = 0;
  #closed = false;
  /** The end of the queue: everything runs in turn, because there is one connection. */
  #tail: Promise<unknown> = Promise.resolve();

  #away: ColmeiaError | null = null;
  #reopenDelayMs = REOPEN_FIRST_MS;
  #reopenAt = 0;
  #reopenTimer: NodeJS.Timeout | undefined;

  #changes = 0;
  #unmeasuredBytes = 0;
  #walAtCheckpoint = 0;
  #checkpointTimer: NodeJS.Timeout | undefined;

  constructor(options: EmbeddedOptions, lock: DataFolderLock | null) {
    this.#folder = options.dataFolder === null ? null : path.join(options.dataFolder, 'database');
    this.#sharedBuffersMb = options.sharedBuffersMb ?? 16;
    this.#deadlineMs = options.deadlineMs ?? 30_000;
    this.#log = options.log ?? (() => undefined);
    this.#lock = lock;
  }

  async open(): Promise<void> {
    const migrations = readMigrations();
    const isNew = this.#folder === null || !fs.existsSync(this.#folder);
    if (isNew) {
      const seed = loadSeed();
      assertSeedFits(seed, migrations);
      if (this.#folder !== null) await restoreSeed(seed, this.#folder);
    }
    const session = await PgliteSession.open(this.#folder, this.#sharedBuffersMb, { settings: PLANS });
    try {
      const applied = await migrate(session, migrations);
      if (applied > 0) this.#log({ applied }, 'database migrated');
      if (isNew) await session.query('update instance set created_at = now()', []); // not when the seed was built
      const [flush] = await session.query(FLUSH_ARITY, []);
      this.#flushArity = Number(flush!.n);
      const parameters = Array.from({ length: this.#flushArity }, (_, i) => `$${i + 1}`);
      await session.prepare('flush', `select colmeia_flush(${parameters.join(',')})`);
      await session.prepare('wal', WAL_POSITION);
      this.#walAtCheckpoint = Number(await session.execute('wal', []));
    } catch (error) {
      if (!(error instanceof PgliteCrash)) await session.close();
      throw error;
    }
    this.#session = session;
  }

  read<T>(scope: Scope, work: (sql: Sql) => Promise<T>): Promise<T> {
    return this.#inTurn((session) => inTransaction(session, scope, 'read', work, { deadlineMs: this.#deadlineMs }));
  }

  write<T>(scope: Scope, work: (sql: Sql) => Promise<T>): Promise<T> {
    return this.#inTurn(async (session) => {
      const result = await inTransaction(session, scope, 'write', work, { deadlineMs: this.#deadlineMs });
      await this.#noteChange(session, 0);
      return result;
    });
  }

  flush(args: readonly string[]): Promise<void> {
    return this.#inTurn(async (session) => {
      if (args.length !== this.#flushArity) {
        throw new Error(`colmeia_flush takes ${this.#flushArity} arrays, not ${args.length}.`);
      }
      await session.execute('flush', args);
      let bytes = 0;
      for (const arg of args) bytes += arg.length;
      await this.#noteChange(session, bytes);
      await nextTurn(); // PGlite is synchronous: without this a busy writer never lets the event loop turn
    });
  }

  async notify(channel: string, payload: string): Promise<void> {
    this.#assertUsable();
    this.#notices.assertFits(payload);
    setImmediate(() => this.#notices.deliver(channel, payload));
  }

  async listen(channel: string, on: (payload: string) => void): Promise<() => void> {
    this.#assertUsable();
    return this.#notices.add(channel, on);
  }

  unavailable(): string | null {
    if (this.#closed) return 'it is closed';
    return this.#away === null ? null : this.#away.message;
  }

  onAvailability(on: (unavailable: string | null) => void): void {
    this.#watchers.push(on);
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#reopenTimer);
    clearTimeout(this.#checkpointTimer);
    const last = this.#tail.then(async () => {
      const session = this.#session;
      this.#session = null;
      try {
        await session?.script('checkpoint');
        await session?.close();
      } catch (error) {
        this.#log({ err: error }, 'database closed without a checkpoint'); // it recovers at the next start
      }
    });
    this.#tail = last;
    await last;
    this.#lock?.release();
  }

  /** Runs `work` after everything before it, whether that succeeded or not. */
  #inTurn<T>(work: (session: PgliteSession) => Promise<T>): Promise<T> {
    if (this.#closed) return Promise.reject(failure('STORE_UNAVAILABLE', 'it is closed'));
    const turn = this.#tail.then(async () => {
      const session = this.#session ?? (await this.#reopen());
      try {
        return await work(session);
      } catch (error) {
        throw this.#crashed(error) ?? explain(error);
      }
    });
    this.#tail = turn.catch(() => undefined);
    return turn;
  }

  #assertUsable(): void {
    if (this.#closed) throw failure('STORE_UNAVAILABLE', 'it is closed');
    if (this.#away !== null) throw this.#away;
  }

  /** When the session died: tells everyone, and tries again later. */
  #crashed(error: unknown): ColmeiaError | null {
    if (!(error instanceof PgliteCrash)) return null;
    this.#session = null;
    return this.#goAway(explain(error) as ColmeiaError);
  }

  #goAway(why: ColmeiaError): ColmeiaError {
    const isNew = this.#away === null;
    this.#away = why;
    this.#reopenAt = performance.now() + this.#reopenDelayMs;
    clearTimeout(this.#reopenTimer);
    this.#reopenTimer = setTimeout(
      () => void this.#inTurn(async () => undefined).catch(() => undefined),
      this.#reopenDelayMs,
    );
    this.#reopenTimer.unref();
    this.#reopenDelayMs = Math.min(this.#reopenDelayMs * 2, REOPEN_LAST_MS);
    if (isNew) {
      this.#log({ err: why }, 'database went away');
      for (const watch of this.#watchers) watch(why.message);
    }
    return why;
  }

  async #reopen(): Promise<PgliteSession> {
    const away = this.#away ?? failure('STORE_UNAVAILABLE', 'it is closed');
    if (performance.now() < this.#reopenAt) throw away;
    try {
      await this.open();
    } catch (error) {
      const why = explain(error);
      throw this.#goAway(why instanceof ColmeiaError ? why : failure('STORE_UNAVAILABLE', String(why), why));
    }
    clearTimeout(this.#reopenTimer);
    this.#reopenDelayMs = REOPEN_FIRST_MS;
    this.#away = null;
    this.#log({}, 'database is back');
    for (const watch of this.#watchers) watch(null);
    return this.#session!;
  }

  /** After a commit: nothing here may fail it. */
  async #noteChange(session: PgliteSession, bytes: number): Promise<void> {
    this.#changes++;
    this.#unmeasuredBytes += bytes;
    this.#checkpointTimer ??= setTimeout(() => this.#checkpointSoon(), CHECKPOINT_IDLE_MS).unref();
    if (this.#changes < MEASURE_EVERY_CHANGES && this.#unmeasuredBytes < MEASURE_EVERY_BYTES) return;
    this.#changes = 0;
    this.#unmeasuredBytes = 0;
    try {
      const wal = Number(await session.execute('wal', []));
      if (wal - this.#walAtCheckpoint >= CHECKPOINT_WAL_BYTES) this.#checkpointSoon();
    } catch (error) {
      this.#crashed(error);
    }
  }

  /** In turn, behind the commit that led to it: nobody waits for it who is done. */
  #checkpointSoon(): void {
    if (this.#closed) return;
    clearTimeout(this.#checkpointTimer);
    this.#checkpointTimer = undefined;
    this.#walAtCheckpoint = Number.POSITIVE_INFINITY; // no second one meanwhile
    const done = this.#inTurn(async (session) => {
      await session.script('checkpoint');
      this.#walAtCheckpoint = Number(await session.execute('wal', []));
    });
    done.catch((error: unknown) => {
      this.#walAtCheckpoint = 0; // try again at the next measure
      this.#log({ err: error }, 'checkpoint failed');
    });
  }
}
