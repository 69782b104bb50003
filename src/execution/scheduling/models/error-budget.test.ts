import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { defaultsOf } from '../setting.ts';
import { BURN_SETTINGS, type BurnSettings } from './burn-mode.ts';
import { ErrorBudget, type ModeChange } from './error-budget.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const START = Date.UTC(2026, 10, 21);

function budgetOf(settings: Partial<BurnSettings> = {}, target = 0.99): ErrorBudget {
  return new ErrorBudget({ targetOf: () => target, settings: { ...defaultsOf(BURN_SETTINGS), ...settings } });
}

/** `share` of the results late, evenly, one result every `everyMs`; ticks each second of virtual time at most. */
function feed(
  budget: ErrorBudget,
  from: number,
  to: number,
  share: number,
  { instance = 'acme', type = 'QUERY', everyMs = 10_000 } = {},
): ModeChange[] {
  const changes: ModeChange[] = [];
  let late = 0;
  let sent = 0;
  for (let at = from; at < to; at += everyMs) {
    sent++;
    const onTime = late + 1 > share * sent;
    if (!onTime) late++;
    const change = budget.observe({ at, instance, type, onTime });
    if (change !== null) changes.push(change);
    changes.push(...budget.tick(at));
  }
  return changes;
}

const steps = (changes: ModeChange[]): string[] => changes.map(({ from, to }) => `${from} → ${to}`);

test('a company within its objective stays normal', () => {
  const budget = budgetOf();
  assert.deepEqual(feed(budget, START, START + 12 * HOUR, 0.01), []);
  assert.equal(budget.modeOf('acme'), 'normal');
});

test('a burn of 14.4 and more makes a company critical within minutes, and the change says which class and how fast', () => {
  const budget = budgetOf();
  feed(budget, START, START + HOUR, 0);
  const changes = feed(budget, START + HOUR, START + HOUR + 40 * MINUTE, 0.5);
  const critical = changes.find(({ to }) => to === 'critical')!;
  assert.equal(critical.type, 'QUERY');
  assert.ok(critical.burn['1h'] >= 14.4 && critical.burn['5m'] >= 14.4, JSON.stringify(critical));
  assert.ok(critical.at < START + HOUR + 25 * MINUTE);
  assert.equal(budget.modeOf('acme'), 'critical');
});

test('a burn of 6 makes a company tight and never critical', () => {
  const budget = budgetOf();
  const changes = feed(budget, START, START + 10 * HOUR, 0.08, { everyMs: 5_000 });
  assert.deepEqual(steps(changes), ['normal → tight']);
});

test('a company relaxes step by step, and is normal only when both long windows burn below 1', () => {
  const budget = budgetOf();
  feed(budget, START, START + HOUR, 0.5);
  const changes = feed(budget, START + HOUR, START + 10 * HOUR, 0);
  assert.deepEqual(steps(changes), ['critical → tight', 'tight → normal']);
  assert.ok(changes[1].burn['1h'] < 1 && changes[1].burn['6h'] < 1);
  assert.ok(changes[1].at >= START + 6 * HOUR, 'the six hours still burnt before');
});

test('a company that falls silent becomes normal when its windows have passed', () => {
  const budget = budgetOf();
  feed(budget, START, START + HOUR, 1);
  const changes: ModeChange[] = [];
  for (let at = START + HOUR; at < START + 9 * HOUR; at += 10_000) changes.push(...budget.tick(at));
  assert.deepEqual(steps(changes), ['critical → tight', 'tight → normal']);
});

test('the results of one company change no mode but its own', () => {
  const budget = budgetOf();
  feed(budget, START, START + HOUR, 1, { instance: 'noisy' });
  feed(budget, START + HOUR, START + HOUR + 10 * MINUTE, 0);
  assert.deepEqual(
    [budget.modeOf('noisy'), budget.modeOf('acme'), budget.modeOf('unknown')],
    ['critical', 'normal', 'normal'],
  );
  assert.deepEqual(
    budget.raised().map(({ instance }) => instance),
    ['noisy'],
  );
});

test('many classes that are each too small to judge make the company critical together', () => {
  const budget = budgetOf();
  let change: ModeChange | null = null;
  for (let n = 0; n < 20; n++)
    change ??= budget.observe({ at: START + n, instance: 'acme', type: `t${n}`, onTime: false });
  assert.deepEqual([change?.type, change?.to], [null, 'critical']);
});

