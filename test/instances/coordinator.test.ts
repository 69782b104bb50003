import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { coordinatorOf, initializeCoordinator, LOCAL_OPERATOR, type Coordinator } from '../../src/index.ts';
import { refused } from '../flow/sample-company.ts';

describe('the coordinator library', () => {
  let home: string;
  let coordinator: Awaited<ReturnType<typeof initializeCoordinator>>;
  before(async () => {
    home = fs.mkdtempSync(path.join(os.tmpdir(), 'colmeia-coordinator-'));
    coordinator = await initializeCoordinator({ COLMEIA_HOME: home }, home);
  });
  after(async () => {
    await coordinator.close();
    fs.rmSync(home, { recursive: true, force: true });
  });

  test('it opens what the environment names, lists all companies, and knows each of them', async () => {
    const { instances } = coordinator.colmeia;
    for (let i = 0; i < 3; i++) await instances.create(LOCAL_OPERATOR, { name: `shop-${i}` });
    assert.deepEqual(
      (await coordinator.listInstances()).map(({ name }) => name),
      ['default', 'shop-0', 'shop-1', 'shop-2'],
    );
    const context = await coordinator.loadInstanceContext('shop-1');
    assert.deepEqual(
      [context.name, context.folder, context.config?.name],
      ['shop-1', path.join(home, 'instances', 'shop-1'), 'shop-1'],
    );
    const { health, faults } = await coordinator.validateInstance('shop-1');
    assert.ok(health !== 'unhealthy', JSON.stringify(faults));
    assert.equal((await coordinator.listInstances()).find(({ name }) => name === 'shop-1')?.health, health);
    assert.equal((await coordinator.getInstanceStats('shop-1')).plans_received, 0);
  });

  test('what is not there, and what a company’s key may not see, answers alike', async () => {
    const { key } = await coordinator.colmeia.keys.create(LOCAL_OPERATOR, { kind: 'company', instance: 'shop-0' });
    const own: Coordinator = coordinatorOf(coordinator.colmeia, (await coordinator.colmeia.keys.authenticate(key))!);
    assert.deepEqual(
      (await own.listInstances()).map(({ name }) => name),
      ['shop-0'],
    );
    for (const call of ['loadInstanceContext', 'validateInstance', 'getInstanceStats'] as const) {
      const hidden = await refused(own[call]('shop-1'), 'INSTANCE_NOT_FOUND');
      const absent = await refused(own[call]('shop-9'), 'INSTANCE_NOT_FOUND');
      assert.equal(hidden.message.replace('shop-1', '?'), absent.message.replace('shop-9', '?'));
    }
  });
});
