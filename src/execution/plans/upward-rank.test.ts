import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { upwardRanks } from './upward-rank.ts';

describe('upward ranks', () => {
  it('add up along a chain', () => {
    assert.deepEqual([...upwardRanks([[1], [2], []], [10, 20, 30])], [60, 50, 30]);
  });

  it('follow the longest branch of a diamond, whatever the order of the tickets', () => {
    assert.deepEqual([...upwardRanks([[1, 2], [3], [3], []], [1, 5, 50, 2])], [53, 7, 52, 2]);
    assert.deepEqual([...upwardRanks([[], [0], [0], [2, 1]], [2, 50, 5, 1])], [2, 52, 7, 53]);
  });

  it('count nothing for what takes no time or less', () => {
    assert.deepEqual([...upwardRanks([[1], []], [-5, 0])], [0, 0]);
    assert.deepEqual([...upwardRanks([], [])], []);
  });

  it('bear a chain deeper than any call stack', () => {
    const size = 200_000;
    const dependents = Array.from({ length: size }, (_, n) => (n + 1 < size ? [n + 1] : []));
    assert.equal(upwardRanks(dependents, new Float64Array(size).fill(1))[0], size);
  });

  it('are the longest of all paths', () => {
    const task = fc.record({ ms: fc.nat(1_000), deps: fc.array(fc.nat(20), { maxLength: 3 }) });
    fc.assert(
      fc.property(fc.array(task, { maxLength: 10 }), (tasks) => {
        const dependents: number[][] = tasks.map(() => []);
        tasks.forEach(({ deps }, n) => {
          for (const dep of new Set(n === 0 ? [] : deps.map((one) => one % n))) dependents[dep].push(n);
        });
        const longest = (n: number): number => tasks[n].ms + Math.max(0, ...dependents[n].map(longest));
        assert.deepEqual(
          [
            ...upwardRanks(
              dependents,
              tasks.map(({ ms }) => ms),
            ),
          ],
          tasks.map((_, n) => longest(n)),
        );
      }),
    );
  });
});
