import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { Deadlines } from './deadlines.ts';

describe('Deadlines', () => {
  it('takes what is due, earliest first, up to the limit, and once', () => {
    const deadlines = new Deadlines<string>();
    for (const [key, at] of [
      ['c', 30],
      ['a', 10],
      ['b', 20],
      ['d', 40],
    ] as const)
      deadlines.set(key, at);
    assert.deepEqual(deadlines.take(30, 2), ['a', 'b']);
    assert.deepEqual(deadlines.take(30), ['c']);
    assert.deepEqual(deadlines.take(39), []);
    assert.equal(deadlines.next(), 40);
  });

  it('is due never when it is empty', () => {
    const deadlines = new Deadlines<string>();
    deadlines.set('a', 1);
    deadlines.clear();
    assert.equal(deadlines.next(), Infinity);
  });

  it('holds one time per key, the last that was set', () => {
    const step = fc.record({ key: fc.nat(8), at: fc.option(fc.nat(100)) });
    fc.assert(
      fc.property(fc.array(step), fc.nat(100), (steps, now) => {
        const deadlines = new Deadlines<number>();
        const model = new Map<number, number>();
        for (const { key, at } of steps) {
          if (at === null) deadlines.delete(key);
          else deadlines.set(key, at);
          if (at === null) model.delete(key);
          else model.set(key, at);
        }
        assert.equal(deadlines.next(), Math.min(Infinity, ...model.values()));
        const due = deadlines.take(now);
        assert.deepEqual(
          [...due].sort(),
          [...model]
            .filter(([, at]) => at <= now)
            .map(([key]) => key)
            .sort(),
        );
        assert.deepEqual(
          due.map((key) => model.get(key)),
          due.map((key) => model.get(key)!).sort((a, b) => a - b),
        );
        assert.ok(deadlines.next() > now);
      }),
    );
  });
});
