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

/** One of its databases: the folder it lies in, and for messages whose it is. */
export type EmbeddedPlace = { folder: string; whose: string };

type Entry = {
  /** As the last caller said. */
  place: EmbeddedPlace;
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

  folder({ folder }: EmbeddedPlace): string {
    return path.join(this.#root, folder);
  }

  /** True when the database is there, open or not. */
  exists(place: EmbeddedPlace): boolean {
    return fs.existsSync(databaseFolder(this.folder(place)));
  }

  get openCount(): number {
    return [...this.#entries.values()].filter(({ isCounted }) => isCounted).length;
  }

  /** Runs `work` alone on the database, opened when it is not. `create`: made when it is not there. */
  async use<T>(
    place: EmbeddedPlace,
    work: (database: EmbeddedDatabase) => Promise<T>,
    options: { create?: boolean } = {},
  ): Promise<T> {
    this.#assertOpen(place);
    const entry = this.#entryOf(place);
    entry.users++;
    clearTimeout(entry.idle);
    const before = entry.tail;
    let release = (): void => undefined;
    entry.tail = before.then(() => new Promise<void>((resolve) => (release = resolve)));
    const deadline = performance.now() + this.#waitMs;
    try {
      await this.#within(deadline, entry, before);
      return await work(await this.#open(entry, deadline, options.create === true));
    } finally {
      void before.then(() => release()); // in its turn, also when it gave up waiting for that
      this.#leave(entry);
    }
  }

  /** Ends whatever runs on the database and removes its folder. */
  async remove(place: EmbeddedPlace): Promise<void> {
    const entry = this.#entryOf(place);
    entry.isEnded = true;
    clearTimeout(entry.idle);
    await entry.database?.kill();
    await entry.tail;
    await this.#close(entry);
    fs.rmSync(this.folder(place), { recursive: true, force: true });
    this.#forget(entry);
  }

  /** Closes it when it is open, so that its folder may be replaced by `work`; nobody opens it meanwhile. */
  async replace(place: EmbeddedPlace, work: (folder: string) => Promise<void>): Promise<void> {
    this.#assertOpen(place);
    const entry = this.#entryOf(place);
    entry.users++;
    const turn = entry.tail.then(async () => {
      await this.#close(entry);
      fs.mkdirSync(this.folder(place), { recursive: true, mode: 0o700 });
      await work(databaseFolder(this.folder(place)));
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

  #entryOf(place: EmbeddedPlace): Entry {
    let entry = this.#entries.get(place.folder);
    if (entry === undefined) {
      const tail = Promise.resolve();
      entry = { place, database: null, isEnded: false, isCounted: false, users: 0, lastUse: 0, tail, idle: undefined };
      this.#entries.set(place.folder, entry);
    }
    entry.place = place;
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
    if (entry.isEnded) throw companyUnavailable(entry.place.whose, 'it is being removed');
    if (entry.database?.isOpen === true) return entry.database;
    await this.#close(entry);
    if (!create && !this.exists(entry.place)) throw companyUnavailable(entry.place.whose, 'it is not there');
    await this.#takeRoom(entry, deadline);
    try {
      const options = { whose: () => entry.place.whose, folder: this.folder(entry.place), parts: await pgliteParts() };
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
        await this.#within(deadline, entry, freed);
      } finally {
        const at = this.#waiters.indexOf(wake);
        if (at !== -1) this.#waiters.splice(at, 1); // else somebody else's turn would be lost on it
      }
      this.#assertOpen(entry.place);
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
    const { folder } = entry.place;
    if (this.#entries.get(folder) === entry) this.#entries.delete(folder);
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

  async #within(deadline: number, { place }: Entry, awaited: Promise<unknown>): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      const why = companyUnavailable(place.whose, `it was busy for ${this.#waitMs} ms`);
      timer = setTimeout(() => reject(why), Math.max(0, deadline - performance.now()));
    });
    try {
      await Promise.race([awaited, late]);
    } finally {
      clearTimeout(timer);
    }
  }

  #assertOpen({ whose }: EmbeddedPlace): void {
    if (this.#closed) throw companyUnavailable(whose, 'it is closed');
  }
}
