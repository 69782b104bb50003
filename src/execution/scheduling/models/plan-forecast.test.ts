import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { companyShare } from './company-share.ts';
import {
  forecastPlan,
  forecastStart,
  forecastStarts,
  leftMs,
  type CompanyQueue,
  type OpenTicket,
} from './plan-forecast.ts';

const alone = (slots: number, aheadMs = 0): CompanyQueue => ({ aheadMs, weight: 1, others: [], slots });
const ticket = (n: number, expectedMs: number, deps: number[] = [], elapsedMs: number | null = null): OpenTicket => ({
  n,
  deps,
  expectedMs,
  elapsedMs,
});

const load = fc.record({
  weight: fc.integer({ min: 1, max: 8 }),
  backlogMs: fc.double({ min: 0, max: 1e7, noNaN: true }),
  arriving: fc.double({ min: 0, max: 50, noNaN: true }),
});

describe('companyShare', () => {
  it('gives a company its weight against the backlogged, and what the idle leave', () => {
    const busy = { weight: 1, backlogMs: 1e9, arriving: 0 };
    const idle = { weight: 2, backlogMs: 0, arriving: 0 };
    assert.equal(companyShare(1, [busy], 10, 1_000), 5);
    assert.equal(companyShare(3, [busy, idle], 10, 1_000), 7.5);
    assert.equal(companyShare(1, [{ weight: 4, backlogMs: 1_000, arriving: 1 }], 10, 1_000), 8);
  });

  it('is never less than the weighted share nor more than all', () => {
    fc.assert(
      fc.property(fc.array(load), fc.integer({ min: 1, max: 8 }), (others, weight) => {
        const share = companyShare(weight, others, 64, 60_000);
        const weights = others.reduce((sum, other) => sum + other.weight, weight);
        assert.ok(share >= (64 * weight) / weights - 1e-6 && share <= 64 + 1e-6, String(share));
      }),
    );
  });
});

describe('forecastPlan', () => {
  it('takes a chain for its length, however many slots there are', () => {
    const chain = [ticket(0, 100), ticket(1, 200, [0]), ticket(2, 300, [1])];
    assert.equal(forecastPlan(chain, alone(64)).finishMs, 600);
    assert.deepEqual(
      [...forecastStarts(chain, alone(64))],
      [
        [0, 0],
        [1, 100],
        [2, 300],
      ],
    );
  });

  it('lets parallel work flow through the slots, behind the work that is ahead', () => {
    const tickets = Array.from({ length: 10 }, (_, n) => ticket(n, 100));
    const forecast = forecastPlan(tickets, alone(2, 1_000));
    assert.equal(forecast.finishMs, (1_000 + 1_000 - 100) / 2 + 100);
    assert.equal(forecast.soonestMs, 500);
    assert.deepEqual(forecast.parts, { aheadMs: 1_000, ownMs: 1_000, criticalPathMs: 100, slots: 2 });
    assert.deepEqual([...forecastStarts(tickets, alone(2, 1_000)).values()].slice(0, 3), [500, 550, 600]);
    assert.equal(forecastStart(alone(2, 1_000), 0), 500);
    assert.equal(forecastStart(alone(2, 1_000), 700), 700, 'no agent is free before');
  });

  it('counts of running tickets only what is left, and a little when they are over their time', () => {
    assert.equal(leftMs({ expectedMs: 100, elapsedMs: 40 }), 60);
    assert.equal(leftMs({ expectedMs: 100, elapsedMs: 400 }), 40);
    const tickets = [ticket(0, 100, [], 40), ticket(1, 100, [0])];
    assert.equal(forecastPlan(tickets, alone(1)).finishMs, 160);
    assert.deepEqual([...forecastStarts(tickets, alone(1)).keys()], [1]);
  });

  it('gives the company more of the slots the longer it takes, as the others run dry', () => {
    const others = [{ weight: 1, backlogMs: 10_000, arriving: 0 }];
    const { finishMs, parts } = forecastPlan([], { aheadMs: 100_000, weight: 1, others, slots: 10 });
    assert.ok(finishMs < 12_000 && finishMs > 10_000, String(finishMs)); // half of the slots would make it 20,000
    assert.ok(parts.slots > 8);
  });

  it('says never when nobody can do it, and now when nothing is left', () => {
    assert.equal(forecastPlan([ticket(0, 100), ticket(1, 100)], alone(0)).finishMs, Infinity);
    assert.deepEqual([forecastPlan([], alone(0)).finishMs, forecastPlan([], alone(4)).soonestMs], [0, 0]);
    assert.equal(forecastStart(alone(0, 1), 0), Infinity);
  });

  it('takes a chain of 20,000 in any order of its tickets', () => {
    const chain = Array.from({ length: 20_000 }, (_, n) => ticket(n, 1, n === 0 ? [] : [n - 1])).reverse();
    assert.equal(forecastPlan(chain, alone(1)).finishMs, 20_000);
  });

  it('is never below what an empty queue takes, grows with the work ahead and lists each waiting ticket before the end', () => {
    const plan = fc.array(fc.tuple(fc.integer({ min: 1, max: 1_000 }), fc.nat(), fc.option(fc.nat(2_000))), {
      minLength: 1,
      maxLength: 40,
    });
    fc.assert(
      fc.property(plan, fc.array(load), fc.nat(1e6), (shape, others, aheadMs) => {
        const tickets = shape.map(([ms, dep, elapsed], n) =>
          ticket(n, ms, n === 0 || dep % 3 === 0 ? [] : [dep % n], n === 0 ? elapsed : null),
        );
        const queue = { aheadMs, weight: 1, others, slots: 8 };
        const { finishMs, parts } = forecastPlan(tickets, queue);
        assert.ok(finishMs >= parts.criticalPathMs - 1e-6);
        assert.ok(forecastPlan(tickets, { ...queue, aheadMs: aheadMs + 1e5 }).finishMs >= finishMs * 0.9999);
        const starts = forecastStarts(tickets, queue);
        assert.equal(starts.size, tickets.filter((one) => one.elapsedMs === null).length);
        for (const one of tickets) {
          for (const dep of one.deps) {
            if (starts.has(dep)) assert.ok(starts.get(one.n)! >= starts.get(dep)! - 1e-6);
          }
        }
      }),
      { numRuns: 200 },
    );
  });
});
