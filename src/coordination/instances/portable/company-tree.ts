import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import fs from 'node:fs/promises';
import path from 'node:path';
import { ColmeiaError } from '../../../platform/errors.ts';
import { COMPANY_FILES, COMPANY_FOLDERS, insideOf } from '../folder/instance-folder.ts';

/** Files of a company that go along into a copy or an export, by their paths in its folder, with `/`. */
export type CompanyTree = {
  files: { path: string; bytes: number }[];
  /** What stays, as no copy of it could be the same: links, and what is fetched or made anew. */
  leftOut: string[];
};

/** Beside the folders; `.env` goes along with its names only. */
const CARRIED_FILES = [
  ...Object.keys(COMPANY_FILES).filter((name) => name !== '.env'),
  'config.example.json',
  'README.md',
];
const MADE_ANEW = ['node_modules', '.git'];
/** Of one company. */
const MOST_FILES = 100_000;

/** Sorted by path. Throws INSTANCE_INVALID for more files than a copy could bear. */
export async function listTree(folder: string): Promise<CompanyTree> {
  const tree: CompanyTree = { files: [], leftOut: [] };
  for (const name of CARRIED_FILES) await add(tree, folder, name);
  for (const name of COMPANY_FOLDERS) await addFolder(tree, folder, name);
  const order = (a: string, b: string): number => (a < b ? -1 : 1);
  tree.files.sort((a, b) => order(a.path, b.path));
  tree.leftOut.sort(order);
  return tree;
}

async function addFolder(tree: CompanyTree, folder: string, relative: string): Promise<void> {
  const stats = await fs.lstat(path.join(folder, relative)).catch(() => null);
  if (stats === null) return;
  if (!stats.isDirectory()) return void tree.leftOut.push(relative);
  for (const entry of await fs.readdir(path.join(folder, relative), { withFileTypes: true })) {
    const inside = `${relative}/${entry.name}`;
    if (MADE_ANEW.includes(entry.name)) tree.leftOut.push(inside);
    else if (entry.isDirectory()) await addFolder(tree, folder, inside);
    else await add(tree, folder, inside);
  }
}

async function add(tree: CompanyTree, folder: string, relative: string): Promise<void> {
  const stats = await fs.lstat(path.join(folder, relative)).catch(() => null);
  if (stats === null) return;
  if (!stats.isFile()) return void tree.leftOut.push(relative);
  tree.files.push({ path: relative, bytes: stats.size });
  if (tree.files.length > MOST_FILES)
    throw new ColmeiaError('INSTANCE_INVALID', `the folder of the company holds more than ${MOST_FILES} files`);
}

/** The bytes of a file of the tree; a link that took its place meanwhile is not followed. */
export async function* readTreeFile(folder: string, relative: string): AsyncIterable<Buffer> {
  const file = await insideOf(folder, relative);
  const handle = await fs.open(file, constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0));
  try {
    yield* handle.createReadStream({ autoClose: false }) as AsyncIterable<Buffer>;
  } finally {
    await handle.close();
  }
}

/** Whether a file of the tree may be executed. */
export async function isExecutable(folder: string, relative: string): Promise<boolean> {
  const { mode } = await fs.lstat(path.join(folder, relative));
  return (mode & 0o100) !== 0;
}

/** SHA-256 of every file of a tree, by path. */
export async function digestTree(
  folder: string,
  files: CompanyTree['files'],
  signal: AbortSignal,
): Promise<Map<string, string>> {
  const digests = new Map<string, string>();
  for (const { path: file } of files) {
    signal.throwIfAborted();
    const hash = createHash('sha256');
    for await (const chunk of readTreeFile(folder, file)) hash.update(chunk);
    digests.set(file, hash.digest('hex'));
  }
  return digests;
}
