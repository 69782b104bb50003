import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { defaultsOf } from '../setting.ts';
import { BURST_SETTINGS, type BurstEvent, BurstPool, type BurstSettings, isBurst } from './burst-pool.ts';

const START = Date.UTC(2026, 10, 21, 9);
const DAY = 86_400_000;

const poolOf = (settings: Partial<BurstSettings> = {}): BurstPool =>
  new BurstPool({ ...defaultsOf(BURST_SETTINGS), ...settings });

/** A tick a second with the same backlog. */
function run(pool: BurstPool, seconds: number, from: number, forSeconds: number, agents = 4): BurstEvent[] {
  const events: BurstEvent[] = [];
  for (let n = 1; n <= forSeconds; n++)
    events.push(...pool.tick([{ class: 'build', seconds }], agents, from + n * 1000));
  return events;
}

test('burst agents are those labelled so', () => {
  assert.equal(isBurst({ labels: { burst: 'true' } }), true);
  assert.equal(isBurst({ labels: { burst: 'false' } }), false);
  assert.equal(isBurst({ labels: {} }), false);
});

test('they join after the backlog was long for a time, and it is said', () => {
  const pool = poolOf();
  assert.deepEqual(run(pool, 200, START, 30), []);
  assert.equal(pool.isOpen('build'), false);
  const [event] = run(pool, 200, START + 30_000, 5);
  assert.deepEqual(event, { at: START + 31_000, class: 'build', kind: 'activated', why: 'backlog', seconds: 200 });
  assert.equal(pool.isOpen('build'), true);
  assert.equal(pool.isOpen('other'), false);
  assert.equal(pool.state, 'open');
});

test('a backlog that is long by moments only opens nothing', () => {
  const pool = poolOf();
  for (let n = 0; n < 20; n++) {
    assert.deepEqual(run(pool, 200, START + n * 30_000, 29), []);
    run(pool, 10, START + n * 30_000 + 29_000, 1);
  }
});

test('they stay until the backlog is short and their minimum stay is over', () => {
  const pool = poolOf();
  run(pool, 200, START, 40);
  assert.deepEqual(run(pool, 10, START + 40_000, 200), []);
  assert.deepEqual(run(pool, 60, START + 240_000, 600), [], 'between the two thresholds they stay');
  const [event] = run(pool, 10, START + 840_000, 5);
  assert.equal(event.why, 'backlog is gone');
  assert.equal(pool.isOpen('build'), false);
});

test('when the agent-seconds of the day are spent they leave, say so, and come back on the next UTC day', () => {
  const pool = poolOf({ agentSecondsPerDay: 400 });
  const events = run(pool, 200, START, 600);
  assert.deepEqual(
    events.map(({ kind, why }) => `${kind}: ${why}`),
    ['activated: backlog', 'deactivated: budget of the day is spent'],
  );
  assert.equal(pool.state, 'spent');
  assert.ok(pool.snapshot().agentSeconds >= 400 && pool.snapshot().agentSeconds < 410);
  const midnight = Math.ceil(START / DAY) * DAY;
  const [again] = run(pool, 200, midnight, 60);
  assert.equal(again.kind, 'activated');
});

test('activations of a day are limited', () => {
  const pool = poolOf({ activationsPerDay: 1, minStayMs: 0 });
  run(pool, 200, START, 40);
  run(pool, 0, START + 40_000, 5);
  assert.deepEqual(run(pool, 200, START + 45_000, 100), []);
  assert.equal(pool.state, 'spent');
});

test('without burst agents nothing is opened', () => {
  const pool = poolOf();
  assert.deepEqual(run(pool, 200, START, 100, 0), []);
  assert.equal(pool.state, 'absent');
});

test('burst agents that come while the backlog is long join at once, but not for a backlog that was short between', () => {
  const pool = poolOf();
  run(pool, 200, START, 100, 0);
  assert.equal(run(pool, 200, START + 100_000, 1)[0].kind, 'activated');
  const other = poolOf();
  run(other, 200, START, 100, 0);
  run(other, 10, START + 100_000, 1, 0);
  assert.deepEqual(run(other, 200, START + 101_000, 20), []);
});

test('a silence of hours between ticks is not charged as work', () => {
  const pool = poolOf();
  run(pool, 200, START, 40);
  pool.tick([{ class: 'build', seconds: 200 }], 4, START + 5 * 3_600_000);
  assert.ok(pool.snapshot().agentSeconds < 400);
});

test('a restart keeps what is open and what was spent', () => {
  const pool = poolOf({ agentSecondsPerDay: 400 });
  run(pool, 200, START, 100);
  const stored = JSON.parse(JSON.stringify(pool.snapshot()));
  const again = new BurstPool({ ...defaultsOf(BURST_SETTINGS), agentSecondsPerDay: 400 }, stored);
  assert.equal(again.isOpen('build'), true);
  assert.deepEqual(again.snapshot(), pool.snapshot());
  const [event] = run(again, 200, START + 100_000, 60);
  assert.equal(event.why, 'budget of the day is spent');
  assert.equal(new BurstPool(undefined, {}).isOpen('build'), false);
});

test('a clock that swings over midnight does not fill the budget again', () => {
  const midnight = Math.ceil(START / DAY) * DAY;
  const pool = poolOf({ agentSecondsPerDay: 100, openAfterMs: 0 });
  const events: BurstEvent[] = [];
  for (let n = 0; n < 20; n++)
    events.push(...run(pool, 200, midnight - 100_000, 60), ...run(pool, 200, midnight + 1_000, 60));
  const activated = events.filter(({ kind }) => kind === 'activated');
  assert.equal(activated.length, 2, 'one for each of the two days');
});

test('a clock that was days ahead does not keep the budget from its next day', () => {
  const pool = poolOf({ agentSecondsPerDay: 100, openAfterMs: 0 });
  run(pool, 200, START + 5 * DAY, 60);
  assert.equal(pool.state, 'spent');
  assert.deepEqual(run(pool, 200, START, 60), [], 'what is spent is spent');
  assert.equal(run(pool, 200, START + DAY, 5)[0].kind, 'activated');
});

test('burst agents leave after their stay though the clock was set back by a day', () => {
  const pool = poolOf();
  run(pool, 200, START, 40);
  const events = run(pool, 0, START - DAY, 310);
  assert.deepEqual(
    events.map(({ kind }) => kind),
    ['deactivated'],
  );
});

test('whatever the backlog does, the pool does not flap and keeps to its budget', () => {
  const settings = { openAfterMs: 5_000, minStayMs: 60_000, agentSecondsPerDay: 1_000, activationsPerDay: 7 };
  const phase = fc.record({ seconds: fc.integer({ min: 0, max: 300 }), forSeconds: fc.integer({ min: 1, max: 200 }) });
  fc.assert(
    fc.property(fc.array(phase, { maxLength: 30 }), (phases) => {
      const pool = poolOf(settings);
      const from = Date.UTC(2026, 10, 21);
      let at = from;
      const events: BurstEvent[] = [];
      for (const { seconds, forSeconds } of phases) {
        events.push(...run(pool, seconds, at, forSeconds, 2));
        at += forSeconds * 1000;
      }
      const activated = events.filter(({ kind }) => kind === 'activated').length;
      assert.ok(activated <= 1 + (at - from) / (settings.openAfterMs + settings.minStayMs));
      assert.ok(activated <= settings.activationsPerDay);
      assert.ok(pool.snapshot().agentSeconds <= settings.agentSecondsPerDay + 2);
    }),
    { numRuns: 50 },
  );
});
