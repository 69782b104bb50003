import assert from 'node:assert/strict';
import fs from 'node:fs';
import { once } from 'node:events';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';

import { startPostgres, type Postgres } from '../../scripts/postgres.ts';
import { companyDatabasesConformance } from '../../src/coordination/instances/databases/company-databases.conformance.ts';
import {
  type CompanyDatabases,
  type CompanyPlace,
} from '../../src/coordination/instances/databases/company-databases.ts';
import {
  type ConformancePlace,
  copyOptions,
} from '../../src/coordination/instances/databases/conformance-place.testing.ts';
import { compareFingerprints } from '../../src/coordination/instances/databases/fingerprint.ts';
import {
  type CompanyDatabasesOptions,
  openCompanyDatabases,
} from '../../src/coordination/instances/databases/open-company-databases.ts';
import { placeFor } from '../../src/coordination/instances/databases/place-for.testing.ts';
import { commonDatabase } from '../../src/coordination/instances/databases/place-names.ts';
import {
  migrationOf,
  SAMPLE_ROWS,
  SAMPLE_TABLES,
} from '../../src/coordination/instances/databases/sample-tables.testing.ts';
import { secretsInMemory } from '../../src/coordination/instances/databases/secrets-in-memory.testing.ts';
import { isColmeiaError } from '../../src/platform/errors.ts';
import { Secret } from '../../src/platform/secret.ts';
import { asAdmin } from './test-server.ts';

const DEADLINE_MS = 2_000;

let postgres: Postgres;
let count = 0;
before(async () => void (postgres = await startPostgres({ fsync: true })));
after(() => postgres.stop());

/** A fresh control plane's database, whose login may what an operator would let it. */
async function controlPlane(rights = 'createdb createrole bypassrls'): Promise<{ url: string; login: string }> {
  const login = `colmeia_login_${count++}`;
  await asAdmin(postgres.url, async (client) => {
    await client.query(`create role ${login} login ${rights}`);
    await client.query(`create database ${login} owner ${login}`);
  });
  return { url: databaseUrl(login, login), login };
}

const databaseUrl = (login: string, database: string): string =>
  postgres.url.replace('postgres@', `${login}@`).replace(/postgres$/, database);

function open(url: string, more: Partial<CompanyDatabasesOptions> = {}): Promise<CompanyDatabases> {
  const databaseUrl_ = new Secret(url);
  const base = { databaseUrl: databaseUrl_, dataFolder: null, secrets: secretsInMemory(), postgresBin: postgres.bin };
  return openCompanyDatabases({ ...base, ...more });
}

function server(strategy: 'hybrid' | 'schema', kinds: string[]): () => Promise<ConformancePlace> {
  return async () => {
    const { url, login } = await controlPlane();
    const databases = await open(url, { deadlineMs: DEADLINE_MS });
    const common = commonDatabase(login);
    return {
      databases,
      place: async (instance) => placeFor(instance, strategy),
      destroy: ({ id }) =>
        strategy === 'schema'
          ? asAdmin(postgres.url.replace(/postgres$/, common), async (client) => {
              await client.query(`drop schema company_${id} cascade`);
            })
          : asAdmin(postgres.url, async (client) => {
              await client.query(`drop database colmeia_company_${id} with (force)`);
            }),
      deadlineMs: DEADLINE_MS,
      hasOwnRoles: true,
      kinds,
      async end() {
        await databases.drop(placeFor('acme', strategy));
        await databases.close();
      },
    };
  };
}

companyDatabasesConformance('a database of its own on a server', server('hybrid', ['database', 'role']));
companyDatabasesConformance('a schema in a common database of a server', server('schema', ['role', 'schema']));
companyDatabasesConformance('a database that somebody else made', async () => {
  const { url, login } = await controlPlane();
  const databases = await open(url, { deadlineMs: DEADLINE_MS });
  await asAdmin(postgres.url, async (client) => {
    for (const role of ['anon', 'authenticated', 'service_role']) {
      const { rowCount } = await client.query('select from pg_roles where rolname = $1', [role]);
      if (rowCount === 0) await client.query(`create role ${role} nologin`);
    }
    await client.query(`grant anon, authenticated, service_role to ${login}`); // as a Supabase project's login has them
  });
  const name = (instance: string): string => `external_${instance.replaceAll('-', '_')}_${count}`;
  return {
    databases,
    async place(instance) {
      await asAdmin(
        postgres.url,
        async (client) => void (await client.query(`create database ${name(instance)} owner ${login}`)),
      );
      return placeFor(instance, 'hybrid', new Secret(databaseUrl(login, name(instance))));
    },
    destroy: ({ url: own }) =>
      asAdmin(own!.reveal(), async (client) => {
        await client.query('drop schema public cascade');
        await client.query('create schema public');
      }),
    deadlineMs: DEADLINE_MS,
    hasOwnRoles: false,
    kinds: ['tables'],
    end: () => databases.close(),
  };
});

