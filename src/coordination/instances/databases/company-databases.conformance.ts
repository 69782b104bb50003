import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { isColmeiaError } from '../../../platform/errors.ts';
import { companyCopiesConformance } from './company-copies.conformance.ts';
import { type CompanyDatabases, type CompanyPlace } from './company-databases.ts';
import { companiesOf, type ConformancePlace, copyOptions, refused, sqlState } from './conformance-place.testing.ts';
import { baseMigrations } from './migrate-company.ts';
import { migrationOf, seedOf } from './sample-tables.testing.ts';

const USER = '8a4f2c1e-0000-4000-8000-000000000001';

export function companyDatabasesConformance(name: string, open: () => Promise<ConformancePlace>): void {
  describe(`companies' databases: ${name}`, () => {
    let at: ConformancePlace;
    let databases: CompanyDatabases;
    let acme: CompanyPlace;
    const companies = companiesOf(() => at);
    const { found, run, read } = companies;
    before(async () => {
      at = await open();
      databases = at.databases;
      acme = await found('acme');
    });
    after(() => at.end());

    companyCopiesConformance(
      () => at.databases,
      companies,
      (instance) => at.place(instance),
    );

    test('provisioning again changes nothing, and answers what is there', async () => {
      const there = await databases.provision(acme);
      assert.deepEqual(there.map(({ kind }) => kind).sort(), at.kinds);
      assert.deepEqual(await databases.leftovers(acme), there);
      assert.equal(await databases.migrate(acme, []), 0);
    });

    test('the base is usable at once: everybody sees the own records, the service all of them', async () => {
      await databases.use(acme, 'write', (sql) =>
        sql.query(`insert into record (kind, owner) values ('note', $1), ('note', gen_random_uuid()), ('note', null)`, [
          USER,
        ]),
      );
      const count = async (claims: Parameters<CompanyDatabases['use']>[3]): Promise<unknown> =>
        (await databases.use(acme, 'read', (sql) => sql.query('select count(*) as n from record'), claims))[0]!.n;
      assert.equal(await count(undefined), 3);
      assert.equal(await count({ role: 'authenticated', sub: USER }), 1);
      const unknown = await count({ role: 'anon' }).catch((error: unknown) => (sqlState('42501')(error) ? 0 : error));
      assert.equal(unknown, 0);
      const foreign = databases.use(
        acme,
        'write',
        (sql) => sql.query(`insert into record (kind, owner) values ('note', gen_random_uuid())`),
        { role: 'authenticated', sub: USER },
      );
      await assert.rejects(foreign, sqlState('42501'));
    });

    test('migrations run once, by version within their origin; a failing one leaves nothing of itself', async () => {
      const place = await found('migrating');
      const first = migrationOf(1, 'create table a (x int)');
      const second = migrationOf(2, 'alter table a add y int');
      const component = migrationOf(1, 'create table c (x int)', 'billing');
      assert.equal(await databases.migrate(place, [second, component, first]), 3);
      assert.equal(await databases.migrate(place, [first, second, component]), 0);
      const broken = migrationOf(3, 'create table half (x int); insert into a values (1, 2); select 1 / 0');
      await assert.rejects(
        databases.migrate(place, [first, second, broken]),
        refused('DATABASE_MIGRATION', /company\/0003_step_3 failed: division by zero/),
      );
      assert.deepEqual(await read(place, `select to_regclass('half') as half, (select count(*) from a) as n`), [
        { half: null, n: 0 },
      ]);
      const changed = { ...first, checksum: 'other' };
      await assert.rejects(databases.migrate(place, [changed, second]), refused('DATABASE_MIGRATION', /was changed/));
      assert.equal(await databases.migrate(place, [first, second, migrationOf(3, 'select 1')]), 1);
      await databases.drop(place);
    });

    test('two that migrate at once apply each migration once', async () => {
      const place = await found('racing');
      const files = [migrationOf(1, 'create table a (x int)'), migrationOf(2, 'insert into a values (1)')];
      const applied = await Promise.all([databases.migrate(place, files), databases.migrate(place, files)]);
      assert.equal(applied[0] + applied[1], 2);
      assert.deepEqual(await read(place, 'select x from a'), [{ x: 1 }]);
      await databases.drop(place);
    });

    test('two that migrate a new database at once make its base once', async () => {
      const place = await at.place('fresh');
      await databases.provision(place);
      const applied = await Promise.all([1, 2, 3].map(() => databases.migrate(place, [])));
      assert.equal(
        applied.reduce((sum, count) => sum + count),
        baseMigrations().length,
      );
      await databases.drop(place);
    });

    test('seeds run once each', async () => {
      const place = await found('seeded');
      const seed = seedOf(
        'first.sql',
        `insert into record (kind) values ('seed'); insert into record (kind) values ('seed')`,
      );
      assert.deepEqual(await databases.seed(place, [seed]), ['company/first.sql']);
      assert.deepEqual(await databases.seed(place, [seed]), []);
      assert.deepEqual(await read(place, 'select count(*) as n from record'), [{ n: 2 }]);
      await databases.drop(place);
    });

    test('what work throws rolls back, a read refuses to write, and an error of SQL carries its code', async () => {
      const oops = new Error('oops');
      const write = databases.use(acme, 'write', async (sql) => {
        await sql.query(`insert into record (kind) values ('lost')`);
        throw oops;
      });
      await assert.rejects(write, oops);
      assert.deepEqual(await read(acme, `select 1 from record where kind = 'lost'`), []);
      await assert.rejects(read(acme, `insert into record (kind) values ('x')`), sqlState('25006'));
      await assert.rejects(run(acme, 'select 1 / 0'), sqlState('22012'));
      await assert.rejects(run(acme, 'select 1; select 2'), sqlState('42601'));
    });

    test('values come back as the types of the store', async () => {
      const values = [
        2 ** 40,
        { a: ['é', null] },
        new Date('2026-11-21T12:00:00.123Z'),
        [1, null],
        Buffer.from([0, 255]),
        `'"\\{},`,
      ];
      const [row] = await databases.use(acme, 'read', (sql) =>
        sql.query(
          `select $1::int8 as int8, $2::jsonb as jsonb, $3::timestamptz as time, $4::int4[] as ints, $5::bytea as bytes, $6::text as text,
             true as yes, null as nothing, 1.50::numeric as exact, pg_advisory_xact_lock(1) is null as void, 1 as "odd Name", 2 as int8`,
          values,
        ),
      );
      assert.deepEqual(
        { ...row, bytes: [...(row!.bytes as Uint8Array)] },
        {
          int8: 2,
          jsonb: values[1],
          time: values[2],
          ints: [1, null],
          bytes: [0, 255],
          text: values[5],
          yes: true,
          nothing: null,
          exact: '1.50',
          void: false,
          'odd Name': 1,
        },
      );
    });

    test('nothing a company runs makes it anybody else, nor shows it another company', async () => {
      if (!at.hasOwnRoles) return;
      const other = await found('other-co');
      await run(other, `insert into record (kind) values ('secret')`);
      const role = (await read(acme, 'select current_user::text as me'))[0]!.me;
      assert.equal(role, 'company_acme');
      const escapes = [
        'reset role',
        'reset session authorization',
        'set role postgres',
        'set session authorization company_other_co',
        `select set_config('role', 'company_other_co', false)`,
        `do $$ begin execute 'reset role'; perform 1 / (select count(*) from pg_roles where rolname = current_user and rolsuper); end $$`,
        'create role evil',
        'alter role company_acme superuser',
        'create database evil',
        'create table auth.evil (x int)',
        'grant company_other_co to company_acme',
      ];
      for (const escape of escapes) {
        const tried = databases.use(acme, 'write', async (sql) => {
          await sql.query(escape);
          const [me] = await sql.query('select current_user::text as me');
          assert.equal(me!.me, role, escape);
          throw new Error('harmless');
        });
        await assert.rejects(
          tried,
          (error: Error) =>
            error.message === 'harmless' || /^[0-9A-Z]{5}$/.test((error as { code?: string }).code ?? ''),
          escape,
        );
      }
      const inMigration = `create function spy() returns text language plpgsql as $f$ begin reset role; return current_user; end $f$;
        create temp table found as select spy() as who; insert into record (kind) select who from found`;
      await databases.migrate(acme, [migrationOf(1, inMigration)]).catch(() => undefined);
      assert.deepEqual(await read(acme, `select 1 from record where kind like '%postgres%' or kind = 'colmeia'`), []);
      await assert.rejects(read(acme, 'select * from company_other_co.record'), sqlState('42P01', '42501', '3F000'));
      // Settings of one transaction are not those of the next.
      await run(acme, `set search_path = pg_catalog`).catch(() => undefined);
      assert.deepEqual(await read(acme, `select count(*) > 0 as yes from record`), [{ yes: true }]);
      await databases.drop(other);
    });

    test('inspection tells the state of migrations, of row level security and of the role', async () => {
      const place = await found('inspected');
      await databases.migrate(place, [
        migrationOf(
          1,
          'create table open (x int); create table lax (x int); alter table lax enable row level security',
        ),
      ]);
      const found_ = await databases.inspect(place);
      assert.equal(found_.reachable, true);
      assert.equal(found_.migrated, true);
      assert.deepEqual(
        found_.migrations.map(({ origin, version }) => `${origin} ${version}`),
        ['base 1', 'company 1'],
      );
      const tables = Object.fromEntries(
        found_.tables.map(({ name: table, rls, forced, policies }) => [table, [rls, forced, policies]]),
      );
      assert.deepEqual(tables, {
        company: [true, true, 1],
        lax: [true, false, 0],
        open: [false, false, 0],
        record: [true, true, 2],
        schema_migration: [true, true, 1],
        schema_seed: [true, true, 1],
      });
      if (at.hasOwnRoles) assert.deepEqual(found_.roleFaults, []);
      assert.ok(Math.abs(found_.clockSkewMs) < 60_000 && found_.bytes > 0);
      await databases.drop(place);
    });

    test("a database that says it is another company's is neither dropped nor filled", async () => {
      const place = await found('mistaken');
      await run(place, `update company set id = 'somebody'`);
      const tries = [
        () => databases.drop(place),
        () => databases.copy(acme, place, copyOptions()),
        () => databases.restoreFrom(place, '/nowhere', { signal: new AbortController().signal }),
        () => databases.provision(place),
      ];
      for (const trying of tries) await assert.rejects(trying(), refused('DATABASE_FOREIGN', /somebody/));
      assert.notDeepEqual(await databases.leftovers(place), []);
      await run(place, `update company set id = 'mistaken'`);
      await databases.drop(place);
    });

    test('a slow statement ends at its deadline, told as not available, and the company goes on', async () => {
      const slow = databases.use(acme, 'read', (sql) =>
        sql.query('select count(*) from generate_series(1, 1000000000)'),
      );
      await assert.rejects(slow, refused('STORE_UNAVAILABLE', /deadline|did not answer/));
      assert.deepEqual(await read(acme, 'select 1 as one'), [{ one: 1 }]);
    });

    test('a full disk is told as that', async () => {
      const full = run(acme, `do $$ begin raise exception 'No space left on device' using errcode = '53100'; end $$`);
      await assert.rejects(full, refused('STORE_FULL', /disk is full/));
      assert.deepEqual(await read(acme, 'select 1 as one'), [{ one: 1 }]);
    });

    test('one that was taken away behind our back is told as not there, and is made anew', async () => {
      const place = await found('vanishing');
      await at.destroy(place);
      await assert.rejects(
        read(place, 'select * from record'),
        (error) => isColmeiaError(error, 'STORE_UNAVAILABLE') || sqlState('42P01')(error),
      );
      const inspection = await databases.inspect(place);
      assert.ok(!inspection.reachable || !inspection.migrated);
      await databases.provision(place);
      await databases.migrate(place, []);
      assert.deepEqual(await read(place, 'select count(*) as n from record'), [{ n: 0 }]);
      await databases.drop(place);
    });

    test('rows of a small new table are counted, unless its policies are in the way', async () => {
      const place = await found('counted');
      const rowsOf = async (): Promise<Record<string, number>> => {
        const { tables, reachable } = await databases.inspect(place);
        assert.ok(reachable);
        return Object.fromEntries(tables.map(({ name: table, rows }) => [table, rows]));
      };
      const odd = migrationOf(
        1,
        `create table "Odd 'one'" (x int); insert into "Odd 'one'" select generate_series(1, 7)`,
      );
      await databases.migrate(place, [odd]);
      await run(place, `insert into record (kind) values ('a'), ('b')`);
      const { record, "Odd 'one'": seven } = await rowsOf();
      assert.deepEqual([record, seven], [2, 7]);
      const stuck = `create table stuck (x int); insert into stuck values (1); alter table stuck enable row level security;
        alter table stuck force row level security; create policy never on stuck using (x / 0 = 1)`;
      await databases.migrate(place, [odd, migrationOf(2, stuck)]);
      assert.ok('stuck' in (await rowsOf()));
      await databases.drop(place);
    });

    test('dropping says what it took away, leaves nothing, and may be repeated', async () => {
      const place = await found('leaving');
      const there = await databases.leftovers(place);
      assert.deepEqual(await databases.drop(place), there);
      assert.deepEqual(await databases.leftovers(place), []);
      assert.deepEqual(await databases.drop(place), []);
    });
  });
}
