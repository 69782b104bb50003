import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, beforeEach, describe, mock, test } from 'node:test';

import { isColmeiaError } from '../errors.ts';
import { openEmbeddedStore } from './embedded-store.ts';
import { addInstances, flusherOf, journalRow } from './store.conformance.ts';
import { type Store } from './store.ts';

const COORDINATOR = { as: 'coordinator' } as const;

describe('the embedded store', () => {
  const root = fs.mkdtempSync(path.join(os.tmpdir(), 'colmeia-embedded-'));
  let dataFolder: string;
  let number = 0;
  beforeEach(() => (dataFolder = path.join(root, String(number++), 'data')));
  after(() => fs.rmSync(root, { recursive: true }));

  const names = async (store: Store): Promise<unknown[]> =>
    (await store.read(COORDINATOR, (sql) => sql.query('select name from instance order by no'))).map(
      ({ name }) => name,
    );
  const seqOf = async (store: Store, instance: string): Promise<unknown> => {
    const [row] = await store.read({ as: 'engine' }, (sql) =>
      sql.query(
        'select seq, (select count(*) from journal j where j.instance = h.instance) as n from journal_head h where instance = $1',
        [instance],
      ),
    );
    assert.equal(row!.seq, row!.n);
    return row!.seq;
  };

  test('keeps what was written when it is closed and opened again', async () => {
    const first = await openEmbeddedStore({ dataFolder });
    await addInstances(first, 'alfa');
    await first.close();
    assert.deepEqual(fs.readdirSync(dataFolder), ['database']);
    const second = await openEmbeddedStore({ dataFolder });
    assert.deepEqual(await names(second), ['$system', 'default', 'alfa']);
    await second.close();
  });

  test('starts empty in memory and on disk, whatever an earlier one in memory has written', async () => {
    const first = await openEmbeddedStore({ dataFolder: null });
    const { flush } = await flusherOf(first);
    for (let seq = 1; seq <= 200; seq++) await flush(journalRow('default', seq));
    await first.close(); // with a checkpoint, which writes the pages
    for (const folder of [null, dataFolder]) {
      const store = await openEmbeddedStore({ dataFolder: folder });
      assert.equal(await seqOf(store, 'default'), 0);
      await store.close();
    }
  });

  test('is refused a folder that is open, with the pid of the one that has it', async () => {
    const first = await openEmbeddedStore({ dataFolder });
    await assert.rejects(
      openEmbeddedStore({ dataFolder }),
      (error) => isColmeiaError(error, 'DATA_FOLDER_LOCKED') && error.message.includes(String(process.pid)),
    );
    assert.deepEqual(await names(first), ['$system', 'default']);
    await first.close();
  });

  test('refuses data of a newer version and leaves it unlocked', async () => {
    const old = await openEmbeddedStore({ dataFolder });
    await old.close();
    const { PgliteSession } = await import('./pglite-session.ts');
    const session = await PgliteSession.open(path.join(dataFolder, 'database'), 16);
    await session.script(`insert into schema_migration (version, name, checksum) values (9999, 'future', '')`);
    await session.close();
    await assert.rejects(openEmbeddedStore({ dataFolder }), (error) => isColmeiaError(error, 'DATA_FOLDER_NEWER'));
    assert.deepEqual(fs.readdirSync(dataFolder), ['database']);
  });

  test('starts anew after a first start that died half way', async () => {
    fs.mkdirSync(path.join(dataFolder, 'database.new', 'base'), { recursive: true });
    fs.writeFileSync(path.join(dataFolder, 'database.new', 'PG_VERSION'), '1');
    const store = await openEmbeddedStore({ dataFolder });
    assert.deepEqual(await names(store), ['$system', 'default']);
    assert.deepEqual(fs.readdirSync(dataFolder).sort(), ['database', 'lock']);
    await store.close();
  });

  test('tells a transaction that uses the store inside of itself, and goes on', async () => {
    const store = await openEmbeddedStore({ dataFolder: null, deadlineMs: 100 });
    const nested = store.write(COORDINATOR, () => names(store));
    await assert.rejects(nested, /inside of its own transaction/);
    assert.deepEqual(await names(store), ['$system', 'default']);
    await store.close();
  });

  test('makes its writes durable: a flush calls fsync', async (t) => {
    const store = await openEmbeddedStore({ dataFolder });
    const { flush } = await flusherOf(store);
    const sync = t.mock.method(fs, 'fdatasyncSync');
    await flush(journalRow('default', 1));
    assert.ok(sync.mock.callCount() >= 1);
    sync.mock.resetCalls();
    await names(store);
    assert.equal(sync.mock.callCount(), 0);
    await store.close();
  });

  test('checkpoints by itself, so that its write-ahead log stays small', async () => {
    const store = await openEmbeddedStore({ dataFolder });
    const { flush } = await flusherOf(store);
    const big = { ...journalRow('default', 1), j_body: ['x'.repeat(1_000)] };
    for (let seq = 1; seq <= 400; seq++) {
      const noise = Array.from({ length: 2_500 }, () => Math.random().toString(36).slice(2)).join('');
      await flush({ ...big, j_seq: [seq], j_body: [noise] });
    }
    const wal = fs.readdirSync(path.join(dataFolder, 'database/pg_wal'), { withFileTypes: true });
    const bytes = wal.filter((entry) => entry.isFile()).length * 1024 * 1024;
    assert.ok(bytes <= 24 * 1024 * 1024, `${bytes} bytes of WAL`);
    await store.close();
  });

  const cases = [
    { where: 'the write-ahead log', folder: '/pg_wal/', digits: 1, panics: true },
    { where: 'a table', folder: '/base/', digits: 50_000, panics: false },
  ];
  for (const { where, folder, digits, panics } of cases) {
    const title = `says STORE_FULL when the disk is full under ${where}, loses nothing, and works again when there is space`;
    test(title, { skip: process.platform !== 'linux' }, async () => {
      const store = await openEmbeddedStore({ dataFolder });
      const { flush } = await flusherOf(store);
      await flush(journalRow('default', 1));
      const told: (string | null)[] = [];
      store.onAvailability((unavailable) => told.push(unavailable));

      const { exitCode } = process;
      const write = fs.writeSync;
      const isFull = (fd: number): boolean => fs.readlinkSync(`/proc/self/fd/${fd}`).includes(folder);
      const full = mock.method(fs, 'writeSync', (fd: number, ...rest: never[]) => {
        if (isFull(fd))
          throw Object.assign(new Error('ENOSPC: no space left on device'), { code: 'ENOSPC', errno: -28 });
        return (write as (fd: number, ...rest: unknown[]) => number)(fd, ...rest);
      });
      const big = {
        ...journalRow('default', 2),
        j_body: [Array.from({ length: digits }, () => Math.random()).join('')],
      };
      await assert.rejects(
        flush(big),
        (error) => isColmeiaError(error, 'STORE_FULL') && error.message.includes('not available'),
      );
      assert.equal(process.exitCode, exitCode);
      full.mock.restore();

      for (let tries = 0; store.unavailable() !== null; tries++) {
        assert.ok(tries < 200, 'it did not come back');
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
      assert.deepEqual(
        told.map((unavailable) => unavailable === null),
        panics ? [false, true] : [],
      );
      assert.equal(await seqOf(store, 'default'), 1);
      await flush(journalRow('default', 2));
      await store.close();
      const again = await openEmbeddedStore({ dataFolder });
      assert.equal(await seqOf(again, 'default'), 2);
      await again.close();
    });
  }

  test('keeps every acknowledged flush when its process is killed', async () => {
    for (let round = 0, last = 0; round < 2; round++) {
      const child = fork(path.join(import.meta.dirname, 'killed-writer.fixture.ts'), [dataFolder, String(last + 1)]);
      let acknowledged = last;
      child.on('message', (seq: number) => (acknowledged = seq));
      while (acknowledged < last + 50) await once(child, 'message');
      child.kill('SIGKILL');
      await once(child, 'exit');
      const store = await openEmbeddedStore({ dataFolder });
      const found = Number(await seqOf(store, 'default'));
      assert.ok(found >= acknowledged && found <= acknowledged + 1, `${found} found, ${acknowledged} acknowledged`);
      last = found;
      await store.close();
    }
  });
});
