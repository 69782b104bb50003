import { watch, type FSWatcher } from 'node:fs';
import fs from 'node:fs/promises';
import path from 'node:path';
import { folderStamp, isCurrent, watchedPlaces, type FolderStamp } from '../folder/folder-stamp.ts';

export type FolderWatchOptions = {
  /** A file of the company may have changed; called often, from a watcher or after a comparison. */
  onChange: (name: string) => void;
  /** Why the folder of a company is compared instead of watched. */
  onFallback: (name: string, error: unknown) => void;
  /** Between comparisons of folders that cannot be watched. Default 5,000. */
  compareMs?: number;
  /** Default: that of Node. */
  watch?: typeof watch;
};

type Watched = {
  folder: string;
  /** By place. `mark` tells a folder from one that was made in its place later. */
  watchers: Map<string, { watcher: FSWatcher; mark: string }>;
  /** Compared instead of watched. */
  isCompared: boolean;
  /** What it is compared with; null = not looked at yet. */
  stamp: FolderStamp | null;
};
/** A folder that holds folders of companies, which come and go. */
type Parent = { watcher: FSWatcher | null; names: Map<string, string> };

/** Names of files that are read, and of folders; not drafts, logs or whatever else a component writes. */
const RELEVANT = /^(\.env|[^.]+|[^.].*\.(json|sql))$/;

/**
 * Watches the folders of companies. Only folders whose files are read have a watcher: the recursive one of Node reads the whole
 * tree and, on Linux, watches each file in it. Where the system has no watcher left, folders are compared every few seconds.
 */
export class FolderWatch {
  readonly #options: FolderWatchOptions;
  readonly #watched = new Map<string, Watched>();
  readonly #parents = new Map<string, Parent>();
  readonly #following = new Map<string, Promise<void>>();
  #timer: NodeJS.Timeout | null = null;
  #comparing: Promise<void> = Promise.resolve();
  #stopped = false;

  constructor(options: FolderWatchOptions) {
    this.#options = options;
  }

  /** Watches the folder as it is now; to be called before each reading, as folders in it come and go. */
  follow(name: string, folder: string): Promise<void> {
    const underWay = this.#following.get(name);
    if (underWay !== undefined) return underWay;
    const following = this.#follow(name, folder).finally(() => this.#following.delete(name));
    this.#following.set(name, following);
    return following;
  }

  forget(name: string): void {
    const watched = this.#watched.get(name);
    if (watched === undefined) return;
    for (const { watcher } of watched.watchers.values()) watcher.close();
    this.#watched.delete(name);
    const place = path.dirname(watched.folder);
    const parent = this.#parents.get(place);
    parent?.names.delete(path.basename(watched.folder));
    if (parent?.names.size !== 0) return;
    parent.watcher?.close();
    this.#parents.delete(place);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    for (const name of [...this.#watched.keys()]) this.forget(name);
    await this.#comparing;
  }

  async #follow(name: string, folder: string): Promise<void> {
    const places = new Map<string, string>();
    for (const place of await watchedPlaces(folder)) {
      const stats = await fs.stat(place).catch(() => null);
      if (stats !== null) places.set(place, `${stats.ino} ${stats.birthtimeMs}`);
    }
    if (this.#stopped) return;
    if (this.#watched.get(name)?.folder !== folder) this.forget(name);
    const watched = this.#watched.get(name) ?? {
      folder,
      watchers: new Map() as Watched['watchers'],
      isCompared: false,
      stamp: null,
    };
    this.#watched.set(name, watched);
    this.#followParent(name, folder);
    for (const [place, { watcher, mark }] of watched.watchers) {
      if (places.get(place) === mark) continue;
      watcher.close();
      watched.watchers.delete(place);
    }
    for (const [place, mark] of places) {
      if (watched.watchers.has(place)) continue;
      const drop = (): void => void watched.watchers.delete(place);
      const watcher = this.#watch(place, (file) => this.#on(name, file), [name], drop);
      if (watcher !== null) watched.watchers.set(place, { watcher, mark });
    }
  }

  #followParent(name: string, folder: string): void {
    const place = path.dirname(folder);
    const parent = this.#parents.get(place) ?? { watcher: null, names: new Map<string, string>() };
    this.#parents.set(place, parent);
    parent.names.set(path.basename(folder), name);
    parent.watcher ??= this.#watch(
      place,
      (file) => {
        const changed = file === null ? [...parent.names.values()] : [parent.names.get(file)];
        for (const one of changed) if (one !== undefined) this.#options.onChange(one);
      },
      parent.names.values(),
      () => (parent.watcher = null),
    );
  }

  #on(name: string, file: string | null): void {
    if (file === null || RELEVANT.test(file)) this.#options.onChange(name);
  }

  /** null = there is no watcher: what is not there is told by the folder above it when it comes, else it is compared. */
  #watch(
    place: string,
    on: (file: string | null) => void,
    names: Iterable<string>,
    drop: () => void,
  ): FSWatcher | null {
    try {
      const watcher = (this.#options.watch ?? watch)(place, { persistent: false }, (_, file) => on(file));
      watcher.on('error', (error) => {
        watcher.close();
        drop();
        this.#fallBack(names, error);
      });
      return watcher;
    } catch (error) {
      const isAbsent = ['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '');
      if (!isAbsent) this.#fallBack(names, error);
      return null;
    }
  }

  #fallBack(names: Iterable<string>, error: unknown): void {
    for (const name of names) {
      const watched = this.#watched.get(name);
      if (this.#stopped || watched === undefined || watched.isCompared) continue;
      watched.isCompared = true;
      this.#options.onFallback(name, error);
      this.#options.onChange(name); // what happened in between
      this.#timer ??= this.#later();
    }
  }

  #later(): NodeJS.Timeout {
    return setTimeout(() => {
      this.#comparing = this.#compareAll();
    }, this.#options.compareMs ?? 5_000).unref();
  }

  async #compareAll(): Promise<void> {
    for (const [name, watched] of [...this.#watched]) {
      if (this.#stopped) return;
      if (!watched.isCompared || (watched.stamp !== null && (await isCurrent(watched.stamp)))) continue;
      if (watched.stamp !== null) this.#options.onChange(name);
      watched.stamp = await folderStamp(watched.folder);
    }
    if (!this.#stopped) this.#timer = this.#later();
  }
}
