import fs from 'node:fs/promises';
import path from 'node:path';
import type { CompanyFault } from '../instance-views.ts';
import { companyFault } from '../validation/validation-codes.ts';
import type { AtlassianConfig, CompanyConfig, ComponentManifest, McpConfig, SupabaseConfig } from './company-config.ts';
import { isCompanyName } from './company-name.ts';
import { envValues, parseEnvFile } from './env-file.ts';
import { COMPANY_FILES, COMPANY_FOLDERS, listNames, readText } from './instance-folder.ts';
import { secretsOfEnv } from './plain-secrets.ts';
import {
  placeOf,
  plainFault,
  readJsonFile,
  unreadableFault,
  type ReadFile,
  type SecretPlace,
} from './read-json-file.ts';
import { FILES_LIMIT, readSqlFiles, type SqlFile } from './read-sql-files.ts';

export type Component = { name: string; path: string; manifest: ComponentManifest | null };

/** A folder as read. A file that is missing or wrong is null; `faults` says why. No value of a secret is in it. */
export type FolderReading = {
  folder: string;
  config: CompanyConfig | null;
  supabase: SupabaseConfig | null;
  atlassian: AtlassianConfig | null;
  mcp: McpConfig | null;
  /** Variables that are no secrets. */
  env: Record<string, string>;
  secrets: SecretPlace[];
  components: Component[];
  /** The company's own, then those of its components by name; in the order in which they are run. */
  migrations: SqlFile[];
  seeds: SqlFile[];
  faults: CompanyFault[];
};

const COMPONENTS_LIMIT = 200;
const MANIFEST_LIMIT = 64 * 1024;

/**
 * Reads the folder of a company as a person may have left it: nothing is executed, links out of it are not followed, every
 * file has a cap, and every fault is told at once. One file after the other: a disk that hangs holds up one thread.
 */
export async function readFolder(folder: string): Promise<FolderReading> {
  const faults: CompanyFault[] = [];
  const secrets: SecretPlace[] = [];
  const fault = await folderFault(folder);
  if (fault !== null) return nothingIn(folder, fault);
  const take = <T>(read: ReadFile<T>): T | null => {
    faults.push(...read.faults);
    secrets.push(...read.secrets);
    return read.value;
  };
  const env = take(await readEnv(folder)) ?? {};
  const config = take(await readJsonFile<CompanyConfig>(jsonFile(folder, 'config.json', 'config')));
  const supabase = take(
    await readJsonFile<SupabaseConfig>(jsonFile(folder, 'supabase.config.json', 'supabase.config')),
  );
  const atlassian = take(
    await readJsonFile<AtlassianConfig>(jsonFile(folder, 'atlassian.config.json', 'atlassian.config')),
  );
  const mcp = take(await readJsonFile<McpConfig>(jsonFile(folder, 'mcp.json', 'mcp')));
  const components = take(await readComponents(folder)) ?? [];
  const origins = [null, ...components.map((component) => component.name)];
  const migrations: SqlFile[] = [];
  const seeds: SqlFile[] = [];
  for (const origin of origins) {
    for (const kind of ['migrations', 'seeds'] as const) {
      const read = await readSqlFiles(folder, kind, origin);
      (kind === 'migrations' ? migrations : seeds).push(...read.files);
      faults.push(...read.faults);
    }
  }
  return { folder, config, supabase, atlassian, mcp, env, secrets, components, migrations, seeds, faults };
}

function nothingIn(folder: string, fault: CompanyFault): FolderReading {
  const files = { config: null, supabase: null, atlassian: null, mcp: null };
  return { folder, ...files, env: {}, secrets: [], components: [], migrations: [], seeds: [], faults: [fault] };
}

/**
 * What a reading of the folder depends on, as one text: it changes when any file is changed, added or removed, or gets
 * another mode. Contents are not read.
 */
export async function folderStamp(folder: string): Promise<string> {
  const stamps = [await stampOf(folder)];
  for (const file of Object.keys(COMPANY_FILES)) stamps.push(await stampOf(path.join(folder, file)));
  const places = COMPANY_FOLDERS.map((name) => path.join(folder, name));
  const components = await namesIn(places[0]!);
  places.push(
    ...components.flatMap((name) => ['', 'migrations', 'seeds'].map((part) => path.join(places[0]!, name, part))),
  );
  for (const place of places) {
    const stamp = await stampOf(place);
    stamps.push(stamp);
    if (stamp === ABSENT) continue;
    for (const name of await namesIn(place))
      if (/\.(sql|json)$/.test(name)) stamps.push(await stampOf(path.join(place, name)));
  }
  return stamps.join('\n');
}

