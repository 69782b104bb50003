import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Fault } from '../../../platform/errors.ts';
import { readExperiment } from './experiment-settings.ts';

const PRESETS = ['adaptive', 'fairness'];

test('two presets are enough; everything else has a default', () => {
  const faults: Fault[] = [];
  const settings = readExperiment({ a: 'adaptive', b: 'fairness' }, PRESETS, 'experiment', faults);
  assert.deepEqual(faults, []);
  assert.deepEqual(
    [settings.a, settings.b, settings.metric, settings.pairs, settings.blockMs],
    ['adaptive', 'fairness', 'on_time', 24, 600_000],
  );
});

test('every fault is told with its path', () => {
  const faultsOf = (value: unknown): string[] => {
    const faults: Fault[] = [];
    readExperiment(value, PRESETS, 'experiment', faults);
    return faults.map(({ path }) => path);
  };
  assert.deepEqual(faultsOf('x'), ['experiment']);
  assert.deepEqual(faultsOf({ a: 'adaptive' }), ['experiment.b']);
  assert.deepEqual(faultsOf({ a: 'adaptive', b: 'adaptive' }), ['experiment.b']);
  assert.deepEqual(
    faultsOf({ a: 'best', b: 'fairness', metric: 'luck', pairs: 2.5, block_ms: -1, washout_ms: 400_000, more: 1 }),
    [
      'experiment.block_ms',
      'experiment.more',
      'experiment.a',
      'experiment.metric',
      'experiment.pairs',
      'experiment.washout_ms',
      'experiment.min_pairs',
    ],
  );
});
