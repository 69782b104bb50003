import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Colmeia } from '../../src/colmeia.ts';
import type { ColmeiaOptions } from '../../src/index.ts';
import { isColmeiaError } from '../../src/platform/errors.ts';
import { LOCAL_OPERATOR } from '../../src/trust/identity/principal.ts';
import { QUICK } from '../flow/place.ts';
import { chainOf, sampleDecision } from '../flow/sample-decision.ts';
import { ControlPlane } from './control-plane.ts';
import { assertAllCompleted, assertNothingLost, readHistory } from './history.ts';
import { Load } from './load.ts';

/** Enough that every replica has some of them. */
export const COMPANIES = Array.from({ length: 12 }, (_, n) => `company-${n}`);

export type Cluster = {
  databaseUrl: string;
  replicas: ControlPlane[];
  faces: Colmeia[];
  join: () => Promise<ControlPlane>;
  /** Resolves when the first results are in. */
  startLoad: (faces: readonly Colmeia[]) => Promise<Load>;
};

/** Runs replicas of an empty database, and afterwards reads what it says. */
export async function withReplicas(
  databaseUrl: string,
  count: number,
  work: (cluster: Cluster) => Promise<void>,
  more: ColmeiaOptions = {},
): Promise<void> {
  const replicas: ControlPlane[] = [];
  const join = async (): Promise<ControlPlane> => {
    const replica = new ControlPlane({
      ...QUICK,
      databaseUrl,
      leaseDurationMs: 3_000,
      ...more,
    } satisfies ColmeiaOptions);
    await replica.start();
    replicas.push(replica);
    return replica;
  };
  let load: Load | null = null;
  const startLoad = async (faces: readonly Colmeia[]): Promise<Load> => {
    load = new Load({ faces, companies: COMPANIES });
    load.start();
    await load.nextResult();
    return load;
  };
  const loadOf = (): Load | null => load;
  try {
    await Promise.all(Array.from({ length: count }, join));
    for (const name of COMPANIES) await replicas[0]!.colmeia.instances.create(LOCAL_OPERATOR, { name });
    await work({ databaseUrl, replicas, faces: replicas.map(({ colmeia }) => colmeia), join, startLoad });
    await loadOf()?.stopSubmitting();
    if (load !== null) await untilIdle(replicas);
  } finally {
    const stopped = loadOf()?.stopSubmitting();
    await loadOf()?.stopAgents();
    await Promise.all(replicas.map((replica) => replica.close()));
    await stopped;
  }
  const history = await readHistory({ databaseUrl, dataFolder: null });
  const told = loadOf();
  if (told === null) return;
  assertNothingLost(told, history);
  assertAllCompleted(history);
}

async function untilIdle(replicas: readonly ControlPlane[]): Promise<void> {
  const alive = replicas.find(({ isUp }) => isUp)!;
  for (const deadline = Date.now() + 30_000; ;) {
    const { items } = await alive.colmeia.plans.list(LOCAL_OPERATOR, { status: 'running', limit: 5 });
    if (items.length === 0) return;
    assert.ok(Date.now() < deadline, `open plans do not end: ${JSON.stringify(items)}`);
    await sleep(100);
  }
}

/** Asks until it is so; returns how long that took, ms. */
export async function until(what: string, met: () => Promise<boolean>, withinMs = 10_000): Promise<number> {
  const from = performance.now();
  while (!(await met())) {
    assert.ok(performance.now() - from < withinMs, `${what}: not within ${withinMs} ms`);
    await sleep(20);
  }
  return performance.now() - from;
}

export const oneTicket = (planId: string, instance: string) =>
  sampleDecision(planId, chainOf('a'), { decision: { metadata: { instance } } });

/** Asks until it is answered by a plan. */
export async function submitted(face: Colmeia, planId: string, instance: string): Promise<number> {
  const from = performance.now();
  const decision = oneTicket(planId, instance);
  for (;;) {
    try {
      await face.decisions.submit(LOCAL_OPERATOR, decision);
      return performance.now() - from;
    } catch (error) {
      if (!isColmeiaError(error, 'NOT_OWNER') && !isColmeiaError(error, 'STORE_UNAVAILABLE')) throw error;
      assert.ok(performance.now() - from < 20_000, `${planId}: ${error.message}`);
      await sleep(20);
    }
  }
}
