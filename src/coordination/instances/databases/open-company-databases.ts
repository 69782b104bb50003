import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';

import { type Clock, systemClock } from '../../../platform/clock.ts';
import { ColmeiaError, isColmeiaError } from '../../../platform/errors.ts';
import { type Secret } from '../../../platform/secret.ts';
import { type Sql } from '../../../platform/store/store.ts';
import { sqlIdentifier, transact } from '../../../platform/store/transaction.ts';
import { type ResourceView } from '../instance-views.ts';
import {
  type CompanyClaims,
  type CompanyDatabases,
  type CompanyMigration,
  type CompanyPlace,
  type CompanySecrets,
  type CompanySeed,
  type CopyOptions,
  type CopyReport,
  type DumpReport,
} from './company-databases.ts';
import { type CompanyHost, type CompanySession, type Sight } from './company-host.ts';
import { dumpDatabase, restoreDatabase } from './dump-database.ts';
import { EmbeddedHost } from './embedded/embedded-host.ts';
import { type DatabaseFingerprint, type Moment, takeFingerprint } from './fingerprint.ts';
import { setSequence } from './fill-database.ts';
import { type DatabaseInspection, inspectDatabase, unreachable } from './inspect.ts';
import { migrateCompany, seedCompany } from './migrate-company.ts';
import { settingClaims } from './prepare-database.ts';

const DEADLINE_MS = 30_000;
/** A statement's own deadline comes first, as it tells more. */
const GRACE_MS = 1_000;

export type CompanyDatabasesOptions = {
  /** Colmeia's own database; null = embedded. */
  databaseUrl: Secret | null;
  /** Holds `companies/` when embedded; null = a temporary folder, for tests. */
  dataFolder: string | null;
  secrets: CompanySecrets;
  clock?: Clock;
  /** Most PGlite folders open at once. Default 50. */
  maxOpen?: number;
  /** After which an unused one is closed. Default 60,000. */
  idleMs?: number;
  /** Longest a transaction of `use`, or a statement of it, may take. Default 30,000. */
  deadlineMs?: number;
  /** Folder of pg_dump and pg_restore; null = where PATH finds them. Default null. */
  postgresBin?: string | null;
  /** Databases that companies name may be on this machine or in a private network. Default true. */
  privateAddresses?: boolean;
};

/** Opens nothing yet: databases are opened when they are used. */
export async function openCompanyDatabases(options: CompanyDatabasesOptions): Promise<CompanyDatabases> {
  const { clock = systemClock, deadlineMs = DEADLINE_MS } = options;
  // The driver costs start time and memory.
  const { CompanyConnections } = await import('./server/company-connections.ts');
  const { ExternalHost } = await import('./server/external-host.ts');
  const connections = new CompanyConnections({ clock });
  const external = new ExternalHost(connections, options.privateAddresses === false);
  if (options.databaseUrl !== null) {
    const { ServerHost } = await import('./server/server-host.ts');
    const { databaseUrl, secrets, postgresBin = null } = options;
    const own = new ServerHost({ databaseUrl, connections, secrets, postgresBin });
    return new Databases({ own, external }, { clock, deadlineMs, temporary: null });
  }
  const temporary = options.dataFolder === null ? fs.mkdtempSync(path.join(os.tmpdir(), 'colmeia-companies-')) : null;
  const root = path.join(options.dataFolder ?? temporary!, 'companies');
  const own = new EmbeddedHost({ root, maxOpen: options.maxOpen, idleMs: options.idleMs });
  return new Databases({ own, external }, { clock, deadlineMs, temporary });
}

/** What is the same wherever a company's database lies. */
class Databases implements CompanyDatabases {
  readonly #hosts: { own: CompanyHost; external: CompanyHost };
  readonly #clock: Clock;
  readonly #deadlineMs: number;
  readonly #temporary: string | null;

  constructor(
    hosts: { own: CompanyHost; external: CompanyHost },
    options: { clock: Clock; deadlineMs: number; temporary: string | null },
  ) {
    this.#hosts = hosts;
    this.#clock = options.clock;
    this.#deadlineMs = options.deadlineMs;
    this.#temporary = options.temporary;
  }

