import fs from 'node:fs';
import path from 'node:path';
import { simulatedAgent, simulatedSpec } from '../../src/execution/scheduling/simulation/scenario.ts';
import type { SimulatedAgent, SimulatedPlan } from '../../src/execution/scheduling/simulation/scenario.ts';

/** Real workloads beside the repository, measured with and no part of it. */
const DATA = path.resolve(import.meta.dirname, '../../../shared/data');

/** Durations in seconds, parents as task numbers. */
export type RecordedWorkflow = {
  name: string;
  app: string;
  types: string[];
  tasks: [type: number, seconds: number, parents: number[]][];
};
export type RecordedGraph = {
  name: string;
  work: number;
  criticalPath: number;
  /** By number of processors; a pair = between these, not proven. */
  optimal: Record<string, number | [least: number, most: number]>;
  tasks: [units: number, parents: number[]][];
};
export type FleetKind = 'homo' | 'related' | 'unrelated';
export type FleetName = `${FleetKind}${16 | 64}`;
export const FLEETS: readonly FleetName[] = [
  'homo16',
  'homo64',
  'related16',
  'related64',
  'unrelated16',
  'unrelated64',
];

export type RecordedWork = {
  workflows: RecordedWorkflow[];
  graphs: RecordedGraph[];
  /** Lower bound of the makespan in seconds, by workflow and fleet. */
  bounds: Record<string, Record<string, number>>;
  /** Mean seconds of each type in other runs; null = never seen. */
  priors: Record<string, (number | null)[]>;
  /** factors[type][agent]; Infinity = not capable. */
  factorsOf: (fleet: FleetName, workflow: RecordedWorkflow) => Float64Array[];
};

/** null = the data is not on this machine. */
export async function recordedWork(): Promise<RecordedWork | null> {
  const folder = path.join(DATA, 'workflows');
  const fleetFile = path.join(DATA, 'fleets/fleet.mjs');
  if (!fs.existsSync(folder) || !fs.existsSync(fleetFile)) return null;
  const { fleet } = (await import(fleetFile)) as {
    fleet: (kind: string, size: number, types: string[], app: string) => Float64Array[];
  };
  const read = (file: string): unknown => JSON.parse(fs.readFileSync(file, 'utf8'));
  const lines = fs.readFileSync(path.join(folder, 'stg-120.jsonl'), 'utf8').trim().split('\n');
  return {
    workflows: fs
      .readdirSync(folder)
      .filter((file) => file.endsWith('.json'))
      .map((file) => read(path.join(folder, file)) as RecordedWorkflow),
    graphs: lines.map((line) => JSON.parse(line) as RecordedGraph),
    bounds: read(path.join(DATA, 'fleets/bounds.json')) as RecordedWork['bounds'],
    priors: read(path.join(DATA, 'fleets/priors.json')) as RecordedWork['priors'],
    factorsOf: (name, { types, app }) => {
      const [, kind, size] = /^([a-z]+)(\d+)$/.exec(name)!;
      return fleet(kind!, Number(size), types, app);
    },
  };
}

/** The agents of a recorded fleet, each told apart by the types it can do. */
export function agentsOf(factors: readonly Float64Array[], types: readonly string[]): SimulatedAgent[] {
  const numberOf = new Map(types.map((type, i) => [type, i]));
  return Array.from({ length: factors[0]!.length }, (_, a) =>
    simulatedAgent(
      `agent-${a}`,
      types.filter((_type, i) => factors[i]![a]! < Infinity),
      { factor: (type) => factors[numberOf.get(type)!]![a]! },
    ),
  );
}

/** The workflow as a plan that arrives at once and has all the time. */
export function planOfWorkflow({ name, types, tasks }: RecordedWorkflow): SimulatedPlan {
  return {
    name,
    instance: 'acme',
    tier: 'silver',
    arrivesAt: 0,
    deadlineAt: 20 * 3_600_000,
    tasks: tasks.map(([type, seconds, parents], n) => ({
      spec: simulatedSpec(types[type]!, { task_id: `t${n}`, risk_band: 'low' }),
      deps: parents,
      durationMs: seconds * 1_000,
    })),
  };
}

export const geometricMean = (values: readonly number[]): number =>
  Math.exp(values.reduce((sum, value) => sum + Math.log(value), 0) / values.length);
