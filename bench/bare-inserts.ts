import pg from 'pg';
import { PgliteSession } from '../src/platform/store/pglite-session.ts';
import { restoreSeed, loadSeed } from '../src/platform/store/seed.ts';
import type { Place } from './places.ts';

const TABLE = 'create table bare (id int8 primary key, n int4 not null, body text not null)';
const INSERT = 'insert into bare select * from unnest($1::int8[], $2::int4[], $3::text[])';
/** Bytes of a row: what a plan, a ticket and a row of the journal have between them. */
const BODY = 'x'.repeat(350);

/** Rows per second that one connection inserts in commits of `perCommit` rows: what the store can do at most. */
export async function bareInserts(place: Place, perCommit: number, ms: number): Promise<number> {
  return place.kind === 'postgres'
    ? onServer(place.databaseUrl!, perCommit, ms)
    : embedded(place.dataFolder!, perCommit, ms);
}

async function onServer(url: string, perCommit: number, ms: number): Promise<number> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(TABLE);
    return await insertLoop(perCommit, ms, (values) => client.query({ name: 'insert', text: INSERT, values }));
  } finally {
    await client.end();
  }
}

async function embedded(folder: string, perCommit: number, ms: number): Promise<number> {
  await restoreSeed(loadSeed(), folder);
  const session = await PgliteSession.open(folder, 16);
  try {
    await session.script(TABLE);
    return await insertLoop(perCommit, ms, (values) => session.query(INSERT, values));
  } finally {
    await session.close();
  }
}

async function insertLoop(
  perCommit: number,
  ms: number,
  insert: (values: unknown[]) => Promise<unknown>,
): Promise<number> {
  let id = 0;
  const batch = (): unknown[] => {
    const ids = Array.from({ length: perCommit }, () => ++id);
    return [ids, ids.map((_, n) => n), ids.map(() => BODY)];
  };
  for (let n = 0; n < 20; n++) await insert(batch());
  const before = id;
  const startedAt = performance.now();
  while (performance.now() < startedAt + ms) await insert(batch());
  return ((id - before) * 1_000) / (performance.now() - startedAt);
}