  intent(place: CompanyPlace): ResourceView {
    return this.#host(place).intent(place);
  }

  async provision(place: CompanyPlace): Promise<ResourceView[]> {
    const host = this.#host(place);
    await host.provision(place);
    await this.#assertOwn(place);
    return host.resources(place);
  }

  migrate(place: CompanyPlace, migrations: readonly CompanyMigration[]): Promise<number> {
    return this.#change(place, (session) => migrateCompany(this.#target(place, session), migrations));
  }

  seed(place: CompanyPlace, seeds: readonly CompanySeed[]): Promise<string[]> {
    return this.#change(place, (session) => seedCompany(this.#target(place, session), seeds));
  }

  use<T>(
    place: CompanyPlace,
    mode: 'read' | 'write',
    work: (sql: Sql) => Promise<T>,
    claims: CompanyClaims = { role: 'service_role' },
  ): Promise<T> {
    const host = this.#host(place);
    const isolation = mode === 'read' ? ' isolation level repeatable read read only' : '';
    const opening = `begin${isolation}; set local statement_timeout = ${this.#deadlineMs}; ${host.claiming(claims)}`;
    return host.company(
      place,
      (session) => transact(session, opening, work, this.#deadlineMs + GRACE_MS),
      this.#deadlineMs,
    );
  }

  async inspect(place: CompanyPlace): Promise<DatabaseInspection> {
    const host = this.#host(place);
    const { ownDatabase } = host;
    const of = { schema: host.schema(place), role: host.role(place), ownDatabase, clock: this.#clock };
    try {
      const found = await host.company(place, (session) => inspectDatabase(session, of));
      return { ...found, freeBytes: await host.freeBytes(place) };
    } catch (error) {
      if (isColmeiaError(error)) return unreachable(error.message);
      throw error;
    }
  }

  async fingerprint(place: CompanyPlace): Promise<DatabaseFingerprint> {
    return (await this.#host(place).sight(place, (sight) => takeFingerprint(sight))).fingerprint;
  }

  async copy(source: CompanyPlace, target: CompanyPlace, options: CopyOptions): Promise<CopyReport> {
    await this.provision(target); // a kill while its folder was replaced may have left none
    const host = this.#host(source);
    const isWhole = host === this.#host(target) && [source, target].every(({ strategy }) => strategy !== 'schema');
    const whole = isWhole ? await this.#copyWhole(host, source, target, options) : null;
    const report = whole ?? (await this.#copyByRows(source, target, options));
    options.progress('copied', 1);
    return report;
  }

  dumpTo(place: CompanyPlace, folder: string, options: { signal: AbortSignal }): Promise<DumpReport> {
    return this.#host(place).sight(place, (sight) => dumpDatabase(sight, folder, options));
  }

  async restoreFrom(
    place: CompanyPlace,
    folder: string,
    options: { signal: AbortSignal },
  ): Promise<DatabaseFingerprint> {
    await this.#assertOwn(place);
    const host = this.#host(place);
    await host.sight(place, (sight) => restoreDatabase(sight, place.id, folder, options));
    return this.fingerprint(place);
  }

  async drop(place: CompanyPlace): Promise<ResourceView[]> {
    const host = this.#host(place);
    const there = await host.resources(place);
    if (there.length === 0) return [];
    await this.#assertOwn(place).catch((error: unknown) => {
      // What cannot be asked any more is known to be ours by its place and marks, unless somebody else made it.
      if (place.url !== null || !isColmeiaError(error, 'STORE_UNAVAILABLE')) throw error;
    });
    await host.drop(place);
    const left = await host.resources(place);
    return there.filter(({ kind, id }) => !left.some((one) => one.kind === kind && one.id === id));
  }

  leftovers(place: CompanyPlace): Promise<ResourceView[]> {
    return this.#host(place).resources(place);
  }

  async close(): Promise<void> {
    await Promise.all([...new Set(Object.values(this.#hosts))].map((host) => host.close()));
    if (this.#temporary !== null) fs.rmSync(this.#temporary, { recursive: true, force: true });
  }

  #host(place: CompanyPlace): CompanyHost {
    return place.url === null ? this.#hosts.own : this.#hosts.external;
  }

  #target(place: CompanyPlace, session: CompanySession) {
    return { session, id: place.id, schema: this.#host(place).schema(place) };
  }

  #change<T>(place: CompanyPlace, work: (session: CompanySession) => Promise<T>): Promise<T> {
    return this.#host(place).company(place, work);
  }

  async #copyWhole(
    host: CompanyHost,
    source: CompanyPlace,
    target: CompanyPlace,
    options: CopyOptions,
  ): Promise<CopyReport | null> {
    let seen: Moment | undefined;
    const atFreezePoint = async (sight: Sight, snapshot: string | null): Promise<void> => {
      seen = await takeFingerprint(sight, snapshot);
    };
    const copy = await host.copyWhole?.(source, target, { ...options, atFreezePoint });
    if (copy === undefined || copy === null) return null;
    const { fingerprint } = seen!;
    await this.#change(target, (session) =>
      transact(
        session,
        `begin; ${settingClaims({ role: 'service_role' })}`,
        async (sql) => {
          await sql.query(`update ${this.#whoseTable(target)} set id = $1`, [target.id]);
          // Sequences do not stand still with the rest; what the freeze point saw is what the proof compares with.
          for (const [name, value] of Object.entries(fingerprint.sequences)) await setSequence(sql, name, value);
        },
        this.#deadlineMs,
      ),
    );
    return { ...copy, ...countsOf(fingerprint), fingerprint };
  }

  /** Through a dump: between tiers and strategies, and between schemas of one database. */
  async #copyByRows(source: CompanyPlace, target: CompanyPlace, options: CopyOptions): Promise<CopyReport> {
    const { signal, progress } = options;
    const folder = path.join(options.workFolder, `database-${options.operationId}`);
    const frozenAt = new Date(this.#clock.now()).toISOString();
    const shown = (what: string, from: number) => (rows: number, of: number) =>
      progress(`${what} ${rows} of ${of} rows`, from + rows / Math.max(1, of) / 2);
    try {
      const onDump = { signal, onRows: shown('read', 0) };
      const dump = await this.#host(source).sight(source, (sight) => dumpDatabase(sight, folder, onDump));
      const onRestore = { signal, onRows: shown('wrote', 0.5) };
      await this.#host(target).sight(target, (sight) => restoreDatabase(sight, target.id, folder, onRestore));
      return { frozenAt, freezeMs: 0, ...countsOf(dump.fingerprint), fingerprint: dump.fingerprint };
    } finally {
      fs.rmSync(folder, { recursive: true, force: true });
    }
  }

  /** Throws DATABASE_FOREIGN when the database says that it is another's; one that says nothing yet is fine. */
  async #assertOwn(place: CompanyPlace): Promise<void> {
    const table = this.#whoseTable(place);
    const id = await this.use(place, 'read', async (sql) => {
      const [exists] = await sql.query('select to_regclass($1) is not null as yes', [table]);
      const [row] = exists?.yes === true ? await sql.query(`select id from ${table}`) : [];
      return row?.id ?? null;
    });
    if (id === null || id === place.id) return;
    const message = `The database of ${place.instance} says that it is another company's (${String(id)}). Nothing was changed.`;
    throw new ColmeiaError('DATABASE_FOREIGN', message);
  }

  #whoseTable(place: CompanyPlace): string {
    return `${sqlIdentifier(this.#host(place).schema(place))}.company`;
  }
}

function countsOf({ tables }: DatabaseFingerprint): { tables: number; rows: number } {
  const counts = Object.values(tables).map(({ rows }) => rows);
  return { tables: counts.length, rows: counts.reduce((sum, rows) => sum + rows, 0) };
}
