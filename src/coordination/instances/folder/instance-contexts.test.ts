import assert from 'node:assert/strict';
import fs from 'node:fs';
import fsPromises from 'node:fs/promises';
import path from 'node:path';
import { describe, it } from 'node:test';
import { inspect } from 'node:util';
import { layOutCompany, registeredCompany, temporaryInstances } from './company-folder.testing.ts';
import { InstanceContexts } from './instance-contexts.ts';

async function companies(): Promise<{ contexts: InstanceContexts; folder: string; stored: string[] }> {
  const instancesFolder = temporaryInstances();
  const folder = await layOutCompany(instancesFolder, 'acme', 'shop');
  const stored: string[] = [];
  const contexts = new InstanceContexts({
    instancesFolder,
    row: async (name) => (name === 'acme' ? registeredCompany('acme', { tier: 'gold' }) : null),
    secretNames: async () => stored,
  });
  return { contexts, folder, stored };
}

describe('InstanceContexts', () => {
  it('joins what the registry and the folder say, and the registry counts', async () => {
    const { contexts, folder } = await companies();
    const context = await contexts.load('acme');
    assert.deepEqual(
      [context.name, context.tier, context.config?.tier, context.folder],
      ['acme', 'gold', 'bronze', folder],
    );
    assert.deepEqual(
      context.components.map((component) => component.manifest?.name),
      ['orders'],
    );
    assert.deepEqual(context.faults, []);
  });

  it('has secrets as names only, with where they are needed and whether they are there', async () => {
    const { contexts, folder, stored } = await companies();
    fs.writeFileSync(path.join(folder, '.env'), 'A_TOKEN=secret:a\nB_TOKEN=hunter2\nC=d\n');
    fs.writeFileSync(path.join(folder, 'atlassian.config.json'), '{"api_token": "secret:a"}');
    stored.push('a', 'unused');
    const context = await contexts.load('acme');
    assert.deepEqual(context.secrets, [
      { name: 'a', places: ['.env: A_TOKEN', 'atlassian.config.json: api_token'], stored: true },
      { name: 'b_token', places: ['.env: B_TOKEN'], stored: false },
    ]);
    assert.deepEqual(context.env, { C: 'd' });
    assert.doesNotMatch(inspect(context, { depth: 9 }), /hunter2/);
  });

  it('sees every change of a file at the next load, also one that keeps its size', async () => {
    const { contexts, folder } = await companies();
    const changes: [file: string, text: string, seen: (c: Awaited<ReturnType<typeof contexts.load>>) => unknown][] = [
      ['mcp.json', '{"mcpServers": {"a": {"command": "x"}}}', (c) => c.mcp?.mcpServers.a?.command],
      ['mcp.json', '{"mcpServers": {"a": {"command": "y"}}}', (c) => c.mcp?.mcpServers.a?.command],
      ['migrations/0001_a.sql', 'select 1', (c) => c.migrations.length],
      ['migrations/0001_a.sql', 'select 2', (c) => c.migrations[0]!.checksum],
      ['microservices/orders/seeds/more.sql', 'select 1', (c) => c.seeds.length],
      ['microservices/new/component.json', '{}', (c) => c.components.length],
      ['microservices/new/component.json', '[]', (c) => c.faults.length],
    ];
    let before = await contexts.load('acme');
    for (const [file, text, seen] of changes) {
      fs.mkdirSync(path.dirname(path.join(folder, file)), { recursive: true });
      fs.writeFileSync(path.join(folder, file), text);
      const after = await contexts.load('acme');
      assert.notDeepEqual(seen(after), seen(before), `${file} ${text}`);
      before = after;
    }
  });

  it('reads no file again that has not changed, and once for callers at the same time', async (test) => {
    const { contexts } = await companies();
    await new Promise((done) => setTimeout(done, 100)); // what was written just now is read again
    const opened = test.mock.method(fsPromises, 'open');
    await Promise.all(Array.from({ length: 20 }, () => contexts.load('acme')));
    const once = opened.mock.callCount();
    assert.equal(once, 8); // 5 files, a manifest, a migration, a seed
    await contexts.load('acme');
    assert.equal(opened.mock.callCount(), once);
  });

  it('loads a company whose folder is gone, and says so', async () => {
    const { contexts, folder } = await companies();
    await contexts.load('acme');
    fs.rmSync(folder, { recursive: true });
    const context = await contexts.load('acme');
    assert.deepEqual([context.config, context.faults.map((fault) => fault.code)], [null, ['FOLDER_MISSING']]);
  });

  it('answers for what is not there, and for what is no name, alike', async () => {
    const { contexts } = await companies();
    for (const name of ['other', '../acme', '', '$system', 'x'.repeat(300)])
      await assert.rejects(contexts.load(name), { code: 'INSTANCE_NOT_FOUND' });
  });

  it('lets no caller change what another one gets', async () => {
    const { contexts } = await companies();
    const { components } = await contexts.load('acme');
    assert.throws(() => (components as unknown[]).push('x'), TypeError);
  });
});