test('a class that burns keeps its company critical though all the rest is on time', () => {
  const budget = budgetOf();
  for (let n = 0; n < 8_000; n++) {
    const at = START + n * 1_000;
    budget.observe({ at, instance: 'acme', type: 'QUERY', onTime: true });
    if (n % 130 === 0) budget.observe({ at, instance: 'acme', type: 'BUILD', onTime: false });
    assert.deepEqual(budget.tick(at), []);
  }
  assert.ok(budget.burnRate('acme', '1h', START + 8_000_000) < 1);
  assert.equal(budget.modeOf('acme'), 'critical');
});

test('a last hour that burns holds the mode though six hours together do not', () => {
  const budget = budgetOf({ dwellMs: 3 * HOUR });
  feed(budget, START, START + HOUR, 0.09);
  assert.equal(budget.modeOf('acme'), 'tight');
  feed(budget, START + HOUR, START + HOUR + 30 * MINUTE, 0, { everyMs: 200 });
  assert.deepEqual(feed(budget, START + HOUR + 30 * MINUTE, START + 5 * HOUR, 0.02), []);
  assert.ok(budget.burnRate('acme', '6h', START + 5 * HOUR) < 1);
});

test('few results raise no mode, however late they are', () => {
  const budget = budgetOf({ minEvents: 20, minLate: 3 });
  assert.deepEqual(feed(budget, START, START + 19 * 10_000, 1), []);
  assert.deepEqual(steps(feed(budget, START + 19 * 10_000, START + 20 * 10_000, 1)), ['normal → critical']);
});

test('a lax objective that cannot burn 14.4 times too fast is critical when nearly all is late', () => {
  const budget = budgetOf({}, 0.8);
  assert.deepEqual(steps(feed(budget, START, START + HOUR, 0.3)), []);
  feed(budget, START + HOUR, START + 3 * HOUR, 0.95);
  assert.equal(budget.modeOf('acme'), 'critical');
});

test('the budget left falls with each late result and comes back after 28 days', () => {
  const budget = budgetOf();
  feed(budget, START, START + DAY, 0.005, { everyMs: MINUTE });
  assert.ok(Math.abs(budget.remainingPercent('acme', START + DAY) - 50) < 3);
  assert.ok(Math.abs(budget.burnRate('acme', '28d', START + DAY) - 0.5) < 0.03);
  assert.equal(budget.remainingPercent('acme', START + 30 * DAY), 100);
  assert.equal(budget.remainingPercent('nobody', START), 100);
  feed(budget, START + DAY, START + DAY + HOUR, 1);
  assert.equal(budget.remainingPercent('acme', START + DAY + HOUR), 0);
  assert.equal(budget.worst(START + DAY + HOUR).remainingPercent, 0);
  assert.ok(budget.worst(START + DAY + HOUR).burn > 50);
});

test('a company with a handful of results is not the worst of all', () => {
  const budget = budgetOf();
  feed(budget, START, START + HOUR, 0.005);
  budget.observe({ at: START + HOUR, instance: 'small', type: 'QUERY', onTime: false });
  assert.ok(budget.burnRate('small', '1h', START + HOUR) > 99);
  assert.deepEqual(budget.worst(START + HOUR), {
    burn: budget.burnRate('acme', '1h', START + HOUR),
    remainingPercent: budget.remainingPercent('acme', START + HOUR),
  });
});

test('a restart changes nothing: modes, burn rates, budget left, classes', () => {
  const budget = budgetOf();
  feed(budget, START - HOUR, START, 0.02, { instance: 'other', type: 'BUILD' });
  feed(budget, START, START + 5 * HOUR, 0.08, { everyMs: 5_000 });
  const now = START + 5 * HOUR;
  const stored = JSON.parse(JSON.stringify(budget.snapshot()));
  const again = new ErrorBudget({ targetOf: () => 0.99, snapshot: stored });
  assert.equal(again.modeOf('acme'), 'tight');
  assert.deepEqual(again.snapshot(), budget.snapshot());
  for (const window of ['5m', '30m', '1h', '6h', '28d'] as const) {
    assert.equal(again.burnRate('acme', window, now, 'QUERY'), budget.burnRate('acme', window, now, 'QUERY'), window);
    assert.ok(again.burnRate('acme', window, now) > 0, window);
  }
  assert.deepEqual(again.classes('other'), ['BUILD']);
  assert.deepEqual(steps(feed(again, now, now + 8 * HOUR, 0)), ['tight → normal']);
});

