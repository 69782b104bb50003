import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Fault } from '../../platform/errors.ts';
import { checkLabels } from './check-labels.ts';

const faultsOf = (labels: Record<string, string>): string[] => {
  const faults: Fault[] = [];
  checkLabels(labels, faults);
  return faults.map(({ path }) => path);
};

test('labels that the scheduler reads are checked, each with its name; any other may say what it likes', () => {
  assert.deepEqual(
    faultsOf({
      speed: '2',
      'speed:BUILD': '0.5',
      cost_per_hour: '0',
      security_level: 'internal',
      burst: 'true',
      team: '?',
    }),
    [],
  );
  assert.deepEqual(
    faultsOf({
      speed: 'fast',
      'speed:BUILD': '0',
      cost_per_hour: '-1',
      security_level: 'SECRET',
      burst: 'yes',
      last_resort: '1',
      fallback: '',
    }),
    [
      'labels.speed',
      'labels.speed:BUILD',
      'labels.cost_per_hour',
      'labels.security_level',
      'labels.burst',
      'labels.last_resort',
      'labels.fallback',
    ],
  );
});
