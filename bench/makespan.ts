// Seven recorded workflows on six fleets: makespan ÷ lower bound, geometric mean over the workflows. What the scheduler knows:
// (a) the speeds of the agents, and of durations only the types' means in other runs; (b) the same without the speeds, in the
// tenth run of the same workflow, what was learned being kept. The baselines run beside it on the same information.
import { policyOf } from '../src/execution/scheduling/policy.ts';
import type { ReadyTicket } from '../src/execution/scheduling/ready-ticket.ts';
import { Scheduler } from '../src/execution/scheduling/scheduler.ts';
import type { Dispatcher, SimulatedAgent, SimulatedPlan } from '../src/execution/scheduling/simulation/scenario.ts';
import { seededRandom } from '../src/execution/scheduling/simulation/seeded-random.ts';
import { simulate } from '../src/execution/scheduling/simulation/simulate.ts';
import type { BenchContext } from './row.ts';
import { heftMakespan } from './simulated/heft.ts';
import { LearnedEstimates } from './simulated/learned-estimates.ts';
import { PullDispatcher } from './simulated/pull-dispatcher.ts';
import { RecurringKnowledge } from './simulated/recurring-knowledge.ts';
import { PushDispatcher } from './simulated/push-dispatcher.ts';
import {
  agentsOf,
  type FleetName,
  FLEETS,
  geometricMean,
  planOfWorkflow,
  type RecordedWork,
  recordedWork,
  type RecordedWorkflow,
} from './simulated/recorded-work.ts';

const RUNS = 10;
const BEST_KNOWN = [1.09, 1.15, 1.25, 1.23, 1.3, 1.34];
const HALF_WAY = [1.08, 1.125, 1.21, 1.17, 1.27, 1.25];
const UNKNOWN_SPEEDS = [1.1, 1.16, 1.33, 1.35, 1.4, 1.6];

type Factor = (type: string, agent: string) => number;
type Case = {
  agents: SimulatedAgent[];
  plan: SimulatedPlan;
  factors: Map<string, Float64Array>;
  factor: Factor;
  priors: [string, number | null][];
  boundMs: number;
};
type Learning = LearnedEstimates | RecurringKnowledge;
type Policy = { name: string; run: (one: Case) => number };

export async function bench({ say, add }: BenchContext): Promise<void> {
  const work = await recordedWork();
  if (work === null) return say('  there is no ../shared/data: nothing to measure');
  const table = POLICIES.map(({ name, run }) => ({ name, ratios: FLEETS.map((fleet) => ratioOf(work, fleet, run)) }));
  say(`  ${''.padEnd(32)}${FLEETS.map((fleet) => fleet.padStart(13)).join('')}`);
  for (const { name, ratios } of table)
    say(`  ${name.padEnd(32)}${ratios.map((ratio) => ratio.toFixed(3).padStart(13)).join('')}`);
  const rowsOf = (name: string, what: string, targets: readonly number[], baseline: string): void => {
    const of = (wanted: string): number[] => table.find((row) => row.name === wanted)!.ratios;
    FLEETS.forEach((fleet, i) =>
      add({
        work: `${fleet}, ${what}`,
        value: Number(of(name)[i]!.toFixed(3)),
        unit: '× bound',
        target: `<= ${targets[i]}`,
        baseline: Number(of(baseline)[i]!.toFixed(3)),
      }),
    );
  };
  rowsOf('adaptive', 'best policy known', BEST_KNOWN, 'FIFO, the agent that ends first');
  rowsOf('adaptive', 'half of the way to HEFT', HALF_WAY, 'HEFT, durations given');
  rowsOf('adaptive, speeds unknown, run 10', 'speeds unknown, run 10', UNKNOWN_SPEEDS, 'FIFO pull, any agent');
}

/** Geometric mean over the workflows of makespan ÷ bound. */
export function ratioOf(
  work: RecordedWork,
  fleet: FleetName,
  run: Policy['run'],
  workflows: readonly RecordedWorkflow[] = work.workflows,
): number {
  return geometricMean(
    workflows.map((workflow) => {
      const one = caseOf(work, fleet, workflow);
      return run(one) / one.boundMs;
    }),
  );
}

