import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { FolderSizes } from './folder-sizes.ts';

test('a folder is walked once in five seconds, with all that is in it; a link counts as itself', async (t) => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'colmeia-sizes-'));
  t.after(() => fs.rmSync(folder, { recursive: true }));
  fs.mkdirSync(path.join(folder, 'deep'));
  fs.writeFileSync(path.join(folder, 'deep', 'a'), 'four');
  let now = 1_000;
  const sizes = new FolderSizes({ now: () => now });
  assert.deepEqual(await sizes.of(folder), { count: 1, bytes: 4 });
  fs.writeFileSync(path.join(folder, 'b'), '12');
  now += 4_999;
  assert.deepEqual(await sizes.of(folder), { count: 1, bytes: 4 });
  now += 1;
  assert.deepEqual(await sizes.of(folder), { count: 2, bytes: 6 });
  if (process.platform !== 'win32') {
    fs.symlinkSync('/', path.join(folder, 'root'));
    now += 5_000;
    assert.equal((await sizes.of(folder)).count, 3);
  }
  assert.deepEqual(await sizes.of(path.join(folder, 'absent')), { count: 0, bytes: 0 });
});
