import assert from 'node:assert/strict';
import { test } from 'node:test';
import { defaultsOf } from '../setting.ts';
import { type ClassLoad, drainSeconds, MAX_DRAIN_SECONDS, Saturation, SATURATION_SETTINGS } from './saturation.ts';

/** One measurement a second of virtual time. */
function measure(saturation: Saturation, loads: ClassLoad[], capacity: number, from: number, seconds: number): number {
  let now = from;
  for (let n = 0; n < seconds; n++) saturation.observe(loads, capacity, (now += 1_000));
  return now;
}

const load = (seconds: number, capacity = 2, key = 'build'): ClassLoad => ({
  class: key,
  backlogMs: seconds * 1000 * capacity,
  capacity,
});

test('seconds to drain are backlog by capacity; without agents they are a day', () => {
  assert.equal(drainSeconds(60_000, 2), 30);
  assert.equal(drainSeconds(0, 0), 0);
  assert.equal(drainSeconds(1, 0), MAX_DRAIN_SECONDS);
  assert.equal(drainSeconds(1e15, 1), MAX_DRAIN_SECONDS);
});

test('a backlog that stays raises the level of its class and of all', () => {
  const saturation = new Saturation();
  const now = measure(saturation, [load(400)], 2, 0, 120);
  assert.equal(saturation.drain('build').level, 'saturated');
  assert.ok(Math.abs(saturation.drain('build').seconds - 400) < 20);
  assert.equal(saturation.drain(null).level, 'saturated');
  measure(saturation, [load(4_000)], 2, now, 120);
  assert.equal(saturation.drain('build').level, 'overloaded');
});

test('a moment without agents raises no alarm', () => {
  const saturation = new Saturation();
  const now = measure(saturation, [load(10)], 2, 0, 60);
  saturation.observe([{ ...load(10), capacity: 0 }], 0, now + 1_000);
  measure(saturation, [load(10)], 2, now + 1_000, 60);
  assert.equal(saturation.drain('build').level, 'normal');
});

test('a class that no agent can do is overloaded by itself and leaves the others alone', () => {
  const saturation = new Saturation();
  measure(saturation, [load(10), { class: 'none', backlogMs: 1, capacity: 0 }], 2, 0, 120);
  assert.equal(saturation.drain('none').level, 'overloaded');
  assert.equal(saturation.drain('build').level, 'normal');
  assert.equal(saturation.drain(null).level, 'normal');
});

test('with all agents gone every class is overloaded, and all of them by what waits, as for one slot', () => {
  const few = new Saturation();
  measure(few, [{ class: 'build', backlogMs: 5_000, capacity: 0 }], 0, 0, 120);
  assert.equal(few.drain('build').level, 'overloaded');
  assert.equal(few.drain(null).level, 'normal');
  const many = new Saturation();
  measure(many, [{ class: 'build', backlogMs: 3_600_000, capacity: 0 }], 0, 0, 120);
  assert.equal(many.drain(null).level, 'overloaded');
});

test('agents of several classes count once in what is said of all', () => {
  const saturation = new Saturation();
  measure(saturation, [load(40, 2, 'a'), load(40, 2, 'b')], 2, 0, 200);
  assert.ok(Math.abs(saturation.drain(null).seconds - 80) < 2);
  assert.ok(Math.abs(saturation.drain('a').seconds - 40) < 2);
});

test('a class whose backlog is gone calms down and is forgotten', () => {
  const saturation = new Saturation();
  const now = measure(saturation, [load(4_000)], 2, 0, 120);
  measure(saturation, [], 2, now, 20);
  assert.notEqual(saturation.drain('build').level, 'normal', 'not before its dwell');
  measure(saturation, [], 2, now + 20_000, 300);
  assert.deepEqual(saturation.classes(), []);
  assert.equal(saturation.drain('build').level, 'normal');
  assert.equal(saturation.drain(null).level, 'normal');
});

test('a clock set back neither freezes nor jumps the level', () => {
  const saturation = new Saturation({ ...defaultsOf(SATURATION_SETTINGS), dwellMs: 30_000 });
  const now = measure(saturation, [load(400)], 2, 10_000_000, 120);
  const before = saturation.drain('build').seconds;
  saturation.observe([load(400)], 2, now - 5_000_000);
  assert.equal(saturation.drain('build').seconds, before);
  measure(saturation, [], 2, now - 5_000_000, 200);
  assert.equal(saturation.drain('build').level, 'normal');
});
