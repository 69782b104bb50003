import { type Secret } from '../../../platform/secret.ts';
import { type Sql } from '../../../platform/store/store.ts';
import { type ResourceView, type Strategy } from '../instance-views.ts';
import { type DatabaseFingerprint } from './fingerprint.ts';
import { type DatabaseInspection } from './inspect.ts';

/** Where a company's own data lies. */
export type CompanyPlace = {
  /** Of lower-case letters and digits, never another company's: what the database, role, schema and folder are called after. */
  id: string;
  /** Present name of the company, under which its secrets are; for messages. */
  instance: string;
  strategy: Strategy;
  /** An external database, as a Supabase project's, by its owner's login; null = one that Colmeia makes. */
  url: Secret | null;
};

/** One file of SQL that runs once. `origin`: `company`, or the name of a component; `base` is Colmeia's own. */
export type CompanyMigration = { origin: string; version: number; name: string; sql: string; checksum: string };
export type CompanySeed = { origin: string; name: string; sql: string; checksum: string };

/** Where passwords of companies' roles are kept; on a server alone. */
export type CompanySecrets = {
  reveal(instance: string, name: string): Promise<Secret | null>;
  put(instance: string, name: string, value: Secret): Promise<void>;
};

/** Claims of a request, as Supabase's API would set them. Default of `use`: those of `service_role`. */
export type CompanyClaims = { role: 'anon' | 'authenticated' | 'service_role'; sub?: string };

export type CopyOptions = {
  /** A folder of the operation, for what must lie on disk meanwhile; what is put there is taken away again. */
  workFolder: string;
  operationId: string;
  /** `share` 0 to 1. */
  progress: (detail: string, share?: number) => void;
  signal: AbortSignal;
};

export type CopyReport = {
  /** The moment whose state the target has, ISO 8601. */
  frozenAt: string;
  /** How long writes to the source had to wait, ms; 0 = not at all. */
  freezeMs: number;
  tables: number;
  rows: number;
  /** Of the source at the freeze point; the target's must not differ (`compareFingerprints`). */
  fingerprint: DatabaseFingerprint;
};

/** What a portable dump holds, for the manifest of the file it goes into. */
export type DumpReport = {
  tables: { name: string; rows: number; bytes: number }[];
  fingerprint: DatabaseFingerprint;
};

/**
 * The companies' own databases. Every method may be repeated after it was cut at any point. Throws STORE_UNAVAILABLE while that
 * one database is away, hangs or has no connection free, STORE_FULL when its disk is full, DATABASE_DENIED when a login lacks
 * a right (the message says which); errors of SQL carry `code` (SQLSTATE). One company's trouble does not wait in the others' way.
 */
export type CompanyDatabases = {
  /** What `provision` will make first: recorded before it, so that a delete knows that there may be something. */
  intent(place: CompanyPlace): ResourceView;
  /** Makes what is missing of database, role and schema; resolves with all that is there now. */
  provision(place: CompanyPlace): Promise<ResourceView[]>;
  /**
   * Applies Colmeia's base, then these, each in a transaction of its own, and resolves with how many were new. They run as the
   * company's role. Throws DATABASE_MIGRATION when an applied one was changed or a file fails; what came before it stays.
   */
  migrate(place: CompanyPlace, migrations: readonly CompanyMigration[]): Promise<number>;
  /** Runs each seed once; resolves with the names (`origin/name`) of those that ran now. */
  seed(place: CompanyPlace, seeds: readonly CompanySeed[]): Promise<string[]>;
  /** One transaction as the company's role, under these claims. Longer than 30 s fails. */
  use<T>(
    place: CompanyPlace,
    mode: 'read' | 'write',
    work: (sql: Sql) => Promise<T>,
    claims?: CompanyClaims,
  ): Promise<T>;
  /** `reachable: false` with the reason instead of an error when it is away. */
  inspect(place: CompanyPlace): Promise<DatabaseInspection>;
  fingerprint(place: CompanyPlace): Promise<DatabaseFingerprint>;
  /**
   * Brings the source's state of one moment into the target, which is provisioned, and emptied first when there is anything in it.
   * The source stays usable. Throws DATABASE_NOT_PORTABLE with all that stands in the way, before anything is changed.
   */
  copy(source: CompanyPlace, target: CompanyPlace, options: CopyOptions): Promise<CopyReport>;
  /** Writes definitions and rows of one moment into a folder, in a form that every tier reads. */
  dumpTo(place: CompanyPlace, folder: string, options: { signal: AbortSignal }): Promise<DumpReport>;
  /** Brings a dump into the company's database, which is provisioned, and emptied first when there is anything in it. */
  restoreFrom(place: CompanyPlace, folder: string, options: { signal: AbortSignal }): Promise<DatabaseFingerprint>;
  /** Takes away what `provision` made, and resolves with that; what Colmeia did not make is refused (DATABASE_FOREIGN). */
  drop(place: CompanyPlace): Promise<ResourceView[]>;
  /** What is still there of the company. */
  leftovers(place: CompanyPlace): Promise<ResourceView[]>;
  close(): Promise<void>;
};
