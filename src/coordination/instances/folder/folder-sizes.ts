import fs from 'node:fs/promises';
import path from 'node:path';
import type { Clock } from '../../../platform/clock.ts';

export type FolderSize = { count: number; bytes: number };

/** For so long a size is told again, ms. */
const FRESH_MS = 5_000;
const REMEMBERED = 1_000;

/** What folders take up, walked at most every five seconds each, however many ask. */
export class FolderSizes {
  readonly #clock: Clock;
  readonly #walks = new Map<string, { at: number; size: Promise<FolderSize> }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  of(folder: string): Promise<FolderSize> {
    const now = this.#clock.now();
    const known = this.#walks.get(folder);
    if (known !== undefined && Math.abs(now - known.at) < FRESH_MS) return known.size;
    this.#walks.delete(folder);
    if (this.#walks.size >= REMEMBERED) this.#walks.delete(this.#walks.keys().next().value!);
    const size = measureFiles(folder);
    this.#walks.set(folder, { at: now, size });
    return size;
  }
}

/** Files and their bytes; links are counted as themselves. */
export async function measureFiles(folder: string): Promise<{ count: number; bytes: number }> {
  const measured = { count: 0, bytes: 0 };
  const entries = await fs.readdir(folder, { withFileTypes: true, recursive: true }).catch(() => []);
  for (const entry of entries) {
    if (entry.isDirectory()) continue;
    const stats = await fs.lstat(path.join(entry.parentPath, entry.name)).catch(() => null);
    measured.count++;
    measured.bytes += stats?.size ?? 0;
  }
  return measured;
}
