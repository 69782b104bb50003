// Task graphs with published optimal makespans (STG, Kasahara) on four agents alike, the estimates being right.
import { policyOf } from '../src/execution/scheduling/policy.ts';
import { Scheduler } from '../src/execution/scheduling/scheduler.ts';
import {
  type Dispatcher,
  simulatedAgent,
  type SimulatedPlan,
  simulatedSpec,
} from '../src/execution/scheduling/simulation/scenario.ts';
import { seededRandom } from '../src/execution/scheduling/simulation/seeded-random.ts';
import { simulate } from '../src/execution/scheduling/simulation/simulate.ts';
import { PLAIN_ESTIMATES } from '../src/execution/scheduling/estimates.ts';
import type { BenchContext } from './row.ts';
import { PullDispatcher } from './simulated/pull-dispatcher.ts';
import { recordedWork, type RecordedGraph } from './simulated/recorded-work.ts';

const PROCESSORS = 4;
const UNIT_MS = 1_000;

export async function bench({ say, add }: BenchContext): Promise<void> {
  const work = await recordedWork();
  if (work === null) return say('  there is no ../shared/data: nothing to measure');
  const baseline = meanOverOptimum(work.graphs, fifo);
  const value = meanOverOptimum(work.graphs, adaptive);
  say('  graphs whose optimum is proven; baseline: FIFO');
  add({ work: '4 agents, makespan ÷ optimum', value, unit: '×', target: '<= 1.03', baseline });
}

const fifo = (): Dispatcher => new PullDispatcher({ rank: null, place: 'any', factor: () => 1, base: () => 1 });
export const adaptive = (): Dispatcher =>
  new Scheduler({
    policy: policyOf('adaptive'),
    estimates: PLAIN_ESTIMATES,
    random: seededRandom(1),
    tierOf: () => 'silver',
  });

/** Mean of makespan ÷ optimum over the graphs whose optimum is proven. */
export function meanOverOptimum(graphs: readonly RecordedGraph[], dispatcherOf: () => Dispatcher): number {
  const fleet = Array.from({ length: PROCESSORS }, (_, a) => simulatedAgent(`agent-${a}`, ['t']));
  const ratios = graphs.flatMap((graph) => {
    const optimum = graph.optimal[PROCESSORS];
    if (typeof optimum !== 'number') return [];
    const plans = [planOfGraph(graph)];
    const { makespanMs } = simulate({
      fleet,
      plans,
      dispatcher: dispatcherOf(),
      estimates: PLAIN_ESTIMATES,
      random: seededRandom(1),
    });
    return [makespanMs / (optimum * UNIT_MS)];
  });
  return Number((ratios.reduce((sum, ratio) => sum + ratio, 0) / ratios.length).toFixed(4));
}

function planOfGraph({ name, tasks }: RecordedGraph): SimulatedPlan {
  return {
    name,
    instance: 'acme',
    tier: 'silver',
    arrivesAt: 0,
    deadlineAt: 20 * 3_600_000,
    tasks: tasks.map(([units, deps], n) => ({
      spec: simulatedSpec('t', { task_id: `t${n}`, estimated_duration_ms: units * UNIT_MS }),
      deps,
      durationMs: units * UNIT_MS,
    })),
  };
}
