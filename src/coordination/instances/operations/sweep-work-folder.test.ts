import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';

import { openStore } from '../../../platform/store/open-store.ts';
import type { Store } from '../../../platform/store/store.ts';
import { sweepWorkFolder } from './sweep-work-folder.ts';

let store: Store;
let home: string;
before(async () => {
  store = await openStore({ databaseUrl: null, dataFolder: null });
  home = fs.mkdtempSync(path.join(os.tmpdir(), 'colmeia-sweep-'));
});
after(async () => {
  await store.close();
  fs.rmSync(home, { recursive: true });
});

test('what operations left that have ended, or that nobody has known for a day, is swept; what is under way or of others stays', async () => {
  const id = (digit: string): string => `0mi9tq3zk-${digit.repeat(12)}`;
  for (const [own, state] of [
    [id('1'), 'running'],
    [id('2'), 'undoing'],
    [id('3'), 'failed'],
    [id('4'), 'undone'],
  ]) {
    const text = `insert into instance_operation (id, instance, kind, input, memory, steps, state, by, rev, runner, started_at)
      values ($1, $1, 'clone', '{}', '{}', '[]', $2, 'user:ana', 1, '', now())`;
    await store.write({ as: 'coordinator' }, (sql) => sql.query(text, [own, state]));
  }
  const work = path.join(home, 'operations');
  await sweepWorkFolder(store, work); // there is none yet
  const stays = [id('1'), `import-${id('2')}`, id('6'), 'notes', 'a-folder'];
  for (const name of [...stays, id('3'), `database-${id('3')}`, `export-${id('4')}`, id('5')]) {
    fs.mkdirSync(path.join(work, name), { recursive: true });
    fs.writeFileSync(path.join(work, name, 'passfile-1-pg_dump'), '*:*:*:*:secret');
  }
  const longAgo = new Date('2026-01-01');
  for (const name of [id('5'), 'notes']) fs.utimesSync(path.join(work, name), longAgo, longAgo);
  await sweepWorkFolder(store, work);
  assert.deepEqual(fs.readdirSync(work).toSorted(), stays.toSorted());
});
