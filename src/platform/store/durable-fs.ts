import fs from 'node:fs';
import path from 'node:path';

import { type PGlite } from '@electric-sql/pglite';
import { NodeFS } from '@electric-sql/pglite/nodefs';

type Stream = { nfd?: number; node: unknown };
type EmscriptenModule = {
  FS: { ErrnoError: new (errno: number) => Error };
  NODEFS: {
    stream_ops: Record<string, (...args: never[]) => unknown>;
    node_ops: Record<string, (...args: never[]) => unknown>;
    realPath(node: unknown): string;
    convertNodeCode(error: unknown): number;
  };
};
type InitOptions = Parameters<NodeFS['init']>[1];

/** Emscripten's numbers for EDQUOT and ENOSPC. */
const DISK_FULL = new Set([19, 51]);

/**
 * PGlite's file system on a folder of the host, with the fsync that PGlite leaves out: without it acknowledged rows are lost on
 * a power cut. Remembers whether the host said that the disk is full, because a panic does not tell why.
 */
export class DurableFs extends NodeFS {
  diskFull = false;

  override async init(pg: PGlite, options: InitOptions): ReturnType<NodeFS['init']> {
    const made = await super.init(pg, options);
    const hook = (module: unknown): void => this.#install(module as EmscriptenModule);
    (made.emscriptenOpts.preRun as ((module: unknown) => void)[]).push(hook);
    return made;
  }

  #install({ FS, NODEFS }: EmscriptenModule): void {
    const watch = (operations: Record<string, (...args: never[]) => unknown>, name: string): void => {
      const plain = operations[name]!;
      operations[name] = (...args) => {
        try {
          return plain(...args);
        } catch (error) {
          if (DISK_FULL.has((error as { errno?: number }).errno ?? 0)) this.diskFull = true;
          throw error;
        }
      };
    };
    NODEFS.stream_ops.fsync = (stream: Stream) => {
      try {
        if (stream.nfd === undefined) syncPath(NODEFS.realPath(stream.node));
        else fs.fdatasyncSync(stream.nfd);
      } catch (error) {
        throw new FS.ErrnoError(NODEFS.convertNodeCode(error));
      }
      return 0;
    };
    for (const name of ['fsync', 'write', 'open']) watch(NODEFS.stream_ops, name);
    for (const name of ['mknod', 'setattr', 'rename']) watch(NODEFS.node_ops, name);
  }
}

/** Makes a file's content, or a folder's entries, survive a power cut. */
export function syncPath(file: string): void {
  const fd = fs.openSync(file, 'r');
  try {
    fs.fsyncSync(fd);
  } finally {
    fs.closeSync(fd);
  }
}

/** How many files are synced at once: the disk writes what waits for it together, several times faster than one by one. */
const SYNCED_AT_ONCE = 16;

/** `syncPath` for a folder and everything in it. */
export async function syncTree(folder: string): Promise<void> {
  const entries = await fs.promises.readdir(folder, { recursive: true, withFileTypes: true });
  const files = [folder, ...entries.map(({ parentPath, name }) => path.join(parentPath, name))].values();
  const syncNext = async (): Promise<void> => {
    for (const file of files) {
      const handle = await fs.promises.open(file, 'r');
      await handle.sync().finally(() => handle.close());
    }
  };
  await Promise.all(Array.from({ length: SYNCED_AT_ONCE }, syncNext));
}
