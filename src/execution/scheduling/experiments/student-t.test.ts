import assert from 'node:assert/strict';
import { test } from 'node:test';
import { meanInterval, quantile, within } from './student-t.ts';

test('quantiles are those of the printed tables', () => {
  for (const [confidence, df, t] of [
    [0.95, 1, 12.7062],
    [0.95, 2, 4.3027],
    [0.95, 3, 3.1824],
    [0.95, 7, 2.3646],
    [0.95, 30, 2.0423],
    [0.95, 200, 1.9719],
    [0.999, 1, 636.62],
    [0.999, 7, 5.4079],
    [0.999, 24, 3.7454],
    [0.9, 4, 2.1318],
  ]) {
    assert.ok(Math.abs(quantile(confidence, df) / t - 1) < 1e-4, `${confidence} ${df}: ${quantile(confidence, df)}`);
    assert.ok(Math.abs(within(t, df) - confidence) < 1e-4);
  }
});

test('the interval of a mean is the textbook one', () => {
  const interval = meanInterval([1, 2, 3, 4, 5], 0.95)!;
  assert.equal(interval.mean, 3);
  assert.ok(Math.abs(interval.high - 4.9633) < 1e-3 && Math.abs(interval.low - 1.0367) < 1e-3);
  assert.equal(meanInterval([1], 0.95), null);
});
