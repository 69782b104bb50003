import assert from 'node:assert/strict';
import { test } from 'node:test';
import { rule, Run } from '../flow/decided-plan.testing.ts';
import type { LivePlan } from '../flow/live-plan.ts';
import { schedulerAgent } from '../scheduling/sample-agent.testing.ts';
import { readyTicket } from '../scheduling/sample-ticket.testing.ts';
import { readSchedulingConfig } from './scheduling-config.ts';
import { Swarm } from './swarm.ts';
import { whyTicket } from './why-ticket.ts';

test('a ticket starts when the share of its company has done what goes before it, whatever others have put in front', () => {
  const swarm = new Swarm({
    config: readSchedulingConfig({}, {}),
    random: () => 0.5,
    tierOf: () => 'gold',
    onBusy: () => {},
  });
  const startMs = (plan: number): number | null => {
    const { state } = new Run([rule()]);
    const { spec } = readyTicket({ ms: 10_000 });
    const live = {
      key: plan,
      plan_id: 'p',
      instance: 'acme',
      created_at: 0,
      state,
      specs: [spec],
    } as unknown as LivePlan;
    const { forecast_start } = whyTicket(swarm, live, 0, { now: 0, starts: true });
    return forecast_start === null ? null : forecast_start.p50;
  };
  for (const plan of [1, 2, 3]) swarm.add(readyTicket({ plan, ms: 10_000, deadline: 1e6 + plan, rank: -plan }), 0);
  assert.equal(startMs(3), null, 'nobody can do it');
  const agent = schedulerAgent({ key: '~/a', concurrency: 4, free: 0 });
  swarm.setAgent(agent, agent.key);
  const alone = startMs(3)!;
  assert.ok(alone > 0);
  for (let plan = 10; plan < 1_000; plan++)
    swarm.add(readyTicket({ plan, instance: 'other', ms: 10_000, deadline: 1e5 }), 0);
  const beside = startMs(3)!;
  assert.ok(Math.abs(beside - 2 * alone) <= 1 + 1e-3 * beside, `${alone} ms alone, ${beside} ms on half of the slots`);
  const { spec } = readyTicket({ ms: 10_000 });
  for (let n = 0; n < 4; n++) swarm.began({ plan: 2_000, n, instance: 'other', spec, agent: agent.key, at: 0 });
  assert.ok(startMs(1)! > 0, 'the first waits for an agent all the same');
});
