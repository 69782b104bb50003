import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Colmeia, OperationView } from '../../src/colmeia.ts';
import { LOCAL_OPERATOR } from '../../src/index.ts';
import { refused } from '../flow/sample-company.ts';
import { completed, endOf } from '../instances/life.conformance.ts';
import { ControlPlane, ControlPlaneDown } from './control-plane.ts';

let home: string;
let plane: ControlPlane;
before(async () => {
  home = fs.mkdtempSync(path.join(os.tmpdir(), 'colmeia-killed-'));
  plane = new ControlPlane({ dataFolder: path.join(home, 'data'), instancesFolder: path.join(home, 'instances') });
  await plane.start();
});
after(async () => {
  await plane?.close();
  fs.rmSync(home, { recursive: true, force: true });
});

/** Follows an operation until a step of it has begun; null = it ended before. */
async function stepBegun(colmeia: Colmeia, operation: OperationView, step: string): Promise<OperationView | null> {
  for (let view = operation; view.state === 'running';) {
    if (view.steps.find(({ name }) => name === step)!.state !== 'pending') return view;
    view = await colmeia.instances.operation(LOCAL_OPERATOR, view.id, { after_rev: view.rev, wait_ms: 10_000 });
  }
  return null;
}

/** Kills the process as soon as the step has begun, and starts the next one, which goes on. */
async function killAt(operation: OperationView, step: string): Promise<OperationView> {
  await stepBegun(plane.colmeia, operation, step).catch((error: unknown) => {
    if (!(error instanceof ControlPlaneDown)) throw error;
  });
  await plane.kill();
  await plane.start();
  return endOf(plane.colmeia, await plane.colmeia.instances.operation(LOCAL_OPERATOR, operation.id, {}));
}

test('init and delete come to the same end from each of their steps', { timeout: 280_000 }, async () => {
  const { instances } = plane.colmeia;
  await instances.create(LOCAL_OPERATOR, { name: 'whole' });
  const whole = await completed(plane.colmeia, instances.init(LOCAL_OPERATOR, 'whole'));
  const gone = await completed(
    plane.colmeia,
    instances.remove(LOCAL_OPERATOR, 'whole', { confirm: 'whole', export: false }),
  );
  for (const [i, { name: step }] of whole.steps.entries()) {
    const name = `init-${i}`;
    await instances.create(LOCAL_OPERATOR, { name });
    const ended = await killAt(await instances.init(LOCAL_OPERATOR, name), step);
    assert.deepEqual([ended.state, ended.error], ['completed', null], `init killed at ${step}`);
    const { initialized, resources } = await instances.get(LOCAL_OPERATOR, name);
    assert.deepEqual([initialized, resources.map(({ kind }) => kind)], [true, ['database']], step);
  }
  for (const [i, { name: step }] of gone.steps.entries()) {
    const name = `init-${i}`;
    const begun = await instances.remove(LOCAL_OPERATOR, name, { confirm: name, export: false });
    const ended = await killAt(begun, step);
    assert.deepEqual([ended.state, ended.error], ['completed', null], `delete killed at ${step}`);
    await refused(instances.get(LOCAL_OPERATOR, name), 'INSTANCE_NOT_FOUND');
    const left = fs.readdirSync(home, { recursive: true, encoding: 'utf8' });
    assert.deepEqual(
      left.filter((file) => file.split(path.sep).includes(name)),
      [],
      step,
    );
    const { items } = await plane.colmeia.audit.list(LOCAL_OPERATOR, {
      instance: '$system',
      type: 'instance.deleted',
    });
    assert.ok(
      items.some(({ data }) => data?.name === name),
      `the fleet’s journal says that ${name} is gone`,
    );
  }
  assert.equal(plane.fault, null);
});

test('a create is whole or not there', { timeout: 100_000 }, async () => {
  const { instances } = plane.colmeia;
  for (let i = 0; i < 4; i++) {
    const name = `made-${i}`;
    const making = instances.create(LOCAL_OPERATOR, { name }).then(
      () => true,
      () => false,
    );
    await sleep(i * 4);
    await plane.kill();
    await making;
    await plane.start();
    const { items } = await instances.operations(LOCAL_OPERATOR, { instance: name });
    for (const one of items) await endOf(plane.colmeia, one);
    const isThere = await instances.get(LOCAL_OPERATOR, name).then(
      () => true,
      () => false,
    );
    const folder = path.join(home, 'instances', name);
    assert.equal(fs.existsSync(path.join(folder, 'config.json')), isThere, name);
    if (!isThere) await instances.create(LOCAL_OPERATOR, { name });
    const differences = await instances.differences(LOCAL_OPERATOR);
    assert.deepEqual(
      differences.filter((one) => one.name === name),
      [],
    );
  }
});
