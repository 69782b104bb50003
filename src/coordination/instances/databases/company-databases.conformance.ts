import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';

import { type ErrorCode, isColmeiaError } from '../../../platform/errors.ts';
import { type CompanyDatabases, type CompanyPlace, type CopyOptions } from './company-databases.ts';
import { compareFingerprints } from './fingerprint.ts';
import { migrationOf, SAMPLE_ROWS, SAMPLE_TABLES, seedOf } from './sample-tables.testing.ts';

/** What the suite needs of a kind of place. */
export type ConformancePlace = {
  databases: CompanyDatabases;
  /** A place for a new company of this name; nothing is there yet. */
  place(instance: string): Promise<CompanyPlace>;
  /** Takes the company's database or schema away without Colmeia's knowledge. */
  destroy(place: CompanyPlace): Promise<void>;
  /** Longest transaction, ms, as the databases were opened with. */
  deadlineMs: number;
  /** false = the login is somebody else's, so its rights are not ours to say. */
  hasOwnRoles: boolean;
  /** Kinds of resources, as `drop` answers them. */
  kinds: string[];
  end(): Promise<void>;
};

const USER = '8a4f2c1e-0000-4000-8000-000000000001';
const refused =
  (code: ErrorCode, words = /./) =>
  (error: unknown): boolean =>
    isColmeiaError(error, code) && words.test(error.message);
const sqlState =
  (...codes: string[]) =>
  (error: unknown): boolean =>
    codes.includes((error as { code?: string }).code ?? '');

export function copyOptions(signal = new AbortController().signal): CopyOptions {
  const workFolder = path.join(os.tmpdir(), 'colmeia-copy-test');
  fs.mkdirSync(workFolder, { recursive: true });
  return { workFolder, operationId: `op-${process.pid}`, progress: () => undefined, signal };
}

