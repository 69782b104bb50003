import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { before, test } from 'node:test';

import { isColmeiaError } from '../../../platform/errors.ts';
import { type CompanyDatabases, type CompanyPlace } from './company-databases.ts';
import { type Companies, copyOptions, sqlState } from './conformance-place.testing.ts';
import { compareFingerprints } from './fingerprint.ts';
import { migrationOf, SAMPLE_ROWS, SAMPLE_TABLES } from './sample-tables.testing.ts';

/** Fingerprints, copies and dumps of companies' databases; part of the suite of a kind of place. */
export function companyCopiesConformance(
  open: () => CompanyDatabases,
  { found, run, read }: Companies,
  placeOf: (instance: string) => Promise<CompanyPlace>,
): void {
  let databases: CompanyDatabases;
  before(() => void (databases = open()));

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
    const target = await placeOf('target-co');
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
    const target = await placeOf('still');
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
}