test('a snapshot that lacks parts or has a mode that is not known is taken as far as it goes', () => {
  const companies = [
    { instance: 'acme', mode: 'panic' },
    { instance: 'other', mode: 'tight' },
  ];
  const snapshot = JSON.parse(JSON.stringify({ at: START, companies }));
  const budget = new ErrorBudget({ targetOf: () => 0.99, snapshot });
  assert.deepEqual([budget.modeOf('acme'), budget.modeOf('other')], ['normal', 'tight']);
  assert.deepEqual(steps(feed(budget, START, START + HOUR, 0)), ['tight → normal']);
});

test('a company that moves to another replica takes its counts along and leaves none behind', () => {
  const [one, other] = [budgetOf(), budgetOf()];
  feed(one, START, START + HOUR, 1);
  feed(other, START, START + HOUR, 0, { type: 'BUILD' });
  const [moved] = one.snapshot().companies;
  one.forget('acme');
  other.restore(moved);
  assert.deepEqual([one.modeOf('acme'), one.raised(), one.snapshot().companies], ['normal', [], []]);
  assert.deepEqual([other.modeOf('acme'), other.classes('acme')], ['critical', ['QUERY']]);
  assert.deepEqual(other.snapshot().companies, [moved]);
});

test('memory is bounded in classes and companies, and a forgotten company that was critical is said to be normal', () => {
  const budget = budgetOf({ classesPerCompany: 4, series: 30 });
  feed(budget, START, START + HOUR, 1, { instance: 'gone' });
  for (let n = 0; n < 400; n++) {
    budget.observe({ at: START + HOUR + n, instance: `c${n % 40}`, type: `t${n % 7}`, onTime: true });
    budget.observe({ at: START + HOUR + n, instance: 'busy', type: 'QUERY', onTime: true });
  }
  const { companies } = budget.snapshot();
  assert.ok(companies.every(({ classes }) => classes.length <= 4));
  assert.ok(companies.reduce((sum, { classes }) => sum + 1 + classes.length, 0) <= 30);
  assert.ok(budget.burnRate('busy', '28d', START + 2 * HOUR) === 0 && budget.classes('busy').length === 1);
  assert.equal(companies.find(({ instance }) => instance === 'busy')?.all.slots[0][2], 400, 'who is active is kept');
  const told = budget.tick(START + 2 * HOUR);
  assert.deepEqual(steps(told), ['critical → normal']);
  assert.equal(told[0].instance, 'gone');
  assert.deepEqual(budget.raised(), []);
});

test('a late result of long ago counts where it belongs', () => {
  const budget = budgetOf();
  feed(budget, START, START + 2 * HOUR, 0);
  for (let n = 0; n < 100; n++) {
    budget.observe({ at: START + 30 * MINUTE, instance: 'acme', type: 'QUERY', onTime: false });
  }
  assert.equal(budget.burnRate('acme', '1h', START + 2 * HOUR), 0);
  assert.ok(budget.burnRate('acme', '6h', START + 2 * HOUR) > 5);
  assert.equal(budget.modeOf('acme'), 'normal', 'nothing is late now');
});

test('after the clock was set back by a day, a critical company relaxes as it would have', () => {
  const budget = budgetOf();
  feed(budget, START + DAY, START + DAY + HOUR, 1);
  assert.equal(budget.modeOf('acme'), 'critical');
  const changes = feed(budget, START, START + 10 * HOUR, 0);
  assert.deepEqual(steps(changes), ['critical → tight', 'tight → normal']);
  assert.ok(changes[1].at <= START + 7 * HOUR);
});

test('however results, time and clock go, modes never change more often than two per dwell, and each change follows the last', () => {
  const dwellMs = 5 * MINUTE;
  const burst = fc.record({
    minutes: fc.integer({ min: 1, max: 40 }),
    late: fc.constantFrom(0, 0.02, 0.1, 0.3, 1),
    clock: fc.constantFrom(0, 0, 0, -HOUR, HOUR),
  });
  fc.assert(
    fc.property(fc.array(burst, { minLength: 1, maxLength: 30 }), (bursts) => {
      const budget = budgetOf({ dwellMs, minEvents: 5, minLate: 1 });
      let at = START;
      let livedMs = 0;
      const changes: ModeChange[] = [];
      for (const { minutes, late, clock } of bursts) {
        at += clock;
        livedMs += minutes * MINUTE + Math.max(0, clock);
        changes.push(...feed(budget, at, (at += minutes * MINUTE), late, { everyMs: 20_000 }));
      }
      let mode = 'normal';
      for (const change of changes) {
        assert.equal(change.from, mode);
        mode = change.to;
      }
      assert.equal(budget.modeOf('acme'), mode);
      assert.ok(changes.length <= 2 * (livedMs / dwellMs) + 2, `${changes.length} in ${livedMs} ms`);
    }),
    { numRuns: 60 },
  );
});
