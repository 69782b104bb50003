import type { Metric } from './experiment-settings.ts';

export type Arm = 'a' | 'b';

/** A result as an experiment sees it. */
export type ExperimentOutcome = {
  /** When the attempt began, epoch ms: it counts for the preset that gave it its agent. */
  startedAt: number;
  onTime: boolean;
  /** From ready (or created) to done. */
  latencyMs: number;
  /** Deadline − end; null = not known. */
  slackMs: number | null;
  /** What it cost, in the unit of the operator; null = not known. */
  cost: number | null;
};

/** Time under one preset and what came of it. Plain JSON; at most some 160 steps of latency. */
export type ExperimentBlock = {
  arm: Arm;
  /** Epoch ms. */
  from: number;
  /** Null = it is under way. */
  to: number | null;
  /** How long it has been under way, by ticks. */
  ranMs: number;
  results: number;
  onTime: number;
  /** Results with a value of the metric, and the sum of the values. */
  values: number;
  sum: number;
  /** Number of latencies by step of a tenth. */
  latencies: Record<number, number>;
};

export const newBlock = (arm: Arm, from: number): ExperimentBlock => ({
  arm,
  from,
  to: null,
  ranMs: 0,
  results: 0,
  onTime: 0,
  values: 0,
  sum: 0,
  latencies: {},
});

const STEP = Math.log(1.1);
/** 1.1 ^ 240 ms is over 99 days: what is longer counts as that. */
const STEPS = 240;

export function addOutcome(block: ExperimentBlock, outcome: ExperimentOutcome, metric: Metric): void {
  block.results++;
  if (outcome.onTime) block.onTime++;
  const value = valueOf(outcome, metric);
  if (value === null) return;
  block.values++;
  block.sum += value;
  if (metric !== 'p95_latency') return;
  const step = Math.min(STEPS, Math.max(0, Math.floor(Math.log(Math.max(1, value)) / STEP)));
  block.latencies[step] = (block.latencies[step] ?? 0) + 1;
}

export const onTimeShare = ({ onTime, results }: ExperimentBlock): number => onTime / results;

/** What the block says of the metric; it needs a value. */
export function measureOf(block: ExperimentBlock, metric: Metric): number {
  return metric === 'p95_latency' ? percentile(block, 0.95) : block.sum / block.values;
}

function valueOf({ onTime, latencyMs, slackMs, cost }: ExperimentOutcome, metric: Metric): number | null {
  if (metric === 'on_time') return onTime ? 1 : 0;
  if (metric === 'mean_slack') return slackMs;
  return metric === 'cost' ? cost : latencyMs;
}

/** In ms, exact to some percent: within its step the latencies are taken as spread evenly. */
function percentile({ latencies, values }: ExperimentBlock, share: number): number {
  let left = share * values;
  for (const [step, count] of Object.entries(latencies)) {
    if (left <= count) return Math.exp(STEP * (Number(step) + left / count));
    left -= count;
  }
  return Math.exp(STEP * STEPS);
}
