import fs from 'node:fs';
import path from 'node:path';
import { Worker } from 'node:worker_threads';

import { isColmeiaError } from '../../../../platform/errors.ts';
import { type DataFolderLock, lockDataFolder } from '../../../../platform/store/data-folder-lock.ts';
import { type Row } from '../../../../platform/store/store.ts';
import { COMPANY_SEED_FILE } from '../../../../platform/store/seed.ts';
import { companyFull, companyUnavailable } from '../unavailable.ts';
import { type WorkerAnswer, type WorkerCall, type WorkerError, type WorkerStart } from './worker-messages.ts';

const WORKER = new URL(
  import.meta.url.endsWith('.ts') ? './company-worker.ts' : './company-worker.js',
  import.meta.url,
);
/** SQLSTATEs of files that are gone, unreadable or damaged: what the session still holds of them is of no use. */
const FILES_BROKEN = /^(58...|XX00[12])$/;
const OPEN_DEADLINE_MS = 30_000;
const CLOSE_DEADLINE_MS = 10_000;
const SHARED_BUFFERS_MB = 8;

export type EmbeddedDatabaseOptions = {
  /** For messages: whose it is at the moment. */
  whose: () => string;
  /** Holds the lock and, in `database`, PostgreSQL's own folder. Made when missing. */
  folder: string;
  parts: WorkerStart['parts'];
};

type Waiting = { resolve: (value: WorkerAnswer['value']) => void; reject: (error: Error) => void };

/** The folder of PostgreSQL within a company's. */
export const databaseFolder = (folder: string): string => path.join(folder, 'database');

/**
 * One PGlite folder, open in a thread of its own. A call that is not answered by its deadline ends the thread; so does a crash. The
 * database is of no use after that (`isOpen`), and is opened anew, without any loss of what was committed.
 */
export class EmbeddedDatabase {
  readonly #whose: () => string;
  readonly #worker: Worker;
  readonly #lock: DataFolderLock;
  #waiting: Waiting | null = null;
  /** The end of the queue of calls: there is one connection. */
  #tail: Promise<unknown> = Promise.resolve();
  #ended: Error | null = null;

  private constructor({ whose, folder, parts }: EmbeddedDatabaseOptions) {
    this.#whose = whose;
    fs.mkdirSync(folder, { recursive: true, mode: 0o700 });
    this.#lock = lockDataFolder(folder);
    const workerData: WorkerStart = {
      folder: databaseFolder(folder),
      seedFile: COMPANY_SEED_FILE,
      sharedBuffersMb: SHARED_BUFFERS_MB,
      parts,
    };
    this.#worker = new Worker(WORKER, {
      workerData,
      env: {}, // nothing of ours is a company's business
      execArgv: ['--disable-warning=ExperimentalWarning'],
      resourceLimits: { maxYoungGenerationSizeMb: 4 },
    });
    this.#worker.on('message', (answer: WorkerAnswer) => this.#settle(answer));
    this.#worker.on('error', (error) =>
      this.#end(companyUnavailable(whose(), `its thread broke: ${error.message}`, error)),
    );
    this.#worker.on('exit', () => this.#end(companyUnavailable(whose(), 'its thread ended')));
  }

  /** Throws DATA_FOLDER_LOCKED while another process has it. */
  static async open(options: EmbeddedDatabaseOptions): Promise<EmbeddedDatabase> {
    const database = new EmbeddedDatabase(options);
    try {
      await database.#answer(OPEN_DEADLINE_MS);
    } catch (error) {
      await database.kill();
      throw error;
    }
    return database;
  }

  get isOpen(): boolean {
    return this.#ended === null;
  }

  script(text: string, deadlineMs: number): Promise<string> {
    const kind = text.startsWith('begin') ? 'begin' : 'script';
    return this.#ask({ kind, text }, deadlineMs) as Promise<string>;
  }

  query(role: string | null, text: string, values: readonly unknown[], deadlineMs: number): Promise<Row[]> {
    return this.#ask({ kind: 'query', role, text, values }, deadlineMs) as Promise<Row[]>;
  }

  async run(role: string, text: string, deadlineMs: number): Promise<void> {
    await this.#ask({ kind: 'run', role, text }, deadlineMs);
  }

  async copyTo(folder: string, deadlineMs: number): Promise<void> {
    await this.#ask({ kind: 'copy', to: folder }, deadlineMs);
  }

  /** A clean end; a thread that does not come to it is ended, and recovers at the next opening. */
  async close(): Promise<void> {
    if (this.isOpen) await this.#ask({ kind: 'close' }, CLOSE_DEADLINE_MS).catch(() => undefined);
    await this.kill();
  }

  async kill(): Promise<void> {
    this.#end(companyUnavailable(this.#whose(), 'it is closed'));
    await this.#worker.terminate();
    this.#lock.release();
  }

  #ask(call: WorkerCall, deadlineMs: number): Promise<WorkerAnswer['value']> {
    const turn = this.#tail.then(() => {
      if (this.#ended !== null) throw this.#ended;
      const answer = this.#answer(deadlineMs);
      this.#worker.postMessage(call);
      return answer;
    });
    this.#tail = turn.catch(() => undefined);
    return turn;
  }

  #answer(deadlineMs: number): Promise<WorkerAnswer['value']> {
    return new Promise((resolve, reject) => {
      const late = (): void => this.#end(companyUnavailable(this.#whose(), `it did not answer in ${deadlineMs} ms`));
      const timer = setTimeout(late, deadlineMs);
      const done =
        <T>(settle: (value: T) => void) =>
        (value: T): void => {
          clearTimeout(timer);
          settle(value);
        };
      this.#waiting = { resolve: done(resolve), reject: done(reject) };
    });
  }

  #settle({ value, error }: WorkerAnswer): void {
    const waiting = this.#waiting;
    this.#waiting = null;
    if (error === null) return waiting?.resolve(value);
    const found = this.#errorOf(error);
    if (isColmeiaError(found, 'STORE_UNAVAILABLE')) this.#end(found);
    waiting?.reject(found);
  }

  #errorOf({ name, message, fields, crash, full }: WorkerError): Error {
    const error = Object.assign(new Error(message), { name, ...fields });
    if (full || ['53100', 'ENOSPC', 'EDQUOT'].includes(String(fields.code))) return companyFull(this.#whose(), error);
    const isBroken = crash || FILES_BROKEN.test(String(fields.code));
    return isBroken ? companyUnavailable(this.#whose(), message, error) : error;
  }

  /** From now on every call fails with `why`. */
  #end(why: Error): void {
    const waiting = this.#waiting;
    this.#waiting = null;
    if (this.#ended === null) {
      this.#ended = why;
      void this.#worker.terminate();
    }
    waiting?.reject(this.#ended);
  }
}
