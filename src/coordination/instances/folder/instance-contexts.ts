import { ColmeiaError } from '../../../platform/errors.ts';
import type { CompanyFault, InstanceState, InstanceView } from '../instance-views.ts';
import type { AtlassianConfig, CompanyConfig, McpConfig, SupabaseConfig } from './company-config.ts';
import { isCompanyName } from './company-name.ts';
import { folderStamp, isCurrent, type FolderStamp } from './folder-stamp.ts';
import { instanceFolder } from './instance-folder.ts';
import type { Component } from './read-components.ts';
import { readFolder, type FolderReading } from './read-folder.ts';
import type { SqlFile } from './read-sql-files.ts';

/** A row of the registry. */
export type RegisteredCompany = Omit<InstanceView, 'health' | 'created_at'> & {
  /** Where its files are when that is not `<instances folder>/<name>`; null = there. */
  folder: string | null;
};

/**
 * A company as code needs it: what the registry says, and what its folder says. Secrets are only ever names. A file that is
 * missing or wrong is null here, and `faults` says why; the registry counts where both have a setting. Frozen.
 */
export type InstanceContext = Readonly<{
  name: string;
  tier: InstanceView['tier'];
  strategy: InstanceView['strategy'];
  template: string;
  state: InstanceState;
  initialized: boolean;
  budget_usd: number | null;
  /** Absolute. */
  folder: string;
  config: CompanyConfig | null;
  supabase: SupabaseConfig | null;
  atlassian: AtlassianConfig | null;
  mcp: McpConfig | null;
  /** Variables of `.env` that are no secrets. */
  env: Readonly<Record<string, string>>;
  /** Secrets that its files refer to, where, and whether the store has them. */
  secrets: readonly { name: string; places: readonly string[]; stored: boolean }[];
  components: readonly Component[];
  /** In the order in which they are run. Their text: `readCompanySql`. */
  migrations: readonly SqlFileView[];
  seeds: readonly SqlFileView[];
  faults: readonly CompanyFault[];
}>;
export type SqlFileView = Omit<SqlFile, 'sql'>;

export type InstanceContextsOptions = {
  instancesFolder: string;
  /** null = there is no such company. */
  row: (name: string) => Promise<RegisteredCompany | null>;
  /** Names of the secrets that the store has of a company. */
  secretNames: (name: string) => Promise<readonly string[]>;
};

/** The files of a company, without the text of its SQL. Frozen. */
export type CompanyReading = Omit<FolderReading, 'migrations' | 'seeds'> & {
  migrations: SqlFileView[];
  seeds: SqlFileView[];
};

const REMEMBERED = 2_000;

/**
 * Contexts of companies. A folder is read again only when one of its files has changed since, and callers at the same time
 * share one look at it; the registry and the store are asked each time.
 */
export class InstanceContexts {
  readonly #options: InstanceContextsOptions;
  readonly #readings = new Map<string, { stamp: FolderStamp; reading: CompanyReading }>();
  readonly #underWay = new Map<string, Promise<CompanyReading>>();

  constructor(options: InstanceContextsOptions) {
    this.#options = options;
  }

  /** Throws INSTANCE_NOT_FOUND; STORE_UNAVAILABLE as the registry and the store do. Faults of the folder are in the context. */
  async load(name: string): Promise<InstanceContext> {
    const row = isCompanyName(name) ? await this.#options.row(name) : null;
    if (row === null) throw new ColmeiaError('INSTANCE_NOT_FOUND', `instance "${name.slice(0, 63)}" not found`);
    const [reading, stored] = await Promise.all([this.files(row), this.#options.secretNames(row.name)]);
    const { secrets, ...files } = reading;
    return Object.freeze({ ...row, ...files, secrets: secretsOf(secrets, new Set(stored)) });
  }

  /** What its files say, without asking the registry. */
  files({ name, folder: own }: Pick<RegisteredCompany, 'name' | 'folder'>): Promise<CompanyReading> {
    const folder = instanceFolder(this.#options.instancesFolder, name, own);
    const underWay = this.#underWay.get(folder);
    if (underWay !== undefined) return underWay;
    const reading = this.#readAgain(folder).finally(() => this.#underWay.delete(folder));
    this.#underWay.set(folder, reading);
    return reading;
  }

  async #readAgain(folder: string): Promise<CompanyReading> {
    const kept = this.#readings.get(folder);
    if (kept?.stamp.isSettled && (await isCurrent(kept.stamp))) return kept.reading;
    // Taken before the files are read: what changes meanwhile is seen the next time.
    const stamp = await folderStamp(folder);
    const { migrations, seeds, ...rest } = await readFolder(folder);
    const reading = frozen({ ...rest, migrations: migrations.map(withoutText), seeds: seeds.map(withoutText) });
    this.#readings.delete(folder);
    if (this.#readings.size >= REMEMBERED) this.#readings.delete(this.#readings.keys().next().value!);
    this.#readings.set(folder, { stamp, reading });
    return reading;
  }
}

const withoutText = ({ origin, version, name, file, checksum }: SqlFile): SqlFileView => {
  return { origin, version, name, file, checksum };
};

function secretsOf(found: FolderReading['secrets'], stored: ReadonlySet<string>): InstanceContext['secrets'] {
  const places = new Map<string, string[]>();
  for (const { name, place } of found) {
    const known = places.get(name);
    if (known === undefined) places.set(name, [place]);
    else known.push(place);
  }
  return [...places].map(([name, at]) => ({ name, places: at, stored: stored.has(name) }));
}

/** Shared by all callers, so nobody may change it. */
function frozen<T>(value: T): T {
  if (typeof value !== 'object' || value === null) return value;
  for (const field of Object.values(value)) frozen(field);
  return Object.freeze(value);
}
