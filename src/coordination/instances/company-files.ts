import fs from 'node:fs/promises';
import { ColmeiaError } from '../../platform/errors.ts';
import { measureFiles } from './folder/folder-sizes.ts';
import { instanceFolder } from './folder/instance-folder.ts';
import { layOutFolder } from './folder/lay-out-folder.ts';
import { readFolder, type FolderReading } from './folder/read-folder.ts';
import type { KeptInstance, NewRow } from './instance-store.ts';
import type { InstanceParts } from './instance-parts.ts';

type Files = Pick<InstanceParts, 'instancesFolder'>;

/** Where the files of a company are; null = companies have none here. */
export function folderOf(
  { instancesFolder }: Files,
  { name, folder }: Pick<KeptInstance, 'name' | 'folder'>,
): string | null {
  return instancesFolder === null ? null : instanceFolder(instancesFolder, name, folder);
}

export async function readFiles(
  files: Files,
  kept: Pick<KeptInstance, 'name' | 'folder'>,
): Promise<FolderReading | null> {
  const folder = folderOf(files, kept);
  return folder === null ? null : readFolder(folder);
}

/** Throws INSTANCE_EXISTS (`refuse`), STORE_FULL. Nothing happens where companies have no files. */
export async function layOutFiles(
  { instancesFolder }: Files,
  row: NewRow,
  ifExists: 'refuse' | 'complete',
): Promise<void> {
  if (instancesFolder === null) return;
  const { name, folder, template, tier, strategy, budgetUsd } = row;
  const values = { display_name: name, strategy, tier, template, budget_usd: budgetUsd, locale: 'en' };
  try {
    await layOutFolder({ instancesFolder, name, folder, template, values, ifExists });
  } catch (error) {
    throw explained(error, 'the files of the company');
  }
}

/** Whether there is anything in the place of the company's files. */
export async function hasFiles(files: Files, kept: Pick<KeptInstance, 'name' | 'folder'>): Promise<boolean> {
  const folder = folderOf(files, kept);
  return folder !== null && (await fs.lstat(folder).catch(() => null)) !== null;
}

/** Answers how many files went; 0 = there were none. A link is taken away, never what it leads to. */
export async function removeFiles(files: Files, kept: Pick<KeptInstance, 'name' | 'folder'>): Promise<number> {
  const folder = folderOf(files, kept);
  if (folder === null || !(await hasFiles(files, kept))) return 0;
  const { count } = await measureFiles(folder);
  await fs.rm(folder, { recursive: true, force: true });
  return count;
}

/** The files of a company that lie under its name go along with a new one; those in a folder of the user's choice stay. */
export async function moveFiles(files: Files, from: Pick<KeptInstance, 'name' | 'folder'>, to: string): Promise<void> {
  const source = folderOf(files, from);
  if (source === null || from.folder !== null || !(await hasFiles(files, from))) return;
  await fs.rename(source, instanceFolder(files.instancesFolder!, to));
}

function explained(error: unknown, what: string): unknown {
  const { code } = error as NodeJS.ErrnoException;
  if (code === 'ENOSPC' || code === 'EDQUOT')
    return new ColmeiaError('STORE_FULL', `the disk of ${what} is full`, { retryAfterMs: 1_000, cause: error });
  return error;
}
