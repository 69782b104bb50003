import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import type {
  CompanyDatabases,
  CompanyMigration,
  CompanyPlace,
} from '../../src/coordination/instances/databases/company-databases.ts';

/** What the suite needs: databases in which two companies lie as near to each other as they ever do. */
export type Neighbours = {
  databases: CompanyDatabases;
  /** false = one transaction at a time, of whatever company. */
  atOnce: boolean;
  end(): Promise<void>;
};

const LOOT = '"what only the bank may read"';
/** Text of a function body that notes who runs it, and what that sees of the bank. */
const NOTING = `declare seen text; begin
  begin select string_agg(body::text, ', ') from company_bank.record into seen; exception when others then seen := sqlerrm; end;
  insert into company_robber.note values (current_user || ': ' || coalesce(seen, 'nothing'));`;

/** SQL that a company wrote is run at moments and in places where somebody else might be at work. */
export function companySqlConformance(name: string, open: () => Promise<Neighbours>): void {
  describe(`hostile SQL of a company: ${name}`, () => {
    const [robber, bank] = ['robber', 'bank'].map((instance): CompanyPlace => ({
      id: instance,
      instance,
      strategy: 'schema',
      url: null,
    }));
    let at: Neighbours;
    let version = 0;

    before(async () => {
      at = await open();
      for (const place of [robber!, bank!]) {
        await at.databases.provision(place);
        await at.databases.migrate(place, []);
      }
      await run(bank!, `insert into record (kind, body) values ('account', '${LOOT}')`);
      await migrate(
        bank!,
        `create function open_safe(text) returns text language sql security definer set search_path = company_bank
        as $$ select string_agg(body::text, ', ') from record $$`,
      );
      await migrate(
        robber!,
        `create table note (text text); grant all on note to public;
        create function noting() returns text language plpgsql as $$ ${NOTING} return seen; end $$`,
      );
    });
    after(async () => {
      for (const place of [robber!, bank!]) await at.databases.drop(place);
      await at.end();
    });

    const run = (place: CompanyPlace, text: string, values: unknown[] = []) =>
      at.databases.use(place, 'write', (sql) => sql.query(text, values));
    function migrate(place: CompanyPlace, sql: string): Promise<number> {
      const checksum = createHash('sha256').update(sql).digest('hex');
      const migration: CompanyMigration = { origin: 'company', version: ++version, name: 'attack', sql, checksum };
      return at.databases.migrate(place, [migration]);
    }
    /** Who ran what was planted; nobody but the robber may, and the bank stays shut. */
    async function assertOnlyTheRobber(least: number): Promise<void> {
      const notes = (await run(robber!, 'select text from note')).map(({ text }) => String(text));
      assert.ok(notes.length >= least, 'the planted code did not run at all');
      for (const note of notes) assert.match(note, /^company_robber: permission denied/);
      await run(robber!, 'delete from note');
    }

    test('what is put off until the commit runs as the company, and can become nobody else', async () => {
      await migrate(
        robber!,
        `create table late (i int);
        create function late() returns trigger language plpgsql as $$ begin
          begin perform set_config('role', 'postgres', false); exception when others then null; end;
          perform noting(); return null; end $$;
        create constraint trigger late after insert on late deferrable initially deferred for each row execute function late()`,
      );
      await run(robber!, 'insert into late values (1)');
      await assertOnlyTheRobber(1);
    });

    test('a cursor that is to outlive the commit is not filled by somebody else', async () => {
      await migrate(robber!, 'declare kept cursor with hold for select noting()').catch(() => undefined);
      await run(robber!, 'declare kept cursor with hold for select noting()').catch(() => undefined);
      await run(robber!, 'select noting()');
      await assertOnlyTheRobber(1);
    });

    test('a function that stands in for one of the catalog is not called by somebody else', async () => {
      await migrate(
        robber!,
        `create function set_config(text, text, boolean) returns text language plpgsql as
        $$ begin perform noting(); return pg_catalog.set_config($1, $2, $3); end $$;
        create function is(name, name) returns boolean language plpgsql as
        $$ begin perform noting(); return $1 operator(pg_catalog.=) $2; end $$;
        create operator company_robber.= (leftarg = name, rightarg = name, function = is);
        set search_path = company_robber, pg_catalog; select set_config('a.b', 'c', true)`,
      );
      await migrate(robber!, 'set search_path = company_robber, pg_catalog');
      await at.databases.leftovers(bank!);
      await at.databases.leftovers(robber!);
      await assertOnlyTheRobber(1);
    });

    test('a function of another company cannot be called, by parameters neither', async () => {
      const denied = { code: '42501' };
      await assert.rejects(run(robber!, `select company_bank.open_safe('x')`), denied);
      await assert.rejects(run(robber!, 'select company_bank.open_safe($1)', ['x']), denied);
      await assert.rejects(run(robber!, 'insert into note select company_bank.open_safe($1)', ['x']), denied);
    });

    test('what reaches for the machine, other roles or the end of the transaction is refused', async () => {
      const reaching = [
        'create role burglar',
        'alter role company_robber superuser',
        'alter role company_robber createdb',
        'grant company_bank to company_robber',
        'set session authorization company_bank',
        'set role company_bank',
        `copy (select 1) to program 'id'`,
        `copy (select 1) to '/tmp/colmeia-robber'`,
        `copy note from '/etc/passwd'`,
        `select pg_read_file('/etc/passwd')`,
        `select pg_ls_dir('.')`,
        `select lo_export(lo_create(0), '/tmp/colmeia-robber')`,
        `select lo_import('/etc/passwd')`,
        'select * from pg_authid',
        'create schema annex',
        'drop schema company_bank cascade',
        'drop owned by company_bank',
        'reassign owned by company_robber to company_bank',
        'insert into company_bank.record (kind) values (1)',
        'set session_replication_role = replica',
        'alter system set work_mem = 1',
        `select pg_reload_conf()`,
        `load 'robber'`,
        'create event trigger robber on ddl_command_end execute function noting()',
      ];
      for (const text of reaching) await assert.rejects(run(robber!, text), /./, text);
    });

    test('a migration cannot end its transaction, so nothing of one that fails is kept', async () => {
      const ending = [
        'create table half (i int); commit; select 1 / 0',
        'create table half (i int); commit; select 1',
        'rollback',
      ];
      for (const sql of ending) {
        await assert.rejects(migrate(robber!, sql), /Nothing of it was kept/, sql);
        assert.deepEqual(await run(robber!, "select to_regclass('half')::text as half"), [{ half: null }], sql);
      }
      assert.equal(await migrate(robber!, 'create table half (i int)'), 1);
    });

    test('no lock that a company can take holds up another one', async () => {
      const id = bank!.id;
      const locks = [
        `7420003, hashtext('company_${id}')`,
        ...[id, 'newcomer'].map((one) => `7420003, hashtext('"company_${one}".schema_migration')`),
        '7420004',
      ];
      await at.databases.use(robber!, 'write', async (sql) => {
        for (const lock of locks) await sql.query(`select pg_advisory_lock(${lock})`);
        if (!at.atOnce) return;
        assert.equal(await migrate(bank!, 'select 1'), 1);
        await at.databases.provision(bank!);
        const newcomer: CompanyPlace = { ...bank!, instance: 'newcomer', id: 'newcomer' };
        await at.databases.provision(newcomer);
        assert.equal(await at.databases.migrate(newcomer, []), 1);
        await at.databases.drop(newcomer);
      });
    });

    test('after all of it the bank has what it had', async () => {
      assert.deepEqual(await run(bank!, 'select body from record'), [{ body: JSON.parse(LOOT) }]);
    });
  });
}
