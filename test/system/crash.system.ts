import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ColmeiaOptions } from '../../src/index.ts';
import { LOCAL_OPERATOR } from '../../src/trust/identity/principal.ts';
import { QUICK } from '../flow/place.ts';
import { ControlPlane } from './control-plane.ts';
import { assertAllCompleted, assertNothingLost, readHistory } from './history.ts';
import { Load } from './load.ts';
import { openTestServer, type TestServer } from './test-server.ts';

const ROUNDS = 10;
const COMPANIES = ['default', 'alfa', 'beta', 'gama'];
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'colmeia-crash-'));
let server: TestServer;

before(async () => void (server = await openTestServer()));
after(async () => {
  await server?.stop();
  fs.rmSync(folder, { recursive: true, force: true });
});

const places: { name: string; place: () => Promise<{ databaseUrl: string | null; dataFolder: string | null }> }[] = [
  { name: 'the embedded database', place: async () => ({ databaseUrl: null, dataFolder: path.join(folder, 'data') }) },
  { name: 'PostgreSQL', place: async () => ({ databaseUrl: await server.database(), dataFolder: null }) },
];

describe('kill -9 under load', () => {
  for (const { name, place } of places)
    test(`${ROUNDS} times on ${name}: nothing acknowledged is lost, everything counts once, and the work goes on`, async (t) => {
      const at = await place();
      const options: ColmeiaOptions = { ...QUICK, ...at, leaseDurationMs: 2_000 };
      const plane = new ControlPlane(options);
      await plane.start();
      for (const instance of COMPANIES.slice(1))
        await plane.colmeia.instances.create(LOCAL_OPERATOR, { name: instance });
      const load = new Load({ faces: [plane.colmeia], companies: COMPANIES });
      load.start();
      const resumed: string[] = [];
      try {
        for (let round = 0; round < ROUNDS; round++) {
          await load.nextResult();
          await sleep(100 + Math.random() * 900);
          const before = load.results.length;
          await plane.kill();
          const startedAt = performance.now();
          const { readyMs, openMs } = await plane.start();
          await load.nextResult();
          const resumeMs = performance.now() - startedAt;
          resumed.push(
            `${resumeMs.toFixed(0)} (ready ${readyMs.toFixed(0)}, opened in ${openMs.toFixed(0)}; ${before} results before)`,
          );
        }
        assert.equal(plane.fault, null);
        await load.stopSubmitting();
        await untilIdle(plane);
      } finally {
        await load.stopAgents();
        await plane.close();
      }
      const history = await readHistory(at);
      t.diagnostic(`ms from the start of the process to the next acknowledged result: ${resumed.join('; ')}`);
      t.diagnostic(
        `${load.accepted.size} decisions and ${load.results.length} results acknowledged, ${history.events} events`,
      );
      assertNothingLost(load, history);
      assertAllCompleted(history);
      assert.ok(load.results.length > 500, `only ${load.results.length} results: that is no load`);
    });
});

/** Until no plan is open. */
async function untilIdle({ colmeia }: ControlPlane): Promise<void> {
  for (const deadline = Date.now() + 30_000; ;) {
    const { items } = await colmeia.plans.list(LOCAL_OPERATOR, { status: 'running', limit: 5 });
    if (items.length === 0) return;
    assert.ok(Date.now() < deadline, `open plans do not end: ${JSON.stringify(items)}`);
    await sleep(100);
  }
}
