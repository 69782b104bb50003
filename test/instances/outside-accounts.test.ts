import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { Colmeia } from '../../src/colmeia.ts';
import { createColmeia, LOCAL_OPERATOR } from '../../src/index.ts';
import { startAtlassian, type FakeAtlassian } from '../fakes/atlassian-site.ts';
import { refused } from '../flow/sample-company.ts';
import { eventually } from '../flow/scheduled.ts';
import { completed, endOf } from './life.conformance.ts';

const TOKEN = { secret: 'atlassian_api_token' };

describe('the outside accounts of a company', () => {
  let home: string;
  let atlassian: FakeAtlassian;
  let colmeia: Colmeia;
  before(async () => {
    home = fs.mkdtempSync(path.join(os.tmpdir(), 'colmeia-accounts-'));
    atlassian = await startAtlassian();
    const accounts = { atlassianSite: atlassian.url, atlassianEmail: atlassian.email, atlassianPerMinute: 1_000_000 };
    colmeia = await createColmeia({ instancesFolder: path.join(home, 'instances'), accounts });
  });
  after(async () => {
    await colmeia?.close();
    await atlassian?.close();
    fs.rmSync(home, { recursive: true, force: true });
  });

  const token = (value: string): Promise<unknown> => colmeia.secrets.set(LOCAL_OPERATOR, TOKEN, { value });
  const remove = (name: string, more: { force?: boolean } = {}) =>
    colmeia.instances.remove(LOCAL_OPERATOR, name, { confirm: name, export: false, ...more });

  test('without credentials it works, and says what is off; with them init makes project and space, once', async () => {
    await colmeia.instances.create(LOCAL_OPERATOR, { name: 'shop' });
    const without = await completed(colmeia, colmeia.instances.init(LOCAL_OPERATOR, 'shop'));
    assert.match(
      (without.result!.off as string[]).join('\n'),
      /jira: off: no Atlassian credentials \(secret atlassian_api_token\)/,
    );
    await token(atlassian.token);
    const made = await completed(colmeia, colmeia.instances.init(LOCAL_OPERATOR, 'shop'));
    assert.deepEqual(
      (made.result!.made as { kind: string; id: string }[]).map(({ kind, id }) => `${kind} ${id}`).slice(-2),
      ['jira-project SHOP', 'confluence-space SHOP'],
    );
    const file = path.join(home, 'instances', 'shop', 'atlassian.config.json');
    const config = JSON.parse(fs.readFileSync(file, 'utf8')) as Record<'jira' | 'confluence', Record<string, string>>;
    assert.deepEqual([config.jira.project_key, config.confluence.space_key], ['SHOP', 'SHOP']);
    const changes = (): number => atlassian.jira.requests.filter(({ method }) => method === 'POST').length;
    const before = changes();
    await completed(colmeia, colmeia.instances.init(LOCAL_OPERATOR, 'shop'));
    assert.equal(changes(), before, 'a second init makes nothing');
    await eventually(
      'calls are told',
      async () => (await colmeia.audit.list(LOCAL_OPERATOR, { instance: '$system', type: 'outside.called' })).items,
      (told) => told.length > 0,
    );
  });

  test('a site that refuses a delete stops it there, told what is left; resumed, nothing is left', async () => {
    await token('revoked-by-somebody');
    const failed = await endOf(colmeia, await remove('shop'));
    assert.equal(failed.state, 'failed');
    assert.equal(failed.steps.find(({ state }) => state === 'failed')?.name, 'accounts');
    assert.ok(!JSON.stringify(failed).includes('revoked-by-somebody'));
    const { state, resources } = await colmeia.instances.get(LOCAL_OPERATOR, 'shop');
    assert.equal(state, 'deleting');
    assert.ok(resources.some(({ kind, id }) => kind === 'jira-project' && id === 'SHOP'));
    await token(atlassian.token);
    const { result } = await completed(colmeia, colmeia.instances.resumeOperation(LOCAL_OPERATOR, failed.id));
    const removed = (result!.removed as { kind: string }[]).map(({ kind }) => kind);
    assert.ok(removed.includes('jira-project') && removed.includes('confluence-space'), removed.join(', '));
    assert.equal(atlassian.jira.site.projects.size, 0);
  });

  test('forced, it leaves what it cannot take away, and says so', async () => {
    await colmeia.instances.create(LOCAL_OPERATOR, { name: 'forced' });
    await completed(colmeia, colmeia.instances.init(LOCAL_OPERATOR, 'forced'));
    await token('revoked-by-somebody');
    const { result } = await completed(colmeia, remove('forced', { force: true }));
    assert.match((result!.left as string[]).join('\n'), /jira-project FORCED/);
    await refused(colmeia.instances.get(LOCAL_OPERATOR, 'forced'), 'INSTANCE_NOT_FOUND');
    const { items } = await colmeia.audit.list(LOCAL_OPERATOR, { instance: '$system', type: 'instance.deleted' });
    const event = items.find(({ data }) => data?.name === 'forced');
    assert.equal((event!.data!.left as string[]).length, 2);
  });

  test('renamed, its project and space say by whom they are owned now', async () => {
    await token(atlassian.token);
    await colmeia.instances.create(LOCAL_OPERATOR, { name: 'old-name' });
    await completed(colmeia, colmeia.instances.init(LOCAL_OPERATOR, 'old-name'));
    await completed(colmeia, colmeia.instances.rename(LOCAL_OPERATOR, 'old-name', { to: 'new-name' }));
    await completed(colmeia, remove('new-name'));
    assert.deepEqual([...atlassian.jira.site.projects.values()].map(({ key }) => key).includes('OLDNAME'), false);
  });
});
