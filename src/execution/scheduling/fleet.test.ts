import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { PLAIN_ESTIMATES } from './estimates.ts';
import { policyOf } from './policy.ts';
import { schedulerAgent } from './sample-agent.testing.ts';
import { readyTicket } from './sample-ticket.testing.ts';
import { Scheduler } from './scheduler.ts';
import type { SchedulerAgent } from './scheduler-agent.ts';

const CLASSES = 16;
const TICKETS = 4_000;

/** Looks at what agents can do, when so many come at once and then ask for work while tickets of 16 classes wait. */
function looks(agents: number): { atThem: number; given: number } {
  const scheduler = new Scheduler({
    policy: policyOf('adaptive'),
    estimates: PLAIN_ESTIMATES,
    random: () => 0.5,
    tierOf: () => 'bronze',
  });
  for (let plan = 0; plan < TICKETS; plan++) {
    const needs = [`class-${plan % CLASSES}`];
    scheduler.add(readyTicket({ plan, needs, ms: 60_000, deadline: 3_600_000 }), 0);
  }
  let atThem = 0;
  const all = Array.from({ length: agents }, (_, n): SchedulerAgent => {
    const agent = schedulerAgent({ key: `$system/agent-${n}`, concurrency: 1 });
    const capabilities = new Set(Array.from({ length: CLASSES }, (__, of) => `class-${of}`));
    capabilities.has = (name) => (atThem++, Set.prototype.has.call(capabilities, name));
    return { ...agent, capabilities, free: 1 };
  });
  for (const agent of all) scheduler.setAgent(agent);
  const given = scheduler.schedule(all, 0, 10_000).length;
  return { atThem, given };
}

describe('a fleet that comes at once', () => {
  it('is looked at once by each class that waits, whatever their number and that of the tickets', () => {
    for (const agents of [250, 500, 1_000]) {
      const { atThem, given } = looks(agents);
      assert.equal(given, agents);
      assert.equal(atThem, agents * CLASSES);
    }
  });
});
