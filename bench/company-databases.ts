// Companies' own databases: how long it takes to make, open and copy one, on PGlite and on a PostgreSQL of its own with fsync,
// what fifty open ones weigh, and what the others feel of one whose statement never ends.
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { startPostgres } from '../scripts/postgres.ts';
import type { CompanyDatabases, CompanyPlace } from '../src/coordination/instances/databases/company-databases.ts';
import { compareFingerprints } from '../src/coordination/instances/databases/fingerprint.ts';
import { openCompanyDatabases } from '../src/coordination/instances/databases/open-company-databases.ts';
import { Secret } from '../src/platform/secret.ts';
import type { BenchContext } from './row.ts';

const REPEATS = 5;
const OPEN = 50;
const READS = 300;
const TABLES = `create table customer (id int primary key, name text not null, body jsonb);
  create table line (id int primary key, customer int references customer, amount numeric(12, 2), at timestamptz default now());
  create index on line (customer)`;

const placeOf = (instance: string, strategy: CompanyPlace['strategy'] = 'hybrid'): CompanyPlace => ({
  id: instance.replaceAll('-', '_'),
  instance,
  strategy,
  url: null,
});
const median = (values: number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1]!;
const p95 = (values: number[]): number => values.toSorted((a, b) => a - b)[Math.floor(values.length * 0.95)]!;

async function timed<T>(work: () => Promise<T>): Promise<number> {
  const from = performance.now();
  await work();
  return performance.now() - from;
}

export async function bench(context: BenchContext): Promise<void> {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'colmeia-bench-companies-'));
  process.once('exit', () => fs.rmSync(folder, { recursive: true, force: true }));
  await embedded(context, folder);
  await server(context, folder);
}

async function embedded({ add, say }: BenchContext, folder: string): Promise<void> {
  const options = {
    databaseUrl: null,
    dataFolder: folder,
    secrets: { reveal: async () => null, put: async () => undefined },
  };
  let databases = await openCompanyDatabases(options);
  await make(databases, placeOf('warm-up'));
  for (const strategy of ['hybrid', 'schema'] as const) {
    const times: number[] = [];
    for (let n = 0; n < REPEATS; n++)
      times.push(await timed(() => make(databases, placeOf(`made-${strategy}-${n}`, strategy))));
    add({
      work: `provision and migrate, embedded ${strategy}`,
      value: Math.round(median(times)),
      unit: 'ms',
      target: '<= 1500',
    });
  }
  for (const strategy of ['hybrid', 'schema'] as const) {
    const value = await copyTime(databases, folder, { strategy, rows: 22_000, say });
    add({ work: `copy of 22,000 rows with proof, embedded ${strategy}`, value, unit: 'ms', target: '<= 3000' });
  }
  const [healthy, hanging] = [placeOf('made-hybrid-0'), placeOf('made-hybrid-1')];
  const calm = await readTimes(databases, healthy);
  const stop = timed(() =>
    databases.use(hanging, 'read', (sql) => sql.query('select count(*) from generate_series(1, 100000000)')),
  );
  const beside = await readTimes(databases, healthy);
  await stop.catch(() => undefined);
  add({
    work: 'read of one company beside one that never answers, embedded, p95',
    value: Number(p95(beside).toFixed(2)),
    unit: 'ms',
    target: null,
    baseline: Number(p95(calm).toFixed(2)),
  });
  await databases.close();

  databases = await openCompanyDatabases(options);
  const reopening: number[] = [];
  for (let n = 0; n < REPEATS; n++) reopening.push(await timed(() => ping(databases, placeOf(`made-hybrid-${n}`))));
  add({
    work: 'reopen of an embedded database until its first answer',
    value: Math.round(median(reopening)),
    unit: 'ms',
    target: '<= 500',
  });
  await databases.close();

  await memory(options, add);
}

