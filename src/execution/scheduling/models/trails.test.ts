import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { defaultsOf } from '../setting.ts';
import { seededRandom } from '../simulation/seeded-random.ts';
import { TRAIL_SETTINGS } from './trail-settings.ts';
import type { TrailObservation } from './trail.ts';
import { Trails } from './trails.ts';

const HOUR = 3_600_000;

/** Every second one outcome of the agent; returns the time after them. */
function observe(
  trails: Trails,
  times: number,
  outcome: Partial<TrailObservation> & { agent: string },
  from = 0,
): number {
  for (let n = 0; n < times; n++)
    trails.observe({ type: 'BUILD', ok: true, logRatio: 0, ...outcome, at: from + n * 1_000 });
  return from + times * 1_000;
}

describe('trails', () => {
  test('nothing seen: every agent is ordinary and probably succeeds', () => {
    const trails = new Trails();
    assert.equal(trails.factor('BUILD', 'a', 0), 1);
    assert.ok(Math.abs(trails.success('BUILD', 'a', 0) - 0.95) < 1e-9);
  });

  test('the factor of an agent comes to what its durations say, and its success to its share of successes', () => {
    const trails = new Trails();
    for (let n = 0; n < 400; n++)
      trails.observe({ at: n * 1_000, type: 'BUILD', agent: 'a', ok: n % 5 !== 0, logRatio: Math.log(0.5) });
    assert.ok(Math.abs(trails.factor('BUILD', 'a', 400_000) - 0.5) < 0.05);
    assert.ok(Math.abs(trails.success('BUILD', 'a', 400_000) - 0.8) < 0.1);
  });

  test('durations that vary by themselves say little of an agent, those that do not say much', () => {
    const factorAfter = (variance: number): number => {
      const trails = new Trails();
      const end = observe(trails, 4, { agent: 'a', logRatio: Math.log(4), variance });
      return trails.factor('BUILD', 'a', end);
    };
    assert.ok(factorAfter(25) < 1.5);
    assert.ok(factorAfter(0.05) > 3);
  });

  test('of a rare type speeds are drawn close to what is believed, of a frequent one wider', () => {
    const spreadAfter = (times: number): number => {
      const trails = new Trails();
      const end = observe(trails, times, { agent: 'a' });
      const random = seededRandom(1);
      let squares = 0;
      for (let n = 0; n < 500; n++) squares += Math.log(trails.sample('BUILD', 'new', end, random).factor) ** 2;
      return Math.sqrt(squares / 500);
    };
    assert.ok(spreadAfter(2) < spreadAfter(1_000) / 5);
  });

  test('failing fast attracts nothing: a failure teaches no speed, and success falls', () => {
    const trails = new Trails();
    let at = observe(trails, 20, { agent: 'steady' });
    at = observe(trails, 20, { agent: 'fails', ok: false, logRatio: Math.log(0.01) }, at);
    const cost = (agent: string): number => trails.factor('BUILD', agent, at) / trails.success('BUILD', agent, at);
    assert.ok(trails.factor('BUILD', 'fails', at) > 0.9);
    assert.ok(cost('fails') > 3 * cost('steady'));
  });

  test('an agent that gets worse is known for it after a few outcomes, whatever its past', () => {
    const trails = new Trails();
    let at = observe(trails, 2_000, { agent: 'a' });
    at = observe(trails, 5, { agent: 'a', ok: false }, at);
    assert.ok(trails.success('BUILD', 'a', at) < 0.6);
    assert.equal(trails.list({ limit: 1 }, at).trails[0].degraded, true);
    at = observe(trails, 2_000, { agent: 'b' }, at);
    at = observe(trails, 6, { agent: 'b', logRatio: Math.log(4) }, at);
    assert.ok(trails.factor('BUILD', 'b', at) > 2);
  });

  test('one failure or one slow run of a good agent changes little', () => {
    const trails = new Trails();
    let at = observe(trails, 200, { agent: 'a' });
    at = observe(trails, 1, { agent: 'a', ok: false }, at);
    at = observe(trails, 1, { agent: 'a', logRatio: Math.log(5) }, at);
    assert.ok(trails.success('BUILD', 'a', at) > 0.9);
    assert.ok(trails.factor('BUILD', 'a', at) < 1.1);
    assert.equal(trails.list({ limit: 1 }, at).trails[0].degraded, false);
  });

  test('time evaporates a bad spell: the agent is believed in again as it was in the long run', () => {
    const trails = new Trails();
    let at = observe(trails, 500, { agent: 'a' });
    at = observe(trails, 8, { agent: 'a', ok: false }, at);
    const after = [0, 6, 24, 96].map((hours) => trails.success('BUILD', 'a', at + hours * HOUR));
    assert.deepEqual(
      after.toSorted((a, b) => a - b),
      after,
    );
    assert.ok(after[0] < 0.5);
    assert.ok(after[3] > 0.85);
  });

  test('work that others do of the type evaporates too, so that busy types try a degraded agent sooner', () => {
    const trails = new Trails();
    let at = observe(trails, 500, { agent: 'a' });
    at = observe(trails, 8, { agent: 'a', ok: false }, at);
    const before = trails.success('BUILD', 'a', at);
    for (let n = 0; n < 1_000; n++) trails.observe({ at, type: 'BUILD', agent: 'b', ok: true, logRatio: 0 });
    assert.ok(trails.success('BUILD', 'a', at) > before + 0.3);
  });

  test('an agent never seen on a type is expected to be as it is elsewhere, and as others are on the type', () => {
    const trails = new Trails();
    let at = 0;
    for (const agent of ['a', 'b', 'c']) {
      at = observe(trails, 30, { agent, type: 'BUILD' }, at);
      at = observe(trails, 30, { agent, type: 'TEST', logRatio: Math.log(2) }, at);
    }
    at = observe(trails, 30, { agent: 'slow', type: 'BUILD', logRatio: Math.log(3) }, at);
    const newcomer = trails.factor('TEST', 'new', at);
    assert.ok(newcomer > 1.3 && newcomer < 2.5);
    assert.ok(trails.factor('TEST', 'slow', at) > 1.7 * newcomer);
    observe(trails, 30, { agent: 'broken', type: 'BUILD', ok: false }, at);
    assert.ok(trails.success('TEST', 'broken', at) < 0.5);
  });

  test('a declared speed is believed until there is evidence against it', () => {
    const trails = new Trails();
    trails.declare('a', (type) => (type === 'BUILD' ? 4 : null));
    assert.ok(Math.abs(trails.factor('BUILD', 'a', 0) - 0.25) < 1e-9);
    assert.equal(trails.factor('TEST', 'a', 0), 1);
    const at = observe(trails, 60, { agent: 'a' });
    assert.ok(trails.factor('BUILD', 'a', at) > 0.85);
    trails.declare('b', () => Number.NaN);
    trails.declare('c', () => 0);
    assert.ok(Math.abs(trails.factor('DEPLOY', 'b', at) - trails.factor('DEPLOY', 'c', at)) < 1e-9);
  });

  test('draws differ where little is known, and agree where much is', () => {
    const trails = new Trails();
    const at = observe(trails, 300, { agent: 'known' });
    const random = seededRandom(7);
    const spread = (agent: string): number => {
      const draws = Array.from({ length: 300 }, () => trails.sample('BUILD', agent, at, random));
      const logs = draws.map((draw) => Math.log(draw.factor));
      const mean = logs.reduce((sum, log) => sum + log, 0) / logs.length;
      assert.ok(draws.every(({ success }) => success > 0 && success < 1));
      return Math.sqrt(logs.reduce((sum, log) => sum + (log - mean) ** 2, 0) / logs.length);
    };
    assert.ok(spread('new') > 3 * spread('known'));
  });

  test('the same outcomes and the same chance give the same answers, through a snapshot too', () => {
    const trails = new Trails();
    const random = seededRandom(3);
    for (let n = 0; n < 2_000; n++) {
      trails.observe({
        at: n * 1_000,
        type: `type-${Math.floor(random() * 5)}`,
        agent: `agent-${Math.floor(random() * 9)}`,
        ok: random() < 0.8,
        logRatio: random() - 0.5,
      });
    }
    const again = new Trails();
    again.restore(JSON.parse(JSON.stringify(trails.snapshot())));
    assert.equal(again.size, trails.size);
    const draws = [trails, again].map((one) => one.sample('type-1', 'agent-2', 2_500_000, seededRandom(1)));
    assert.ok(Math.abs(draws[0].factor - draws[1].factor) < 1e-4);
    assert.ok(Math.abs(draws[0].success - draws[1].success) < 1e-4);
    assert.deepEqual(again.list({ limit: 100 }, 2_000_000).trails.length, 45);
  });

  test('a snapshot of another form, or a partial one, is no reason to fail', () => {
    const trails = new Trails();
    for (const snapshot of [null, {}, { version: 2 }, { version: 1 }, { version: 1, pairs: [['a', 'BUILD', 1]] }]) {
      observe(trails, 3, { agent: 'a' });
      trails.restore(snapshot as Parameters<Trails['restore']>[0]);
      assert.equal(trails.size, 0);
      assert.equal(trails.factor('BUILD', 'a', 0), 1);
    }
  });

  test('the pair used longest ago goes when there are too many, of the agent or of all', () => {
    const settings = { ...defaultsOf(TRAIL_SETTINGS), max_pairs: 6, max_types_of_agent: 3 };
    const trails = new Trails(settings);
    for (let n = 0; n < 5; n++) observe(trails, 1, { agent: 'a', type: `type-${n}` }, n * 1_000);
    assert.deepEqual(
      trails.list({ limit: 10 }, 5_000).trails.map((trail) => trail.type),
      ['type-2', 'type-3', 'type-4'],
    );
    for (let n = 0; n < 5; n++) observe(trails, 1, { agent: `b${n}` }, 10_000 + n * 1_000);
    assert.deepEqual(
      trails.list({ limit: 10 }, 20_000).trails.map((trail) => trail.agent),
      ['a', 'b0', 'b1', 'b2', 'b3', 'b4'],
    );
  });

  test('people see pages in order, of a type or of an agent', () => {
    const trails = new Trails();
    for (let n = 0; n < 30; n++) observe(trails, 1, { agent: `a${n % 10}`, type: `type-${n % 3}` });
    const seen: string[] = [];
    for (let after: string | undefined, pages = 0; pages < 10; pages++) {
      const { trails: page, next } = trails.list({ limit: 7, ...(after === undefined ? {} : { after }) }, 2_000);
      seen.push(...page.map((trail) => `${trail.agent} ${trail.type}`));
      if (next === null) break;
      after = next;
    }
    assert.equal(seen.length, 30);
    assert.deepEqual(seen.toSorted(), seen);
    assert.equal(trails.list({ type: 'type-1', limit: 100 }, 0).trails.length, 10);
    assert.equal(trails.list({ agent: 'a3', limit: 100 }, 0).trails.length, 3);
  });

  test('a reset forgets what was asked and nothing else', () => {
    const trails = new Trails();
    for (const agent of ['a', 'b'])
      for (const type of ['x', 'y']) observe(trails, 20, { agent, type, logRatio: Math.log(3) });
    assert.equal(trails.reset({ agent: 'a', type: 'x' }), 1);
    assert.equal(trails.reset({ agent: 'a' }), 1);
    assert.equal(trails.reset({ type: 'y' }), 1);
    assert.deepEqual(
      trails.list({ limit: 9 }, 0).trails.map(({ agent, type }) => [agent, type]),
      [['b', 'x']],
    );
    assert.equal(trails.reset(), 1);
    assert.equal(trails.factor('x', 'b', 20_000), 1);
  });

  test('whatever is observed, in whatever order of time, the answers are numbers within their bounds', () => {
    const outcome = fc.record({
      at: fc.integer({ min: -1e6, max: 2e12 }),
      type: fc.constantFrom('x', 'y', '', 'constructor'),
      agent: fc.constantFrom('a', 'b', '__proto__'),
      ok: fc.boolean(),
      logRatio: fc.oneof(fc.constant(null), fc.double()),
    });
    fc.assert(
      fc.property(fc.array(outcome, { maxLength: 60 }), fc.integer({ min: -1e6, max: 2e12 }), (outcomes, now) => {
        const trails = new Trails({ ...defaultsOf(TRAIL_SETTINGS), max_pairs: 3, max_types_of_agent: 1 });
        for (const one of outcomes) trails.observe(one);
        for (const { type, agent } of outcomes) {
          const factor = trails.factor(type, agent, now);
          const success = trails.success(type, agent, now);
          assert.ok(factor > 0 && Number.isFinite(factor));
          assert.ok(success > 0 && success < 1);
        }
        assert.ok(trails.size <= 3);
      }),
      { numRuns: 200 },
    );
  });
});
