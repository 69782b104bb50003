import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gauss, seededRandom } from '../simulation/seeded-random.ts';
import type { ExperimentOutcome } from './experiment-block.ts';
import { type ExperimentSettings, readExperiment } from './experiment-settings.ts';
import { type ExperimentResult, Switchback } from './switchback.ts';

const START = Date.UTC(2026, 10, 21);
const TICK_MS = 20_000;

function settingsOf(more: Record<string, unknown> = {}): ExperimentSettings {
  return readExperiment({ a: 'adaptive', b: 'fairness', ...more }, ['adaptive', 'fairness'], 'experiment', []);
}

type World = {
  /** Probability to be on time under the preset that was in force `lagMs` ago. */
  onTime: (preset: string) => number;
  latencyMs?: (preset: string) => number;
  /** How long the work of a preset is felt after a switch. */
  lagMs?: number;
  /** Deviation of the load from hour to hour. */
  swing?: number;
};

const outcome = (more: Partial<ExperimentOutcome>): ExperimentOutcome => ({
  startedAt: START,
  onTime: true,
  latencyMs: 1_000,
  slackMs: null,
  cost: null,
  ...more,
});

/** Live work on virtual time: five results a tick, load that drifts over hours, until the experiment ends itself. */
function live(experiment: Switchback, world: World, seed: number, hours = 100): ExperimentResult | null {
  const random = seededRandom(seed);
  const { onTime, latencyMs = () => 1_000, lagMs = 0, swing = 0.5 } = world;
  let load = 0;
  let felt = 'adaptive';
  let switchedAt = START;
  let current = 'adaptive';
  for (let now = START; now < START + hours * 3_600_000; now += TICK_MS) {
    const { preset, result } = experiment.tick(now, 0);
    if (result !== null) return result;
    if (preset !== current) [current, switchedAt] = [preset!, now];
    if (now - switchedAt >= lagMs) felt = current;
    load = 0.995 * load + Math.sqrt(1 - 0.995 ** 2) * gauss(random);
    for (let n = 0; n < 5; n++) {
      const late = (1 - onTime(felt)) * Math.exp(swing * load);
      const latency = latencyMs(felt) * Math.exp(swing * load + 0.5 * gauss(random));
      experiment.observe(outcome({ startedAt: now, onTime: random() >= late, latencyMs: latency }));
    }
  }
  return null;
}

const start = (more: Record<string, unknown> = {}): Switchback =>
  new Switchback({ settings: settingsOf(more), at: START });

test('a known difference is found, with an interval that holds it, before the planned end', () => {
  const experiment = start({ metric: 'mean_latency' });
  const world: World = { onTime: () => 0.98, latencyMs: (preset) => (preset === 'fairness' ? 700 : 1_000) };
  const result = live(experiment, world, 3)!;
  assert.equal(result.winner, 'fairness');
  assert.equal(result.stopped, 'certain');
  assert.ok(result.pairs >= 8 && result.pairs < 24);
  assert.ok(result.interval![0] < -0.3 && result.interval![1] > -0.3 && result.interval![1] < 0);
  assert.deepEqual(experiment.tick(START, 0), { preset: null, result });
});

test('the winner is the preset with less of what is bad and more of what is good', () => {
  const slow: World = { onTime: () => 0.98, latencyMs: (preset) => (preset === 'fairness' ? 1_600 : 1_000) };
  assert.equal(live(start({ metric: 'p95_latency' }), slow, 5)!.winner, 'adaptive');
  const punctual: World = { onTime: (preset) => (preset === 'fairness' ? 0.97 : 0.94) };
  assert.equal(live(start({ guard_drop: 0.2 }), punctual, 5)!.winner, 'fairness');
});

test('without a difference none is said to be there in about 95 of 100 experiments, and as many intervals hold zero', () => {
  let winners = 0;
  let held = 0;
  const runs = 200;
  for (let seed = 0; seed < runs; seed++) {
    const result = live(
      start({ seed, metric: 'mean_latency', pairs: 16, min_pairs: 3 }),
      { onTime: () => 0.98 },
      seed + 1_000,
    )!;
    if (result.winner !== null) winners++;
    if (result.interval![0] <= 0 && result.interval![1] >= 0) held++;
  }
  assert.ok(winners <= 0.09 * runs, `${winners} of ${runs} found a difference that is not there`);
  assert.ok(held >= 0.91 * runs && held < runs, `${held} of ${runs} hold zero`);
});

test('the work of the block before does not blur the difference, for the washout leaves it out', () => {
  const world: World = {
    onTime: () => 0.98,
    latencyMs: (preset) => (preset === 'fairness' ? 500 : 1_000),
    lagMs: 160_000,
    swing: 0,
  };
  const washed = live(start({ metric: 'mean_latency', washout_ms: 180_000 }), world, 7)!;
  const blurred = live(start({ metric: 'mean_latency', washout_ms: 0 }), world, 7)!;
  assert.ok(Math.abs(washed.difference! + 0.5) < 0.02, `${washed.difference}`);
  assert.ok(blurred.difference! > -0.42, `${blurred.difference}`);
});

test('a preset that misses deadlines is stopped after a few pairs, even when it is faster', () => {
  const world: World = {
    onTime: (preset) => (preset === 'fairness' ? 0.75 : 0.98),
    latencyMs: (preset) => (preset === 'fairness' ? 100 : 1_000),
  };
  const result = live(start({ metric: 'mean_latency' }), world, 11)!;
  assert.deepEqual([result.stopped, result.harmful, result.winner], ['on-time share', 'fairness', null]);
  assert.ok(result.blocks <= 12, `${result.blocks} blocks`);
  assert.equal(live(start(), world, 11)!.winner, 'adaptive', 'what is asked for is the on-time share itself');
  const turned = live(start({ a: 'fairness', b: 'adaptive', metric: 'mean_latency' }), world, 11)!;
  assert.deepEqual([turned.stopped, turned.harmful], ['on-time share', 'fairness']);
});

