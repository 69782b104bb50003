import fs from 'node:fs/promises';
import path from 'node:path';

import type { Store } from '../../../platform/store/store.ts';
import { readStates } from './operation-store.ts';

/** What an operation has on disk while it runs: its id, with or without a word about what it is. */
const OF_OPERATION = /^(?:[a-z]+-)?([0-9a-z]{9,}-[0-9a-f]{12})$/;

/** Of an operation that is not known here: another hive may have its folders beside. */
const UNKNOWN_MS = 24 * 60 * 60_000;

/**
 * Removes what a killed process left of operations that nobody goes on with: rows of companies, and files with passwords. What lies
 * beside them stays. Missing folder: nothing to do.
 */
export async function sweepWorkFolder(store: Store, workFolder: string): Promise<void> {
  const names = await fs.readdir(workFolder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw error;
  });
  const found = names.flatMap((name) => {
    const id = OF_OPERATION.exec(name)?.[1];
    return id === undefined ? [] : [{ name, id }];
  });
  if (found.length === 0) return;
  // Asked after the look: whatever has a folder was kept before it.
  const states = await readStates(
    store,
    found.map(({ id }) => id),
  );
  for (const { name, id } of found) {
    const entry = path.join(workFolder, name);
    const state = states.get(id);
    const isLeft = state === undefined ? await isOld(entry) : !['running', 'undoing'].includes(state);
    if (isLeft) await fs.rm(entry, { recursive: true, force: true });
  }
}

async function isOld(entry: string): Promise<boolean> {
  const stats = await fs.lstat(entry).catch(() => null);
  return stats !== null && Date.now() - stats.mtimeMs > UNKNOWN_MS;
}
