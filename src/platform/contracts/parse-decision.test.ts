import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { arbitraryMutation, arbitraryRecord } from './arbitrary-record.testing.ts';
import { parseDecision } from './parse-decision.ts';

const PLAN = fc.sample(arbitraryRecord('CognitivePlan'), { numRuns: 1, seed: 1 })[0]!;
const DECISION = {
  ...fc.sample(arbitraryRecord('ConsolidatedDecision'), { numRuns: 1, seed: 1 })[0]!,
  final_decision: 'approve',
  cognitive_plan: JSON.stringify(PLAN),
};

test('the plan may be JSON text or an object; the decision holds its text either way', () => {
  for (const cognitive_plan of [JSON.stringify(PLAN), PLAN]) {
    const value = { ...DECISION, cognitive_plan };
    const before = structuredClone(value);
    const parsed = parseDecision(value);
    assert.deepEqual(parsed, { decision: DECISION, plan: PLAN, warnings: [], faults: [], code: null });
    assert.deepEqual(value, before);
  }
});

test('the faults and warnings of the plan carry its place, beside those of the decision', () => {
  const { risk_band: _, ...rest } = PLAN;
  const parsed = parseDecision({ ...DECISION, hash: 1, hsh: 1, cognitive_plan: { ...rest, riskBand: 'low' } });
  assert.equal(parsed.code, 'INVALID_DECISION');
  assert.deepEqual([parsed.decision, parsed.plan], [null, null]);
  assert.deepEqual(
    parsed.faults.map((fault) => fault.path),
    ['hash', 'cognitive_plan.risk_band'],
  );
  assert.match(parsed.faults[1]!.message, /did you mean "risk_band"\?$/);
  assert.deepEqual(parsed.warnings, ['unknown field "hsh" ignored', 'unknown field "cognitive_plan.riskBand" ignored']);
});

test('a good decision with a bad plan is still given, so that it can be kept as rejected', () => {
  const parsed = parseDecision({ ...DECISION, cognitive_plan: '[]' });
  assert.equal(parsed.decision?.decision_id, DECISION.decision_id);
  assert.deepEqual(parsed.faults, [{ path: 'cognitive_plan', message: 'must be an object, but is a list' }]);
});

test('only a rejection may come without a plan', () => {
  for (const cognitive_plan of [null, undefined, '', 'null']) {
    assert.equal(parseDecision({ ...DECISION, final_decision: 'reject', cognitive_plan }).code, null);
    assert.deepEqual(parseDecision({ ...DECISION, cognitive_plan }).faults, [
      { path: 'cognitive_plan', message: 'is missing; only a rejection may come without a plan' },
    ]);
  }
});

test('text that is no JSON, and a plan of a wrong type, are one fault each', () => {
  const broken = parseDecision({ ...DECISION, cognitive_plan: '{"risk_score": NaN}' });
  assert.match(broken.faults[0]!.message, /^is not JSON: /);
  const wrong = parseDecision({ ...DECISION, cognitive_plan: 7 });
  assert.deepEqual(wrong.faults, [{ path: 'cognitive_plan', message: 'must be a string or null, but is 7' }]);
});

test('a decision that is no object is one fault', () => {
  assert.deepEqual(parseDecision('x').faults, [{ path: '', message: 'must be an object, but is "x"' }]);
});

test('a plan above the cap of bytes or tasks is too large, and says both numbers', () => {
  const bytes = parseDecision(DECISION, { maxBytes: 10 });
  assert.equal(bytes.code, 'TOO_LARGE');
  assert.match(bytes.faults[0]!.message, /^has \d+ bytes; at most 10 are allowed$/);
  const plan = { ...PLAN, tasks: Array(3).fill({}) };
  const tasks = parseDecision({ ...DECISION, cognitive_plan: plan }, { maxTasks: 2 });
  assert.equal(tasks.code, 'TOO_LARGE');
  assert.deepEqual(tasks.faults, [{ path: 'cognitive_plan.tasks', message: 'has 3 tasks; at most 2 are allowed' }]);
});

test('a plan that is absurdly deep, circular or holds a bigint is a fault', () => {
  const circle: Record<string, unknown> = {};
  circle.self = circle;
  let deep: unknown = 1;
  for (let i = 0; i < 100_000; i++) deep = [deep];
  for (const cognitive_plan of [circle, { deep }, { big: 1n }]) {
    const parsed = parseDecision({ ...DECISION, cognitive_plan });
    assert.match(parsed.faults[0]!.message, /^cannot be written as JSON/);
  }
  const text = parseDecision({ ...DECISION, cognitive_plan: '['.repeat(1_000_000) });
  assert.match(text.faults[0]!.message, /^is not JSON/);
});

test('a mutated decision never throws, and is either whole or has a fault', () => {
  fc.assert(
    fc.property(arbitraryMutation({ ...DECISION, cognitive_plan: PLAN }), (value) => {
      const parsed = parseDecision(value);
      assert.equal(parsed.code === null, parsed.faults.length === 0);
      if (parsed.code === null) assert.ok(parsed.decision !== null);
      assert.ok(parsed.faults.length <= 100);
    }),
    { numRuns: 500 },
  );
});

test('mutated JSON text of a plan never throws', () => {
  const text = JSON.stringify(PLAN);
  fc.assert(
    fc.property(fc.nat(text.length), fc.nat(5), fc.string(), (at, cut, put) => {
      const parsed = parseDecision({ ...DECISION, cognitive_plan: text.slice(0, at) + put + text.slice(at + cut) });
      assert.equal(parsed.plan === null, parsed.faults.length > 0);
    }),
    { numRuns: 500 },
  );
});
