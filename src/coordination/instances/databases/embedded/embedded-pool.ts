import fs from 'node:fs';
import path from 'node:path';

import { companyUnavailable } from '../unavailable.ts';
import { databaseFolder, EmbeddedDatabase } from './embedded-database.ts';
import { pgliteParts } from './pglite-parts.ts';

export type EmbeddedPoolOptions = {
  /** Holds a folder for each database. */
  root: string;
  /** Most that are open at once; each takes memory (docs/instances.md). Default 50. */
  maxOpen?: number;
  /** Closed after this time without use. Default 60,000. */
  idleMs?: number;
  /** Longest wait for a turn, and for one of the open ones to become free. Default 30,000. */
  waitMs?: number;
};

type Entry = {
  name: string;
  /** null = closed. */
  database: EmbeddedDatabase | null;
  /** It is being removed: not to be opened again. */
  isEnded: boolean;
  /** It counts as open from the moment it begins to open until it has closed. */
  isCounted: boolean;
  users: number;
  lastUse: number;
  tail: Promise<unknown>;
  idle: NodeJS.Timeout | undefined;
};

/** The PGlite folders of this process: open while they are used, each for one caller at a time. */
export class EmbeddedPool {
  readonly #root: string;
  readonly #maxOpen: number;
  readonly #idleMs: number;
  readonly #waitMs: number;
  readonly #entries = new Map<string, Entry>();
  /** Who waits for one of the open databases to close. */
  readonly #waiters: (() => void)[] = [];
  #closed = false;

  constructor(options: EmbeddedPoolOptions) {
    this.#root = options.root;
    this.#maxOpen = options.maxOpen ?? 50;
    this.#idleMs = options.idleMs ?? 60_000;
    this.#waitMs = options.waitMs ?? 30_000;
  }