export function companyDatabasesConformance(name: string, open: () => Promise<ConformancePlace>): void {
  describe(`companies' databases: ${name}`, () => {
    let at: ConformancePlace;
    let databases: CompanyDatabases;
    let acme: CompanyPlace;
    before(async () => {
      at = await open();
      databases = at.databases;
      acme = await found('acme');
    });
    after(() => at.end());

    /** A company with its base. */
    async function found(instance: string): Promise<CompanyPlace> {
      const place = await at.place(instance);
      await databases.provision(place);
      await databases.migrate(place, []);
      return place;
    }
    const run = (place: CompanyPlace, text: string) => databases.use(place, 'write', (sql) => sql.query(text));
    const read = (place: CompanyPlace, text: string) => databases.use(place, 'read', (sql) => sql.query(text));

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

    test('a fingerprint shows any change, and no order of rows', async () => {
      const place = await found('printed');
      await databases.migrate(place, [migrationOf(1, SAMPLE_TABLES)]);
      const first = await databases.fingerprint(place);
      await run(
        place,
        `insert into record (id, kind, created_at, updated_at) select ('00000000-0000-4000-8000-0000000000' || n)::uuid, 'k', 'epoch', 'epoch' from unnest(array[10, 11, 12]) n`,
      );
      const rows = await databases.fingerprint(place);
      await run(place, `delete from record`);
      await run(
        place,
        `insert into record (id, kind, created_at, updated_at) select ('00000000-0000-4000-8000-0000000000' || n)::uuid, 'k', 'epoch', 'epoch' from unnest(array[12, 10, 11]) n`,
      );
      assert.deepEqual(compareFingerprints(rows, await databases.fingerprint(place)), []);
      assert.match(compareFingerprints(first, rows).join(), /^rows of table record/);
      const changes = [
        `update record set kind = 'other' where id::text like '%10'`,
        `select nextval('ticket_no')`,
        'alter table record no force row level security',
        'alter policy owner on record using (true)',
        'create index extra on record (updated_at)',
        'alter table customer enable trigger off',
        'grant select on customer to anon',
        `create or replace function shout(t text) returns text language sql immutable strict as 'select t'`,
        'alter table "Order Line" drop constraint "Order Line_parent_fkey"',
        `alter type mood add value 'sad'`,
      ];
      let last = rows;
      for (const change of changes) {
        await run(place, change);
        const now = await databases.fingerprint(place);
        assert.equal(compareFingerprints(last, now).length, 1, change);
        last = now;
      }
      await databases.drop(place);
    });

    test('a copy holds the same as the source, belongs to its own company, and points nowhere else', async () => {
      const source = await found('source');
      await databases.migrate(source, [migrationOf(1, SAMPLE_TABLES)]);
      for (const statement of SAMPLE_ROWS.split(';\n')) await run(source, statement);
      const target = await at.place('target-co');
      await databases.provision(target);
      const report = await databases.copy(source, target, copyOptions());
      const copied = await databases.fingerprint(target);
      assert.deepEqual(compareFingerprints(report.fingerprint, copied), []);
      assert.ok(report.rows > 1_000 && report.freezeMs >= 0);
      assert.deepEqual(await read(target, 'select id from company'), [{ id: target.id }]);
      const owners = await read(
        target,
        `select distinct relowner::regrole::text = current_user::text as mine from pg_class where relnamespace = current_schema()::regnamespace`,
      );
      assert.deepEqual(owners, [{ mine: true }]);
      await run(target, `insert into customer (name, score) values ('new one', 1)`);
      await assert.rejects(run(target, `insert into "Order Line" (customer) values (-1)`), sqlState('23503'));
      assert.equal(await databases.migrate(target, [migrationOf(1, SAMPLE_TABLES)]), 0);
      // A second try replaces what is there, as after a kill in the middle.
      const again = await databases.copy(source, target, copyOptions());
      assert.deepEqual(compareFingerprints(again.fingerprint, await databases.fingerprint(target)), []);
      await databases.drop(source);
      assert.deepEqual(await databases.leftovers(source), []);
      assert.deepEqual(compareFingerprints(again.fingerprint, await databases.fingerprint(target)), []);
      await databases.drop(target);
    });

    test('the source is written to while it is copied, and the copy is of one moment', async () => {
      const source = await found('busy');
      await databases.migrate(source, [
        migrationOf(1, `create table pair (n int primary key); insert into pair select generate_series(1, 20000)`),
      ]);
      const target = await at.place('still');
      await databases.provision(target);
      let isCopied = false;
      let written = 20_000;
      const copying = databases.copy(source, target, copyOptions()).finally(() => (isCopied = true));
      const writing = (async () => {
        while (!isCopied) {
          await run(source, `insert into pair values (${written + 1}), (${written + 2})`);
          written += 2;
        }
      })();
      const [report] = await Promise.all([copying, writing]);
      assert.deepEqual(compareFingerprints(report.fingerprint, await databases.fingerprint(target)), []);
      const [row] = await read(target, 'select count(*) as n, max(n) as last from pair');
      assert.equal(row!.n, row!.last);
      assert.equal(Number(row!.n) % 2, 0);
      assert.ok(written > 20_000);
      await databases.drop(source);
      await databases.drop(target);
    });

    test('a dump brings everything into another company, and a folder can be restored over what is there', async () => {
      const source = await found('dumped');
      await databases.migrate(source, [migrationOf(1, SAMPLE_TABLES)]);
      for (const statement of SAMPLE_ROWS.split(';\n')) await run(source, statement);
      const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'colmeia-dump-'));
      const { signal } = new AbortController();
      const report = await databases.dumpTo(source, folder, { signal });
      assert.deepEqual(report.tables.find(({ name: table }) => table === 'customer')?.rows, 500);
      const target = await found('restored');
      await run(target, `insert into record (kind) values ('to be replaced')`);
      for (let round = 0; round < 2; round++) {
        const fingerprint = await databases.restoreFrom(target, folder, { signal });
        assert.deepEqual(compareFingerprints(report.fingerprint, fingerprint), []);
      }
      const stopped = databases.restoreFrom(target, folder, { signal: AbortSignal.abort() });
      await assert.rejects(stopped, { name: 'AbortError' });
      assert.deepEqual(compareFingerprints(report.fingerprint, await databases.fingerprint(target)), []);
      fs.rmSync(folder, { recursive: true });
      await databases.drop(source);
      await databases.drop(target);
    });

    test('what a dump cannot carry is refused, all of it at once, and nothing is written', async () => {
      const place = await found('special');
      await databases.migrate(place, [
        migrationOf(
          1,
          `create aggregate total (int) (sfunc = int4pl, stype = int); create table p (x int) partition by list (x);
           create rule nothing as on insert to record do also select 1`,
        ),
      ]);
      const folder = path.join(os.tmpdir(), `colmeia-no-dump-${process.pid}`);
      const dumping = databases.dumpTo(place, folder, { signal: new AbortController().signal });
      await assert.rejects(dumping, (error) => {
        assert.ok(isColmeiaError(error, 'DATABASE_NOT_PORTABLE'));
        assert.deepEqual(error.faults.map((fault) => fault.path).sort(), [
          'aggregate total(integer)',
          'partitioned table p',
          'rule nothing of record',
        ]);
        return true;
      });
      assert.equal(fs.existsSync(folder), false);
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

    test('dropping says what it took away, leaves nothing, and may be repeated', async () => {
      const place = await found('leaving');
      const there = await databases.leftovers(place);
      assert.deepEqual(await databases.drop(place), there);
      assert.deepEqual(await databases.leftovers(place), []);
      assert.deepEqual(await databases.drop(place), []);
    });
  });
}
