import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { policyOf } from '../policy.ts';
import { learningScheduler } from './compare-policies.ts';
import type { SimulationResult } from './result.ts';
import { type SimulatedAgent, simulatedAgent, type SimulatedPlan, simulatedSpec } from './scenario.ts';
import { seededRandom } from './seeded-random.ts';
import { simulate, type SimulationOptions } from './simulate.ts';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;

/** Single tasks of ten seconds, one every `gapMs`. */
const stream = (count: number, gapMs: number, more: Partial<SimulatedPlan> = {}): SimulatedPlan[] =>
  Array.from({ length: count }, (_, i) => ({
    name: `plan-${i}`,
    instance: 'acme',
    tier: 'silver',
    arrivesAt: i * gapMs,
    deadlineAt: i * gapMs + 10 * MINUTE,
    tasks: [
      {
        spec: simulatedSpec('t', { estimated_duration_ms: 10 * SECOND, max_retries: 5 }),
        deps: [],
        durationMs: 10 * SECOND,
      },
    ],
    ...more,
  }));

const honest = (count: number): SimulatedAgent[] =>
  Array.from({ length: count }, (_, i) => simulatedAgent(`honest-${i}`, ['t']));

function run(
  fleet: readonly SimulatedAgent[],
  plans: readonly SimulatedPlan[],
  more: Partial<SimulationOptions> = {},
): SimulationResult {
  const { dispatcher, knowledge } = learningScheduler(policyOf('adaptive'), seededRandom(7), () => 'silver');
  const result = simulate({
    fleet,
    plans,
    dispatcher,
    estimates: knowledge,
    random: seededRandom(1),
    observe: (outcome) => knowledge.observe(outcome),
    ...more,
  });
  assert.equal(result.plans.length, plans.length);
  return result;
}

const late = ({ plans }: SimulationResult): number =>
  plans.filter(({ endedAt, failed, deadlineAt }) => endedAt === null || failed || endedAt > deadlineAt).length;

/** Attempts that agents whose name begins so were given. */
const given = ({ attemptsOf }: SimulationResult, prefix: string): number =>
  Object.entries(attemptsOf).reduce((sum, [key, n]) => sum + (key.startsWith(prefix) ? n : 0), 0);

describe('faults', () => {
  test('a clock that steps an hour forth and back loses nothing, and nothing waits for the clock to catch up', () => {
    const clock = (at: number): number =>
      1.7e12 + at + (at > 5 * MINUTE && at < 10 * MINUTE ? 60 * MINUTE : 0) - (at > 15 * MINUTE ? 60 * MINUTE : 0);
    const result = run(honest(4), stream(600, 3 * SECOND), { clock });
    assert.equal(result.stuck, 0);
    assert.equal(late(result), 0);
    assert.equal(result.attempts, 600);
  });

  test('an agent that says it does a hundred at once and does one gets no more than it carries', () => {
    const liar = simulatedAgent('liar', ['t'], { concurrency: 100, slots: 1 });
    const result = run([...honest(4), liar], stream(800, 2.5 * SECOND));
    const fair = 800 / 5;
    assert.equal(result.stuck, 0);
    assert.ok(given(result, 'liar') < 2 * fair, `it got ${given(result, 'liar')}; a fair part is ${fair}`);
    assert.ok(late(result) < 80, `${late(result)} of 800 were late`);
  });

  test('an agent that is closed and open every second keeps what it runs, and the others go on', () => {
    const turns = Array.from({ length: 2_000 }, (_, i) => ({ at: i * SECOND, open: i % 2 === 1 }));
    const result = run([...honest(2), simulatedAgent('flaps', ['t'], { turns })], stream(500, 4 * SECOND));
    assert.equal(result.stuck, 0);
    assert.equal(result.attempts, 500, 'nothing ran twice');
    assert.equal(late(result), 0);
  });

  test('a thousand agents that join at once all work, and no ticket waits for another that was there before', () => {
    const joining = Array.from({ length: 1_000 }, (_, i) => simulatedAgent(`new-${i}`, ['t'], { from: MINUTE }));
    const result = run([...honest(1), ...joining], stream(1_000, 0));
    assert.equal(result.stuck, 0);
    const last = Math.max(...result.plans.map(({ endedAt }) => endedAt!));
    assert.ok(last < MINUTE + 21 * SECOND, `the last ended at ${last} ms`);
    assert.ok(Object.keys(result.attemptsOf).length > 900);
  });

  test('an agent that takes leases and never answers costs few attempts, and every ticket gets done elsewhere', () => {
    const silent = simulatedAgent('silent', ['t'], { silent: true, concurrency: 10 });
    const result = run([...honest(4), silent], stream(1_000, 3 * SECOND), { leaseMs: 30 * SECOND });
    assert.equal(result.stuck, 0);
    assert.equal(result.plans.filter((plan) => plan.failed).length, 0);
    assert.ok(given(result, 'silent') < 100, `it got ${given(result, 'silent')} of 1,000`);
  });

  test('an agent that fails fast attracts no work by being fast', () => {
    const failing = simulatedAgent('failing', ['t'], { fails: 1, failsAfter: 0.001, factor: () => 0.1 });
    const result = run([...honest(4), failing], stream(1_000, 3 * SECOND));
    assert.equal(result.stuck, 0);
    assert.ok(late(result) <= 5, `${late(result)} of 1,000 were late or failed`);
    assert.ok(given(result, 'failing') < 100, `it got ${given(result, 'failing')} attempts of 1,000 tickets`);
  });

  test('when all agents go, what they ran waits, and is done when they are back', () => {
    const fleet = [
      ...Array.from({ length: 4 }, (_, i) => simulatedAgent(`before-${i}`, ['t'], { until: MINUTE })),
      ...Array.from({ length: 4 }, (_, i) => simulatedAgent(`after-${i}`, ['t'], { from: 20 * MINUTE })),
    ];
    const result = run(fleet, stream(100, SECOND));
    assert.equal(result.stuck, 0);
    assert.equal(result.plans.filter((plan) => plan.failed).length, 0);
    for (const { from } of result.services) assert.ok(from < MINUTE || from >= 20 * MINUTE);
    const first = Math.min(...result.services.filter(({ from }) => from >= MINUTE).map(({ from }) => from));
    assert.equal(first, 20 * MINUTE, 'they are given work as soon as they are there');
  });

  test('a company whose deadlines are all past takes no more than its part from the others', () => {
    const mean = stream(600, 2 * SECOND, { instance: 'hasty' }).map((plan) => ({
      ...plan,
      deadlineAt: plan.arrivesAt,
    }));
    const calm = stream(150, 8 * SECOND);
    const result = run(honest(4), [...mean, ...calm]);
    const lateOfCalm = result.plans.filter(
      ({ instance, endedAt, deadlineAt }) => instance === 'acme' && endedAt! > deadlineAt,
    );
    assert.equal(lateOfCalm.length, 0);
  });
});
