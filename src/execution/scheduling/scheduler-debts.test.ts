import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { PLAIN_ESTIMATES } from './estimates.ts';
import { policyOf, type Policy } from './policy.ts';
import { schedulerAgent } from './sample-agent.testing.ts';
import { readyTicket } from './sample-ticket.testing.ts';
import { Scheduler } from './scheduler.ts';

const adaptive = policyOf('adaptive');
const NOW = 1_000;
const soon = { ms: 10_000, deadline: NOW + 60_000 };
const make = (policy: Policy): Scheduler =>
  new Scheduler({ policy, estimates: PLAIN_ESTIMATES, random: () => 0.5, tierOf: () => 'bronze' });

describe('Scheduler, debts', () => {
  it('keeps the debts over a restart: what runs then is charged again when it is told', () => {
    const scheduler = make(adaptive);
    const { spec } = readyTicket({ ...soon });
    scheduler.began({ plan: 1, n: 0, instance: 'a', spec, agent: 'x', at: 0 });
    scheduler.ended(1, 0, 'x', 30_000);
    scheduler.began({ plan: 2, n: 0, instance: 'a', spec, agent: 'x', at: 0 });
    scheduler.began({ plan: 3, n: 0, instance: 'b', spec, agent: 'x', at: 0 });
    assert.deepEqual(scheduler.debts(), { a: 30_000 });
    const after = make(adaptive);
    after.restoreDebts({ ...JSON.parse(JSON.stringify(scheduler.debts())), b: -5, c: 'x' });
    after.began({ plan: 3, n: 0, instance: 'b', spec, agent: 'x', at: 0 });
    assert.deepEqual(after.debts(), { a: 30_000 });
  });

  it('has an end that is taken back leave no trace', () => {
    const scheduler = make(adaptive);
    const run = { plan: 1, n: 0, instance: 'a', spec: readyTicket({ ...soon }).spec, agent: 'x', at: 0 };
    scheduler.began(run);
    for (let n = 0; n < 3; n++) {
      scheduler.ended(1, 0, 'x', 30_000);
      scheduler.resumed(run, 30_000);
    }
    assert.deepEqual(scheduler.debts(), {});
    scheduler.ended(1, 0, 'x', 40_000);
    scheduler.resumed({ ...run, plan: 2 }, 0);
    assert.deepEqual(scheduler.debts(), { a: 40_000 });
  });

  it('counts debts of before, and what was used elsewhere, in whatever order the companies come back', () => {
    for (const owe of ['restoreDebts', 'charge'] as const)
      for (const companies of [
        ['owes', 'owes', 'even', 'even'],
        ['even', 'even', 'owes', 'owes'],
      ]) {
        const scheduler = make(policyOf('fairness'));
        if (owe === 'charge') scheduler.charge('owes', 15_000);
        else scheduler.restoreDebts({ owes: 15_000 });
        const agent = schedulerAgent({ concurrency: 100 });
        scheduler.setAgent(agent);
        for (const [plan, instance] of companies.entries())
          scheduler.add(readyTicket({ plan, instance, ...soon }), NOW);
        const given = scheduler.schedule([agent], NOW, 100).map(({ ticket: { instance } }) => instance);
        assert.deepEqual(given, ['even', 'even', 'owes', 'owes'], `${owe} ${companies.join(' ')}`);
      }
  });
});
