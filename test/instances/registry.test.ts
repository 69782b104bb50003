import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { Colmeia } from '../../src/colmeia.ts';
import { createColmeia, LOCAL_OPERATOR, type Principal } from '../../src/index.ts';
import { chainOf } from '../flow/sample-decision.ts';
import { refused, SampleCompany } from '../flow/sample-company.ts';

describe('companies in the registry', () => {
  let home: string;
  let colmeia: Colmeia;
  before(async () => {
    home = fs.mkdtempSync(path.join(os.tmpdir(), 'colmeia-registry-'));
    colmeia = await createColmeia({ instancesFolder: path.join(home, 'instances') });
  });
  after(async () => {
    await colmeia.close();
    fs.rmSync(home, { recursive: true, force: true });
  });

  const keyOf = async (instance: string): Promise<Principal> => {
    const { key } = await colmeia.keys.create(LOCAL_OPERATOR, { kind: 'company', instance });
    return (await colmeia.keys.authenticate(key))!;
  };

  test('a company is made with what was asked for, its files, and its place in the fleet’s journal', async () => {
    const made = await colmeia.instances.create(LOCAL_OPERATOR, {
      name: 'padaria',
      tier: 'gold',
      strategy: 'schema',
      budget_usd: 12.5,
    });
    const { name, tier, strategy, template, state, initialized, health, budget_usd } = made;
    assert.deepEqual(
      { name, tier, strategy, template, state, initialized, health, budget_usd },
      {
        name: 'padaria',
        tier: 'gold',
        strategy: 'schema',
        template: 'default',
        state: 'active',
        initialized: false,
        health: 'unknown',
        budget_usd: 12.5,
      },
    );
    const folder = path.join(home, 'instances', 'padaria');
    const config = JSON.parse(fs.readFileSync(path.join(folder, 'config.json'), 'utf8')) as Record<string, unknown>;
    assert.deepEqual(
      [config.name, config.tier, config.strategy, config.budget_usd],
      ['padaria', 'gold', 'schema', 12.5],
    );
    assert.equal(fs.statSync(folder).mode & 0o777, 0o700);
    const detail = await colmeia.instances.get(LOCAL_OPERATOR, 'padaria');
    assert.deepEqual([detail.folder, detail.operation, detail.owners], [folder, null, []]);
    const { items } = await colmeia.audit.list(LOCAL_OPERATOR, { instance: '$system', type: 'instance.' });
    assert.ok(items.some(({ type, data }) => type === 'instance.created' && data?.name === 'padaria'));
    await refused(colmeia.instances.create(LOCAL_OPERATOR, { name: 'padaria' }), 'INSTANCE_EXISTS');
  });

  test('names that a company cannot have are refused with the rule, and every other fault too', async () => {
    const names = [
      '../x',
      'public',
      'postgres',
      'a'.repeat(200),
      '🐝',
      'select',
      'con',
      '',
      'Maria',
      'a--b',
      '-a',
      'a-',
      'pg-x',
    ];
    for (const name of [...names, 7, null, { a: 1 }]) {
      const call = colmeia.instances.create(LOCAL_OPERATOR, { name: name as string, tier: 'tin', budget_usd: -1 });
      const { faults } = await refused(call, 'INVALID_REQUEST');
      assert.deepEqual(
        [...new Set(faults.map((fault) => fault.path))].sort(),
        ['budget_usd', 'name', 'tier'],
        String(name),
      );
    }
    assert.deepEqual(
      fs.readdirSync(path.join(home, 'instances')).filter((entry) => !entry.startsWith('.')),
      ['default', 'padaria'],
    );
  });

  test('of creates of one name at once one wins, and the others are told that it exists', async () => {
    const tries = Array.from({ length: 6 }, () => colmeia.instances.create(LOCAL_OPERATOR, { name: 'once' }));
    const done = await Promise.allSettled(tries);
    assert.equal(done.filter(({ status }) => status === 'fulfilled').length, 1);
    for (const one of done)
      if (one.status === 'rejected') await refused(Promise.reject(one.reason as Error), 'INSTANCE_EXISTS');
  });

  test('a create that finds a folder in its way leaves it alone, and nothing of itself', async () => {
    const folder = path.join(home, 'instances', 'taken');
    fs.mkdirSync(folder);
    fs.writeFileSync(path.join(folder, 'notes.txt'), 'mine');
    await refused(colmeia.instances.create(LOCAL_OPERATOR, { name: 'taken' }), 'INSTANCE_EXISTS');
    assert.deepEqual(fs.readdirSync(folder), ['notes.txt']);
    await refused(colmeia.instances.get(LOCAL_OPERATOR, 'taken'), 'INSTANCE_NOT_FOUND');
    fs.rmSync(folder, { recursive: true });
    await colmeia.instances.create(LOCAL_OPERATOR, { name: 'taken' });
  });

  test('the list is paged by name, filtered, and shows a company’s key its own only', async () => {
    for (const name of ['list-a', 'list-b', 'list-c']) await colmeia.instances.create(LOCAL_OPERATOR, { name });
    await colmeia.instances.pause(LOCAL_OPERATOR, 'list-b', {});
    const names: string[] = [];
    for (let after: string | undefined; ;) {
      const page = await colmeia.instances.list(LOCAL_OPERATOR, {
        limit: 2,
        ...(after === undefined ? {} : { after }),
      });
      names.push(...page.items.map(({ name }) => name));
      if (page.next === null) break;
      after = page.next;
    }
    assert.deepEqual(names, [...names].sort());
    assert.ok(names.includes('default') && names.includes('list-c') && !names.some((name) => name.startsWith('$')));
    const paused = await colmeia.instances.list(LOCAL_OPERATOR, { state: 'paused' });
    assert.deepEqual(
      paused.items.map(({ name }) => name),
      ['list-b'],
    );
    await refused(colmeia.instances.list(LOCAL_OPERATOR, { state: 'asleep' }), 'INVALID_REQUEST');
    const who = await keyOf('list-a');
    assert.deepEqual(
      (await colmeia.instances.list(who, {})).items.map(({ name }) => name),
      ['list-a'],
    );
    await refused(colmeia.instances.get(who, 'list-b'), 'INSTANCE_NOT_FOUND');
    await refused(colmeia.instances.stats(who, 'list-b'), 'INSTANCE_NOT_FOUND');
    await refused(colmeia.instances.update(who, 'list-a', { tier: 'gold' }), 'FORBIDDEN');
    assert.equal(
      (await colmeia.instances.get(who, 'list-a')).folder,
      null,
      'where its files are is the operator’s business',
    );
  });

  test('tier and budget change at once, for the scheduler too', async () => {
    const company = await SampleCompany.found(colmeia);
    await company.submit('waits', chainOf('a'));
    await refused(colmeia.instances.update(LOCAL_OPERATOR, company.name, {}), 'INVALID_REQUEST');
    assert.equal((await company.why('waits', 'a')).company?.tier, 'bronze');
    const before = (await company.why('waits', 'a')).company!.weight;
    const changed = await colmeia.instances.update(LOCAL_OPERATOR, company.name, { tier: 'gold', budget_usd: 3 });
    assert.deepEqual([changed.tier, changed.budget_usd], ['gold', 3]);
    const { company: standing } = await company.why('waits', 'a');
    assert.equal(standing?.tier, 'gold');
    assert.ok(standing!.weight > before, `${standing!.weight} is not more than ${before}`);
    assert.equal((await colmeia.instances.update(LOCAL_OPERATOR, company.name, { budget_usd: null })).budget_usd, null);
    assert.equal((await colmeia.instances.get(LOCAL_OPERATOR, company.name)).tier, 'gold');
  });
});
