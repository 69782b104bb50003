import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { seededRandom } from '../simulation/seeded-random.ts';
import { drawBeta } from './draws.ts';

describe('draws', () => {
  it('have the mean and the spread of their distribution', () => {
    const random = seededRandom(5);
    for (const [a, b] of [
      [0.5, 0.5],
      [2, 6],
      [40, 3],
    ]) {
      const drawn = Array.from({ length: 5_000 }, () => drawBeta(a, b, random));
      const mean = drawn.reduce((sum, one) => sum + one, 0) / drawn.length;
      const spread = drawn.reduce((sum, one) => sum + (one - mean) ** 2, 0) / drawn.length;
      assert.ok(Math.abs(mean - a / (a + b)) < 0.02, `mean ${mean} of Beta(${a}, ${b})`);
      const expected = (a * b) / ((a + b) ** 2 * (a + b + 1));
      assert.ok(Math.abs(spread / expected - 1) < 0.15, `variance ${spread}, not ${expected}`);
    }
  });

  it('come to an end when the random numbers are all the same', () => {
    for (const number of [0, 0.5, 1 - Number.EPSILON]) {
      const drawn = drawBeta(4, 2, () => number);
      assert.ok(drawn > 0 && drawn < 1, `${drawn} of ${number}`);
    }
  });
});
