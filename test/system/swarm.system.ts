import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { startPostgres, type Postgres } from '../../scripts/postgres.ts';
import type { Colmeia } from '../../src/colmeia.ts';
import type { ColmeiaOptions } from '../../src/index.ts';
import { isColmeiaError } from '../../src/platform/errors.ts';
import { LOCAL_OPERATOR } from '../../src/trust/identity/principal.ts';
import { QUICK } from '../flow/place.ts';
import { SampleCompany } from '../flow/sample-company.ts';
import { eventually } from '../flow/scheduled.ts';
import { ControlPlane } from './control-plane.ts';
import { asAdmin } from './test-server.ts';

/** Enough that each of two replicas writes for some of either half. */
const COMPANIES = 12;
/** Tickets that each company of the first half runs, and how long at least. */
const RUN = 5;
const RUN_MS = 1_000;
const HOUR_MS = 3_600_000;

let postgres: Postgres;
let databases = 0;
before(async () => void (postgres = await startPostgres()));
after(() => postgres?.stop());

async function withTwo(work: (one: ControlPlane, other: ControlPlane) => Promise<void>): Promise<void> {
  const name = `swarm_${databases++}`;
  await asAdmin(postgres.url, (client) => client.query(`create database ${name}`));
  const databaseUrl = postgres.url.replace(/postgres$/, name);
  const options: ColmeiaOptions = { ...QUICK, databaseUrl, leaseDurationMs: 60_000, heartbeatIntervalMs: 30_000 };
  const replicas = [new ControlPlane(options), new ControlPlane(options)] as const;
  try {
    for (const replica of replicas) await replica.start();
    await work(...replicas);
    assert.deepEqual(
      replicas.map(({ fault }) => fault),
      [null, null],
    );
  } finally {
    await Promise.all(replicas.map((replica) => replica.close()));
  }
}

/** What a call answers; null while its company moves. */
async function settled<T>(call: Promise<T>): Promise<T | null> {
  try {
    return await call;
  } catch (error) {
    if (isColmeiaError(error, 'NOT_OWNER') || isColmeiaError(error, 'STORE_UNAVAILABLE')) return null;
    throw error;
  }
}

test('who takes over from a replica that was killed has the debts and the trails of its companies', async () => {
  await withTwo(async (one, other) => {
    const companies = [];
    for (let n = 0; n < COMPANIES; n++) companies.push(await SampleCompany.found(other.colmeia));
    const owing = companies.filter((_, n) => n % 2 === 0);
    const even = companies.filter((_, n) => n % 2 === 1);
    // All have work that waits for the same agents, but half of them have agents of their own beside.
    const tasks = Array.from({ length: RUN + 1 }, (_, n) => ({ id: `t${n}`, estimateMs: RUN_MS }));
    const shared = { agent_id: 'never-asks', task_types: ['EXECUTE'], concurrency: 1 };
    await other.colmeia.agents.register(LOCAL_OPERATOR, shared);
    for (const company of companies) await company.submit('load', tasks);
    /** By company: no attempt ran longer than from its lease to the end of all. */
    const longest = new Map<string, number>();
    await Promise.all(
      owing.map(async (company) => {
        await company.agent('own', { concurrency: RUN });
        const from = Date.now();
        const leases = await company.lease('own', RUN);
        assert.equal(leases.length, RUN);
        await sleep(RUN_MS);
        for (const lease of leases) await company.complete(lease);
        longest.set(company.name, RUN * (Date.now() - from));
      }),
    );
    await one.kill();

    const lagOf = async (company: SampleCompany): Promise<number | null> => {
      const why = await settled(company.why('load', `t${RUN}`));
      return why?.company?.lag_seconds ?? null;
    };
    const least = (RUN * RUN_MS) / 1_000;
    for (const company of owing) {
      // All of them, also those that the replica did not live to tell of.
      const lag = await eventually(
        'its lag, with the last result',
        () => lagOf(company),
        (seconds) => seconds !== null && seconds >= 0.9 * least,
      );
      const most = longest.get(company.name)! / 1_000;
      assert.ok(lag! <= 1.1 * most, `${company.name} is ${lag} s ahead, at most ${most}`);
      const query = { agent_id: `${company.name}/own`, limit: 10 };
      await eventually(
        'its trail, with the last result',
        async () => (await other.colmeia.scheduling.trails(LOCAL_OPERATOR, query)).items,
        (items) => items.length === 1 && items[0]!.successes > 0.8 * RUN,
      );
    }
    for (const company of even)
      assert.equal(
        await eventually(
          'its lag',
          () => lagOf(company),
          (lag) => lag !== null,
        ),
        0,
      );
  });
});

test('what is asked of one replica is done by all: a policy, an experiment, the reset of trails', async () => {
  await withTwo(async ({ colmeia: one }, { colmeia: other }) => {
    const company = await SampleCompany.found(one);
    await company.agent('worker');
    await company.submit('known', [{ id: 'a' }]);
    await company.work('known', 'worker');
    const trails = async (face: Colmeia) => (await face.scheduling.trails(LOCAL_OPERATOR, { limit: 10 })).items.length;
    for (const face of [one, other])
      await eventually(
        'a trail',
        () => trails(face),
        (count) => count === 1,
      );

    for (const [asked, told, preset] of [
      [one, other, 'fairness'],
      [other, one, 'round-robin'],
    ] as const) {
      const set = await asked.scheduling.setPolicy(LOCAL_OPERATOR, { preset });
      assert.equal(set.preset, preset);
      const policy = () => told.scheduling.policy(LOCAL_OPERATOR);
      assert.deepEqual(await eventually('the policy', policy, (seen) => seen.preset === preset), set);

      const settings = { a: 'adaptive', b: 'critical-first', block_ms: HOUR_MS };
      await asked.scheduling.startExperiment(LOCAL_OPERATOR, settings);
      for (const face of [asked, told]) {
        const look = async () => (await face.scheduling.policy(LOCAL_OPERATOR)).preset;
        await eventually('a block', look, (tried) => tried === 'adaptive' || tried === 'critical-first');
      }
      await told.scheduling.stopExperiment(LOCAL_OPERATOR, { reason: 'enough' });
      const look = () => asked.scheduling.experiment(LOCAL_OPERATOR);
      const ended = await eventually('its end', look, (seen) => seen?.state === 'ended');
      assert.equal(ended!.stopped, 'stopped by hand');
      await eventually(
        'the policy again',
        () => asked.scheduling.policy(LOCAL_OPERATOR),
        (seen) => seen.preset === preset,
      );
    }

    assert.equal((await other.scheduling.resetTrails(LOCAL_OPERATOR, {})).removed, 1);
    for (const face of [one, other])
      await eventually(
        'no trail',
        () => trails(face),
        (count) => count === 0,
      );
  });
});
