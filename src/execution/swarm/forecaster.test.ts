import assert from 'node:assert/strict';
import { test } from 'node:test';
import { rule, Run } from '../flow/decided-plan.testing.ts';
import type { LivePlan } from '../flow/live-plan.ts';
import { schedulerAgent } from '../scheduling/sample-agent.testing.ts';
import { readyTicket } from '../scheduling/sample-ticket.testing.ts';
import { Forecaster } from './forecaster.ts';
import { readSchedulingConfig } from './scheduling-config.ts';
import { Swarm } from './swarm.ts';

test('a plan ends no sooner than that one of its tickets which the fewest can do, though it differs from the others by its region only', () => {
  const swarm = new Swarm({
    config: readSchedulingConfig({}, {}),
    random: () => 0.5,
    tierOf: () => 'gold',
    onBusy: () => {},
  });
  const forecaster = new Forecaster({ swarm, now: () => 0, plansOf: () => [] });
  const agent = schedulerAgent({ key: '~/a', concurrency: 4 });
  swarm.setAgent(agent, agent.key);
  const finish = (...metadata: Record<string, string>[]): number => {
    const { state } = new Run(metadata.map(() => rule()));
    const specs = metadata.map((one) => readyTicket({ ms: 1_000, metadata: one }).spec);
    const plan = { key: 1, plan_id: 'p', instance: 'acme', created_at: 0, state, specs } as unknown as LivePlan;
    return forecaster.outlook(plan, 0).forecast.finishMs;
  };
  assert.ok(finish({}, {}) < Infinity);
  assert.equal(finish({}, { region: 'moon' }), Infinity);
  assert.equal(finish({ region: 'moon' }, {}), Infinity);
});