test('a burn rate at the limit stops it at once and names no winner', () => {
  const experiment = start();
  live(experiment, { onTime: () => 0.98 }, 1, 2);
  assert.equal(experiment.tick(START + 2 * 3_600_000, 5.9).result, null);
  const { preset, result } = experiment.tick(START + 2 * 3_600_000 + 1_000, 6);
  assert.equal(preset, null);
  assert.deepEqual([result!.stopped, result!.winner], ['burn rate', null]);
});

test('it ends as planned when nothing is certain, and too few results name no winner', () => {
  const experiment = start({ pairs: 4, min_pairs: 4 });
  let now = START;
  while (experiment.tick(now, 0).result === null) now += TICK_MS;
  const { stopped, winner, difference, interval, pairs, onTime } = experiment.result!;
  assert.deepEqual([stopped, winner, difference, interval, pairs], ['planned end', null, null, null, 0]);
  assert.deepEqual(onTime, { a: null, b: null });
  assert.ok(Math.abs(now - START - (8 * 600_000 + 120_000)) <= 10 * TICK_MS);
});

test('at the planned end every pair counts, and a winner needs as many pairs as were asked for', () => {
  const world: World = { onTime: () => 0.98, latencyMs: (preset) => (preset === 'fairness' ? 500 : 1_000), swing: 0.1 };
  const result = live(start({ metric: 'mean_latency', pairs: 3, min_pairs: 3 }), world, 1)!;
  assert.deepEqual([result.stopped, result.pairs, result.winner], ['planned end', 3, 'fairness']);
  const thin = start({ metric: 'mean_latency', pairs: 6, min_pairs: 6 });
  live(thin, world, 1, 0.9);
  let now = START + 0.9 * 3_600_000;
  while (thin.tick(now, 0).result === null) now += TICK_MS;
  assert.ok(thin.result!.pairs >= 2 && thin.result!.interval![1] < 0);
  assert.equal(thin.result!.winner, null);
});

test('each pair has both presets, in an order that the seed decides and that is not always the same', () => {
  const orders = [1, 2].map((seed) => {
    const experiment = start({ seed, pairs: 100, min_pairs: 100 });
    live(experiment, { onTime: () => 0.98 }, 1, 40);
    const arms = experiment.snapshot().blocks.map(({ arm }) => arm);
    for (let n = 1; n < arms.length; n += 2) assert.notEqual(arms[n], arms[n - 1]);
    return arms.filter((_, n) => n % 2 === 0).join('');
  });
  assert.notEqual(orders[0], orders[1]);
  const first = [...orders[0]].filter((arm) => arm === 'a').length / orders[0].length;
  assert.ok(first > 0.3 && first < 0.7, `${first}`);
});

test('a result counts for the preset that it began under, though it ends later, and not in the washout', () => {
  const experiment = start();
  let now = START;
  while (experiment.snapshot().blocks.length < 2) experiment.tick((now += TICK_MS), 0);
  const [before] = experiment.snapshot().blocks;
  experiment.observe(outcome({ startedAt: before.to! - 1 }));
  experiment.observe(outcome({ startedAt: before.from + 119_999 }));
  experiment.observe(outcome({ startedAt: now }));
  experiment.observe(outcome({ startedAt: START - 1 }));
  assert.deepEqual(
    experiment.snapshot().blocks.map(({ results }) => results),
    [1, 0],
  );
});

test('a restart in the middle changes nothing', () => {
  const world: World = { onTime: () => 0.98, latencyMs: (preset) => (preset === 'fairness' ? 900 : 1_000) };
  const whole = start({ metric: 'p95_latency' });
  const parts = start({ metric: 'p95_latency' });
  live(whole, world, 5, 3);
  live(parts, world, 5, 3);
  const again = new Switchback(JSON.parse(JSON.stringify(parts.snapshot())));
  const now = START + 3 * 3_600_000;
  assert.deepEqual(again.tick(now, 0), whole.tick(now, 0));
  assert.deepEqual(again.snapshot(), whole.snapshot());
  assert.deepEqual(again.finding(), whole.finding());
  assert.deepEqual(again.stop(now), whole.stop(now));
  assert.deepEqual(new Switchback(JSON.parse(JSON.stringify(again.snapshot()))).result, whole.result);
});

test('a block is begun again after a long gap or a step of the clock, and too many of them end it', () => {
  const experiment = start({ pairs: 4, min_pairs: 4 });
  live(experiment, { onTime: () => 0.98 }, 1, 0.5);
  const before = experiment.snapshot();
  experiment.tick(START + 3_600_000, 0);
  const after = experiment.snapshot();
  assert.equal(after.blocks.length, before.blocks.length);
  assert.deepEqual(after.blocks.slice(0, -1), before.blocks.slice(0, -1));
  const last = after.blocks[after.blocks.length - 1];
  assert.deepEqual([last.from, last.results, last.ranMs], [START + 3_600_000, 0, 0]);
  experiment.observe(outcome({ startedAt: START + 3_000_000 }));
  assert.deepEqual(experiment.snapshot().blocks, after.blocks, 'what began in the gap counts for no preset');
  experiment.tick(START, 0);
  assert.equal(experiment.snapshot().blocks[after.blocks.length - 1].from, START, 'the clock went back');
  for (let n = 1; n <= 6; n++) experiment.tick(START + n * 3_600_000, 0);
  assert.deepEqual([experiment.result!.stopped, experiment.result!.winner], ['interrupted', null]);
});
