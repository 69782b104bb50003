import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';

import { ColmeiaError } from '../errors.ts';
import { type Session } from './transaction.ts';

export type Migration = { version: number; name: string; sql: string; checksum: string };

/** The same place from `src/` and from `dist/`. */
export const MIGRATIONS_FOLDER = path.resolve(import.meta.dirname, '../../../migrations');

/** The numbered files of a folder, in order. Line ends do not count for the checksum. */
export function readMigrations(folder: string = MIGRATIONS_FOLDER): Migration[] {
  const files = fs.readdirSync(folder).filter((file) => file.endsWith('.sql'));
  const migrations = files.sort().map((file) => {
    const [, number, name] = /^(\d{4})_([a-z0-9_]+)\.sql$/.exec(file) ?? [];
    if (number === undefined) throw new Error(`${file}: a migration is named like 0001_spine.sql.`);
    const sql = fs.readFileSync(path.join(folder, file), 'utf8').replaceAll('\r\n', '\n');
    return { version: Number(number), name: name!, sql, checksum: createHash('sha256').update(sql).digest('hex') };
  });
  for (const [i, { version }] of migrations.entries()) {
    if (version !== i + 1) throw new Error(`Migration ${version} stands where ${i + 1} is expected.`);
  }
  return migrations;
}

const CREATE_TABLE = `create table schema_migration (
    version int4 primary key, name text not null, checksum text not null, applied_at timestamptz not null default now());
  alter table schema_migration enable row level security`; // the owner alone: some hosts grant new tables to everyone

/** Roles belong to the whole server: what two databases that migrate at once can do to each other passes by itself. */
const PASSING = new Set(['23505', '40001', '40P01', 'XX000']);
const ATTEMPTS = 5;

/**
 * Brings a database forward and resolves with the number of migrations it applied. Each is one transaction. Throws
 * DATA_FOLDER_NEWER when the database knows a later version, and an Error when an applied migration has changed since.
 * The caller sees to it that one process migrates a database at a time.
 */
export async function migrate(session: Session, migrations: readonly Migration[] = readMigrations()): Promise<number> {
  const pending = migrations.slice(await countApplied(session, migrations));
  for (const migration of pending) await apply(session, migration);
  return pending.length;
}

async function countApplied(session: Session, migrations: readonly Migration[]): Promise<number> {
  const [exists] = await session.query(`select to_regclass('schema_migration') is not null as yes`, []);
  if (exists?.yes !== true) {
    await session.script(`begin; ${CREATE_TABLE}; commit`);
    return 0;
  }
  const applied = await session.query('select version, name, checksum from schema_migration order by version', []);
  for (const [i, row] of applied.entries()) {
    const known = migrations[i];
    if (known === undefined) {
      const message = `The data has migration ${row.version} (${row.name}); this version of Colmeia knows ${migrations.length}.`;
      throw new ColmeiaError('DATA_FOLDER_NEWER', `${message} Start the newer version.`);
    }
    if (row.version !== known.version || row.checksum !== known.checksum) {
      throw new Error(
        `Migration ${known.version} (${known.name}) was changed after it was applied; add a new one instead.`,
      );
    }
  }
  return applied.length;
}

async function apply(session: Session, { version, name, sql, checksum }: Migration): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      await session.script('begin');
      await session.script(sql);
      const values = [version, name, checksum];
      await session.query('insert into schema_migration (version, name, checksum) values ($1, $2, $3)', values);
      await session.script('commit');
      return;
    } catch (error) {
      await session.script('rollback').catch(() => undefined);
      const code = (error as { code?: string }).code ?? '';
      if (attempt === ATTEMPTS || !PASSING.has(code)) throw error;
      await new Promise((resolve) => setTimeout(resolve, 50 * attempt));
    }
  }
}
