import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { Colmeia } from '../../src/colmeia.ts';
import { createColmeia, LOCAL_OPERATOR } from '../../src/index.ts';
import { shardOf } from '../../src/execution/replicas/shard.ts';
import { QUICK } from '../flow/place.ts';
import { chainOf } from '../flow/sample-decision.ts';
import { refused, SampleCompany } from '../flow/sample-company.ts';
import { deletionConformance } from '../instances/deletion.conformance.ts';
import { completed, endOf, lifeConformance } from '../instances/life.conformance.ts';
import { ControlPlane } from './control-plane.ts';
import { openTestServer, type TestServer } from './test-server.ts';

let server: TestServer;
let scratch: string;
before(async () => {
  server = await openTestServer();
  scratch = fs.mkdtempSync(path.join(os.tmpdir(), 'colmeia-companies-'));
});
after(async () => {
  await server?.stop();
  fs.rmSync(scratch, { recursive: true, force: true });
});

describe('the life of a company on PostgreSQL', () => {
  let colmeia: Colmeia;
  before(async () => {
    const databaseUrl = await server.database();
    colmeia = await createColmeia({ ...QUICK, databaseUrl, secretsKeyFile: path.join(scratch, 'life.key') });
  });
  after(() => colmeia?.close());
  lifeConformance(() => colmeia);
  deletionConformance(() => colmeia);
});

describe('two replicas', () => {
  let replicas: [ControlPlane, ControlPlane];
  let colmeias: [Colmeia, Colmeia];
  before(async () => {
    const databaseUrl = await server.database();
    const secretsKeyFile = path.join(scratch, 'replicas.key');
    const options = { ...QUICK, databaseUrl, secretsKeyFile, leaseDurationMs: 3_000, heartbeatIntervalMs: 1_000 };
    replicas = [new ControlPlane(options), new ControlPlane(options)];
    for (const replica of replicas) await replica.start();
    colmeias = [replicas[0].colmeia, replicas[1].colmeia];
  });
  after(() => Promise.all(replicas.map((replica) => replica.close())));

  test('what is said at one replica holds at the other at once: paused, of another tier, renamed, deleted', async () => {
    const [one, other] = colmeias;
    // Several, so that either replica is the writer of some.
    for (let i = 0; i < 6; i++) {
      const company = await SampleCompany.found(i % 2 === 0 ? one : other);
      const { name } = company;
      const there = at(i % 2 === 0 ? other : one, company);
      await there.agent('worker');
      await one.instances.pause(LOCAL_OPERATOR, name, {});
      await there.submit('waits', chainOf('a'));
      assert.deepEqual(await there.lease('worker', 1, 200), [], `${name} (shard ${shardOf(name)})`);
      await other.instances.update(LOCAL_OPERATOR, name, { tier: 'gold' });
      await one.instances.resume(LOCAL_OPERATOR, name, {});
      await there.work('waits', 'worker');
      await there.submit('again', chainOf('a'));
      await company.until(
        'the tier at its writer',
        () => company.why('again', 'a').catch(() => null),
        (why) => why === null || why.company === null || why.company.tier === 'gold',
      );
      await there.work('again', 'worker');
      const to = `${name}-moved`;
      await completed(other, one.instances.rename(LOCAL_OPERATOR, name, { to }));
      const moved = await SampleCompany.at(other, to, company.key);
      await moved.agent('worker');
      await moved.submit('after', chainOf('a'));
      await moved.work('after', 'worker');
      await completed(one, other.instances.remove(LOCAL_OPERATOR, to, { confirm: to, export: false }));
      for (const colmeia of colmeias) {
        await refused(colmeia.instances.get(LOCAL_OPERATOR, to), 'INSTANCE_NOT_FOUND');
        await company.until(
          'the end of its key',
          () => colmeia.keys.authenticate(company.key),
          (who) => who === null,
        );
      }
    }
  });

  test('of creates of one name at both at once one wins', async () => {
    const done = await Promise.allSettled(
      [...colmeias, ...colmeias].map((colmeia) => colmeia.instances.create(LOCAL_OPERATOR, { name: 'contested' })),
    );
    assert.equal(done.filter(({ status }) => status === 'fulfilled').length, 1);
    for (const one of done)
      if (one.status === 'rejected') await refused(Promise.reject(one.reason as Error), 'INSTANCE_EXISTS');
  });

  test('an operation of a replica that was killed is gone on with by the other', async () => {
    const [one, other] = colmeias;
    await one.instances.create(LOCAL_OPERATOR, { name: 'orphan' });
    const begun = await one.instances.init(LOCAL_OPERATOR, 'orphan');
    await replicas[0].kill();
    const ended = await endOf(other, await other.instances.operation(LOCAL_OPERATOR, begun.id, {}));
    assert.deepEqual([ended.state, ended.error], ['completed', null]);
    assert.equal((await other.instances.get(LOCAL_OPERATOR, 'orphan')).initialized, true);
    await replicas[0].start();
  });
});

/** The same company seen from another replica. */
const at = (colmeia: Colmeia, company: SampleCompany): SampleCompany =>
  Object.create(company, { colmeia: { value: colmeia } }) as SampleCompany;

const whyNoMount =
  process.platform !== 'linux' || process.getuid?.() !== 0 ? 'only root on Linux may mount a small disk' : false;

test(
  'a disk that is full in the middle of a create leaves nothing of it, and the next try succeeds',
  { skip: whyNoMount },
  async () => {
    const instancesFolder = path.join(scratch, 'small');
    fs.mkdirSync(instancesFolder);
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=256k,mode=700', 'tmpfs', instancesFolder]);
    const colmeia = await createColmeia({ instancesFolder });
    try {
      await colmeia.instances.create(LOCAL_OPERATOR, { name: 'first' });
      const filler = path.join(instancesFolder, '.filler');
      const { bavail, bsize } = fs.statfsSync(instancesFolder);
      fs.writeFileSync(filler, Buffer.alloc((bavail - 3) * bsize));
      const { message } = await refused(colmeia.instances.create(LOCAL_OPERATOR, { name: 'second' }), 'STORE_FULL');
      assert.match(message, /disk/);
      assert.deepEqual(
        fs.readdirSync(instancesFolder).filter((name) => !name.startsWith('.')),
        ['default', 'first'],
      );
      assert.ok(!fs.readdirSync(instancesFolder).some((name) => name.startsWith('.making')), 'no draft is left');
      await refused(colmeia.instances.get(LOCAL_OPERATOR, 'second'), 'INSTANCE_NOT_FOUND');
      fs.rmSync(filler);
      assert.equal((await colmeia.instances.create(LOCAL_OPERATOR, { name: 'second' })).name, 'second');
    } finally {
      await colmeia.close();
      execFileSync('umount', ['--lazy', instancesFolder]);
    }
  },
);
