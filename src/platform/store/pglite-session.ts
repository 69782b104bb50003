import { PGlite } from '@electric-sql/pglite';
import { EmscriptenBuiltinFilesystem } from '@electric-sql/pglite/basefs';

import { DurableFs } from './durable-fs.ts';
import { loadSeed } from './seed.ts';
import { encodeValue } from './sql-values.ts';
import { type Row } from './store.ts';
import { type Session } from './transaction.ts';
import {
  type Answer,
  closePrepared,
  type Column,
  describePrepared,
  executePrepared,
  parameterQuery,
  prepare,
  readAnswer,
  simpleQuery,
  SqlError,
} from './wire.ts';

/**
 * PostgreSQL died inside of its WASM, or said PANIC, after which PGlite would go on into an endless loop. The session is of no
 * use any more.
 */
export class PgliteCrash extends Error {
  readonly diskFull: boolean;

  constructor(reason: string, diskFull: boolean, cause: unknown) {
    super(reason, { cause });
    this.name = 'PgliteCrash';
    this.diskFull = diskFull;
  }
}

/** The seed in memory, for tests: nothing is kept. */
class MemoryFs extends EmscriptenBuiltinFilesystem {
  override async initialSyncFs(): Promise<void> {
    const { FS } = this.pg!.Module;
    FS.mkdirTree(PGlite.paths.PGDATA, 0o700);
    for (const { path, content } of loadSeed().entries) {
      const target = `${PGlite.paths.PGDATA}/${path}`;
      if (content === null) FS.mkdir(target, 0o700);
      else FS.writeFile(target, new Uint8Array(content)); // a copy: of a Buffer, Emscripten keeps the very memory
    }
  }

  override async closeFs(): Promise<void> {
    (this.pg!.Module.FS as unknown as { quit(): void }).quit();
  }
}

export type PgliteOptions = {
  /** More settings of PostgreSQL. */
  settings?: Readonly<Record<string, string>>;
  /** PGlite's compiled program and its files, where several sessions of this process share them. */
  parts?: { module: object; files: Blob };
};

/** What makes PGlite durable and small. */
function startParams(durable: boolean, sharedBuffersMb: number, more: PgliteOptions['settings']): string[] {
  const settings: Record<string, string> = {
    shared_buffers: `${sharedBuffersMb}MB`,
    min_wal_size: '8MB',
    max_wal_size: '16MB',
    jit: 'off',
    log_startup_progress_interval: '0', // a timer that would keep the process alive for ten seconds after a recovery
    ...(durable ? { fsync: 'on', wal_sync_method: 'fsync' } : {}),
    ...more,
  };
  const defaults = PGlite.defaultStartParams.filter((parameter) => !durable || parameter !== '-F');
  return [...defaults, ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])];
}

/**
 * After a statement PostgreSQL sets an alarm of ten seconds for its statistics, which Emscripten makes a timer that keeps a
 * process from ending. PGlite runs the statement before it returns its promise, so this covers just that.
 */
function withoutHoldingTheProcess<T>(statement: () => Promise<T>): Promise<T> {
  const { setTimeout } = globalThis;
  const unreferenced = (...args: Parameters<typeof setTimeout>): NodeJS.Timeout => setTimeout(...args).unref();
  globalThis.setTimeout = unreferenced as typeof setTimeout;
  try {
    return statement();
  } finally {
    globalThis.setTimeout = setTimeout;
  }
}

/**
 * One PGlite and its single connection. Not for concurrent use: a statement blocks the thread, a transaction must not be
 * interleaved. Throws SqlError for errors of SQL and PgliteCrash, from then on always, when PostgreSQL itself has died.
 */
export class PgliteSession implements Session {
  readonly #pglite: PGlite;
  readonly #fs: DurableFs | MemoryFs;
  readonly #lastWords: string[];
  #crash: PgliteCrash | null = null;

  private constructor(pglite: PGlite, fs: DurableFs | MemoryFs, lastWords: string[]) {
    this.#pglite = pglite;
    this.#fs = fs;
    this.#lastWords = lastWords;
  }

  /** `folder` is the database's own folder, which exists; null = a copy of the seed in memory. */
  static async open(
    folder: string | null,
    sharedBuffersMb: number,
    options: PgliteOptions = {},
  ): Promise<PgliteSession> {
    const fs = folder === null ? new MemoryFs() : new DurableFs(folder);
    const lastWords: string[] = [];
    const onStderr = (line: string): boolean => {
      lastWords.push(line);
      if (lastWords.length > 20) lastWords.shift();
      return false;
    };
    const shared = options.parts && { pgliteWasmModule: options.parts.module, fsBundle: options.parts.files };
    const pglite = new PGlite({
      fs,
      startParams: startParams(folder !== null, sharedBuffersMb, options.settings),
      onStderr,
      ...shared,
    });
    const session = new PgliteSession(pglite, fs, lastWords);
    await session.#guard(async () => {
      await pglite.waitReady;
      await fs.syncToFs();
    });
    return session;
  }

  async script(text: string): Promise<string> {
    return (await this.#ask(simpleQuery(text))).tag;
  }

  async query(text: string, values: readonly unknown[]): Promise<Row[]> {
    return (await this.#ask(parameterQuery(text, values.map(encodeValue)))).rows;
  }

  async prepare(name: string, text: string): Promise<void> {
    await this.#ask(prepare(name, text));
  }

  /** The columns that a prepared statement will answer with; none when it answers without rows. */
  async describe(name: string): Promise<Column[]> {
    return (await this.#ask(describePrepared(name))).columns;
  }

  async unprepare(name: string): Promise<void> {
    await this.#ask(closePrepared(name));
  }

  /** Runs a prepared statement as a transaction of its own, in one entry into WASM; gives the first column as text. */
  async execute(name: string, values: readonly (string | null)[]): Promise<string | null> {
    return (await this.#ask(executePrepared(name, values))).first;
  }

  async close(): Promise<void> {
    const { exitCode } = process;
    try {
      await this.#pglite.close();
    } finally {
      process.exitCode = exitCode; // Emscripten's exit sets it
    }
  }

  #ask(message: Uint8Array): Promise<Answer> {
    return this.#guard(async () => {
      const bytes = await withoutHoldingTheProcess(() => this.#pglite.execProtocolRaw(message, { syncToFs: false }));
      return readAnswer(bytes);
    });
  }

  async #guard<T>(work: () => Promise<T>): Promise<T> {
    if (this.#crash !== null) throw this.#crash;
    const { exitCode } = process;
    try {
      return await work();
    } catch (error) {
      if (error instanceof SqlError && error.severity !== 'PANIC' && error.severity !== 'FATAL') throw error;
      process.exitCode = exitCode; // Emscripten's abort sets it
      const diskFull = this.#fs instanceof DurableFs && this.#fs.diskFull;
      this.#crash = new PgliteCrash(this.#reason(error), diskFull, error);
      await this.#abandon();
      throw this.#crash;
    }
  }

  #reason(error: unknown): string {
    if (error instanceof SqlError) return error.message;
    const fatal = this.#lastWords.findLast((line) => /\b(PANIC|FATAL):/.test(line));
    return fatal?.replace(/^.*\b(PANIC|FATAL):\s*/, '') ?? (error instanceof Error ? error.message : String(error));
  }

  /** Gives the host's files back without a clean end: writing what the dead server held in memory could do harm. */
  async #abandon(): Promise<void> {
    try {
      await this.#fs.closeFs();
    } catch {
      // it died before it had files
    }
  }
}
