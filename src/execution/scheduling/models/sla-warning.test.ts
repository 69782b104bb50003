import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { defaultsOf } from '../setting.ts';
import { nextSlaCheck, SLA_WARNING_SETTINGS, slaWarning } from './sla-warning.ts';

const settings = defaultsOf(SLA_WARNING_SETTINGS);
const danger = (forecastMs: number, more: { soonestMs?: number; p5?: number; now?: number } = {}) =>
  slaWarning(
    {
      deadline: 100_000,
      now: more.now ?? 50_000,
      forecastMs,
      range: { p5: more.p5 ?? 0, p50: forecastMs, p90: 2 * forecastMs },
      soonestMs: more.soonestMs ?? 0,
    },
    settings,
  );

describe('slaWarning', () => {
  it('is silent with time to spare, and warns when the forecast fills the time left', () => {
    assert.equal(danger(40_000), null);
    assert.deepEqual(danger(50_000), { level: 'warning', score: 1, leftMs: 50_000, forecastMs: 50_000 });
  });

  it('is certain when even an empty queue, or the most hopeful forecast, misses the deadline', () => {
    assert.equal(danger(60_000, { soonestMs: 60_000 })?.level, 'warning');
    assert.equal(danger(70_000, { soonestMs: 70_000 })?.level, 'certain');
    assert.equal(danger(90_000, { p5: 51_000 })?.level, 'certain');
  });

  it('is no more than a warning while nobody can do the work, as an agent may come', () => {
    assert.equal(danger(Infinity, { soonestMs: Infinity, p5: Infinity })?.level, 'warning');
  });

  it('is certain after the deadline, with whatever is left to do', () => {
    assert.equal(danger(1_000, { soonestMs: 1_000, now: 100_000 })?.level, 'certain');
    assert.equal(danger(1_000, { soonestMs: 1_000, now: 200_000 })?.score, Infinity);
  });
});

describe('nextSlaCheck', () => {
  it('looks at half of the slack, then at half of what is left, and stops at the end', () => {
    const checks: number[] = [];
    for (let at = nextSlaCheck(0, 16_000, 0); at !== null; at = nextSlaCheck(0, 16_000, at)) checks.push(at);
    assert.deepEqual(checks, [8_000, 12_000, 14_000, 15_000]);
    assert.equal(nextSlaCheck(0, 16_000, 20_000), null);
    assert.equal(nextSlaCheck(0, 1_500, 0), null);
  });
});
