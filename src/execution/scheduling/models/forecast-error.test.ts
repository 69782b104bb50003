import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { gauss, seededRandom } from '../simulation/seeded-random.ts';
import { ForecastError } from './forecast-error.ts';

const MINUTE = 60_000;

/** Ends come at `factor` times what was forecast; gives the share that came by the p90 after the first half. */
function run(errors: ForecastError, instance: string, factor: () => number, n = 1_000): number {
  let kept = 0;
  for (let i = 0; i < n; i++) {
    const at = i * 1_000 * MINUTE;
    const actualMs = 10 * MINUTE * factor();
    if (i >= n / 2) kept += Number(actualMs <= errors.range('finish', instance, 10 * MINUTE).p90);
    errors.made('finish', `p${i}`, instance, at, 10 * MINUTE);
    errors.happened('finish', `p${i}`, at + actualMs);
  }
  return kept / (n / 2);
}

describe('ForecastError', () => {
  it('corrects forecasts that are wrong on the whole, with a p90 that nine of ten keep', () => {
    const random = seededRandom(1);
    const errors = new ForecastError();
    const kept = run(errors, 'acme', () => 3 * Math.exp(0.4 * gauss(random)));
    assert.ok(kept > 0.87 && kept < 0.93, String(kept));
    const { p5, p50, p90 } = errors.range('finish', 'acme', 10 * MINUTE);
    assert.ok(p5 < p50 && p50 > 24 * MINUTE && p50 < 37 * MINUTE && p90 > 1.3 * p50, `${p5} ${p50} ${p90}`);
    const { n, bias, off, kept: by } = errors.record('finish', 'acme');
    assert.ok(n > 100 && bias > 2.6 && bias < 3.5 && off > 2 && by > 0.8, `${n} ${bias} ${off} ${by}`);
  });

  it('keeps starts and finishes, and companies, apart', () => {
    const errors = new ForecastError();
    run(errors, 'late', () => 5);
    run(errors, 'right', () => 1);
    assert.ok(errors.range('finish', 'late', MINUTE).p50 > 3 * errors.range('finish', 'right', MINUTE).p50);
    assert.deepEqual(errors.range('start', 'late', MINUTE), new ForecastError().range('start', 'late', MINUTE));
    assert.deepEqual(errors.record('start', 'late'), { n: 0, bias: 1, off: 1, kept: 1 });
  });

  it('judges the first forecast that was given, and none of what was dropped or cannot happen', () => {
    const errors = new ForecastError();
    errors.made('start', 'a', 'acme', 0, MINUTE);
    errors.made('start', 'a', 'acme', 1, 100 * MINUTE);
    errors.happened('start', 'a', MINUTE);
    errors.made('start', 'b', 'acme', 0, MINUTE);
    errors.dropped('start', 'b');
    errors.happened('start', 'b', MINUTE);
    errors.made('start', 'c', 'acme', 0, Infinity);
    errors.happened('start', 'c', MINUTE);
    errors.happened('start', 'never given', MINUTE);
    assert.deepEqual(errors.record('start', 'acme'), { n: 1, bias: 1, off: 1, kept: 1 });
  });

  it('is the same after a restart, forecasts whose end is awaited included', () => {
    const random = seededRandom(2);
    const errors = new ForecastError();
    run(errors, 'acme', () => 1 + random(), 50);
    errors.made('finish', 'open', 'acme', 0, MINUTE);
    const again = new ForecastError(JSON.parse(JSON.stringify(errors.snapshot())));
    for (const one of [errors, again]) one.happened('finish', 'open', 9 * MINUTE);
    assert.deepEqual(again.snapshot(), errors.snapshot());
    assert.ok(new ForecastError({}).range('start', 'x', MINUTE).p90 > MINUTE);
  });

  it('awaits 10,000 ends at most, and lets go of the oldest after a month', () => {
    const errors = new ForecastError();
    for (let i = 0; i < 10_100; i++) errors.made('start', `t${i}`, 'acme', 0, MINUTE);
    assert.equal(errors.snapshot().open.length, 10_000);
    errors.made('start', 'later', 'acme', 31 * 86_400_000, MINUTE);
    const { open } = errors.snapshot();
    assert.deepEqual([open.length, open.at(-1)![0]], [10_000, 'start\nlater']);
  });
});
