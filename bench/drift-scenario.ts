// Agents that drift: 20 agents, 4 types, 30,000 calls. Success probability U(.6, .99), median latency exp(.6·N(0, 1)) with
// noise exp(.3·N) for each agent and type. At a third of the calls the best three of each type get success × .3 and latency
// × 3, at two thirds they recover. Utility of a call: success ÷ (1 + median latency).
import { drawNormal } from '../src/execution/scheduling/models/draws.ts';
import { seededRandom } from '../src/execution/scheduling/simulation/seeded-random.ts';
import type { Random } from '../src/platform/clock.ts';

export const AGENTS = 20;
export const TYPES = 4;
export const CALLS = 30_000;
/** Calls after a drift in which failures are counted. */
const AFTER = 2_000;
const DRIFTED = 3;

/** What "the best three" are best in. */
export type Best = 'success' | 'utility';

/** Who does the call; it learns what came of it. `call` counts from 0. */
export type Router = {
  pick(type: number, call: number): number;
  learn(outcome: { type: number; agent: number; ok: boolean; latency: number; call: number }): void;
};
export type MakeRouter = (random: Random) => Router;

export type DriftFigures = {
  /** Best agent's utility − utility of the agent that did it, mean over all calls. */
  regret: number;
  /** Share of failures in the 2,000 calls after the best got worse, and after they recovered. */
  worseFailures: number;
  recoveredFailures: number;
  /** The same for a router that knows every utility. */
  oracleWorseFailures: number;
  oracleRecoveredFailures: number;
};

type Fleet = { success: number[][]; latency: number[][] };

/** The same seed is the same fleet and the same calls for every router. */
export function drift(make: MakeRouter, seed: number, best: Best): DriftFigures {
  const fleet = drawFleet(seededRandom(seed * 7_919 + 1));
  const worse = worsened(fleet, best);
  const calls = seededRandom(seed * 104_729 + 3);
  const router = make(seededRandom(seed * 31 + 5));
  const sums = { regret: 0, worse: 0, recovered: 0, oracleWorse: 0, oracleRecovered: 0 };
  for (let call = 0; call < CALLS; call++) {
    const third = Math.floor((call * 3) / CALLS);
    const now = third === 1 ? worse : fleet;
    const type = Math.floor(calls() * TYPES);
    const agent = router.pick(type, call);
    const ok = calls() < now.success[type]![agent]!;
    const latency = now.latency[type]![agent]! * Math.exp(0.3 * drawNormal(calls));
    const oracle = bestOf(now, type);
    sums.regret += utility(now, type, oracle) - utility(now, type, agent);
    if (third > 0 && call - (third * CALLS) / 3 < AFTER) {
      sums[third === 1 ? 'worse' : 'recovered'] += Number(!ok);
      sums[third === 1 ? 'oracleWorse' : 'oracleRecovered'] += 1 - now.success[type]![oracle]!;
    }
    router.learn({ type, agent, ok, latency, call });
  }
  return {
    regret: sums.regret / CALLS,
    worseFailures: sums.worse / AFTER,
    recoveredFailures: sums.recovered / AFTER,
    oracleWorseFailures: sums.oracleWorse / AFTER,
    oracleRecoveredFailures: sums.oracleRecovered / AFTER,
  };
}

function drawFleet(random: Random): Fleet {
  const rows = (draw: () => number): number[][] =>
    Array.from({ length: TYPES }, () => Array.from({ length: AGENTS }, draw));
  return { success: rows(() => 0.6 + 0.39 * random()), latency: rows(() => Math.exp(0.6 * drawNormal(random))) };
}

function worsened(fleet: Fleet, best: Best): Fleet {
  const worse = structuredClone(fleet);
  for (let type = 0; type < TYPES; type++) {
    const merit = (agent: number): number =>
      best === 'success' ? fleet.success[type]![agent]! : utility(fleet, type, agent);
    const order = Array.from({ length: AGENTS }, (_, agent) => agent).sort((a, b) => merit(b) - merit(a));
    for (const agent of order.slice(0, DRIFTED)) {
      worse.success[type]![agent]! *= 0.3;
      worse.latency[type]![agent]! *= 3;
    }
  }
  return worse;
}

function utility(fleet: Fleet, type: number, agent: number): number {
  return fleet.success[type]![agent]! / (1 + fleet.latency[type]![agent]!);
}

function bestOf(fleet: Fleet, type: number): number {
  let best = 0;
  for (let agent = 1; agent < AGENTS; agent++)
    if (utility(fleet, type, agent) > utility(fleet, type, best)) best = agent;
  return best;
}
