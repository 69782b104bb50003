// Hostile SQL of companies on a server, where their schemas share a database and Colmeia's login is a superuser.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { startPostgres, type Postgres } from '../../scripts/postgres.ts';
import type { CompanyDatabases, CompanyPlace } from '../../src/coordination/instances/databases/company-databases.ts';
import { takeFingerprint } from '../../src/coordination/instances/databases/fingerprint.ts';
import { openCompanyDatabases } from '../../src/coordination/instances/databases/open-company-databases.ts';
import { Secret } from '../../src/platform/secret.ts';
import { sessionOf } from '../../src/platform/store/server-connection.ts';
import type { Session } from '../../src/platform/store/transaction.ts';
import { companySqlConformance } from '../security/company-sql.conformance.ts';
import { asAdmin } from './test-server.ts';

let postgres: Postgres;
before(async () => void (postgres = await startPostgres({ fsync: false })));
after(() => postgres.stop());

function openDatabases(deadlineMs?: number, kept = new Map<string, Secret>()): Promise<CompanyDatabases> {
  const secrets = {
    reveal: async (instance: string, name: string) => kept.get(`${instance} ${name}`) ?? null,
    put: async (instance: string, name: string, value: Secret) => void kept.set(`${instance} ${name}`, value),
  };
  const databaseUrl = new Secret(postgres.url);
  return openCompanyDatabases({ databaseUrl, dataFolder: null, secrets, postgresBin: postgres.bin, deadlineMs });
}

companySqlConformance('schemas in a common database of a server', async () => {
  const databases = await openDatabases();
  return { databases, atOnce: true, end: () => databases.close() };
});

test('a loop that catches its own cancellation does not go on at the server once nobody waits for it', async () => {
  const databases = await openDatabases(500);
  const place: CompanyPlace = { instance: 'looping', id: 'looping', strategy: 'schema', url: null };
  await databases.provision(place);
  await databases.migrate(place, []);
  const loop = `do $$ begin perform set_config('statement_timeout', '0', false);
    loop begin loop perform 1; end loop; exception when query_canceled then null; end; end loop; end $$`;
  const looping = databases.use(place, 'write', async (sql) => {
    await sql.query('set statement_timeout = 0');
    await sql.query(loop);
  });
  await assert.rejects(looping);
  const running = `select pid from pg_stat_activity where usename = 'company_looping' and state = 'active'`;
  assert.deepEqual(await asAdmin(postgres.url, async (client) => (await client.query(running)).rows), []);
  assert.deepEqual(await databases.use(place, 'read', (sql) => sql.query('select 1 as one')), [{ one: 1 }]);
  await databases.drop(place);
  await databases.close();
});

test('a company that changes the password of its role does not lock Colmeia out', async () => {
  const kept = new Map<string, Secret>();
  const databases = await openDatabases(undefined, kept);
  const place: CompanyPlace = { instance: 'locked', id: 'locked', strategy: 'hybrid', url: null };
  await databases.provision(place);
  await databases.migrate(place, []);
  const login = new URL(postgres.url);
  [login.username, login.password, login.pathname] = ['company_locked', 'wrong', 'colmeia_company_locked'];
  const isOpen = (): Promise<boolean> => asAdmin(login.href, async () => true).catch(() => false);
  await asAdmin(postgres.url, async (client) => {
    const file = String((await client.query('show hba_file')).rows[0].hba_file);
    fs.writeFileSync(file, `host all company_locked all scram-sha-256\n${fs.readFileSync(file, 'utf8')}`);
    await client.query('select pg_reload_conf()');
  });
  while (await isOpen()) await sleep(10);
  const lock = (password: string): Promise<unknown> =>
    databases.use(place, 'write', (sql) => sql.query(`alter role company_locked password ${password}`));
  for (const password of [`'its own'`, 'null']) {
    const later = await openDatabases(undefined, kept); // a process without a connection yet
    await lock(password);
    assert.ok((await later.fingerprint(place)).tables.record);
    await lock(password);
    assert.deepEqual(await later.use(place, 'read', (sql) => sql.query('select 1 as one')), [{ one: 1 }]);
    await later.close();
  }
  await databases.drop(place);
  await databases.close();
});

test('a view that takes the place of a table while it is read is not run by the superuser', async () => {
  const database = new URL(postgres.url);
  database.pathname = 'swapped';
  await asAdmin(postgres.url, async (client) => {
    await client.query('create role company_swap login');
    await client.query('create database swapped owner company_swap');
  });
  const login = new URL(database);
  login.username = 'company_swap';
  const [owner, company, robber] = [database, login, login].map(({ href }) => new pg.Client(href));
  for (const client of [owner!, company!, robber!]) await client.connect();
  const loot = path.join(os.tmpdir(), `colmeia-loot-${process.pid}`);
  await robber!.query(`create schema s; create table s.bait (i int);
    create function s.robbing() returns int language plpgsql as $$ begin copy (select 1) to program 'touch ${loot}'; return 1; end $$`);
  const swap = 'drop table s.bait; create view s.bait as select s.robbing() as i';
  let isSwapped = false;
  const plain = sessionOf(owner!);
  const late: Session = {
    script: (text) => plain.script(text),
    async query(text, values) {
      const rows = await plain.query(text, values); // the first one, after which the tables have been listed
      if (!isSwapped) await robber!.query(swap);
      isSwapped = true;
      return rows;
    },
  };
  const asCompany = sessionOf(company!);
  const run = async (text: string): Promise<void> => void (await asCompany.script(text));
  const sight = { owner: late, company: { ...asCompany, run }, schema: 's', role: 'company_swap' };
  await assert.rejects(takeFingerprint(sight), /access to non-system view "bait" is restricted/);
  assert.equal(isSwapped, true);
  assert.equal(fs.existsSync(loot), false);
  for (const client of [owner!, company!, robber!]) await client.end();
});
