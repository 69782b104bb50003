import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  degrade,
  DEGRADATION_ORDER,
  type DegradationInput,
  type DegradationState,
  degradationSteps,
  isActive,
  isBestEffort,
  NOT_DEGRADED,
  refusal,
} from './degradation.ts';
import { SATURATION_LEVELS } from './saturation.ts';

const ALL: DegradationInput = { level: 'overloaded', burst: 'open', secondary: true, people: true };

/** A measurement a second; the steps as they are reached or left. */
function run(
  from: DegradationState,
  input: DegradationInput,
  start: number,
  seconds: number,
): [DegradationState, number[]] {
  let state = from;
  const seen: number[] = [];
  for (let n = 1; n <= seconds; n++) {
    const next = degrade(state, input, start + n * 1000);
    if (next.step !== state.step) seen.push(next.step);
    state = next;
  }
  return [state, seen];
}

const active = (state: DegradationState, input: DegradationInput): string[] =>
  degradationSteps(state, input)
    .filter((one) => one.active)
    .map(({ name }) => name);

test('under overload the steps come one by one in the published order, each with time to work', () => {
  const [state, seen] = run(NOT_DEGRADED, ALL, 0, 600);
  assert.deepEqual(seen, [1, 2, 3, 4, 5, 6, 7]);
  for (let n = 1; n < state.since.length; n++) assert.ok(state.since[n] - state.since[n - 1] >= 20_000);
  assert.deepEqual(
    active(state, ALL),
    DEGRADATION_ORDER.map(({ name }) => name),
  );
});

test('a busy fleet gives up exploration only; a saturated one lets best effort wait', () => {
  const busy: DegradationInput = { ...ALL, level: 'busy', burst: 'closed' };
  assert.deepEqual(active(run(NOT_DEGRADED, busy, 0, 600)[0], busy), ['no-exploration']);
  const saturated: DegradationInput = { ...ALL, level: 'saturated' };
  assert.deepEqual(active(run(NOT_DEGRADED, saturated, 0, 600)[0], saturated), [
    'no-exploration',
    'burst-pool',
    'best-effort-waits',
  ]);
});

test('what is not there is skipped without waiting and said to be missing', () => {
  const bare: DegradationInput = { level: 'overloaded', burst: 'absent', secondary: false, people: false };
  const [state, seen] = run(NOT_DEGRADED, bare, 0, 600);
  assert.deepEqual(seen, [1, 3, 6, 7]);
  assert.deepEqual(active(state, bare), ['no-exploration', 'best-effort-waits', 'refuse-bronze', 'refuse-silver']);
  const why = new Map(degradationSteps(state, bare).map((one) => [one.name, one.why]));
  assert.match(why.get('burst-pool')!, /No agent is labelled burst/);
  assert.match(why.get('secondary-cluster')!, /No secondary cluster/);
  assert.match(why.get('people')!, /No people/);
});

test('the last steps are left first, a minute apart, and then nothing is active', () => {
  const [full] = run(NOT_DEGRADED, ALL, 0, 600);
  const calm: DegradationInput = { ...ALL, level: 'normal', burst: 'closed' };
  const [state, seen] = run(full, calm, 600_000, 600);
  assert.deepEqual(seen, [6, 5, 4, 3, 2, 1, 0]);
  assert.deepEqual(active(state, calm), []);
  assert.deepEqual(state.since, []);
  assert.ok(degradationSteps(state, calm).every(({ since, why }) => since === null && why.length > 0));
});

test('each step says since when it is active', () => {
  const [state] = run(NOT_DEGRADED, ALL, 5_000, 30);
  const steps = degradationSteps(state, ALL);
  assert.deepEqual([steps[0].since, steps[1].since, steps[2].since], [6_000, 26_000, null]);
});

test('a level that dips for less than a minute at a time leaves no step', () => {
  let state = run(NOT_DEGRADED, ALL, 0, 600)[0];
  for (let second = 0; second < 600; second++) {
    const level = second % 60 < 58 ? 'normal' : 'overloaded';
    state = degrade(state, { ...ALL, level }, 600_000 + second * 1000);
    assert.equal(state.step, 7);
  }
});

test('a clock set back by an hour delays no step, up or down, by more than its time', () => {
  const hour = 3_600_000;
  const [late] = run(NOT_DEGRADED, ALL, hour, 30);
  assert.equal(late.step, 2);
  assert.deepEqual(run(late, ALL, 0, 21)[1], [3]);
  const [falling] = run(late, { ...ALL, level: 'normal' }, hour + 30_000, 30);
  assert.deepEqual(run(falling, { ...ALL, level: 'normal' }, 0, 61)[1], [1]);
});

test('bronze is refused before silver, only over its share, with a time to come back; gold never', () => {
  const at = (step: number): DegradationState => ({ ...NOT_DEGRADED, step });
  const ask = (step: number, tier: string, open = 100): { retryAfterMs: number } | null =>
    refusal(at(step), { tier, open, share: 50, drainSeconds: 600 });
  assert.equal(ask(5, 'bronze'), null);
  assert.deepEqual(ask(6, 'bronze'), { retryAfterMs: 60_000 });
  assert.equal(ask(6, 'bronze', 50), null); // a company that is alone has all the queue as its share
  assert.equal(ask(6, 'silver'), null);
  assert.deepEqual(ask(7, 'silver'), { retryAfterMs: 60_000 });
  assert.equal(ask(7, 'gold', 1e6), null);
  assert.deepEqual(ask(6, 'unheard of'), { retryAfterMs: 60_000 });
  assert.deepEqual(refusal(at(7), { tier: 'bronze', open: 1, share: 0, drainSeconds: 0 }), { retryAfterMs: 1_000 });
});

test('best effort is low priority with low risk', () => {
  assert.equal(isBestEffort({ priority: 'LOW', risk_band: 'low' }), true);
  assert.equal(isBestEffort({ priority: 'LOW', risk_band: 'high' }), false);
  assert.equal(isBestEffort({ priority: 'NORMAL', risk_band: 'low' }), false);
});

test('whatever the level and the clock do, steps go by one available step, rarely, and never past what the level asks', () => {
  const phase = fc.record({
    level: fc.constantFrom(...SATURATION_LEVELS),
    burst: fc.constantFrom('absent', 'closed', 'open', 'spent' as const),
    secondary: fc.boolean(),
    people: fc.boolean(),
    seconds: fc.integer({ min: 1, max: 90 }),
    jumpMs: fc.constantFrom(0, 0, 0, -3_600_000, 3_600_000),
  });
  fc.assert(
    fc.property(fc.array(phase, { maxLength: 40 }), (phases) => {
      let state = NOT_DEGRADED;
      let now = 1e12;
      let forwardMs = 0;
      let falls = 0;
      let rises = 0;
      for (const { seconds, jumpMs, ...input } of phases) {
        now += jumpMs;
        forwardMs += Math.max(0, jumpMs) + seconds * 1000;
        for (let n = 0; n < seconds; n++) {
          const next = degrade(state, input, (now += 1000));
          if (next.step < state.step) falls++;
          if (next.step > state.step) rises++;
          assert.ok(next.step >= state.step - 1);
          assert.equal(next.since.length, next.step);
          if (input.level === 'normal') assert.ok(next.step <= state.step);
          state = next;
        }
        if (state.step < 3) assert.equal(isActive('best-effort-waits', state, input), false);
      }
      assert.ok(falls <= forwardMs / 60_000 && rises <= falls + 7, `${rises} up, ${falls} down in ${forwardMs} ms`);
    }),
    { numRuns: 60 },
  );
});
