import { jainIndex, waterFill } from './fair-share.ts';
import type { PlanEnd, SimulationResult } from './result.ts';

/** What an operator compares policies by. Shares in [0, 1], times in ms. */
export type SimulationReport = {
  plans: number;
  attempts: number;
  makespanMs: number;
  /** Share of the plans that ended after their deadline, failed, or did not end. */
  missed: number;
  missedByTier: Record<string, number>;
  missedByCompany: Record<string, number>;
  failed: number;
  /** Plans that did not end, as no agent could do them. */
  stuck: number;
  /** Jain's index over the companies of agent time received ÷ entitled. */
  jain: number;
  utilisation: number;
  /** From ready to the first start. */
  meanWaitMs: number;
  p95WaitMs: number;
};

export type ReportOptions = {
  weightOf: (instance: string) => number;
  /** Slots of the fleet, for the shares that companies are entitled to. */
  slots: number;
  /** Fairness is looked at until then, ms from the start; default: the last end. */
  until?: number;
};

export function reportOf(result: SimulationResult, options: ReportOptions): SimulationReport {
  const { plans, waits } = result;
  const sorted = Float64Array.from(waits).sort();
  return {
    plans: plans.length,
    attempts: result.attempts,
    makespanMs: result.makespanMs,
    missed: shareMissed(plans),
    missedByTier: missedBy(plans, (plan) => plan.tier),
    missedByCompany: missedBy(plans, (plan) => plan.instance),
    failed: plans.filter((plan) => plan.failed).length,
    stuck: result.stuck,
    jain: fairness(result, options),
    utilisation: result.utilisation,
    meanWaitMs: sorted.length === 0 ? 0 : sorted.reduce((sum, wait) => sum + wait, 0) / sorted.length,
    p95WaitMs: sorted[Math.floor(0.95 * sorted.length)] ?? 0,
  };
}

/** The mean of each figure over several seeds. */
export function meanReport(reports: readonly SimulationReport[]): SimulationReport {
  const mean = (of: (report: SimulationReport) => number): number =>
    reports.reduce((sum, report) => sum + of(report), 0) / reports.length;
  const means = (of: (report: SimulationReport) => Record<string, number>): Record<string, number> => {
    const names = [...new Set(reports.flatMap((report) => Object.keys(of(report))))].sort();
    return Object.fromEntries(names.map((name) => [name, mean((report) => of(report)[name] ?? 0)]));
  };
  return {
    plans: mean((one) => one.plans),
    attempts: mean((one) => one.attempts),
    makespanMs: mean((one) => one.makespanMs),
    missed: mean((one) => one.missed),
    missedByTier: means((one) => one.missedByTier),
    missedByCompany: means((one) => one.missedByCompany),
    failed: mean((one) => one.failed),
    stuck: mean((one) => one.stuck),
    jain: mean((one) => one.jain),
    utilisation: mean((one) => one.utilisation),
    meanWaitMs: mean((one) => one.meanWaitMs),
    p95WaitMs: mean((one) => one.p95WaitMs),
  };
}

const isMissed = ({ endedAt, deadlineAt, failed }: PlanEnd): boolean =>
  endedAt === null || failed || endedAt > deadlineAt;

function shareMissed(plans: readonly PlanEnd[]): number {
  return plans.length === 0 ? 0 : plans.filter(isMissed).length / plans.length;
}

function missedBy(plans: readonly PlanEnd[], keyOf: (plan: PlanEnd) => string): Record<string, number> {
  const groups = Map.groupBy(plans, keyOf);
  return Object.fromEntries(
    [...groups].sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, group]) => [key, shareMissed(group)]),
  );
}

/** Time is cut into this many slices; within one, what companies demand counts as constant. */
const SLICES = 720;

/**
 * A company demands a slot for each of its tickets that is ready or running, and is entitled to its weighted max-min share
 * of the slots at that moment.
 */
function fairness({ services, makespanMs, plans }: SimulationResult, options: ReportOptions): number {
  const companies = [...new Set(plans.map((plan) => plan.instance))];
  const numberOf = new Map(companies.map((instance, i) => [instance, i]));
  const weights = companies.map(options.weightOf);
  const sliceMs = (options.until ?? makespanMs) / SLICES;
  if (companies.length < 2 || !(sliceMs > 0)) return 1;
  const demanded = companies.map(() => new Float64Array(SLICES));
  const received = companies.map(() => 0);
  for (const { instance, readyAt, from, to } of services) {
    const company = numberOf.get(instance)!;
    pour(demanded[company]!, sliceMs, readyAt, to);
    received[company]! += Math.max(0, Math.min(to, sliceMs * SLICES) - from);
  }
  const entitled = companies.map(() => 0);
  for (let slice = 0; slice < SLICES; slice++) {
    const demands = demanded.map((one) => one[slice]!);
    waterFill(options.slots * sliceMs, demands, weights).forEach((share, i) => (entitled[i]! += share));
  }
  return jainIndex(companies.flatMap((_, i) => (entitled[i]! > 0 ? [received[i]! / entitled[i]!] : [])));
}

function pour(slices: Float64Array, sliceMs: number, from: number, to: number): void {
  const last = Math.min(SLICES - 1, Math.floor(to / sliceMs));
  for (let slice = Math.floor(from / sliceMs); slice <= last; slice++)
    slices[slice]! += Math.min(to, (slice + 1) * sliceMs) - Math.max(from, slice * sliceMs);
}