function caseOf(work: RecordedWork, fleet: FleetName, workflow: RecordedWorkflow): Case {
  const { name, types } = workflow;
  const rows = work.factorsOf(fleet, workflow);
  const agents = agentsOf(rows, types);
  const byKey = new Map(agents.map((agent) => [agent.says.key, agent]));
  return {
    agents,
    plan: planOfWorkflow(workflow),
    factors: new Map(types.map((type, i) => [type, rows[i]!])),
    factor: (type, agent) => byKey.get(agent)!.factor(type, 0),
    priors: types.map((type, i) => [type, work.priors[name]![i] === null ? null : work.priors[name]![i]! * 1_000]),
    boundMs: work.bounds[name]![fleet]! * 1_000,
  };
}

function learned(
  { agents, plan, factor, priors }: Case,
  dispatcherOf: (estimates: Learning) => Dispatcher,
  { runs = 1, speedsKnown = true, plain = false } = {},
): number {
  const known = speedsKnown ? factor : null;
  const estimates = plain
    ? new LearnedEstimates(priors, known)
    : new RecurringKnowledge(priors, known, seededRandom(2));
  let makespanMs = 0;
  for (let run = 0; run < runs; run++) {
    const result = simulate({
      fleet: agents,
      plans: [plan],
      dispatcher: dispatcherOf(estimates),
      estimates,
      random: seededRandom(1),
      observe: (outcome) => estimates.observe(outcome),
    });
    if (result.stuck > 0) throw new Error(`${plan.name} did not end`);
    makespanMs = result.makespanMs;
  }
  return makespanMs;
}

export const adaptive: Policy['run'] = (one) => learned(one, schedulerWith);
const schedulerWith = (estimates: Learning): Scheduler =>
  new Scheduler({ policy: policyOf('adaptive'), estimates, random: seededRandom(1), tierOf: () => 'silver' });

const pull = (one: Case, place: 'any' | 'fastest' | 'hold'): number =>
  learned(
    one,
    (estimates) => {
      const base = ({ spec, instance }: ReadyTicket): number => estimates.base(spec, instance);
      return new PullDispatcher({ rank: null, place, factor: one.factor, base });
    },
    { plain: true },
  );

function clairvoyantPull({ agents, plan, factor }: Case): number {
  const durations = new Map(plan.tasks.map((task) => [task.spec, task.durationMs]));
  const base = ({ spec }: Pick<ReadyTicket, 'spec'>): number => durations.get(spec)!;
  const dispatcher = new PullDispatcher({ rank: ({ rank }) => rank, place: 'hold', factor, base });
  const estimates = { base: (spec: ReadyTicket['spec']) => durations.get(spec)! };
  return simulate({ fleet: agents, plans: [plan], dispatcher, estimates, random: seededRandom(1) }).makespanMs;
}

const POLICIES: readonly Policy[] = [
  { name: 'round-robin push', run: (one) => learned(one, () => new PushDispatcher(), { plain: true }) },
  { name: 'FIFO pull, any agent', run: (one) => pull(one, 'any') },
  { name: 'FIFO pull, fastest agent', run: (one) => pull(one, 'fastest') },
  { name: 'FIFO, the agent that ends first', run: (one) => pull(one, 'hold') },
  { name: 'adaptive', run: adaptive },
  { name: 'adaptive, plain means of types', run: (one) => learned(one, schedulerWith, { plain: true }) },
  {
    name: 'adaptive, speeds unknown, run 1',
    run: (one) => learned(one, schedulerWith, { speedsKnown: false }),
  },
  {
    name: 'adaptive, speeds unknown, run 10',
    run: (one) => learned(one, schedulerWith, { speedsKnown: false, runs: RUNS }),
  },
  { name: 'ends first, durations given', run: clairvoyantPull },
  { name: 'HEFT, durations given', run: ({ plan, factors }) => heftMakespan(plan, (type) => factors.get(type)!) },
];
