import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { describe, it } from 'node:test';
import { until } from '../../../platform/bus/journal.testing.ts';
import { layOutCompany, temporaryInstances } from '../folder/company-folder.testing.ts';
import { FolderWatch } from './watch-folders.ts';

describe('FolderWatch', () => {
  it('compares a folder when the system has no watcher left', async () => {
    const folder = await layOutCompany(temporaryInstances());
    let changes = 0;
    let fallbacks = 0;
    const watch = new FolderWatch({
      onChange: () => changes++,
      onFallback: () => fallbacks++,
      compareMs: 5,
      watch: (() => {
        throw Object.assign(new Error('no watcher left'), { code: 'ENOSPC' });
      }) as never,
    });
    await watch.follow('acme', folder);
    assert.deepEqual([changes, fallbacks], [1, 1]);
    for (const [n, change] of [
      () => fs.writeFileSync(path.join(folder, 'mcp.json'), '{}'),
      () => fs.rmSync(folder, { recursive: true }),
    ].entries()) {
      await new Promise((done) => setTimeout(done, 50)); // compared once at least
      assert.equal(changes, n + 1);
      change();
      await until(() => changes === n + 2, 'the change');
    }
    await watch.stop();
  });

  it('compares a folder whose watcher breaks', async () => {
    const folder = await layOutCompany(temporaryInstances());
    const fallbacks: string[] = [];
    const broken: fs.FSWatcher[] = [];
    const watch = new FolderWatch({
      onChange: () => {},
      onFallback: (name) => fallbacks.push(name),
      watch: ((...args: Parameters<typeof fs.watch>) => {
        const watcher = fs.watch(...args);
        broken.push(watcher);
        return watcher;
      }) as never,
    });
    await watch.follow('acme', folder);
    for (const watcher of broken) watcher.emit('error', new Error('broken'));
    await watch.stop();
    assert.deepEqual(fallbacks, ['acme']);
  });

  it('passes over drafts and whatever else a component writes', async () => {
    const folder = await layOutCompany(temporaryInstances(), 'acme', 'shop');
    let changes = 0;
    const watch = new FolderWatch({ onChange: () => changes++, onFallback: () => assert.fail() });
    await watch.follow('acme', folder);
    const orders = path.join(folder, 'microservices/orders');
    for (const name of ['run.log', 'index.js', '.x.json.part']) fs.writeFileSync(path.join(orders, name), '');
    fs.writeFileSync(path.join(orders, 'last.json'), '');
    await until(() => changes > 0, 'the one that counts');
    await new Promise((done) => setTimeout(done, 50));
    assert.ok(changes <= 2, String(changes)); // created and written
    await watch.stop();
  });
});
