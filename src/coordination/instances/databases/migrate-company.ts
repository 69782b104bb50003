import path from 'node:path';

import { ColmeiaError } from '../../../platform/errors.ts';
import { MIGRATIONS_FOLDER, readMigrations } from '../../../platform/store/migrate.ts';
import { sqlIdentifier } from '../../../platform/store/transaction.ts';
import { type CompanyMigration, type CompanySeed } from './company-databases.ts';
import { type CompanySession } from './company-host.ts';
import { settingClaims } from './prepare-database.ts';

const BASE = 'base';
const AS_SERVICE = settingClaims({ role: 'service_role' });
/**
 * Two processes that migrate one database go in turn: by a table of the company's own, as whoever shares the database could hold an
 * advisory lock. Until that table is there, the making of the base is what only one can do.
 */
function inTurn(schema: string): string {
  const table = qualified(schema, 'schema_migration');
  return `do $$ begin if to_regclass('${table}') is not null then lock table ${table} in share row exclusive mode; end if; end $$`;
}
/** SQLSTATEs of a table that another process made meanwhile. */
const IS_MADE = ['42P07', '23505'];

type Target = { session: CompanySession; id: string; schema: string };
/** A file that runs once: a migration or a seed. `key` is its version or its name. */
type File = { origin: string; key: number | string; name: string; sql: string; checksum: string };
type Kind = { table: string; key: string; called: string };

const MIGRATION: Kind = { table: 'schema_migration', key: 'version', called: 'Migration' };
const SEED: Kind = { table: 'schema_seed', key: 'name', called: 'Seed' };

let base: CompanyMigration[] | undefined;

/** What Colmeia itself puts into every company's database. */
export function baseMigrations(): readonly CompanyMigration[] {
  return (base ??= readMigrations(path.join(MIGRATIONS_FOLDER, 'company')).map((one) => ({ origin: BASE, ...one })));
}

/** Applies the base, then `migrations`: origins as they first come, by version within one. Resolves with how many were new. */
export async function migrateCompany(target: Target, migrations: readonly CompanyMigration[]): Promise<number> {
  const all = [...baseMigrations(), ...migrations.filter(({ origin }) => origin !== BASE)];
  const files = [...Map.groupBy(all, ({ origin }) => origin).values()]
    .flatMap((own) => own.toSorted((a, b) => a.version - b.version))
    .map(({ version, ...rest }) => ({ key: version, ...rest }));
  return (await applyPending(target, MIGRATION, files)).length;
}

/** Runs each seed once, in the order given; resolves with those that ran now. */
export async function seedCompany(target: Target, seeds: readonly CompanySeed[]): Promise<string[]> {
  const applied = await applyPending(
    target,
    SEED,
    seeds.map((seed) => ({ key: seed.name, ...seed })),
  );
  return applied.map(({ origin, name }) => `${origin}/${name}`);
}

async function applyPending(target: Target, kind: Kind, files: readonly File[]): Promise<File[]> {
  const known = await inTransaction(target.session, () => readApplied(target, kind));
  const isPending = (file: File): boolean => {
    const checksum = known.get(idOf(file));
    if (checksum === undefined || checksum === file.checksum) return checksum === undefined;
    const message = `${nameOf(kind, file)} was changed after it was applied; add a new file instead.`;
    throw new ColmeiaError('DATABASE_MIGRATION', message);
  };
  const applied: File[] = [];
  for (const file of files.filter(isPending)) if (await apply(target, kind, file)) applied.push(file);
  return applied;
}

/** Checksums by origin and key; empty before the base is there. */
async function readApplied({ session, schema }: Target, { table, key }: Kind): Promise<Map<string, string>> {
  const name = qualified(schema, table);
  const [exists] = await session.query('select to_regclass($1) is not null as yes', [name]);
  if (exists?.yes !== true) return new Map();
  const rows = await session.query(`select origin, ${key} as key, checksum from ${name}`, []);
  return new Map(rows.map(({ origin, key: own, checksum }) => [`${origin}/${own}`, String(checksum)]));
}

/** False when another process was first. */
async function apply(target: Target, kind: Kind, file: File): Promise<boolean> {
  const { session, id, schema } = target;
  const { origin, version, name, checksum } = { version: file.key, ...file };
  try {
    return await inTransaction(session, async () => {
      await session.run(inTurn(schema));
      if ((await readApplied(target, kind)).has(idOf(file))) return false;
      await session.run(file.sql);
      await session.script(AS_SERVICE); // the file may have set other claims
      const values = kind === SEED ? [origin, name, checksum] : [origin, name, checksum, version];
      const columns = kind === SEED ? 'origin, name, checksum' : 'origin, name, checksum, version';
      const places = values.map((_, i) => `$${i + 1}`).join(', ');
      await session.query(`insert into ${qualified(schema, kind.table)} (${columns}) values (${places})`, values);
      if (origin === BASE && version === 1) {
        await session.query(`insert into ${qualified(schema, 'company')} (id) values ($1)`, [id]);
      }
      return true;
    });
  } catch (error) {
    const { code, message } = error as { code?: string; message: string };
    if (origin === BASE && IS_MADE.includes(code ?? '') && (await isApplied(target, kind, file))) return false;
    if (!/^[0-9A-Z]{5}$/.test(code ?? '')) throw error; // not of SQL: the database is away, or its disk is full
    const what = `${nameOf(kind, file)} failed: ${message} (SQLSTATE ${code}). Nothing of it was kept.`;
    throw new ColmeiaError('DATABASE_MIGRATION', what, { cause: error });
  }
}

const isApplied = (target: Target, kind: Kind, file: File): Promise<boolean> =>
  inTransaction(target.session, async () => (await readApplied(target, kind)).has(idOf(file)));

async function inTransaction<T>(session: CompanySession, work: () => Promise<T>): Promise<T> {
  await session.script(`begin; set local lock_timeout = '10s'; ${AS_SERVICE}`);
  try {
    const result = await work();
    await session.script('commit');
    return result;
  } catch (error) {
    await session.script('rollback').catch(() => undefined); // the first error is the one to tell
    throw error;
  }
}

const idOf = ({ origin, key }: File): string => `${origin}/${key}`;
function qualified(schema: string, table: string): string {
  return `${sqlIdentifier(schema)}.${table}`;
}

function nameOf({ called }: Kind, { origin, key, name }: File): string {
  return typeof key === 'number'
    ? `${called} ${origin}/${String(key).padStart(4, '0')}_${name}`
    : `${called} ${origin}/${name}`;
}
