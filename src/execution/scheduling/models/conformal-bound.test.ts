import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { gauss, seededRandom } from '../simulation/seeded-random.ts';
import { ConformalBound } from './conformal-bound.ts';

const covered = (bound: ConformalBound, key: string, p: number, scores: readonly number[]): number => {
  let kept = 0;
  for (const score of scores) {
    kept += Number(score <= bound.bound(key, p));
    bound.observe(key, score);
  }
  return kept / scores.length;
};

describe('ConformalBound', () => {
  it('covers what it says though the spread grows tenfold on the way', () => {
    const random = seededRandom(1);
    const scores = Array.from({ length: 6_000 }, (_, n) => gauss(random) * 10 ** (n / 6_000));
    for (const p of [0.05, 0.5, 0.9, 0.95]) {
      const share = covered(new ConformalBound(), 'a', p, scores);
      assert.ok(Math.abs(share - p) < 0.03, `${p}: ${share}`);
    }
  });

  it('gives a key that was not seen the bound of first scores, not of later ones', () => {
    const bound = new ConformalBound();
    for (let key = 0; key < 200; key++) for (let n = 0; n < 20; n++) bound.observe(`k${key}`, n === 0 ? 5 : 0);
    assert.ok(bound.bound('new', 0.9) > 3);
    assert.ok(bound.bound('k199', 0.9) < 3);
  });

  it('learns from a censored score only when it is past a bound', () => {
    const bound = new ConformalBound();
    bound.observe('a', 0.5);
    const before = bound.bound('a', 0.9);
    bound.observe('a', 0, true);
    assert.equal(bound.bound('a', 0.9), before);
    bound.observe('a', 100, true);
    assert.ok(bound.bound('a', 0.9) > before);
  });

  it('starts anew from a snapshot with other levels', () => {
    const quantiles = { n: 3, at: [9, 9] } as never;
    const bound = new ConformalBound({ all: quantiles, fresh: quantiles, keys: [['a', quantiles]] });
    assert.equal(bound.bound('a', 0.9), new ConformalBound().bound('a', 0.9));
  });
});
