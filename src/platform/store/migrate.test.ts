import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';

import { isColmeiaError } from '../errors.ts';
import { migrate, type Migration, readMigrations } from './migrate.ts';
import { PgliteSession } from './pglite-session.ts';
import { assertSeedFits, loadSeed, packSeed, unpackSeed } from './seed.ts';

const CODE = readMigrations();

function next(sql: string, version = CODE.length + 1): Migration {
  return { version, name: `next_${version}`, sql, checksum: createHash('sha256').update(sql).digest('hex') };
}

describe('migrations', () => {
  let session: PgliteSession;
  before(async () => {
    session = await PgliteSession.open(null, 16);
    await migrate(session, CODE);
  });
  after(() => session.close());

  test('are not applied twice', async () => {
    assert.equal(await migrate(session, CODE), 0);
  });

  test('that fail leave nothing behind', async () => {
    const bad = next('create table half (n int4); select 1 / 0');
    await assert.rejects(migrate(session, [...CODE, bad]), { code: '22012' });
    const [row] = await session.query(
      `select to_regclass('half') as half, (select max(version) from schema_migration) as last`,
      [],
    );
    assert.deepEqual(row, { half: null, last: CODE.length });
  });

  test('are applied in order, each with its record', async () => {
    const two = [next('create table one (n int4)'), next('alter table one add column m int4', CODE.length + 2)];
    assert.equal(await migrate(session, [...CODE, ...two]), 2);
    const rows = await session.query('select name from schema_migration where version > $1 order by version', [
      CODE.length,
    ]);
    assert.deepEqual(rows, [{ name: two[0]!.name }, { name: two[1]!.name }]);
  });

  test('of a newer version are not understood: DATA_FOLDER_NEWER', async () => {
    await assert.rejects(migrate(session, CODE), (error) => isColmeiaError(error, 'DATA_FOLDER_NEWER'));
  });

  test('may not change after they were applied', async () => {
    const changed = [{ ...CODE[0]!, checksum: 'other' }, ...CODE.slice(1)];
    await assert.rejects(migrate(session, changed), /was changed after it was applied/);
  });

  test('are numbered without a gap', () => {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'colmeia-migrations-'));
    fs.writeFileSync(path.join(folder, '0001_a.sql'), '');
    fs.writeFileSync(path.join(folder, '0003_c.sql'), '');
    assert.throws(() => readMigrations(folder), /Migration 3 stands where 2 is expected/);
    fs.rmSync(folder, { recursive: true });
  });
});

describe('the seed', () => {
  test('holds exactly the migrations of the code (else run `npm run seed:build`)', () => {
    const expected = CODE.map(({ version, checksum }) => ({ version, checksum }));
    assert.deepEqual(loadSeed().migrations, expected);
  });

  test('of other migrations is refused', () => {
    assert.throws(
      () => assertSeedFits({ ...loadSeed(), migrations: [{ version: 1, checksum: 'old' }] }, CODE),
      /seed:build/,
    );
  });

  test('is packed and unpacked without a change', () => {
    const seed = {
      migrations: [{ version: 1, checksum: 'x' }],
      entries: [
        { path: 'folder', content: null },
        { path: 'folder/file', content: Buffer.alloc(1000, 'a') },
        { path: 'folder/empty', content: Buffer.alloc(0) },
      ],
    };
    assert.deepEqual(unpackSeed(packSeed(seed)), seed);
  });
});