const ABSENT = '-';

async function stampOf(file: string): Promise<string> {
  const stats = await fs.stat(file, { bigint: true }).catch(() => null);
  return stats === null ? ABSENT : `${file} ${stats.ino} ${stats.size} ${stats.mtimeNs} ${stats.ctimeNs}`;
}

async function namesIn(folder: string): Promise<string[]> {
  const names = await fs.readdir(folder).catch(() => []);
  return names.sort().slice(0, FILES_LIMIT);
}

async function folderFault(folder: string): Promise<CompanyFault | null> {
  const stats = await fs.lstat(folder).catch((error: NodeJS.ErrnoException) => error.code ?? 'unknown');
  if (typeof stats === 'string') {
    const why = stats === 'ENOENT' ? 'is not there' : `cannot be read (${stats})`;
    return companyFault('FOLDER_MISSING', '', `the folder ${folder} ${why}`);
  }
  if (stats.isSymbolicLink()) return companyFault('FILE_OUTSIDE', '', `the folder ${folder} is a link`);
  return stats.isDirectory() ? null : companyFault('FOLDER_MISSING', '', `${folder} is no folder`);
}

function jsonFile<S>(folder: string, relative: keyof typeof COMPANY_FILES, schema: S) {
  return { folder, relative, schema, limit: COMPANY_FILES[relative] };
}

async function readEnv(folder: string): Promise<ReadFile<Record<string, string>>> {
  let text: string;
  try {
    ({ text } = await readText(folder, '.env', COMPANY_FILES['.env']));
  } catch (error) {
    return { value: null, faults: [unreadableFault('.env', error)], secrets: [] };
  }
  const { entries, faults: lines } = parseEnvFile(text);
  const faults = lines.map(({ line, message }) => companyFault('ENV_INVALID', '.env', `line ${line}: ${message}`));
  const secrets = secretsOfEnv(entries).map((secret) => placeOf('.env', secret));
  faults.push(...secrets.filter((secret) => secret.plain).map(plainFault));
  const hidden = new Set(secrets.map((secret) => secret.place));
  const open = [...envValues(entries)].filter(([name]) => !hidden.has(`.env: ${name}`));
  return { value: Object.fromEntries(open), faults, secrets };
}

async function readComponents(folder: string): Promise<ReadFile<Component[]>> {
  const faults: CompanyFault[] = [];
  const secrets: SecretPlace[] = [];
  const components: Component[] = [];
  try {
    for (const entry of await listNames(folder, 'microservices', COMPONENTS_LIMIT)) {
      if (!entry.isFolder || entry.name.startsWith('.')) continue;
      const place = `microservices/${entry.name}`;
      if (!isCompanyName(entry.name)) {
        faults.push(
          companyFault(
            'COMPONENT_INVALID',
            place,
            'its name must be lower-case letters, digits or hyphens',
            'Rename its folder.',
          ),
        );
        continue;
      }
      const manifest = await readManifest(folder, entry.name);
      faults.push(...manifest.faults);
      secrets.push(...manifest.secrets);
      components.push({ name: entry.name, path: path.join(folder, place), manifest: manifest.value });
    }
  } catch (error) {
    faults.push(unreadableFault('microservices', error));
  }
  return { value: components, faults, secrets };
}

async function readManifest(folder: string, name: string): Promise<ReadFile<ComponentManifest>> {
  const relative = `microservices/${name}/component.json`;
  const read = await readJsonFile<ComponentManifest>({
    folder,
    relative,
    schema: 'component',
    limit: MANIFEST_LIMIT,
    isOptional: true,
  });
  if (read.value === null && read.faults.length === 0) {
    read.faults.push(companyFault('COMPONENT_WITHOUT_MANIFEST', relative, `${name} has no component.json`));
  } else if (read.value !== null && read.value.name !== name) {
    read.faults.push(companyFault('COMPONENT_INVALID', `${relative}: name`, `must be "${name}", as its folder`));
  }
  return read;
}
