import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { unreachable, type DatabaseInspection } from '../databases/inspect.ts';
import { checkDatabase } from './check-database.ts';

const applied = (origin: string, version: number, checksum = 'c') => ({
  origin,
  version,
  name: 'x',
  checksum,
  applied_at: new Date(0),
});
const file = (origin: string, version: number, checksum = 'c') => ({
  origin,
  version,
  name: 'x',
  checksum,
  file: `${origin}/${version}`,
});
const table = (name: string, more: object) => ({
  name,
  rls: true,
  forced: true,
  policies: 1,
  rows: 0,
  bytes: 0,
  ...more,
});

function database(more: Partial<DatabaseInspection>): DatabaseInspection {
  return { ...unreachable(''), reachable: true, reason: null, migrated: true, ...more };
}
const found = (inspection: DatabaseInspection, files: ReturnType<typeof file>[] = []): string[] =>
  checkDatabase(inspection, files).map(({ code, place }) => `${code} ${place}`);

describe('checkDatabase', () => {
  it('finds nothing in a database that is as it should be', () => {
    const migrations = [applied('base', 1, 'any'), applied('company', 1), applied('orders', 1)];
    const tables = [table('customer', {})];
    assert.deepEqual(found(database({ migrations, tables }), [file('company', 1), file('orders', 1)]), []);
  });

  it('says nothing but why when it does not answer', () => {
    assert.deepEqual(found(unreachable('connection refused'), [file('company', 1)]), ['DATABASE_UNREACHABLE database']);
  });

  it('finds migrations that wait, were changed, or are gone', () => {
    const migrations = [applied('company', 1, 'old'), applied('orders', 7)];
    assert.deepEqual(found(database({ migrations }), [file('company', 1), file('company', 2)]), [
      'MIGRATION_CHANGED company/1',
      'MIGRATION_PENDING company/2',
      'MIGRATION_CHANGED migration 7 (x) of orders',
    ]);
    assert.deepEqual(found(database({ migrated: false })), ['MIGRATION_PENDING database']);
  });

  it('finds every table that is open, and every privilege that is too much', () => {
    const tables = [
      table('a', { rls: false, forced: false }),
      table('b', { forced: false }),
      table('c', { policies: 0 }),
      table('d', { forced: false, policies: 0 }),
    ];
    assert.deepEqual(found(database({ tables, roleFaults: ['role company_acme is a superuser'] })), [
      'RLS_OFF table a',
      'RLS_NOT_FORCED table b',
      'RLS_WITHOUT_POLICY table c',
      'RLS_NOT_FORCED table d',
      'RLS_WITHOUT_POLICY table d',
      'ROLE_PRIVILEGED database',
    ]);
  });

  it('finds a clock that is wrong in either direction, and a disk with little room', () => {
    assert.deepEqual(found(database({ clockSkewMs: 119_000, freeBytes: null })), []);
    assert.deepEqual(found(database({ clockSkewMs: -121_000, freeBytes: 2 ** 29 })), [
      'CLOCK_SKEW database',
      'DISK_LOW disk of the database',
    ]);
    assert.deepEqual(found(database({ freeBytes: 2 ** 25 })), ['DISK_FULL disk of the database']);
  });
});