describe('companies on a server', () => {
  let databases: CompanyDatabases;
  let secrets: ReturnType<typeof secretsInMemory>;
  let url: string;
  before(async () => {
    ({ url } = await controlPlane());
    secrets = secretsInMemory();
    databases = await open(url, { secrets, deadlineMs: DEADLINE_MS });
  });
  after(() => databases.close());

  const own = (instance: string): CompanyPlace => placeFor(instance, 'hybrid');
  const ask = (place: CompanyPlace, text = 'select 1 as one') => databases.use(place, 'read', (sql) => sql.query(text));
  async function found(instance: string): Promise<CompanyPlace> {
    await databases.provision(own(instance));
    await databases.migrate(own(instance), []);
    return own(instance);
  }

  test('a login that may not make databases or roles is told what it lacks', async () => {
    const poor = await open((await controlPlane('')).url);
    await assert.rejects(
      poor.provision(own('poor')),
      (error) =>
        isColmeiaError(error, 'DATABASE_DENIED') && /lacks CREATEDB and CREATEROLE.*alter role/.test(error.message),
    );
    await poor.close();
  });

  test('a login that row level security holds back is told so, instead of a proof over a part of the rows', async () => {
    const { url: plain, login } = await controlPlane('createdb createrole');
    const bound = await open(plain);
    await bound.provision(own('bound'));
    await bound.migrate(own('bound'), []);
    await assert.rejects(
      bound.fingerprint(own('bound')),
      (error) => isColmeiaError(error, 'DATABASE_DENIED') && /BYPASSRLS/.test(error.message),
    );
    await asAdmin(postgres.url, async (client) => void (await client.query(`alter role ${login} bypassrls`)));
    assert.equal((await bound.fingerprint(own('bound'))).tables.record!.rows, 0);
    await bound.drop(own('bound'));
    await bound.close();
  });

  test("a company's login reaches no other company, and its password is nowhere in the server's log", async () => {
    const [one, two] = [await found('one'), await found('two')];
    const password = secrets.kept.get('one database_password')!.reveal();
    assert.ok(password.length >= 32);
    await assert.rejects(
      asAdmin(postgres.url.replace('postgres@', 'company_one@').replace(/postgres$/, 'colmeia_company_two'), (client) =>
        client.query('select 1'),
      ),
      /permission denied for database/,
    );
    await asAdmin(postgres.url, async (client) => {
      const { rows } = await client.query(`select rolpassword from pg_authid where rolname = 'company_one'`);
      assert.match(rows[0].rolpassword, /^SCRAM-SHA-256\$/);
    });
    assert.deepEqual((await databases.inspect(one)).roleFaults, []);
    await databases.drop(one);
    await databases.drop(two);
  });

  test("a company's login does not connect to Colmeia's own database, and reads no name of a company anywhere", async () => {
    const [one, two] = [
      { ...own('walled'), instance: 'secret-client' },
      { ...own('other1'), instance: 'hidden-rival' },
    ];
    for (const place of [one, two]) await databases.provision(place);
    await databases.migrate(two, []);
    await ask(two);
    const said = await ask(
      one,
      `select string_agg(x, ' ') as text, has_database_privilege('${new URL(url).pathname.slice(1)}', 'connect') as may from (
         select concat_ws(' ', rolname, shobj_description(oid, 'pg_authid')) from pg_roles union all select datname from pg_database
         union all select nspname from pg_namespace union all select concat_ws(' ', application_name, query) from pg_stat_activity
         union all select array_to_string(setconfig, ' ') from pg_db_role_setting) found(x)`,
    );
    assert.match(String(said[0]!.text), /company_other1/);
    assert.doesNotMatch(String(said[0]!.text), /hidden|rival|secret.client/);
    assert.equal(said[0]!.may, false);
    assert.deepEqual((await databases.inspect(one)).roleFaults, []);
    await asAdmin(
      url,
      async (client) => void (await client.query(`grant connect on database ${client.database} to public`)),
    );
    assert.deepEqual((await databases.inspect(one)).roleFaults, [
      `role company_walled may connect to database ${new URL(url).pathname.slice(1)}`,
    ]);
    await databases.provision(one);
    assert.deepEqual((await databases.inspect(one)).roleFaults, []);
    for (const place of [one, two]) await databases.drop(place);
  });

  test('two hives on one server keep companies of one name apart, and a company keeps its own under another name', async () => {
    const { url: second } = await controlPlane();
    const other = await open(second);
    for (const strategy of ['hybrid', 'schema'] as const) {
      const here: CompanyPlace = { ...placeFor('twin', strategy), id: `${strategy}1` };
      const there: CompanyPlace = { ...here, id: `${strategy}2` };
      for (const [hive, place] of [[databases, here] as const, [other, there] as const]) {
        await hive.provision(place);
        await hive.migrate(place, []);
        await hive.use(place, 'write', (sql) => sql.query('insert into record (kind) values ($1)', [place.id]));
      }
      secrets.kept.set('renamed database_password', secrets.kept.get('twin database_password')!);
      secrets.kept.delete('twin database_password');
      assert.deepEqual(await ask({ ...here, instance: 'renamed' }, 'select kind from record'), [{ kind: here.id }]);
      const next: CompanyPlace = { ...here, id: `${strategy}3` };
      await databases.provision(next);
      await databases.migrate(next, []);
      assert.deepEqual(await ask(next, 'select kind from record'), []);
      await databases.drop(next);
      await databases.drop({ ...here, instance: 'renamed' });
      assert.equal((await other.inspect(there)).reachable, true);
      await other.drop(there);
    }
    await other.close();
  });

  test('a role or a database of that name that is not ours is left alone', async () => {
    await asAdmin(postgres.url, async (client) => {
      await client.query('create role company_taken');
      await client.query('create database colmeia_company_taken2');
    });
    for (const name of ['taken', 'taken2']) {
      await assert.rejects(databases.provision(own(name)), (error) => isColmeiaError(error, 'DATABASE_FOREIGN'));
    }
    assert.deepEqual(await databases.drop(own('taken')), []);
    await asAdmin(postgres.url, async (client) => {
      assert.equal((await client.query(`select 1 from pg_roles where rolname = 'company_taken'`)).rowCount, 1);
      await client.query('drop role company_taken');
      await client.query('drop database colmeia_company_taken2');
      await client.query('drop role company_taken2');
    });
  });

  test('provisioning that was cut after any of its steps is completed', async () => {
    const place = await found('halfway');
    const admin = (text: string) => asAdmin(postgres.url, async (client) => void (await client.query(text)));
    await admin('drop database colmeia_company_halfway with (force)');
    assert.equal((await found('halfway')).instance, 'halfway');
    assert.deepEqual(await ask(place), [{ one: 1 }]);
    await asAdmin(
      postgres.url.replace(/postgres$/, 'colmeia_company_halfway'),
      async (client) => void (await client.query('drop schema auth cascade')),
    );
    await databases.provision(place);
    assert.deepEqual(await ask(place, 'select auth.role() as role'), [{ role: 'service_role' }]);
    await databases.drop(place);
  });

  test('a server that takes connections and never answers makes one company unavailable, and the others no slower', async () => {
    const sockets = new Set<net.Socket>();
    const silent = net.createServer((socket) => void sockets.add(socket)).listen(0, '127.0.0.1');
    await once(silent, 'listening');
    const { port } = silent.address() as net.AddressInfo;
    const hanging = placeFor('hanging', 'hybrid', new Secret(`postgresql://me:pass@127.0.0.1:${port}/db`));
    const healthy = await found('healthy');
    const p95 = async (): Promise<number> => {
      const times: number[] = [];
      for (let n = 0; n < 200; n++) {
        const from = performance.now();
        await ask(healthy);
        times.push(performance.now() - from);
      }
      return times.sort((a, b) => a - b)[190]!;
    };
    const calm = await p95();
    const hung = Array.from({ length: 50 }, () =>
      assert.rejects(
        ask(hanging),
        (error) => isColmeiaError(error, 'STORE_UNAVAILABLE') && !error.message.includes('pass'),
      ),
    );
    const meanwhile = await p95();
    await Promise.all(hung);
    assert.ok(meanwhile < calm * 5 + 20, `${meanwhile} ms beside one that hangs, ${calm} without`);
    await Promise.all(Array.from({ length: 3 }, () => ask(hanging).catch(() => undefined)));
    await assert.rejects(ask(hanging), /failed twice in a row/);
    assert.equal((await databases.inspect(hanging)).reachable, false);
    for (const socket of sockets) socket.destroy();
    silent.close();
    await databases.drop(healthy);
  });

  test('many companies at once stay within the cap of connections', async () => {
    const places = await Promise.all(['a1', 'a2', 'a3', 'a4', 'a5'].map(found));
    await Promise.all(places.flatMap((place) => Array.from({ length: 30 }, () => ask(place))));
    const rows = await asAdmin(postgres.url, async (client) => {
      const text = `select usename, count(*)::int as n from pg_stat_activity where usename like 'company\\_a%' group by 1`;
      return (await client.query(text)).rows as { n: number }[];
    });
    assert.ok(
      rows.every(({ n }) => n <= 4),
      JSON.stringify(rows),
    );
    for (const place of places) await databases.drop(place);
  });

  test('when the server dies calls say so, and when it is back they work', async () => {
    const place = await found('survivor');
    assert.deepEqual(await ask(place), [{ one: 1 }]);
    await postgres.kill9();
    await assert.rejects(ask(place), (error) => isColmeiaError(error, 'STORE_UNAVAILABLE'));
    await postgres.restart();
    for (const deadline = Date.now() + 15_000; Date.now() < deadline;) {
      const rows = await ask(place).catch(() => null);
      if (rows !== null) break;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    assert.deepEqual(await ask(place), [{ one: 1 }]);
    await databases.drop(place);
  });

  test('without pg_dump of the right version a copy goes row by row, and says why', async () => {
    const bare = await open(url, { secrets, postgresBin: '/nowhere' });
    const source = await found('plain');
    await databases.migrate(source, [migrationOf(1, SAMPLE_TABLES)]);
    for (const statement of SAMPLE_ROWS.split(';\n'))
      await databases.use(source, 'write', (sql) => sql.query(statement));
    await databases.provision(own('plain2'));
    const said: string[] = [];
    const report = await bare.copy(source, own('plain2'), {
      ...copyOptions(),
      progress: (detail) => said.push(detail),
    });
    assert.match(said.join(), /row by row: there is no pg_dump in \/nowhere/);
    assert.deepEqual(compareFingerprints(report.fingerprint, await databases.fingerprint(own('plain2'))), []);
    await bare.close();
    await databases.drop(source);
    await databases.drop(own('plain2'));
  });

  test('a copy that is called off leaves no files, no tool and a source as it was', async () => {
    const source = await found('calloff');
    await databases.migrate(source, [
      migrationOf(1, 'create table big (n int, t text)'),
      migrationOf(2, `insert into big select i, repeat('x', 200) from generate_series(1, 200000) i`),
    ]);
    await databases.provision(own('calloff2'));
    const workFolder = fs.mkdtempSync(path.join(os.tmpdir(), 'colmeia-calloff-'));
    const stop = new AbortController();
    const copying = databases.copy(source, own('calloff2'), {
      ...copyOptions(stop.signal),
      workFolder,
      progress: (detail) => detail === 'reads the source' && setTimeout(() => stop.abort(), 50),
    });
    await assert.rejects(copying);
    assert.deepEqual(fs.readdirSync(workFolder), []);
    const report = await databases.copy(source, own('calloff2'), { ...copyOptions(), workFolder });
    assert.deepEqual(compareFingerprints(report.fingerprint, await databases.fingerprint(own('calloff2'))), []);
    fs.rmSync(workFolder, { recursive: true });
    await databases.drop(source);
    await databases.drop(own('calloff2'));
  });

  test('a company moves between an embedded hive and a server, and back, without a difference', async () => {
    const dataFolder = fs.mkdtempSync(path.join(os.tmpdir(), 'colmeia-tiers-'));
    const embedded = await openCompanyDatabases({ databaseUrl: null, dataFolder, secrets });
    const { signal } = new AbortController();
    const there = own('mover');
    await embedded.provision(there);
    await embedded.migrate(there, [migrationOf(1, SAMPLE_TABLES)]);
    for (const statement of SAMPLE_ROWS.split(';\n')) await embedded.use(there, 'write', (sql) => sql.query(statement));
    const folder = path.join(dataFolder, 'dump');
    const { fingerprint } = await embedded.dumpTo(there, folder, { signal });
    await databases.provision(there);
    assert.deepEqual(compareFingerprints(fingerprint, await databases.restoreFrom(there, folder, { signal })), []);
    await databases.dumpTo(there, folder, { signal });
    const back = placeFor('mover-back', 'schema');
    await embedded.provision(back);
    assert.deepEqual(compareFingerprints(fingerprint, await embedded.restoreFrom(back, folder, { signal })), []);
    await embedded.close();
    await databases.drop(there);
    fs.rmSync(dataFolder, { recursive: true });
  });
});
