import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type BurnWindow, TimeBuckets } from './time-buckets.ts';

const START = Date.UTC(2026, 10, 21);
/** Width and number of the slots of each window. */
const WINDOWS: [BurnWindow, number, number][] = [
  ['5m', 30_000, 10],
  ['30m', 300_000, 6],
  ['1h', 300_000, 12],
  ['6h', 1_800_000, 12],
  ['28d', 86_400_000, 28],
];

type Result = { at: number; late: boolean };

/** The results whose slot is among the newest of the window. */
const listed = (results: Result[], now: number, width: number, slots: number): Result[] =>
  results.filter(({ at }) => Math.floor(at / width) > Math.floor(now / width) - slots);

test('every window counts what a list of all results would, also those that come late, and a restart changes nothing', () => {
  const event = fc.record({
    afterMs: fc.oneof(fc.integer({ min: 0, max: 400_000 }), fc.integer({ min: 0, max: 5 * 86_400_000 })),
    ageMs: fc.constantFrom(0, 0, 20_000, 1_000_000, 100_000_000),
    late: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(event, { maxLength: 80 }), fc.integer({ min: 0, max: 4_000_000 }), (events, restMs) => {
      let buckets = new TimeBuckets(START);
      const results: Result[] = [];
      let now = START;
      for (const { afterMs, ageMs, late } of events) {
        now += afterMs;
        buckets.add(now, false, 0.01);
        buckets.add(now - ageMs, late, 0.01);
        results.push({ at: now, late: false }, { at: now - ageMs, late });
        if (results.length % 20 === 0) buckets = TimeBuckets.restore(JSON.parse(JSON.stringify(buckets.snapshot())));
      }
      now += restMs;
      for (const [window, width, slots] of WINDOWS) {
        const expected = listed(results, now, width, slots);
        const counted = buckets.counts(window, now);
        assert.equal(counted.total, expected.length, window);
        assert.equal(counted.late, expected.filter(({ late }) => late).length, window);
        assert.ok(Math.abs(counted.allowed - 0.01 * expected.length) < 1e-9, window);
      }
    }),
  );
});

test('a clock set back brings the newest count to its time and leaves the others their distance, and one that was not set back leaves them alone', () => {
  const backMs = 10 * 86_400_000 + 7 * 1_800_000;
  const end = START + 6 * 3_600_000;
  const [buckets, twin] = [new TimeBuckets(START), new TimeBuckets(START)];
  for (let at = START; at <= end; at += 150_000) for (const one of [buckets, twin]) one.add(at, at % 3 === 0, 0.01);
  buckets.setBack(end + 3_600_000);
  assert.deepEqual(buckets.snapshot(), twin.snapshot());
  buckets.setBack(end - backMs);
  for (let later = 0; later < 8 * 3_600_000; later += 30_000) {
    for (const window of ['5m', '30m', '1h', '6h'] as const) {
      assert.deepEqual(buckets.counts(window, end - backMs + later), twin.counts(window, end + later), window);
    }
  }
});

test('times before the epoch are times like others', () => {
  const buckets = new TimeBuckets(-100_000);
  buckets.add(-100_000, true, 0.01);
  buckets.add(-1, false, 0.01);
  assert.deepEqual(buckets.counts('5m', 0), { total: 2, late: 1, allowed: 0.02 });
});
