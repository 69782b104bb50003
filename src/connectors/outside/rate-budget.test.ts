import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import fc from 'fast-check';
import { systemClock } from '../../platform/clock.ts';
import { RateBudget, type RateBudgetOptions } from './rate-budget.ts';

const START = 1_700_000_000_000;

function open(more: Partial<RateBudgetOptions> = {}): RateBudget {
  const limits = { perMinute: 60, concurrency: 1_000, queueLimit: 1_000 };
  return new RateBudget({ site: 'jira', ...limits, clock: systemClock, ...more });
}

/** Time goes on only as the test says. */
function stopTime({ mock }: TestContext): { go(ms: number): Promise<void> } {
  mock.timers.enable({ apis: ['setTimeout', 'Date'], now: START });
  return {
    async go(ms) {
      mock.timers.tick(ms);
      for (let i = 0; i < 10; i++) await Promise.resolve();
    },
  };
}

test('no minute has more starts than the limit, whenever how many ask, and all of them start in the end', async (context) => {
  const time = stopTime(context);
  const bursts = fc.array(fc.record({ calls: fc.nat(60), afterSeconds: fc.nat(40) }), { maxLength: 10 });
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: 200 }), bursts, async (perMinute, asked) => {
      const budget = open({ perMinute });
      const starts: number[] = [];
      let wanted = 0;
      for (const { calls, afterSeconds } of asked) {
        for (let i = 0; i < afterSeconds; i++) await time.go(1_000);
        for (let i = 0; i < calls; i++) {
          wanted += 1;
          void budget.take(Infinity, null).then((release) => {
            starts.push(Date.now());
            release();
          });
        }
      }
      while (budget.queued > 0) await time.go(10_000);
      await time.go(0);
      assert.equal(starts.length, wanted);
      for (let i = perMinute; i < starts.length; i++) assert.ok(starts[i]! - starts[i - perMinute]! >= 60_000);
    }),
    { numRuns: 40 },
  );
});

test('calls start in the order in which they asked, as many at once as allowed', async (context) => {
  const time = stopTime(context);
  const budget = open({ concurrency: 2 });
  const started: number[] = [];
  const releases: (() => void)[] = [];
  for (let i = 0; i < 4; i++)
    void budget.take(Infinity, null).then((release) => {
      started.push(i);
      releases.push(release);
    });
  await time.go(0);
  assert.deepEqual(started, [0, 1]);
  releases[1]!();
  releases[1]!(); // a second time changes nothing
  await time.go(0);
  assert.deepEqual(started, [0, 1, 2]);
  assert.equal(budget.queued, 1);
});

test('a hold keeps everything back until it ends, and a longer one counts', async (context) => {
  const time = stopTime(context);
  const budget = open();
  budget.hold(START + 20_000);
  budget.hold(START + 5_000);
  let isStarted = false;
  void budget.take(Infinity, null).then(() => (isStarted = true));
  await time.go(19_999);
  assert.equal(isStarted, false);
  await time.go(1);
  assert.equal(isStarted, true);
});

test('a hold that comes while calls wait ends those at once that cannot wait that long', async (context) => {
  const time = stopTime(context);
  const budget = open({ concurrency: 1 });
  const release = await budget.take(Infinity, null);
  const short = assert.rejects(budget.take(START + 10_000, null), {
    code: 'OUTSIDE_UNAVAILABLE',
    retryAfterMs: 20_000,
  });
  let isStarted = false;
  void budget.take(START + 30_000, null).then(() => (isStarted = true));
  budget.hold(START + 20_000);
  await short;
  release();
  await time.go(20_000);
  assert.equal(isStarted, true);
});

test('a hold is an hour at most, also when the clock is put back', async (context) => {
  stopTime(context);
  let now = START;
  const budget = open({ clock: { now: () => now } });
  budget.hold(START + 1e12);
  await assert.rejects(budget.take(START + 1_000, null), { code: 'OUTSIDE_UNAVAILABLE', retryAfterMs: 3_600_000 });
  now -= 30 * 86_400_000;
  await assert.rejects(budget.take(now + 1_000, null), { code: 'OUTSIDE_UNAVAILABLE', retryAfterMs: 3_600_000 });
});

test('who cannot start before the deadline is told so at once; who turns out to be late, then', async (context) => {
  const time = stopTime(context);
  const budget = open({ perMinute: 60, concurrency: 1 });
  const release = await budget.take(Infinity, null);
  const late = assert.rejects(budget.take(START + 3_000, null), { code: 'OUTSIDE_TIMEOUT' });
  await time.go(3_000);
  await late;
  release();
  budget.hold(START + 60_000);
  await assert.rejects(budget.take(START + 59_000, null), { code: 'OUTSIDE_UNAVAILABLE', retryAfterMs: 57_000 });
});

test('the queue has an end', async (context) => {
  stopTime(context);
  const budget = open({ queueLimit: 2 });
  budget.hold(START + 1_000);
  const waiting = [budget.take(Infinity, null), budget.take(Infinity, null)];
  await assert.rejects(budget.take(Infinity, null), { code: 'QUEUE_FULL', message: 'jira: 2 calls wait already' });
  budget.close();
  for (const call of waiting) await assert.rejects(call, { code: 'SHUTTING_DOWN' });
});

test('who goes away leaves the queue, and the others move up', async (context) => {
  const time = stopTime(context);
  const budget = open({ concurrency: 1 });
  const release = await budget.take(Infinity, null);
  const caller = new AbortController();
  const gone = assert.rejects(budget.take(Infinity, caller.signal), /no longer wanted/);
  let isStarted = false;
  void budget.take(Infinity, null).then(() => (isStarted = true));
  caller.abort(new Error('no longer wanted'));
  await gone;
  release();
  await time.go(0);
  assert.equal(isStarted, true);
  await assert.rejects(budget.take(Infinity, caller.signal), /no longer wanted/);
});
