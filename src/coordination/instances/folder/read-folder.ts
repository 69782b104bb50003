import fs from 'node:fs/promises';
import { ColmeiaError } from '../../../platform/errors.ts';
import type { CompanyFault } from '../instance-views.ts';
import { companyFault } from '../validation/validation-codes.ts';
import type { AtlassianConfig, CompanyConfig, McpConfig, SupabaseConfig } from './company-config.ts';
import { envValues, parseEnvFile } from './env-file.ts';
import { COMPANY_FILES, readText } from './instance-folder.ts';
import { readComponents, type Component } from './read-components.ts';
import { secretsOfEnv } from './plain-secrets.ts';
import {
  placeOf,
  plainFault,
  readJsonFile,
  unreadableFault,
  type ReadFile,
  type SecretPlace,
} from './read-json-file.ts';
import { readSqlFiles, type SqlFile } from './read-sql-files.ts';

/**
 * A folder as read. A file that is missing or wrong is null; `faults` says why. No value of a secret is in it, and no fault says
 * where on the server the folder is, as a company may see them.
 */
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
/** Where a company's own data and accounts are, as its files say. */
export type CompanySettings = Pick<FolderReading, 'config' | 'supabase' | 'atlassian'>;

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

/**
 * The migrations and seeds of a company, with their text, for its database. Throws INSTANCE_INVALID with every fault when one of
 * the files cannot be used: running the others would leave them in the wrong order.
 */
export async function readCompanySql(folder: string): Promise<{ migrations: SqlFile[]; seeds: SqlFile[] }> {
  const { migrations, seeds, faults } = await readFolder(folder);
  const wrong = faults.filter(
    (fault) => fault.severity === 'error' && /^folder$|(^|\/)(migrations|seeds)(\/|$)/.test(fault.place),
  );
  if (wrong.length === 0) return { migrations, seeds };
  throw new ColmeiaError('INSTANCE_INVALID', wrong[0]!.message, {
    faults: wrong.map(({ place, message }) => ({ path: place, message })),
  });
}

function nothingIn(folder: string, fault: CompanyFault): FolderReading {
  const files = { config: null, supabase: null, atlassian: null, mcp: null };
  return { folder, ...files, env: {}, secrets: [], components: [], migrations: [], seeds: [], faults: [fault] };
}

async function folderFault(folder: string): Promise<CompanyFault | null> {
  const stats = await fs.lstat(folder).catch((error: NodeJS.ErrnoException) => error.code ?? 'unknown');
  if (typeof stats === 'string') {
    const why = stats === 'ENOENT' ? 'is not there' : `cannot be read (${stats})`;
    return companyFault('FOLDER_MISSING', 'folder', `the folder ${why}`);
  }
  if (stats.isSymbolicLink()) return companyFault('FILE_OUTSIDE', 'folder', 'the folder is a link');
  return stats.isDirectory()
    ? null
    : companyFault('FOLDER_MISSING', 'folder', 'there is something else in place of the folder');
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