  folder(name: string): string {
    return path.join(this.#root, name);
  }

  /** True when the database is there, open or not. */
  exists(name: string): boolean {
    return fs.existsSync(databaseFolder(this.folder(name)));
  }

  get openCount(): number {
    return [...this.#entries.values()].filter(({ isCounted }) => isCounted).length;
  }

  /** Runs `work` alone on the database, opened when it is not. `create`: made when it is not there. */
  async use<T>(
    name: string,
    work: (database: EmbeddedDatabase) => Promise<T>,
    options: { create?: boolean } = {},
  ): Promise<T> {
    this.#assertOpen(name);
    const entry = this.#entryOf(name);
    entry.users++;
    clearTimeout(entry.idle);
    const before = entry.tail;
    let release = (): void => undefined;
    entry.tail = before.then(() => new Promise<void>((resolve) => (release = resolve)));
    const deadline = performance.now() + this.#waitMs;
    try {
      await this.#within(deadline, name, before);
      return await work(await this.#open(entry, deadline, options.create === true));
    } finally {
      void before.then(() => release()); // in its turn, also when it gave up waiting for that
      this.#leave(entry);
    }
  }

  /** Ends whatever runs on the database and removes its folder. */
  async remove(name: string): Promise<void> {
    const entry = this.#entryOf(name);
    entry.isEnded = true;
    clearTimeout(entry.idle);
    await entry.database?.kill();
    await entry.tail;
    await this.#close(entry);
    fs.rmSync(this.folder(name), { recursive: true, force: true });
    this.#forget(entry);
  }

  /** Closes it when it is open, so that its folder may be replaced by `work`; nobody opens it meanwhile. */
  async replace(name: string, work: (folder: string) => Promise<void>): Promise<void> {
    this.#assertOpen(name);
    const entry = this.#entryOf(name);
    entry.users++;
    const turn = entry.tail.then(async () => {
      await this.#close(entry);
      fs.mkdirSync(this.folder(name), { recursive: true, mode: 0o700 });
      await work(databaseFolder(this.folder(name)));
    });
    entry.tail = turn.catch(() => undefined);
    try {
      await turn;
    } finally {
      this.#leave(entry);
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const wake of this.#waiters.splice(0)) wake();
    await Promise.all(
      [...this.#entries.values()].map(async (entry) => {
        clearTimeout(entry.idle);
        await entry.tail;
        await this.#close(entry);
      }),
    );
  }

  #entryOf(name: string): Entry {
    let entry = this.#entries.get(name);
    if (entry === undefined) {
      const tail = Promise.resolve();
      entry = { name, database: null, isEnded: false, isCounted: false, users: 0, lastUse: 0, tail, idle: undefined };
      this.#entries.set(name, entry);
    }
    return entry;
  }

  #leave(entry: Entry): void {
    entry.users--;
    entry.lastUse = performance.now();
    if (entry.users > 0 || this.#closed) return;
    if (!entry.isCounted) return this.#forget(entry);
    if (this.#waiters.length > 0) return void this.#makeRoom();
    entry.idle = setTimeout(() => void this.#closeIdle(entry), this.#idleMs);
    entry.idle.unref();
  }

  async #open(entry: Entry, deadline: number, create: boolean): Promise<EmbeddedDatabase> {
    if (entry.isEnded) throw companyUnavailable(entry.name, 'it is being removed');
    if (entry.database?.isOpen === true) return entry.database;
    await this.#close(entry);
    if (!create && !this.exists(entry.name)) throw companyUnavailable(entry.name, 'it is not there');
    await this.#takeRoom(entry, deadline);
    try {
      const options = { whose: entry.name, folder: this.folder(entry.name), parts: await pgliteParts() };
      entry.database = await EmbeddedDatabase.open(options);
    } catch (error) {
      this.#freed(entry);
      throw error;
    }
    return entry.database;
  }

  /** Waits until fewer than the most are open; the one that was used longest ago is closed for it. */
  async #takeRoom(entry: Entry, deadline: number): Promise<void> {
    while (this.openCount >= this.#maxOpen) {
      let wake = (): void => undefined;
      const freed = new Promise<void>((resolve) => (wake = resolve));
      this.#waiters.push(wake);
      this.#makeRoom();
      try {
        await this.#within(deadline, entry.name, freed);
      } finally {
        const at = this.#waiters.indexOf(wake);
        if (at !== -1) this.#waiters.splice(at, 1); // else somebody else's turn would be lost on it
      }
      this.#assertOpen(entry.name);
    }
    entry.isCounted = true;
  }

  #makeRoom(): void {
    const unused = [...this.#entries.values()].filter(({ isCounted, users }) => isCounted && users === 0);
    const oldest = unused.sort((a, b) => a.lastUse - b.lastUse)[0];
    if (oldest !== undefined) void this.#closeIdle(oldest);
  }

  async #closeIdle(entry: Entry): Promise<void> {
    if (entry.users > 0) return;
    clearTimeout(entry.idle);
    const closing = entry.tail.then(() => this.#close(entry));
    entry.tail = closing.catch(() => undefined);
    await closing;
    if (entry.users === 0 && !entry.isCounted) this.#forget(entry);
  }

  #forget(entry: Entry): void {
    if (this.#entries.get(entry.name) === entry) this.#entries.delete(entry.name);
  }

  async #close(entry: Entry): Promise<void> {
    const { database } = entry;
    entry.database = null;
    await database?.close();
    if (database !== null) this.#freed(entry);
  }

  #freed(entry: Entry): void {
    entry.isCounted = false;
    this.#waiters.shift()?.();
  }

  async #within(deadline: number, name: string, awaited: Promise<unknown>): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      const why = companyUnavailable(name, `it was busy for ${this.#waitMs} ms`);
      timer = setTimeout(() => reject(why), Math.max(0, deadline - performance.now()));
    });
    try {
      await Promise.race([awaited, late]);
    } finally {
      clearTimeout(timer);
    }
  }

  #assertOpen(name: string): void {
    if (this.#closed) throw companyUnavailable(name, 'it is closed');
  }
}
