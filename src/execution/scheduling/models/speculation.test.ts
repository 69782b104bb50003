import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { defaultsOf } from '../setting.ts';
import { mayRunTwice, shouldCopy, SPECULATION_SETTINGS, type SpeculationCase } from './speculation.ts';

const settings = defaultsOf(SPECULATION_SETTINGS);
const qos = { delivery_mode: 'AT_LEAST_ONCE', consistency: 'EVENTUAL', durability: 'PERSISTENT' } as const;
const spec: SpeculationCase['spec'] = { task_type: 'TEST', qos, gated: false, undoes: null, metadata: {} };
const late: SpeculationCase = { spec, elapsedMs: 60_000, upperP95Ms: 30_000, attempts: 1, running: 100, copies: 0 };

describe('speculative copies', () => {
  test('an idempotent ticket past its p95 gets one copy, and no second one', () => {
    assert.equal(shouldCopy(late, settings), true);
    assert.equal(shouldCopy({ ...late, elapsedMs: 30_000 }, settings), false);
    assert.equal(shouldCopy({ ...late, attempts: 2 }, settings), false);
    assert.equal(shouldCopy({ ...late, elapsedMs: 1_500, upperP95Ms: 100 }, settings), false);
    assert.equal(shouldCopy({ ...late, upperP95Ms: Number.NaN }, settings), false);
  });

  test('copies are at most one in twenty of what runs, but one may always be', () => {
    assert.equal(shouldCopy({ ...late, copies: 4 }, settings), true);
    assert.equal(shouldCopy({ ...late, copies: 5 }, settings), false);
    assert.equal(shouldCopy({ ...late, running: 2, copies: 0 }, settings), true);
    assert.equal(shouldCopy({ ...late, running: 2, copies: 1 }, settings), false);
    assert.equal(shouldCopy(late, { ...settings, copies_max_share: 0 }), false);
  });

  test('exactly once, at most once, destructive and undoing tickets never run twice, whatever they say', () => {
    const says = { metadata: { idempotent: 'true' } };
    for (const delivery_mode of ['EXACTLY_ONCE', 'AT_MOST_ONCE'] as const)
      assert.equal(mayRunTwice({ ...spec, ...says, qos: { ...qos, delivery_mode } }), false);
    assert.equal(mayRunTwice({ ...spec, ...says, gated: true }), false);
    assert.equal(mayRunTwice({ ...spec, ...says, undoes: 3 }), false);
  });

  test('types that change something have to say that they are idempotent; the others may say that they are not', () => {
    for (const task_type of ['BUILD', 'DEPLOY', 'EXECUTE', 'COMPENSATE'] as const) {
      assert.equal(mayRunTwice({ ...spec, task_type }), false);
      assert.equal(mayRunTwice({ ...spec, task_type, metadata: { idempotent: 'true' } }), true);
    }
    assert.equal(mayRunTwice({ ...spec, metadata: { idempotent: 'false' } }), false);
  });
});
