import { simulatedAgent, simulatedSpec } from '../../src/execution/scheduling/simulation/scenario.ts';
import type { SimulatedAgent, SimulatedPlan } from '../../src/execution/scheduling/simulation/scenario.ts';
import { seededRandom } from '../../src/execution/scheduling/simulation/seeded-random.ts';
import type { RecordedGraph } from './recorded-work.ts';

const HOUR = 3_600_000;
export const HOURS_MS = 12 * HOUR;
const BURST_MS = 3 * HOUR;
const SPEEDS = [0.5, 0.75, 1, 1, 1.5, 2];
const AGENTS = 64;
const UNIT_MS = 10_000;
const SHARES = [0.09, 0.09, 0.06, 0.06, 0.06, 0.035, 0.035, 0.035, 0.035, 0.5];
const WEIGHTS = [4, 4, 2, 2, 2, 1, 1, 1, 1, 1];
const TIERS = { 4: 'gold', 2: 'silver', 1: 'bronze' } as const;
/** How many times the ideal time a plan has, by weight. */
const SLACKS: Record<number, [least: number, most: number]> = { 4: [1.5, 3], 2: [2, 5], 1: [3, 8] };

export const COMPANIES = WEIGHTS.map((weight, i) => ({
  instance: i === 9 ? 'noisy' : `company-${i}`,
  weight,
  tier: TIERS[weight as 4 | 2 | 1],
}));
const typeOfUnits = (units: number): string => `t${Math.floor(Math.log2(units + 1))}`;
export const speedOf = (agent: number): number => SPEEDS[agent % SPEEDS.length]!;
const CAPACITY = Array.from({ length: AGENTS }, (_, a) => speedOf(a)).reduce((sum, speed) => sum + speed, 0);

export function tenCompaniesFleet(): SimulatedAgent[] {
  const types = Array.from({ length: 12 }, (_, i) => `t${i}`);
  return Array.from({ length: AGENTS }, (_, a) =>
    simulatedAgent(`agent-${a}`, types, { factor: () => 1 / speedOf(a) }),
  );
}

/** What is known of a task beforehand: the mean of its type, ms. */
export function meansOfTypes(graphs: readonly RecordedGraph[]): Map<string, number> {
  const sums = new Map<string, [sum: number, n: number]>();
  for (const { tasks } of graphs)
    for (const [units] of tasks) {
      const seen = sums.get(typeOfUnits(units)) ?? [0, 0];
      sums.set(typeOfUnits(units), [seen[0] + units * UNIT_MS, seen[1] + 1]);
    }
  return new Map([...sums].map(([type, [sum, n]]) => [type, sum / n]));
}

/** The scenario of the ten companies: twelve hours of arrivals at `load` × the capacity of the fleet. */
export function tenCompaniesPlans(
  graphs: readonly RecordedGraph[],
  load: number,
  hostile: boolean,
  seed: number,
): SimulatedPlan[] {
  const random = seededRandom(seed * 7919 + Math.round(load * 10));
  const means = meansOfTypes(graphs);
  const meanWork = (graphs.reduce((sum, graph) => sum + graph.work, 0) / graphs.length) * UNIT_MS;
  const plans: SimulatedPlan[] = [];
  COMPANIES.forEach(({ instance, weight, tier }, i) => {
    const gap = meanWork / (load * CAPACITY * SHARES[i]!);
    for (let at = -gap * Math.log(1 - random()); at < HOURS_MS; at += -gap * Math.log(1 - random())) {
      const noisy = i === 9;
      const arrivesAt = noisy ? Math.floor(at / BURST_MS) * BURST_MS + (at % BURST_MS) / 4 : at;
      const graph = graphs[Math.floor(random() * graphs.length)]!;
      const [least, most] = noisy && hostile ? [1.2, 1.5] : SLACKS[weight]!;
      const ideal = Math.max(graph.criticalPath, graph.work / 16) * UNIT_MS;
      plans.push({
        name: graph.name,
        instance,
        tier,
        arrivesAt,
        deadlineAt: arrivesAt + 60_000 + ideal * (least + random() * (most - least)),
        tasks: graph.tasks.map(([units, deps], n) => ({
          spec: simulatedSpec(typeOfUnits(units), {
            task_id: `t${n}`,
            estimated_duration_ms: means.get(typeOfUnits(units))!,
          }),
          deps,
          durationMs: units * UNIT_MS,
        })),
      });
    }
  });
  return plans.sort((a, b) => a.arrivesAt - b.arrivesAt);
}
