import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { startPostgres, type Postgres } from '../../scripts/postgres.ts';
import { isColmeiaError } from '../../src/platform/errors.ts';
import { openStore } from '../../src/platform/store/open-store.ts';
import { OwnershipLocks } from '../../src/platform/store/ownership-locks.ts';
import { addInstances, flusherOf, journalRow, storeConformance } from '../../src/platform/store/store.conformance.ts';
import { asAdmin } from './test-server.ts';

const COORDINATOR = { as: 'coordinator' } as const;
const isAway = (error: unknown): boolean =>
  isColmeiaError(error, 'STORE_UNAVAILABLE') && error.message.includes('not available');

let postgres: Postgres;
let databases = 0;

/** A fresh database that a plain role owns, as a careful administrator would make it. */
async function freshDatabase(login = 'tenant_owner'): Promise<string> {
  const name = `colmeia_${databases++}`;
  await asAdmin(postgres.url, async (client) => {
    const { rowCount } = await client.query('select from pg_roles where rolname = $1', [login]);
    if (rowCount === 0) await client.query(`create role ${login} login createrole`);
    await client.query(`create database ${name} owner ${login}`);
  });
  return postgres.url.replace('postgres@', `${login}@`).replace(/postgres$/, name);
}

async function until(what: string, met: () => boolean | Promise<boolean>): Promise<void> {
  for (const deadline = Date.now() + 15_000; !(await met());) {
    assert.ok(Date.now() < deadline, `${what}: not within 15 s`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

before(async () => void (postgres = await startPostgres()));
after(() => postgres.stop());

storeConformance('PostgreSQL with a login that is no superuser', async () => {
  const store = await openStore({ databaseUrl: await freshDatabase(), dataFolder: null });
  return { store, end: () => store.close() };
});

describe('the store of a server', () => {
  test('the owner of the tables sees no row of its own accord, and may still flush', async () => {
    const databaseUrl = await freshDatabase();
    const store = await openStore({ databaseUrl, dataFolder: null });
    await asAdmin(databaseUrl, async (client) => {
      for (const table of ['instance', 'api_key', 'agent', 'plan', 'ticket', 'journal', 'journal_head', 'consumer']) {
        const { rows } = await client.query(`select count(*)::int as n from ${table}`);
        assert.equal(rows[0].n, 0, table);
      }
    });
    await (await flusherOf(store)).flush(journalRow('default', 1));
    await store.close();
  });

  test('replicas that start at once on an empty database all come up', async () => {
    const databaseUrl = await freshDatabase();
    const stores = await Promise.all(Array.from({ length: 4 }, () => openStore({ databaseUrl, dataFolder: null })));
    const [row] = await stores[3]!.read(COORDINATOR, (sql) => sql.query('select count(*) as n from instance'));
    assert.equal(row!.n, 2);
    await Promise.all(stores.map((store) => store.close()));
  });

  test('two databases of one server that migrate at once do not stumble over their common roles', async () => {
    for (let round = 0; round < 3; round++) {
      const urls = [await freshDatabase(), await freshDatabase(), await freshDatabase()];
      const databases = urls.map((url) => new URL(url).pathname.slice(1));
      const stores = await Promise.all(urls.map((databaseUrl) => openStore({ databaseUrl, dataFolder: null })));
      await Promise.all(stores.map((store) => store.close()));
      await asAdmin(postgres.url, async (client) => {
        const { rows } = await client.query('select datname from pg_database where datname like $1', ['colmeia_%']);
        for (const { datname } of rows) {
          if (round < 2 || databases.includes(datname)) await client.query(`drop database ${datname} with (force)`);
        }
        if (round < 2)
          for (const role of ['engine', 'coordinator', 'company']) await client.query(`drop role colmeia_${role}`);
      });
    }
  });

  test('when the server restarts every call says so at once, and it comes back by itself', async () => {
    const store = await openStore({ databaseUrl: await freshDatabase(), dataFolder: null });
    const { flush } = await flusherOf(store);
    await flush(journalRow('default', 1));
    const told: (string | null)[] = [];
    store.onAvailability((unavailable) => told.push(unavailable));
    const heard: string[] = [];
    await store.listen('work', (payload) => heard.push(payload));

    await postgres.kill9();
    await until('away', () => store.unavailable() !== null);
    const started = performance.now();
    await assert.rejects(flush(journalRow('default', 2)), isAway);
    await assert.rejects(
      store.read(COORDINATOR, (sql) => sql.query('select 1')),
      isAway,
    );
    await assert.rejects(
      store.write(COORDINATOR, (sql) => sql.query('select 1')),
      isAway,
    );
    await assert.rejects(store.notify('work', 'lost'), isAway);
    await assert.rejects(
      store.listen('work', () => undefined),
      isAway,
    );
    assert.ok(performance.now() - started < 1_000);

    await postgres.restart();
    await until('back', () => store.unavailable() === null);
    assert.deepEqual(
      told.map((unavailable) => unavailable === null),
      [false, true],
    );
    await flush(journalRow('default', 2));
    await store.notify('work', 'heard');
    await until('heard', () => heard.length > 0);
    assert.deepEqual(heard, ['heard']);
    const [row] = await store.read({ as: 'engine' }, (sql) =>
      sql.query(`select seq from journal_head where instance = 'default'`),
    );
    assert.equal(row!.seq, 2);
    await store.close();
  });

  test('a server that dies in the middle of flushes keeps every acknowledged one', async () => {
    const store = await openStore({ databaseUrl: await freshDatabase(), dataFolder: null });
    const { flush } = await flusherOf(store);
    let acknowledged = 0;
    const writing = (async () => {
      for (let seq = 1; ; seq++) {
        await flush(journalRow('default', seq));
        acknowledged = seq;
      }
    })();
    const failed = assert.rejects(writing, isAway);
    await until('writing', () => acknowledged >= 100);
    await postgres.kill9();
    await failed;
    await postgres.restart();
    await until('back', () => store.unavailable() === null);
    const [row] = await store.read({ as: 'engine' }, (sql) =>
      sql.query(`select seq from journal_head where instance = 'default'`),
    );
    assert.ok(Number(row!.seq) - acknowledged <= 1 && Number(row!.seq) >= acknowledged, `${row!.seq} ${acknowledged}`);
    await store.close();
  });

  test('a connection of the pool that was cut fails its own call alone', async () => {
    const databaseUrl = await freshDatabase();
    const store = await openStore({ databaseUrl, dataFolder: null });
    const cut = store.read(COORDINATOR, async (sql) => {
      const [row] = await sql.query('select pg_backend_pid() as pid');
      await asAdmin(postgres.url, (client) => client.query('select pg_terminate_backend($1)', [row!.pid]));
      await sql.query('select 1');
    });
    await assert.rejects(cut, isAway);
    assert.deepEqual(await store.read(COORDINATOR, (sql) => sql.query('select 1 as one')), [{ one: 1 }]);
    assert.equal(store.unavailable(), null);
    await store.close();
  });

  test('a server that cannot be reached is told as that', async () => {
    const databaseUrl = 'postgresql://postgres@127.0.0.1:1/postgres';
    await assert.rejects(openStore({ databaseUrl, dataFolder: null }), isAway);
  });

  test('a write to a server that is a read-only standby is told as that', async () => {
    const databaseUrl = await freshDatabase();
    const store = await openStore({ databaseUrl, dataFolder: null });
    const name = new URL(databaseUrl).pathname.slice(1);
    await asAdmin(postgres.url, (client) =>
      client.query(`alter database ${name} set default_transaction_read_only = on`),
    );
    const late = await openStore({ databaseUrl, dataFolder: null });
    await assert.rejects(addInstances(late, 'alfa'), isAway);
    await Promise.all([store.close(), late.close()]);
  });
});

describe('ownership locks', () => {
  let databaseUrl: string;
  let one: OwnershipLocks;
  let two: OwnershipLocks;
  before(async () => {
    databaseUrl = await freshDatabase();
    [one, two] = await Promise.all([OwnershipLocks.open({ databaseUrl }), OwnershipLocks.open({ databaseUrl })]);
  });
  after(() => Promise.all([one.close(), two.close()]));

  test('belong to one replica at a time, and everyone sees to whom', async () => {
    assert.equal(await one.tryLock(7, 1), true);
    assert.equal(await two.tryLock(7, 1), false);
    assert.equal(await two.tryLock(7, -2), true);
    assert.equal(await two.tryLock(8, 1), true);
    assert.deepEqual(
      await one.holders(7),
      new Map([
        [1, one.backendPid],
        [-2, two.backendPid],
      ]),
    );
    assert.equal(await one.unlock(7, 1), true);
    assert.equal(await one.unlock(7, 1), false);
    assert.equal(await two.tryLock(7, 1), true);
  });

  test('of another database are another matter', async () => {
    const other = await OwnershipLocks.open({ databaseUrl: await freshDatabase() });
    assert.equal(await other.tryLock(7, 1), true);
    assert.deepEqual(await other.holders(7), new Map([[1, other.backendPid]]));
    await other.close();
  });

  test('are gone when the connection dies, which is told, and the connection comes back without them', async () => {
    const lost: string[] = [];
    one.onLost((reason) => lost.push(reason));
    assert.equal(await one.tryLock(9, 1), true);
    const before = one.backendPid;
    await asAdmin(postgres.url, (client) => client.query('select pg_terminate_backend($1)', [before]));
    await until('lost', () => lost.length === 1);
    await until('free for others', () => two.tryLock(9, 1));
    await until('back', () => one.backendPid !== null);
    assert.notEqual(one.backendPid, before);
    assert.equal(await one.tryLock(9, 1), false);
    assert.deepEqual(await one.holders(9), new Map([[1, two.backendPid]]));
    assert.equal(lost.length, 1);
  });
});
