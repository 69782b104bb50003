// Ten companies, one of them noisy, load 64 unequal agents for twelve hours: missed deadlines of all and of gold plans, and
// Jain's index over agent time received ÷ entitled. Speeds and the mean duration of each type are known to all policies.
// Missed = plans that end after their deadline, of all that arrived in the twelve hours; the fleet works on until the last
// has ended. Jain: at every moment a company demands a slot for each ticket that is ready or runs, and is entitled to its
// weighted max-min share of the slots; received and entitled slot time are each summed over the twelve hours, and the
// index is taken over their quotients, one a company.
// COLMEIA_BENCH_SEEDS sets the number of seeds (default 8) that the figures are the mean of.
import process from 'node:process';
import type { Estimates } from '../src/execution/scheduling/estimates.ts';
import { policyOf, type Policy } from '../src/execution/scheduling/policy.ts';
import { Scheduler } from '../src/execution/scheduling/scheduler.ts';
import { meanReport, reportOf, type SimulationReport } from '../src/execution/scheduling/simulation/report.ts';
import type { Dispatcher } from '../src/execution/scheduling/simulation/scenario.ts';
import { seededRandom } from '../src/execution/scheduling/simulation/seeded-random.ts';
import { simulate } from '../src/execution/scheduling/simulation/simulate.ts';
import type { BenchContext } from './row.ts';
import { CompanyDispatcher, type CompanyRule } from './simulated/company-dispatcher.ts';
import { recordedWork, type RecordedGraph } from './simulated/recorded-work.ts';
import { COMPANIES, HOURS_MS, speedOf, tenCompaniesFleet, tenCompaniesPlans } from './simulated/ten-companies.ts';

export type Load = { name: string; load: number; hostile: boolean };
const LOADS: readonly (Load & { most: number })[] = [
  { name: 'load .9', load: 0.9, hostile: false, most: 0.3 },
  { name: 'load 1.2', load: 1.2, hostile: false, most: 27 },
  { name: 'load 1.6', load: 1.6, hostile: false, most: 44 },
  { name: 'load 1.2, hostile', load: 1.2, hostile: true, most: 47 },
];
const GOLD = 1.2;
const JAIN = 0.96;
const BASELINES: Record<CompanyRule, string> = {
  fifo: 'FIFO',
  strict: 'strict tiers',
  edf: 'EDF',
  'fair-fifo': 'weighted fair + FIFO',
  'fair-edf': 'weighted fair + EDF',
};

/** Missed in percent. */
type Figures = { all: number; gold: number; jain: number };

export async function bench({ say, add }: BenchContext): Promise<void> {
  const work = await recordedWork();
  if (work === null) return say('  there is no ../shared/data: nothing to measure');
  const seeds = Number(process.env.COLMEIA_BENCH_SEEDS ?? 8);
  say(`  mean of ${seeds} seeds: all missed % / gold missed % / Jain`);
  for (const load of LOADS) {
    const of = (dispatcherOf: () => Dispatcher): Figures => figuresOf(work.graphs, load, seeds, dispatcherOf);
    const others = Object.entries(BASELINES).map(([rule, name]) => ({
      name,
      ...of(() => new CompanyDispatcher(rule as CompanyRule, weightOf, factor)),
    }));
    const own = { name: 'adaptive', ...of(() => schedulerFor(policyOf('adaptive'))) };
    for (const { name, all, gold, jain } of [...others, own])
      say(
        `  ${load.name.padEnd(18)} ${name.padEnd(20)} ${all.toFixed(1).padStart(5)} ${gold.toFixed(1).padStart(5)} ${jain.toFixed(3)}`,
      );
    const baseline = others.at(-1)!;
    const row = (what: string, value: number, unit: string, target: string, other: number): void =>
      add({
        work: `${load.name}: ${what}`,
        value: Number(value.toFixed(3)),
        unit,
        target,
        baseline: Number(other.toFixed(3)),
      });
    row('missed, all', own.all, '%', `<= ${load.most}`, baseline.all);
    row('missed, gold', own.gold, '%', `<= ${GOLD}`, baseline.gold);
    row('Jain', own.jain, '', `>= ${JAIN}`, baseline.jain);
    const better = others.filter((one) => one.all < own.all && one.gold < own.gold && one.jain > own.jain);
    add({ work: `${load.name}: baselines better in all three`, value: better.length, unit: '', target: '<= 0' });
  }
}

const weights = new Map(COMPANIES.map(({ instance, weight }) => [instance, weight]));
const tiers = new Map<string, string>(COMPANIES.map(({ instance, tier }) => [instance, tier]));
const weightOf = (instance: string): number => weights.get(instance)!;
const factor = (_type: string, agent: string): number => 1 / speedOf(Number(agent.slice(agent.indexOf('-') + 1)));

const ESTIMATES: Estimates = {
  base: (spec) => spec.estimated_duration_ms!,
  upper: (spec) => 3 * spec.estimated_duration_ms!,
  factor,
  success: () => 0.99,
  sample: (type, agent) => ({ factor: factor(type, agent), success: 0.99 }),
};

export const schedulerFor = (policy: Policy): Dispatcher =>
  new Scheduler({
    policy,
    estimates: ESTIMATES,
    random: seededRandom(1),
    tierOf: (instance) => tiers.get(instance)!,
  });

/** Mean over the seeds from 1 on. */
export function figuresOf(
  graphs: readonly RecordedGraph[],
  { load, hostile }: Pick<Load, 'load' | 'hostile'>,
  seeds: number,
  dispatcherOf: () => Dispatcher,
): Figures {
  const reports: SimulationReport[] = [];
  for (let seed = 1; seed <= seeds; seed++) {
    const fleet = tenCompaniesFleet();
    const plans = tenCompaniesPlans(graphs, load, hostile, seed);
    const result = simulate({
      fleet,
      plans,
      dispatcher: dispatcherOf(),
      estimates: ESTIMATES,
      random: seededRandom(seed),
    });
    reports.push(reportOf(result, { weightOf, slots: fleet.length, until: HOURS_MS }));
  }
  const { missed, missedByTier, jain } = meanReport(reports);
  return { all: 100 * missed, gold: 100 * (missedByTier.gold ?? 0), jain };
}
