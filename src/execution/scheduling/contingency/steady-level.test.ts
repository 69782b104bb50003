import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { nextLevel, type SteadyLevel } from './steady-level.ts';

const ENTER = [10, 20, 40];
const RULE = { exitShare: 0.5, dwellMs: 100 };

test('a level rises at once, as far as the value reaches', () => {
  assert.deepEqual(nextLevel({ level: 0, since: 0 }, 20, ENTER, RULE, 5), { level: 2, since: 5 });
});

test('a level falls by one, below its exit and after its dwell only', () => {
  const at: SteadyLevel = { level: 2, since: 0 };
  assert.equal(nextLevel(at, 10, ENTER, RULE, 1_000).level, 2);
  assert.equal(nextLevel(at, 9, ENTER, RULE, 99).level, 2);
  assert.deepEqual(nextLevel(at, 0, ENTER, RULE, 100), { level: 1, since: 100 });
});

test('a value that swings within the hysteresis changes nothing', () => {
  let steady: SteadyLevel = { level: 1, since: 0 };
  for (let now = 0; now < 10_000; now += 10) steady = nextLevel(steady, now % 20 === 0 ? 5.1 : 19.9, ENTER, RULE, now);
  assert.deepEqual(steady, { level: 1, since: 0 });
});

test('whatever the values and the clock do, levels change at most so often, and no fall comes before its dwell', () => {
  const step = fc.record({
    value: fc.double({ min: 0, max: 60, noNaN: true }),
    ms: fc.integer({ min: -300, max: 60 }),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 300 }), (steps) => {
      let steady: SteadyLevel = { level: 0, since: 1_000_000 };
      let now = 1_000_000;
      let forwardMs = 0;
      let falls = 0;
      let rises = 0;
      for (const { value, ms } of steps) {
        now += ms;
        forwardMs += Math.max(0, ms);
        const next = nextLevel(steady, value, ENTER, RULE, now);
        if (next.level > steady.level) rises++;
        if (next.level < steady.level) falls += steady.level - next.level;
        assert.ok(next.since <= now);
        steady = next;
      }
      assert.ok(falls <= forwardMs / RULE.dwellMs, `${falls} falls in ${forwardMs} ms`);
      assert.ok(rises <= falls + ENTER.length);
    }),
  );
});
