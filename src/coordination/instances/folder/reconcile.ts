import fs from 'node:fs/promises';
import path from 'node:path';
import type { InstanceDifference } from '../instance-views.ts';
import type { CompanyConfig } from './company-config.ts';
import { isCompanyName } from './company-name.ts';
import type { RegisteredCompany } from './instance-contexts.ts';
import { COMPANY_FILES, instanceFolder } from './instance-folder.ts';
import { readJsonFile } from './read-json-file.ts';

/** A folder that may be a company's. `config` null: config.json is missing or wrong, which validation tells. */
export type CompanyFolder = { name: string; folder: string; config: CompanyConfig | null };

/** Settings that both the registry and config.json have. */
const SETTINGS = ['tier', 'strategy', 'template', 'budget_usd'] as const;

/**
 * What the registry and the folders say differently, by name of company. A setting that config.json leaves out is no
 * difference; a company that is being deleted is not looked at.
 */
export function findDifferences(
  registry: readonly RegisteredCompany[],
  folders: readonly CompanyFolder[],
): InstanceDifference[] {
  const known = new Map(registry.map((row) => [row.name, row]));
  const found = new Set(folders.map(({ name }) => name));
  const differences = folders.flatMap(({ name, folder, config }): InstanceDifference[] => {
    const row = known.get(name);
    if (row === undefined) return [{ name, kind: 'not-registered', setting: '', registry: null, folder }];
    return row.state === 'deleting' || config === null ? [] : settingDifferences(row, config);
  });
  for (const row of registry) {
    if (row.state === 'deleting' || found.has(row.name)) continue;
    differences.push({ name: row.name, kind: 'folder-missing', setting: '', registry: row.folder, folder: null });
  }
  return differences.sort((a, b) => compare(a.name, b.name) || compare(a.setting, b.setting));
}

/** The settings of one company that its config.json has otherwise. */
export function settingDifferences(row: RegisteredCompany, config: CompanyConfig): InstanceDifference[] {
  const name = row.name;
  const differences = SETTINGS.filter((setting) => config[setting] !== undefined && config[setting] !== row[setting]);
  const settings = differences.map((setting): InstanceDifference => {
    return { name, kind: 'setting', setting, registry: row[setting], folder: config[setting] };
  });
  if (config.name === name) return settings;
  return [...settings, { name, kind: 'setting', setting: 'name', registry: name, folder: config.name }];
}

/** The folders there are: those of companies that are registered, and those beside them that have a config.json. */
export async function listCompanyFolders(
  instancesFolder: string,
  registry: readonly RegisteredCompany[],
): Promise<CompanyFolder[]> {
  const places = new Map(registry.map((row) => [row.name, instanceFolder(instancesFolder, row.name, row.folder)]));
  const registered = new Set(places.keys());
  const entries = await fs.readdir(instancesFolder, { withFileTypes: true }).catch(() => []);
  for (const entry of entries) {
    const folder = path.join(instancesFolder, entry.name);
    if (entry.isDirectory() && isCompanyName(entry.name) && !places.has(entry.name)) places.set(entry.name, folder);
  }
  const folders: CompanyFolder[] = [];
  for (const [name, folder] of places) {
    const isFolder = await fs.lstat(folder).then(
      (stats) => stats.isDirectory(),
      () => false,
    );
    if (!isFolder) continue;
    const file = 'config.json';
    const read = await readJsonFile<CompanyConfig>({
      folder,
      relative: file,
      schema: 'config',
      limit: COMPANY_FILES[file],
    });
    const isCompany = registered.has(name) || !read.faults.some((fault) => fault.code === 'FILE_MISSING');
    if (isCompany) folders.push({ name, folder, config: read.value });
  }
  return folders.sort((a, b) => compare(a.name, b.name));
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
