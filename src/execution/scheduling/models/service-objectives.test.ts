import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Fault } from '../../../platform/errors.ts';
import { DEFAULT_OBJECTIVES, readObjectives, targetOf } from './service-objectives.ts';

test('without configuration 99 % must be on time', () => {
  assert.equal(targetOf(DEFAULT_OBJECTIVES, 'acme', 'gold', 'QUERY'), 0.99);
  assert.deepEqual(readObjectives(undefined, 'slo', []), DEFAULT_OBJECTIVES);
});

test('the most specific objective holds', () => {
  const faults: Fault[] = [];
  const objectives = readObjectives(
    {
      target: 0.9,
      types: { BUILD: 0.91, TEST: 0.92 },
      tiers: { gold: { target: 0.95, types: { BUILD: 0.96 } } },
      companies: { acme: { types: { BUILD: 0.97 } }, other: { target: 0.98 } },
    },
    'slo',
    faults,
  );
  assert.deepEqual(faults, []);
  const of = (instance: string, tier: string, type: string): number => targetOf(objectives, instance, tier, type);
  assert.equal(of('acme', 'gold', 'BUILD'), 0.97);
  assert.equal(of('other', 'gold', 'BUILD'), 0.98);
  assert.equal(of('third', 'gold', 'BUILD'), 0.96);
  assert.equal(of('acme', 'gold', 'TEST'), 0.95);
  assert.equal(of('third', 'silver', 'TEST'), 0.92);
  assert.equal(of('third', 'silver', 'QUERY'), 0.9);
});

test('names that every object has are ordinary names', () => {
  assert.equal(targetOf(DEFAULT_OBJECTIVES, 'constructor', 'toString', '__proto__'), 0.99);
});

test('every fault is told with its path', () => {
  const faults: Fault[] = [];
  readObjectives(
    { target: 1, types: { A: '0.9' }, tiers: { gold: { goal: 0.9 } }, companies: { acme: null }, more: 1 },
    'slo',
    faults,
  );
  assert.deepEqual(
    faults.map(({ path }) => path),
    ['slo.target', 'slo.types.A', 'slo.tiers.gold.goal', 'slo.companies.acme', 'slo.more'],
  );
});