async function memory(options: Parameters<typeof openCompanyDatabases>[0], add: BenchContext['add']): Promise<void> {
  const databases = await openCompanyDatabases({ ...options, idleMs: 600_000 });
  globalThis.gc?.();
  const before = process.memoryUsage().rss;
  for (let n = 0; n < OPEN; n++) await make(databases, placeOf(`open-${n}`));
  await new Promise((resolve) => setTimeout(resolve, 3_000)); // what compiling took is given back
  const all = process.memoryUsage().rss;
  add({
    work: `memory of the process with ${OPEN} embedded databases open`,
    value: Math.round(all / 2 ** 20),
    unit: 'MiB',
    target: '<= 4096',
    baseline: Math.round(before / 2 ** 20),
  });
  await databases.close();
}

async function server({ add, say }: BenchContext, folder: string): Promise<void> {
  const postgres = await startPostgres({ fsync: true });
  const kept = new Map<string, Secret>();
  const databases = await openCompanyDatabases({
    databaseUrl: new Secret(postgres.url),
    dataFolder: null,
    secrets: {
      reveal: async (instance) => kept.get(instance) ?? null,
      put: async (instance, _, value) => void kept.set(instance, value),
    },
    postgresBin: postgres.bin,
  });
  try {
    await make(databases, placeOf('warm-up', 'schema'));
    for (const [strategy, target] of [
      ['hybrid', '<= 1500'],
      ['schema', '<= 1000'],
    ] as const) {
      const times: number[] = [];
      for (let n = 0; n < REPEATS; n++)
        times.push(await timed(() => make(databases, placeOf(`made-${strategy}-${n}`, strategy))));
      add({
        work: `provision and migrate, ${strategy} on PostgreSQL`,
        value: Math.round(median(times)),
        unit: 'ms',
        target,
      });
    }
    for (const strategy of ['hybrid', 'schema'] as const) {
      const value = await copyTime(databases, folder, { strategy, rows: 320_000, say });
      const target = strategy === 'hybrid' ? '<= 5000' : null;
      add({ work: `copy of 320,000 rows with proof, ${strategy} on PostgreSQL`, value, unit: 'ms', target });
    }
  } finally {
    await databases.close();
    await postgres.stop();
  }
}

async function make(databases: CompanyDatabases, place: CompanyPlace): Promise<void> {
  await databases.provision(place);
  await databases.migrate(place, [{ origin: 'company', version: 1, name: 'tables', sql: TABLES, checksum: 'tables' }]);
}

const ping = (databases: CompanyDatabases, place: CompanyPlace, text = 'select 1') =>
  databases.use(place, 'read', (sql) => sql.query(text));

async function readTimes(databases: CompanyDatabases, place: CompanyPlace): Promise<number[]> {
  const times: number[] = [];
  for (let n = 0; n < READS; n++) times.push(await timed(() => ping(databases, place, 'select count(*) from record')));
  return times;
}

/** Of the copy and the fingerprint of the target, into a database that is there and empty; median of three. */
async function copyTime(
  databases: CompanyDatabases,
  folder: string,
  { strategy, rows, say }: { strategy: CompanyPlace['strategy']; rows: number; say: BenchContext['say'] },
): Promise<number> {
  const source = placeOf(`source-${strategy}`, strategy);
  await make(databases, source);
  const customers = Math.floor(rows / 11);
  await databases.use(source, 'write', async (sql) => {
    await sql.query(
      `insert into customer select i, 'customer ' || i, jsonb_build_object('city', i % 100) from generate_series(1, ${customers}) i`,
    );
    await sql.query(
      `insert into line select i, 1 + i % ${customers}, i / 7.0 from generate_series(1, ${customers * 10}) i`,
    );
  });
  const times: number[] = [];
  for (let n = 0; n < 3; n++) {
    const target = placeOf(`target-${strategy}-${n}`, strategy);
    await databases.provision(target);
    const more = {
      workFolder: folder,
      operationId: `copy-${n}`,
      progress: () => undefined,
      signal: new AbortController().signal,
    };
    times.push(
      await timed(async () => {
        const report = await databases.copy(source, target, more);
        const differences = compareFingerprints(report.fingerprint, await databases.fingerprint(target));
        if (differences.length > 0) throw new Error(differences.join('; '));
        say(`  ${strategy}: ${report.rows} rows, the source waited ${report.freezeMs.toFixed(0)} ms`);
      }),
    );
    await databases.drop(target);
  }
  await databases.drop(source);
  return Math.round(median(times));
}
