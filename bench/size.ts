// What an installation takes on disk, all tools included, without Node itself.
import fs from 'node:fs';
import path from 'node:path';
import type { BenchContext } from './row.ts';
import { rounded } from './statistics.ts';

const MODULES = path.join(path.dirname(import.meta.dirname), 'node_modules');
/** The pinned Node and what fetches it. */
const NODE = /^node(-bin-.*|-linux-.*|-darwin-.*|-win-.*)?$/;
const LARGEST = 6;

export async function bench({ say, add }: BenchContext): Promise<void> {
  const packages = fs.readdirSync(MODULES).filter((name) => !NODE.test(name));
  const sizes = packages
    .map((name) => ({ name, ...sizeOf(path.join(MODULES, name)) }))
    .toSorted((a, b) => b.bytes - a.bytes);
  const total = (pick: 'bytes' | 'onDisk'): number => sizes.reduce((sum, size) => sum + size[pick], 0) / 1e6;
  const largest = sizes.slice(0, LARGEST).map(({ name, bytes }) => `${name} ${(bytes / 1e6).toFixed(0)}`);
  say(`  largest (MB): ${largest.join(', ')}`);
  add({ work: 'node_modules without node', value: rounded(total('bytes')), unit: 'MB', target: '<= 220' });
  add({ work: 'the same in blocks of the disk', value: rounded(total('onDisk')), unit: 'MB', target: null });
}

function sizeOf(file: string): { bytes: number; onDisk: number } {
  const { size, blocks, isDirectory } = describe(file);
  const sum = { bytes: isDirectory ? 0 : size, onDisk: blocks * 512 };
  if (!isDirectory) return sum;
  for (const name of fs.readdirSync(file)) {
    const inner = sizeOf(path.join(file, name));
    sum.bytes += inner.bytes;
    sum.onDisk += inner.onDisk;
  }
  return sum;
}

function describe(file: string): { size: number; blocks: number; isDirectory: boolean } {
  const stat = fs.lstatSync(file);
  return { size: stat.size, blocks: stat.blocks, isDirectory: stat.isDirectory() };
}
