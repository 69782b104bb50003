import type { Fault } from '../../../platform/errors.ts';
import { documentName, readSettings, type SettingsOf, type SettingTable } from '../setting.ts';

/**
 * What is compared, from the results of a block: share on time, mean or 95th percentile of the latency, mean slack, mean
 * cost. `ratio`: the difference is relative to A (−0.1 = B takes a tenth less); else it is B − A in the metric's unit.
 */
export const METRICS = {
  on_time: { better: 'higher', ratio: false },
  mean_latency: { better: 'lower', ratio: true },
  p95_latency: { better: 'lower', ratio: true },
  mean_slack: { better: 'higher', ratio: false },
  cost: { better: 'lower', ratio: false },
} as const;
export type Metric = keyof typeof METRICS;

export const EXPERIMENT_SETTINGS = {
  seed: { default: 1, min: 0, max: 2 ** 32 - 1, what: 'Seed of the order of A and B within each pair' },
  blockMs: { default: 600_000, min: 1_000, max: 86_400_000, what: 'Length of a block under one preset, ms' },
  washoutMs: { default: 120_000, min: 0, max: 43_200_000, what: 'Start of each block that does not count, ms' },
  pairs: { default: 24, min: 2, max: 200, what: 'Pairs of blocks that are planned' },
  minPairs: { default: 8, min: 2, max: 200, what: 'Pairs before a winner may be named' },
  minResults: { default: 20, min: 1, max: 1e6, what: 'Results that each block of a pair must have to count' },
  confidence: { default: 0.95, min: 0.8, max: 0.999, what: 'Confidence of the interval of the difference' },
  guardBurn: { default: 6, min: 0.1, max: 1000, what: 'Burn rate of an error budget at which it is stopped' },
  guardDrop: { default: 0.05, min: 0, max: 1, what: 'How much worse the on-time share of one preset may be' },
} as const satisfies SettingTable;

/** `a` and `b` are names of presets. */
export type ExperimentSettings = { a: string; b: string; metric: Metric } & SettingsOf<typeof EXPERIMENT_SETTINGS>;

/** An experiment out of JSON. Every fault is added to `faults`, with its path; the value is of use without faults only. */
export function readExperiment(
  value: unknown,
  presets: readonly string[],
  path: string,
  faults: Fault[],
): ExperimentSettings {
  const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
  if (!isObject) faults.push({ path, message: 'must be an object' });
  const { a, b, metric = 'on_time', ...rest } = (isObject ? value : {}) as Record<string, unknown>;
  const numbers = readSettings(EXPERIMENT_SETTINGS, rest, path, faults);
  for (const [name, preset] of Object.entries(isObject ? { a, b } : {})) {
    if (typeof preset === 'string' && presets.includes(preset)) continue;
    faults.push({ path: `${path}.${name}`, message: `must be one of ${presets.join(', ')}` });
  }
  if (isObject && a === b) faults.push({ path: `${path}.b`, message: 'must be another preset than a' });
  if (typeof metric !== 'string' || !Object.hasOwn(METRICS, metric)) {
    faults.push({ path: `${path}.metric`, message: `must be one of ${Object.keys(METRICS).join(', ')}` });
  }
  for (const name of ['seed', 'pairs', 'minPairs', 'minResults'] as const) {
    if (!Number.isInteger(numbers[name]))
      faults.push({ path: `${path}.${documentName(name)}`, message: 'must be a whole number' });
  }
  if (numbers.washoutMs > numbers.blockMs / 2) {
    faults.push({ path: `${path}.washout_ms`, message: 'must be at most half of block_ms' });
  }
  if (numbers.minPairs > numbers.pairs) {
    faults.push({ path: `${path}.min_pairs`, message: 'must be at most pairs' });
  }
  return { a, b, metric, ...numbers } as ExperimentSettings;
}
