import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { Colmeia } from '../../src/colmeia.ts';
import { createColmeia, LOCAL_OPERATOR } from '../../src/index.ts';
import { refused } from '../flow/sample-company.ts';
import { completed, endOf } from './life.conformance.ts';

describe('initializing a company', () => {
  let home: string;
  let colmeia: Colmeia;
  const open = (): Promise<Colmeia> =>
    createColmeia({ dataFolder: path.join(home, 'data'), instancesFolder: path.join(home, 'instances') });
  before(async () => {
    home = fs.mkdtempSync(path.join(os.tmpdir(), 'colmeia-init-'));
    colmeia = await open();
  });
  after(async () => {
    await colmeia.close();
    fs.rmSync(home, { recursive: true, force: true });
  });
  const folderOf = (name: string): string => path.join(home, 'instances', name);
  const write = (name: string, file: string, text: string): void => {
    fs.mkdirSync(path.dirname(path.join(folderOf(name), file)), { recursive: true });
    fs.writeFileSync(path.join(folderOf(name), file), text, { mode: 0o600 });
  };

  for (const strategy of ['hybrid', 'schema', 'full']) {
    test(`${strategy}: its database is made, migrated and seeded, and a delete leaves nothing of it`, async () => {
      const name = `bakery-${strategy}`;
      await colmeia.instances.create(LOCAL_OPERATOR, { name, strategy });
      await refused(colmeia.instances.seed(LOCAL_OPERATOR, name), 'INSTANCE_STATE');
      write(
        name,
        'migrations/0001_bread.sql',
        `create table bread (id int primary key, kind text not null);
         alter table bread enable row level security; alter table bread force row level security;
         create policy own on bread using (true) with check (true);`,
      );
      write(name, 'seeds/bread.sql', `insert into bread values (1, 'rye'), (2, 'wheat');`);
      const init = await completed(colmeia, colmeia.instances.init(LOCAL_OPERATOR, name));
      assert.ok(init.steps.every(({ state }) => state === 'done'));
      assert.equal(init.steps.at(-1)!.detail, 'healthy');
      assert.deepEqual(init.result?.seeds, ['company/bread']);
      const off = init.result?.off as string[];
      assert.equal(off.length, 3, 'what is off is said');
      assert.ok(
        off.some((why) => why.startsWith('jira: off: no Atlassian')),
        String(off),
      );
      const detail = await colmeia.instances.get(LOCAL_OPERATOR, name);
      assert.equal(detail.initialized, true);
      const kinds = detail.resources.map(({ kind }) => kind).sort();
      assert.deepEqual(kinds, strategy === 'schema' ? ['role', 'schema'] : ['database']);
      const stats = await colmeia.instances.stats(LOCAL_OPERATOR, name);
      assert.ok(stats.database !== null && stats.database.tables >= 1, JSON.stringify(stats.database));
      const again = await completed(colmeia, colmeia.instances.init(LOCAL_OPERATOR, name));
      assert.deepEqual([again.result?.migrations, again.result?.seeds], [0, []], 'a second init finds all of it');
      write(name, 'seeds/more.sql', `insert into bread values (3, 'spelt');`);
      assert.deepEqual((await colmeia.instances.seed(LOCAL_OPERATOR, name)).applied, ['company/more']);
      assert.deepEqual((await colmeia.instances.seed(LOCAL_OPERATOR, name)).applied, [], 'each seed runs once');
      const { result } = await completed(
        colmeia,
        colmeia.instances.remove(LOCAL_OPERATOR, name, { confirm: name, export: false }),
      );
      const removed = (result!.removed as { kind: string }[]).map(({ kind }) => kind).sort();
      assert.deepEqual(removed, [...kinds, 'files'].sort());
      assert.equal(fs.existsSync(folderOf(name)), false);
      const left = fs
        .readdirSync(home, { recursive: true, encoding: 'utf8' })
        .filter((file) => file.includes(name) || file.includes(name.replaceAll('-', '_')));
      assert.deepEqual(left, []);
    });
  }

  test('plain secrets of its files go into the store, and references stay in their place', async () => {
    await colmeia.instances.create(LOCAL_OPERATOR, { name: 'keys' });
    write('keys', '.env', '# mine\nSTRIPE_API_KEY=sk_live_0123456789abcdef\nCOLOR=blue\n');
    await completed(colmeia, colmeia.instances.init(LOCAL_OPERATOR, 'keys'));
    const text = fs.readFileSync(path.join(folderOf('keys'), '.env'), 'utf8');
    assert.equal(text, '# mine\nSTRIPE_API_KEY=secret:stripe_api_key\nCOLOR=blue\n');
    const { items } = await colmeia.secrets.list(LOCAL_OPERATOR, { instance: 'keys' });
    assert.ok(items.some(({ name }) => name === 'stripe_api_key'));
    const { items: events } = await colmeia.audit.list(LOCAL_OPERATOR, { instance: 'keys' });
    assert.ok(!JSON.stringify(events).includes('sk_live_0123456789abcdef'));
  });

  test('a file that a person broke stops it with every fault; corrected, it is resumed', async () => {
    await colmeia.instances.create(LOCAL_OPERATOR, { name: 'broken' });
    const good = fs.readFileSync(path.join(folderOf('broken'), 'mcp.json'), 'utf8');
    write('broken', 'mcp.json', '{"mcpServers": ');
    const failed = await endOf(colmeia, await colmeia.instances.init(LOCAL_OPERATOR, 'broken'));
    assert.deepEqual([failed.state, failed.error?.code], ['failed', 'INSTANCE_INVALID']);
    assert.match(failed.error!.message, /mcp\.json/);
    assert.equal((await colmeia.instances.get(LOCAL_OPERATOR, 'broken')).initialized, false);
    write('broken', 'mcp.json', good);
    const { state } = await endOf(colmeia, await colmeia.instances.resumeOperation(LOCAL_OPERATOR, failed.id));
    assert.equal(state, 'completed');
  });

  test('a folder that was deleted by hand is laid out again, by init and by reconcile', async () => {
    await colmeia.instances.create(LOCAL_OPERATOR, { name: 'homeless', tier: 'silver' });
    fs.rmSync(folderOf('homeless'), { recursive: true });
    const report = await colmeia.instances.validate(LOCAL_OPERATOR, 'homeless');
    assert.ok(
      report.faults.some(({ code }) => code === 'FOLDER_MISSING'),
      JSON.stringify(report.faults),
    );
    const kinds = async (): Promise<string[]> =>
      (await colmeia.instances.differences(LOCAL_OPERATOR))
        .filter(({ name }) => name === 'homeless')
        .map(({ kind }) => kind);
    assert.deepEqual(await kinds(), ['folder-missing']);
    await colmeia.instances.reconcile(LOCAL_OPERATOR, { name: 'homeless' });
    assert.deepEqual(await kinds(), []);
    const config = JSON.parse(fs.readFileSync(path.join(folderOf('homeless'), 'config.json'), 'utf8')) as {
      tier: string;
    };
    assert.equal(config.tier, 'silver');
    fs.rmSync(folderOf('homeless'), { recursive: true });
    await completed(colmeia, colmeia.instances.init(LOCAL_OPERATOR, 'homeless'));
    assert.equal(fs.existsSync(path.join(folderOf('homeless'), 'config.json')), true);
    fs.rmSync(folderOf('homeless'), { recursive: true });
    await completed(
      colmeia,
      colmeia.instances.remove(LOCAL_OPERATOR, 'homeless', { confirm: 'homeless', export: false }),
    );
  });

  test('settings of its folder are taken into the registry, and a folder becomes a company', async () => {
    await colmeia.instances.create(LOCAL_OPERATOR, { name: 'edited' });
    const file = path.join(folderOf('edited'), 'config.json');
    const config = JSON.parse(fs.readFileSync(file, 'utf8')) as Record<string, unknown>;
    fs.writeFileSync(file, JSON.stringify({ ...config, tier: 'gold', budget_usd: 7, strategy: 'schema' }));
    fs.cpSync(folderOf('edited'), folderOf('copied'), { recursive: true });
    fs.writeFileSync(
      path.join(folderOf('copied'), 'config.json'),
      JSON.stringify({ ...config, name: 'copied', tier: 'silver' }),
    );
    const settled = await colmeia.instances.reconcile(LOCAL_OPERATOR, {});
    const own = settled.filter(({ name }) => name === 'edited' || name === 'copied');
    assert.deepEqual(own.map(({ name, kind, setting }) => `${name} ${kind} ${setting}`.trim()).sort(), [
      'copied not-registered',
      'edited setting budget_usd',
      'edited setting strategy',
      'edited setting tier',
    ]);
    const edited = await colmeia.instances.get(LOCAL_OPERATOR, 'edited');
    assert.deepEqual([edited.tier, edited.budget_usd, edited.strategy], ['gold', 7, 'schema']);
    assert.equal((await colmeia.instances.get(LOCAL_OPERATOR, 'copied')).tier, 'silver');
  });

  test('what a process left under way is gone on with by the next one; a pause outlives it too', async () => {
    await colmeia.instances.create(LOCAL_OPERATOR, { name: 'cut' });
    await colmeia.instances.pause(LOCAL_OPERATOR, 'cut', {});
    const begun = await colmeia.instances.init(LOCAL_OPERATOR, 'cut');
    await colmeia.close();
    colmeia = await open();
    assert.equal((await endOf(colmeia, begun)).state, 'completed');
    const { state, initialized } = await colmeia.instances.get(LOCAL_OPERATOR, 'cut');
    assert.deepEqual([state, initialized], ['paused', true]);
  });
});
