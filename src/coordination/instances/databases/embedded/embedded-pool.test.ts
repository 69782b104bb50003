import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, describe, test } from 'node:test';

import { isColmeiaError } from '../../../../platform/errors.ts';
import { ownerOf } from '../../../../platform/store/data-folder-lock.ts';
import { type EmbeddedDatabase } from './embedded-database.ts';
import { type EmbeddedPlace, EmbeddedPool, type EmbeddedPoolOptions } from './embedded-pool.ts';

const DEADLINE_MS = 30_000;
const ENDLESS = 'select count(*) from generate_series(1, 100000000000)';

describe('the pool of embedded databases', () => {
  const ends: (() => Promise<void>)[] = [];
  afterEach(async () => {
    for (const end of ends.splice(0)) await end();
  });

  function open(options: Omit<EmbeddedPoolOptions, 'root'> = {}): { pool: EmbeddedPool; root: string } {
    const root = fs.mkdtempSync(path.join(os.tmpdir(), 'colmeia-pool-'));
    const pool = new EmbeddedPool({ root, ...options });
    ends.push(async () => {
      await pool.close();
      fs.rmSync(root, { recursive: true });
    });
    return { pool, root };
  }
  const at = (name: string): EmbeddedPlace => ({ folder: name, whose: name });
  const create = { create: true };
  const one = (database: EmbeddedDatabase) => database.query(null, 'select 1 as one', [], DEADLINE_MS);

  test('a statement that never ends is ended at its deadline, the others go on meanwhile, and nothing committed is lost', async () => {
    const { pool } = open();
    await pool.use(
      at('acme'),
      (database) => database.script('create table t (x int); insert into t values (7)', DEADLINE_MS),
      create,
    );
    await pool.use(at('other'), one, create);
    const order: string[] = [];
    const endless = pool
      .use(at('acme'), (database) => database.query(null, ENDLESS, [], 1_500))
      .finally(() => order.push('endless'));
    const failing = assert.rejects(endless, (error) => isColmeiaError(error, 'STORE_UNAVAILABLE'));
    for (let n = 0; n < 20; n++) assert.deepEqual(await pool.use(at('other'), one), [{ one: 1 }]);
    order.push('others');
    await failing;
    assert.deepEqual(order, ['others', 'endless']);
    const rows = await pool.use(at('acme'), (database) => database.query(null, 'select x from t', [], DEADLINE_MS));
    assert.deepEqual(rows, [{ x: 7 }]);
  });

  test('never more than the most are open; the one used longest ago makes room, and who finds no room in time is told', async () => {
    const { pool } = open({ maxOpen: 2, waitMs: 6_000 });
    for (const name of ['a', 'b', 'c', 'a']) {
      assert.deepEqual(await pool.use(at(name), one, create), [{ one: 1 }]);
      assert.ok(pool.openCount <= 2);
    }
    let free = (): void => undefined;
    const held = new Promise<void>((resolve) => (free = resolve));
    const busy = ['a', 'c'].map((name) => pool.use(at(name), () => held));
    await assert.rejects(
      pool.use(at('b'), one),
      (error) => isColmeiaError(error, 'STORE_UNAVAILABLE') && /busy/.test(error.message),
    );
    const waiting = pool.use(at('b'), one);
    free();
    await Promise.all(busy);
    assert.deepEqual(await waiting, [{ one: 1 }]);
  });

  test('callers of one database take turns, also behind one that fails or gives up', async () => {
    const { pool } = open();
    await pool.use(at('a'), one, create);
    const order: number[] = [];
    const turns = [1, 2, 3, 4].map((n) =>
      pool.use(at('a'), async (database) => {
        await one(database);
        order.push(n);
        if (n === 2) throw new Error('oops');
      }),
    );
    const results = await Promise.allSettled(turns);
    assert.deepEqual(order, [1, 2, 3, 4]);
    assert.deepEqual(
      results.map(({ status }) => status),
      ['fulfilled', 'rejected', 'fulfilled', 'fulfilled'],
    );
  });

  test('an unused one is closed with its lock, and opened again when it is used', async () => {
    const { pool, root } = open({ idleMs: 20 });
    await pool.use(at('a'), one, create);
    for (const until = Date.now() + 10_000; pool.openCount > 0 && Date.now() < until;)
      await new Promise((resolve) => setTimeout(resolve, 10));
    assert.equal(pool.openCount, 0);
    assert.equal(fs.existsSync(path.join(root, 'a', 'lock')), false);
    assert.deepEqual(await pool.use(at('a'), one), [{ one: 1 }]);
  });

  test('one that was never made is told as not there, and leaves no folder', async () => {
    const { pool, root } = open();
    await assert.rejects(
      pool.use(at('ghost'), one),
      (error) => isColmeiaError(error, 'STORE_UNAVAILABLE') && /not there/.test(error.message),
    );
    assert.deepEqual(fs.readdirSync(root), []);
  });

  test("another process's folder is left alone", async () => {
    const { pool, root } = open();
    fs.mkdirSync(path.join(root, 'a'));
    fs.writeFileSync(path.join(root, 'a', 'lock'), JSON.stringify(ownerOf(process.ppid)));
    await assert.rejects(pool.use(at('a'), one, create), (error) => isColmeiaError(error, 'DATA_FOLDER_LOCKED'));
    fs.rmSync(path.join(root, 'a', 'lock'));
    assert.deepEqual(await pool.use(at('a'), one, create), [{ one: 1 }]);
  });

  test('removing ends what runs, and takes the folder away', async () => {
    const { pool, root } = open();
    await pool.use(at('a'), one, create);
    const endless = pool.use(at('a'), (database) => database.query(null, ENDLESS, [], DEADLINE_MS));
    const failing = assert.rejects(endless, (error) => isColmeiaError(error, 'STORE_UNAVAILABLE'));
    await pool.remove(at('a'));
    await failing;
    assert.deepEqual(fs.readdirSync(root), []);
  });
});
