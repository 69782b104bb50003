import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';

import { ColmeiaError } from '../../../../platform/errors.ts';
import { sqlIdentifier } from '../../../../platform/store/transaction.ts';
import { type Sight, type WholeCopy, type WholeCopyOptions } from '../company-host.ts';
import { emptyDatabase, runAll } from '../fill-database.ts';
import { readMoment } from '../prepare-database.ts';
import { readDefinition } from '../read-definition.ts';
import { COMPANY_ROLE, type SchemaDefinition } from '../schema-definition.ts';
import { writeRights } from '../write-definition.ts';
import { withClient } from './company-connections.ts';
import { findPostgresTools, listArchive, runPostgresTool } from './postgres-tools.ts';

const LONG_DEADLINE_MS = 30 * 60_000;
/** The company's own schemas but for `auth`, which Colmeia makes, and Supabase's. */
const LEFT_OUT = ['auth'];

export type ServerCopy = {
  /** Of who sees every row of the source. */
  source: { instance: string; url: string };
  /** Of the target's own role, to which everything will belong. */
  target: { url: string; role: string };
  postgresBin: string | null;
  sight: <T>(work: (sight: Sight) => Promise<T>) => Promise<T>;
  targetSight: <T>(work: (sight: Sight) => Promise<T>) => Promise<T>;
};

/**
 * Copies a database by pg_dump and pg_restore under one exported snapshot; nobody waits for it. Who may what is set by the catalog's
 * word, as a dump would name the source's role. null when there are no tools that fit; then `progress` says why.
 */
export async function copyServerDatabase(copy: ServerCopy, options: WholeCopyOptions): Promise<WholeCopy | null> {
  const folder = path.join(options.workFolder, `database-${options.operationId}`);
  const of = { url: copy.source.url, name: 'copy', whose: copy.source.instance, deadlineMs: LONG_DEADLINE_MS };
  try {
    fs.rmSync(folder, { recursive: true, force: true });
    fs.mkdirSync(folder, { recursive: true, mode: 0o700 });
    return await withClient(of, async (session) => {
      const [server] = await session.query(`select current_setting('server_version_num')::int / 10000 as major`, []);
      const tools = await findPostgresTools(copy.postgresBin, Number(server!.major));
      if (typeof tools === 'string') {
        options.progress(`row by row: ${tools}`);
        return null;
      }
      await session.script(
        'begin isolation level repeatable read read only; set local idle_in_transaction_session_timeout = 0',
      );
      const [exported] = await session.query('select pg_export_snapshot() as snapshot, clock_timestamp() as at', []);
      const snapshot = String(exported!.snapshot);
      options.progress('reads the source', 0.1);
      const dumped = dump(tools.dump, copy, { ...options, folder, snapshot });
      const seen = copy.sight(async (sight) => {
        await options.atFreezePoint(sight, snapshot);
        return readMoment(sight.company, { schema: sight.schema }, () =>
          readDefinition(sight.company, sight.schema, sight.role),
        );
      });
      const [definition] = await settled([seen, dumped]);
      await session.script('rollback');
      assertWhole(definition);
      options.progress('writes the target', 0.5);
      await restore(tools.restore, copy, { ...options, folder }, definition);
      return { frozenAt: (exported!.at as Date).toISOString(), freezeMs: 0 };
    });
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

/** Waits for both, so that neither goes on behind a failure. */
async function settled<A, B>(both: [Promise<A>, Promise<B>]): Promise<[A, B]> {
  await Promise.allSettled(both);
  return Promise.all(both);
}

type Paths = WholeCopyOptions & { folder: string };

function dump(program: string, { source }: ServerCopy, options: Paths & { snapshot: string }): Promise<void> {
  const args = [
    '--format=directory',
    `--jobs=${jobs()}`,
    '--compress=0',
    '--no-sync',
    `--file=${path.join(options.folder, 'dump')}`,
    `--snapshot=${options.snapshot}`,
    '--no-owner',
    '--no-privileges',
    '--no-publications',
    '--no-subscriptions',
    ...LEFT_OUT.map((schema) => `--exclude-schema=${schema}`),
  ];
  return runPostgresTool(program, args, { url: source.url, workFolder: options.folder, signal: options.signal });
}

async function restore(program: string, copy: ServerCopy, options: Paths, definition: SchemaDefinition): Promise<void> {
  await copy.targetSight((sight) => emptyDatabase(sight));
  const archive = path.join(options.folder, 'dump');
  const of = { url: copy.target.url, workFolder: options.folder, signal: options.signal };
  const contents = (await listArchive(program, archive, options.signal)).split('\n').filter((line) => /^\d/.test(line));
  // Last of all: while it is on, forced, the check of a foreign key is refused.
  const isSecurity = (line: string): boolean => / ROW SECURITY /.test(line);
  for (const lines of [contents.filter((line) => !isSecurity(line)), contents.filter(isSecurity)]) {
    const list = path.join(options.folder, 'list');
    fs.writeFileSync(list, `${lines.join('\n')}\n`, { mode: 0o600 });
    const flags = ['--no-owner', '--no-privileges', '--exit-on-error', `--jobs=${jobs()}`, `--use-list=${list}`];
    await runPostgresTool(program, [...flags, archive], of);
  }
  const named = definition.policies.filter(({ roles }) => roles.includes(COMPANY_ROLE));
  const statements = [
    ...named.map(({ table, name, roles }) => {
      const list = roles.map((role) => sqlIdentifier(role === COMPANY_ROLE ? copy.target.role : role)).join(', ');
      return `alter policy ${sqlIdentifier(name)} on ${sqlIdentifier(table)} to ${list}`;
    }),
    ...writeRights(definition, 'public', copy.target.role),
  ];
  await copy.targetSight((sight) => runAll(sight.company, statements));
}

/** Schemas beside the company's own are not proven, so they are not copied either. */
function assertWhole({ others }: SchemaDefinition): void {
  const faults = others
    .filter((other) => /^(schema|large object) /.test(other))
    .map((other) => ({ path: other, message: 'is outside of the schema public, which alone is copied' }));
  if (faults.length === 0) return;
  const list = faults.map(({ path: what, message }) => `${what} ${message}`).join('; ');
  throw new ColmeiaError('DATABASE_NOT_PORTABLE', `The company's database cannot be copied as it is: ${list}.`, {
    faults,
  });
}

const jobs = (): number => Math.min(4, os.availableParallelism());
