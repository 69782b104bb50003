import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { PLAIN_ESTIMATES } from '../estimates.ts';
import { policyOf } from '../policy.ts';
import { Scheduler } from '../scheduler.ts';
import { jainIndex, waterFill } from './fair-share.ts';
import { reportOf } from './report.ts';
import type { SimulationResult } from './result.ts';
import { type SimulatedAgent, simulatedAgent, type SimulatedPlan, simulatedSpec } from './scenario.ts';
import { seededRandom } from './seeded-random.ts';
import { simulate, type SimulationOptions } from './simulate.ts';

const scheduler = (): Scheduler =>
  new Scheduler({
    policy: policyOf('adaptive'),
    estimates: PLAIN_ESTIMATES,
    random: seededRandom(1),
    tierOf: () => 'silver',
  });

const planOf = (
  durations: readonly number[],
  deps: readonly (readonly number[])[],
  more: Partial<SimulatedPlan> = {},
) => ({
  name: 'p',
  instance: 'acme',
  tier: 'silver',
  arrivesAt: 0,
  deadlineAt: 3_600_000,
  tasks: durations.map((durationMs, n) => ({
    spec: simulatedSpec('t', { max_retries: 2 }),
    deps: deps[n] ?? [],
    durationMs,
  })),
  ...more,
});

const run = (
  fleet: readonly SimulatedAgent[],
  plans: readonly SimulatedPlan[],
  more: Partial<SimulationOptions> = {},
): SimulationResult =>
  simulate({ fleet, plans, dispatcher: scheduler(), estimates: PLAIN_ESTIMATES, random: seededRandom(3), ...more });

describe('a simulation', () => {
  test('takes the time of a chain one after the other, and that of a fan on as many agents as there are', () => {
    const one = [simulatedAgent('a', ['t'])];
    assert.equal(run(one, [planOf([1_000, 2_000, 3_000], [[], [0], [1]])]).makespanMs, 6_000);
    const three = ['a', 'b', 'c'].map((key) => simulatedAgent(key, ['t']));
    const fan = run(three, [planOf([1_000, 1_000, 1_000], [])]);
    assert.equal(fan.makespanMs, 1_000);
    assert.equal(fan.utilisation, 1);
  });

  test('lets a fast agent take less time, and agents work only while they are there', () => {
    const fast = simulatedAgent('a', ['t'], { factor: () => 0.5, from: 10_000 });
    const result = run([fast], [planOf([1_000], [])]);
    assert.equal(result.plans[0].endedAt, 10_500);
    assert.deepEqual(result.waits, [10_000]);
  });

  test('tries again what failed, and gives a plan up when its attempts are used up', () => {
    const attempts = run([simulatedAgent('a', ['t'], { fails: 1 })], [planOf([1_000], [])]);
    assert.equal(attempts.attempts, 3);
    assert.ok(attempts.plans[0].failed);
    assert.equal(reportOf(attempts, { slots: 1, weightOf: () => 1 }).missed, 1);
  });

  test('gives what a leaving agent ran to another, and counts no attempt of the ticket', () => {
    const fleet = [simulatedAgent('a', ['t'], { until: 500 }), simulatedAgent('b', ['t'], { from: 700 })];
    const result = run(fleet, [planOf([1_000], [])]);
    assert.equal(result.plans[0].endedAt, 1_700);
    assert.deepEqual(result.attemptsOf, { a: 1, b: 1 });
  });

  test('says which plans no agent could do, and ends', () => {
    const result = run([simulatedAgent('a', ['other'])], [planOf([1_000], [])]);
    assert.equal(result.stuck, 1);
  });

  test('runs every ticket once, after what it waits for, on no more slots than there are; twice the same', () => {
    const task = fc.record({ ms: fc.integer({ min: 0, max: 5_000 }), deps: fc.array(fc.nat(30), { maxLength: 3 }) });
    const tasks = fc.array(task, { minLength: 1, maxLength: 30 });
    fc.assert(
      fc.property(tasks, fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 4 }), (list, agents) => {
        const deps = list.map(({ deps: given }, n) => (n === 0 ? [] : [...new Set(given.map((dep) => dep % n))]));
        const plan = planOf(
          list.map(({ ms }) => ms),
          deps,
        );
        const fleet = agents.map((concurrency, i) =>
          simulatedAgent(`a${i}`, ['t'], { concurrency, factor: () => 1 + i }),
        );
        const result = run(fleet, [plan]);
        assert.equal(result.attempts, list.length);
        assert.equal(result.stuck, 0);
        const slots = agents.reduce((sum, one) => sum + one, 0);
        for (const { from } of result.services) {
          const at = result.services.filter((one) => one.from <= from && one.to > from);
          assert.ok(at.length <= slots);
        }
        assert.deepEqual(run(fleet, [plan]), result);
      }),
      { numRuns: 60 },
    );
  });
});

describe('fair shares', () => {
  test('give everybody what he demands when there is enough, else by weight', () => {
    assert.deepEqual(waterFill(10, [1, 2, 3], [1, 1, 1]), [1, 2, 3]);
    assert.deepEqual(waterFill(13, [100, 100, 1], [2, 1, 1]), [8, 4, 1]);
  });

  test('never give more than there is, than is demanded, or to one company at the cost of a heavier one', () => {
    const company = fc.record({ demand: fc.integer({ min: 0, max: 100 }), weight: fc.integer({ min: 1, max: 8 }) });
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 300 }),
        fc.array(company, { minLength: 1, maxLength: 8 }),
        (capacity, all) => {
          const demands = all.map(({ demand }) => demand);
          const weights = all.map(({ weight }) => weight);
          const shares = waterFill(capacity, demands, weights);
          const sum = shares.reduce((total, one) => total + one, 0);
          const wanted = demands.reduce((total, one) => total + one, 0);
          assert.ok(Math.abs(sum - Math.min(capacity, wanted)) < 1e-6);
          shares.forEach((share, i) => {
            assert.ok(share <= demands[i] + 1e-9);
            if (share < demands[i] - 1e-6)
              shares.forEach((other, j) => assert.ok(other / weights[j] <= share / weights[i] + 1e-6));
          });
        },
      ),
    );
  });

  test('have an index of 1 when all alike, and of 1/n when one has all', () => {
    assert.equal(jainIndex([3, 3, 3]), 1);
    assert.equal(jainIndex([5, 0, 0, 0, 0]), 0.2);
  });

  test('are measured in a simulation: who is passed over lowers the index', () => {
    const company = (instance: string) => planOf([60_000, 60_000], [], { instance });
    const fleet = ['a', 'b', 'c', 'd'].map((key) => simulatedAgent(key, ['t']));
    const result = run(fleet, [company('x'), company('y')]);
    const whole = reportOf(result, { slots: 4, weightOf: () => 1 });
    assert.ok(whole.jain > 0.99, `${whole.jain}`);
    const onlyX = { ...result, services: result.services.filter(({ instance }) => instance === 'x') };
    const unfair = {
      ...onlyX,
      services: [...onlyX.services, { instance: 'y', readyAt: 0, from: 59_000, to: 60_000 }],
    };
    assert.ok(reportOf(unfair, { slots: 4, weightOf: () => 1 }).jain < 0.8);
  });
});
