import type { Clock } from '../../platform/clock.ts';
import type { Secret } from '../../platform/secret.ts';
import type { Store } from '../../platform/store/store.ts';
import type { JournalWriter } from '../../trust/audit/journal.ts';
import type { InstanceDirectory } from '../../trust/identity/instance-directory.ts';
import type { CompanyDatabases } from './databases/company-databases.ts';
import type { CompanySettings } from './folder/read-folder.ts';
import type { KeptInstance } from './instance-store.ts';
import type { Operations } from './operations/operations.ts';
import type { AccountCheck, ProjectAccount } from './outside-accounts.ts';
import type { ResourceView } from './instance-views.ts';

/** What the flow, which knows nothing of operations, does about companies; at whichever replica a company is at home. */
export type CompanyFlow = {
  /** A company was made or has this name now: somebody becomes its writer. */
  found(name: string): Promise<void>;
  /** Its running attempts are told to stop. Throws PLAN_STATE when it has ended. */
  cancelPlan(instance: string, key: number, by: string, why: string): Promise<void>;
  /** Takes every row away, or gives all of them another name (`to`); answers how many rows went, by table. */
  change(change: { instance: string; to: string | null }): Promise<Record<string, number>>;
  /** Keys that are gone prove nobody any more. */
  forgetKeys(keyIds: readonly string[]): Promise<void>;
};

/** Secrets by name; see trust/secrets. */
export type CompanySecrets = {
  reveal(instance: string, name: string): Promise<Secret | null>;
  put(instance: string, name: string, value: Secret, by: string): Promise<unknown>;
};

/** A Supabase project as the database of a company. */
export type ProjectDatabases = {
  check(): Promise<AccountCheck>;
  /** Makes the project when there is none, and waits until it is healthy. `config`: what supabase.config.json is to say. */
  ensure(options: {
    kept: KeptInstance;
    folder: CompanySettings;
    by: string;
    intend: (resource: ResourceView) => Promise<void>;
    progress: (detail: string, share?: number) => void;
    signal: AbortSignal;
  }): Promise<{ resource: ResourceView; databaseUrl: Secret; config: Record<string, unknown> }>;
  remove(resource: ResourceView, instance: string): Promise<boolean>;
};

/** The outside accounts of a company as its files and the fleet's environment have them; a text says why one is off. */
export type CompanyAccounts = {
  jira: ProjectAccount | string;
  confluence: ProjectAccount | string;
  supabase: ProjectDatabases | string;
  /** Names of its project and space when its files name none. */
  keys: { jira: string; confluence: string; named: { jira: boolean; confluence: boolean } };
};

/** What operations over companies are made of, wired in open-instances.ts. */
export type InstanceParts = {
  store: Store;
  clock: Clock;
  log: (level: 'info' | 'warn' | 'error', data: Record<string, unknown>, message: string) => void;
  append: JournalWriter['append'];
  directory: InstanceDirectory;
  operations: Operations;
  flow: CompanyFlow;
  databases: CompanyDatabases;
  secrets: CompanySecrets;
  /** Parent folder of the companies' files; null = companies have none, as when Colmeia keeps nothing on disk. */
  instancesFolder: string | null;
  accounts(kept: KeptInstance, folder: CompanySettings | null): Promise<CompanyAccounts>;
};
