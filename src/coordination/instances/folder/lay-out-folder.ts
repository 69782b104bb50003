import { randomUUID } from 'node:crypto';
import fs from 'node:fs/promises';
import path from 'node:path';
import { ColmeiaError } from '../../../platform/errors.ts';
import { INSTANCE_SCHEMAS, SCHEMA_NAMES } from './check-json-file.ts';
import { COMPANY_FOLDERS, instanceFolder, SCHEMAS_FOLDER } from './instance-folder.ts';
import { replaceFile, syncFolder, writeNewFile } from './replace-file.ts';
import { readTemplate, type TemplateFile, type TemplateValues } from './template.ts';

export type Layout = {
  /** Parent folder of all companies. */
  instancesFolder: string;
  name: string;
  /** null = `<instancesFolder>/<name>`. */
  folder: string | null;
  template: string;
  values: Omit<TemplateValues, 'schemas' | 'name'>;
  /** `refuse`: throws INSTANCE_EXISTS when there is one. `complete`: adds what is missing and changes nothing that is there. */
  ifExists: 'refuse' | 'complete';
};

/** What an unfinished layout is called until it is renamed; hidden, and no company can have such a name. */
const DRAFT = '.making-';
/** A draft that is older was left behind by a process that ended. */
const DRAFT_LIFE_MS = 10 * 60_000;

/**
 * Lays out the folder of a company from a template and resolves with its path. It is written beside and renamed: there is a
 * whole folder or none, whatever fails. Folders have mode 700, files 600. Throws INVALID_REQUEST for an unknown template,
 * INSTANCE_EXISTS, and INSTANCE_INVALID when there is something else in its place.
 */
export async function layOutFolder(layout: Layout): Promise<string> {
  const folder = instanceFolder(layout.instancesFolder, layout.name, layout.folder);
  const parent = path.dirname(folder);
  const schemas = path.relative(folder, path.join(layout.instancesFolder, SCHEMAS_FOLDER)).replaceAll('\\', '/');
  const files = await readTemplate(layout.template, { ...layout.values, name: layout.name, schemas });
  await makePrivateFolder(parent);
  await installSchemas(layout.instancesFolder);
  if (await isThere(folder)) {
    if (layout.ifExists === 'refuse') throw exists(layout.name);
    await completeFolder(folder, files);
    return folder;
  }
  await removeOldDrafts(parent);
  const draft = path.join(parent, `${DRAFT}${layout.name}-${randomUUID()}`);
  try {
    await writeFiles(draft, files);
    await fs.rename(draft, folder);
  } catch (error) {
    await fs.rm(draft, { recursive: true, force: true });
    // Another was first; a rename never replaces a folder that has something in it.
    const isTaken = ['ENOTEMPTY', 'EEXIST', 'EPERM'].includes((error as NodeJS.ErrnoException).code ?? '');
    if (!isTaken || !(await isThere(folder))) throw error;
    if (layout.ifExists === 'refuse') throw exists(layout.name);
    await completeFolder(folder, files);
  }
  await syncFolder(parent);
  return folder;
}

/** Copies the JSON Schemas to where `$schema` of the companies' files points, where they differ. */
export async function installSchemas(instancesFolder: string): Promise<void> {
  const target = path.join(instancesFolder, SCHEMAS_FOLDER);
  await makePrivateFolder(target);
  for (const name of SCHEMA_NAMES) {
    const file = `${name}.schema.json`;
    const text = await fs.readFile(path.join(INSTANCE_SCHEMAS, file), 'utf8');
    const installed = await fs.readFile(path.join(target, file), 'utf8').catch(() => null);
    if (installed !== text) await replaceFile(path.join(target, file), text);
  }
}

async function writeFiles(folder: string, files: readonly TemplateFile[]): Promise<void> {
  const folders = new Set<string>([...COMPANY_FOLDERS, ...files.map((file) => path.dirname(file.path))]);
  await makePrivateFolder(folder);
  for (const name of folders) await makePrivateFolder(path.join(folder, name));
  for (const file of files) await writeNewFile(path.join(folder, file.path), file.text, 0o600);
  for (const name of folders) await syncFolder(path.join(folder, name));
  await syncFolder(folder);
}

async function completeFolder(folder: string, files: readonly TemplateFile[]): Promise<void> {
  if (!(await fs.lstat(folder)).isDirectory()) {
    const message = `${folder} is a link or a file, no folder`;
    throw new ColmeiaError('INSTANCE_INVALID', message, { faults: [{ path: '', message }] });
  }
  const isEmpty = (await fs.readdir(folder)).length === 0;
  // The examples of the template belong to a new company only: their absence may be wanted.
  const wanted = isEmpty ? files : files.filter((file) => !file.path.includes('/'));
  for (const name of COMPANY_FOLDERS) await makePrivateFolder(path.join(folder, name));
  for (const file of wanted) {
    const target = path.join(folder, file.path);
    await makePrivateFolder(path.dirname(target));
    if (!(await isThere(target))) await replaceFile(target, file.text);
  }
}

/** Mode 700 for what is made; a folder that is there stays as it is. */
async function makePrivateFolder(folder: string): Promise<void> {
  await fs.mkdir(folder, { recursive: true, mode: 0o700 });
}

async function removeOldDrafts(parent: string): Promise<void> {
  for (const name of await fs.readdir(parent)) {
    if (!name.startsWith(DRAFT)) continue;
    const stats = await fs.stat(path.join(parent, name)).catch(() => null);
    if (stats !== null && Date.now() - stats.mtimeMs > DRAFT_LIFE_MS)
      await fs.rm(path.join(parent, name), { recursive: true, force: true });
  }
}

async function isThere(file: string): Promise<boolean> {
  return (await fs.lstat(file).catch(() => null)) !== null;
}

const exists = (name: string): ColmeiaError =>
  new ColmeiaError('INSTANCE_EXISTS', `there is a folder of a company "${name}" already`);
