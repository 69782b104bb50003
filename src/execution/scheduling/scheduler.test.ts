import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { PLAIN_ESTIMATES, type Estimates } from './estimates.ts';
import { policyOf, type Policy } from './policy.ts';
import type { ReadyTicket } from './ready-ticket.ts';
import { schedulerAgent } from './sample-agent.testing.ts';
import { readyTicket } from './sample-ticket.testing.ts';
import type { SchedulerAgent } from './scheduler-agent.ts';
import { Scheduler, type SchedulerOptions } from './scheduler.ts';

type More = Partial<SchedulerOptions> & { factors?: Record<string, number>; success?: Record<string, number> };

function make(policy: Policy, { factors = {}, success = {}, ...more }: More = {}): Scheduler {
  const estimates: Estimates = {
    ...PLAIN_ESTIMATES,
    upper: (spec, _instance, _agent, p) => spec.estimated_duration_ms! * (p > 0.5 ? 3 : 1),
    factor: (_type, agent) => factors[agent] ?? 1,
    success: (_type, agent) => success[agent] ?? 0.95,
  };
  return new Scheduler({ policy, estimates, random: () => 0.5, tierOf: () => 'bronze', ...more });
}

const adaptive = policyOf('adaptive');
const NOW = 1_000;

/** Which plans the agents get, one after the other. */
function order(scheduler: Scheduler, tickets: readonly ReadyTicket[], now = NOW): number[] {
  for (const ticket of tickets) scheduler.add(ticket, now);
  const agent = schedulerAgent({ concurrency: 100 });
  return scheduler.schedule([agent], now, 100).map(({ ticket }) => ticket.plan);
}

const given = (scheduler: Scheduler, agents: readonly SchedulerAgent[], now = NOW): string[] =>
  scheduler.schedule(agents, now, 100).map(({ ticket, agent }) => `${ticket.plan}>${agent}`);

const soon = { ms: 10_000, deadline: NOW + 60_000 };

describe('Scheduler, order', () => {
  it('takes the earliest deadline, then the longest way to go, then who came first', () => {
    const tickets = [
      readyTicket({ plan: 1, ...soon, rank: 5 }),
      readyTicket({ plan: 2, ...soon, deadline: NOW + 50_000 }),
      readyTicket({ plan: 3, ...soon, rank: 9 }),
      readyTicket({ plan: 4, ...soon, rank: 5 }),
    ];
    assert.deepEqual(order(make(adaptive), tickets), [2, 3, 1, 4]);
  });

  it('puts what cannot meet its deadline behind what can, also when that comes to be while it waits', () => {
    const doomed = readyTicket({ plan: 1, ms: 10_000, deadline: NOW + 9_000 });
    assert.deepEqual(order(make(adaptive), [doomed, readyTicket({ plan: 2, ...soon })]), [2, 1]);
    const scheduler = make(adaptive);
    scheduler.add(doomed, 0);
    scheduler.add(readyTicket({ plan: 3, ...soon }), 0);
    assert.deepEqual(order(scheduler, []), [3, 1]);
  });

  it('goes on with a plan that can still be in time although its ticket is late, behind tickets that are not', () => {
    const inTime = { planDeadline: NOW + 90_000, rank: 50_000 };
    const tickets = [
      readyTicket({ plan: 1, ms: 10_000, deadline: NOW + 60_000, planDeadline: NOW + 80_000, rank: 85_000 }),
      readyTicket({ plan: 2, ms: 10_000, deadline: NOW - 5_000, ...inTime }),
      readyTicket({ plan: 3, ms: 10_000, deadline: NOW + 70_000, ...inTime }),
    ];
    assert.deepEqual(order(make(adaptive), tickets), [3, 2, 1]);
    const scheduler = make(adaptive);
    scheduler.add(readyTicket({ plan: 4, ms: 10_000, deadline: NOW + 10_000, ...inTime }), NOW);
    scheduler.add(readyTicket({ plan: 5, ms: 10_000, deadline: NOW + 70_000, ...inTime }), NOW);
    assert.deepEqual(order(scheduler, [], NOW + 1), [5, 4]);
  });

  it('gives aged tickets their turn although others go first', () => {
    const scheduler = make({ ...adaptive, agingShare: 1, agingMs: 5_000 });
    const late = NOW + 1_000_000;
    const tickets = [
      readyTicket({ plan: 1, ms: 10_000, deadline: late + 60_000, readyAt: late }),
      readyTicket({ plan: 2, ms: 10_000, deadline: NOW, readyAt: NOW }),
    ];
    assert.deepEqual(order(scheduler, tickets, late), [2, 1]);
    assert.deepEqual(order(make({ ...adaptive, agingShare: 0 }), tickets, late), [1, 2]);
  });

  it('lets a company that was idle start where the others are: no credit, but its debt stays', () => {
    const scheduler = make(policyOf('fairness'));
    const agent = schedulerAgent({ concurrency: 100 });
    scheduler.setAgent(agent);
    const ticket = (plan: number, instance: string): ReadyTicket => readyTicket({ plan, instance, ...soon });
    for (const plan of [1, 2]) scheduler.add(ticket(plan, 'busy'), NOW);
    scheduler.charge('indebted', 900_000);
    scheduler.charge('busy', 500_000);
    for (const plan of [3, 4, 5]) scheduler.add(ticket(plan, 'fresh'), NOW);
    scheduler.add(ticket(6, 'indebted'), NOW);
    assert.deepEqual(
      scheduler.schedule([agent], NOW, 100).map(({ ticket: { plan } }) => plan),
      [1, 3, 2, 4, 5, 6],
    );
  });

  it('charges half of a ticket when it begins, and all that it took when it ends', () => {
    const scheduler = make(policyOf('fairness'));
    for (const plan of [1, 2, 3]) scheduler.add(readyTicket({ plan, instance: 'a', ...soon }), NOW);
    for (const plan of [4, 5]) scheduler.add(readyTicket({ plan, instance: 'b', ...soon }), NOW);
    const agent = schedulerAgent({ concurrency: 100 });
    const next = (): number => scheduler.schedule([agent], NOW, 1)[0].ticket.plan;
    assert.deepEqual([next(), next()], [1, 4]);
    scheduler.ended(4, 0, agent.key, NOW + 7_000);
    assert.equal(next(), 2, 'a with 5 s goes before b with 7 s');
    scheduler.ended(1, 0, agent.key, NOW + 7_000);
    assert.equal(next(), 5, 'b with 7 s before a with 12 s');
  });

  it('by turns: every company one, each first come first served', () => {
    const tickets = [1, 2, 3, 4].map((plan) =>
      readyTicket({ plan, instance: plan < 4 ? 'a' : 'b', deadline: 100 - plan, readyAt: plan }),
    );
    assert.deepEqual(order(make(policyOf('round-robin')), tickets), [1, 4, 2, 3]);
  });

  it('critical first: by the reference score, whoever asks', () => {
    const tickets = [
      readyTicket({ plan: 1, ...soon }),
      readyTicket({ plan: 2, ...soon, instance: 'b', risk: 'critical' }),
      readyTicket({ plan: 3, ...soon, instance: 'b', risk: 'high' }),
    ];
    assert.deepEqual(order(make(policyOf('critical-first')), tickets), [2, 3, 1]);
  });

  it('changes its policy between two cycles and keeps what waits', () => {
    const scheduler = make(policyOf('critical-first'));
    scheduler.add(readyTicket({ plan: 1, ...soon, risk: 'critical' }), NOW);
    scheduler.add(readyTicket({ plan: 2, ...soon, deadline: NOW + 20_000 }), NOW);
    scheduler.policy = adaptive;
    assert.deepEqual(order(scheduler, []), [2, 1]);
  });

  it('puts critical work of a company first and its best effort last while its budget burns', () => {
    const lenient = { ...adaptive, lagSeconds: 3_000 };
    let mode: 'normal' | 'critical' = 'normal';
    const tickets = [
      readyTicket({ plan: 1, ...soon, deadline: NOW + 20_000, risk: 'low', priority: 'LOW' }),
      readyTicket({ plan: 2, ...soon, deadline: NOW + 30_000 }),
      readyTicket({ plan: 3, ...soon, deadline: NOW + 40_000, risk: 'critical' }),
      readyTicket({ plan: 4, ...soon, deadline: NOW + 50_000, instance: 'other' }),
    ];
    assert.deepEqual(order(make(lenient, { modeOf: () => mode }), tickets), [1, 2, 3, 4]);
    mode = 'critical';
    const burning = make(lenient, { modeOf: (instance) => (instance === 'acme' ? mode : 'normal') });
    assert.deepEqual(order(burning, tickets), [3, 2, 4, 1]);
  });

  it('lets a company whose budget burns run ahead further', () => {
    const run = (mode: 'normal' | 'tight', policyBefore: Policy | null = null): number[] => {
      const policy = { ...adaptive, lagSeconds: 12.5, tightLagSeconds: 15 };
      const scheduler = make(policyBefore ?? policy, { modeOf: (company) => (company === 'a' ? mode : 'normal') });
      if (policyBefore !== null) {
        order(scheduler, [readyTicket({ plan: 8, ...soon, instance: 'a' })]);
        scheduler.unassign(8, 0, 'a');
        scheduler.remove(8, 0);
        scheduler.policy = policy;
      }
      const mine = [1, 2, 3, 4, 5, 6, 7].map((plan) =>
        readyTicket({ plan, ...soon, instance: 'a', deadline: NOW + 20_000 }),
      );
      return order(scheduler, [...mine, readyTicket({ plan: 9, ...soon, instance: 'b' })]);
    };
    assert.equal(run('normal').indexOf(9), 3);
    assert.equal(run('tight').indexOf(9), 6);
    // Also at once after a policy that allowed less.
    assert.equal(run('tight', { ...adaptive, lagSeconds: 12.5, tightLagSeconds: 0 }).indexOf(9), 6);
  });
});

describe('Scheduler, placement', () => {
  const fast = (more: Partial<SchedulerAgent> = {}): SchedulerAgent => schedulerAgent({ key: 'fast', ...more });
  const slow = (more: Partial<SchedulerAgent> = {}): SchedulerAgent => schedulerAgent({ key: 'slow', ...more });
  const unequal = { factors: { slow: 4 } };

  it('takes the agent that should end it first', () => {
    const scheduler = make(adaptive, unequal);
    scheduler.add(readyTicket({ plan: 1, ...soon }), NOW);
    assert.deepEqual(given(scheduler, [slow(), fast()]), ['1>fast']);
  });

  it('holds a ticket for a busy agent that ends it sooner than a free one, until the wait is too long', () => {
    const scheduler = make(adaptive, unequal);
    const quick = fast();
    scheduler.add(readyTicket({ plan: 1, ...soon }), NOW);
    assert.deepEqual(given(scheduler, [quick]), ['1>fast']);
    quick.free = 0;
    scheduler.add(readyTicket({ plan: 2, ...soon, deadline: NOW + 500_000 }), NOW);
    assert.deepEqual(given(scheduler, [slow()]), []);
    assert.equal(scheduler.size, 1);
    assert.equal(scheduler.why(2, 0, NOW)!.heldFor!.agent, 'fast');
    assert.equal(scheduler.wakeAt, NOW + 160_000);
    scheduler.ended(1, 0, 'fast', NOW + 9_000);
    quick.free = 1;
    assert.deepEqual(given(scheduler, [slow(), quick], NOW + 9_000), ['2>fast']);
  });

  it('gives what was held too long to whoever is free', () => {
    const scheduler = make({ ...adaptive, holdMaxMs: 5_000 }, unequal);
    scheduler.add(readyTicket({ plan: 1, ...soon }), NOW);
    given(scheduler, [fast()]);
    scheduler.add(readyTicket({ plan: 2, ...soon }), NOW);
    assert.deepEqual(given(scheduler, [slow()]), []);
    assert.deepEqual(given(scheduler, [slow()], NOW + 5_000), ['2>slow']);
  });

  it('counts what it holds: the slow agent takes what the busy one would end later', () => {
    const scheduler = make(adaptive, unequal);
    scheduler.add(readyTicket({ plan: 1, ...soon }), NOW);
    given(scheduler, [fast()]);
    for (const plan of [2, 3, 4, 5]) scheduler.add(readyTicket({ plan, ...soon, deadline: NOW + 500_000 + plan }), NOW);
    assert.deepEqual(given(scheduler, [slow()]), ['5>slow']);
  });

  it('does not take a failing agent for a fast one', () => {
    const scheduler = make(adaptive, { factors: { broken: 0.01 }, success: { broken: 0.05 } });
    scheduler.add(readyTicket({ plan: 1, ...soon }), NOW);
    assert.deepEqual(given(scheduler, [schedulerAgent({ key: 'broken' }), fast()]), ['1>fast']);
  });

  it('prefers where the data lies, the region asked for and the cheaper agent, all else being equal', () => {
    const agents = [fast({ region: 'us', labels: { cost_per_hour: '9' } }), slow({ region: 'eu' })];
    const tickets = [
      readyTicket({ plan: 1, ...soon, near: ['slow'] }),
      readyTicket({ plan: 2, ...soon, metadata: { prefer_region: 'eu' } }),
      readyTicket({ plan: 3, ...soon }),
    ];
    for (const ticket of tickets) {
      const scheduler = make(adaptive);
      scheduler.add(ticket, NOW);
      assert.deepEqual(given(scheduler, agents), [`${ticket.plan}>slow`]);
    }
  });

  it('keeps to type, capability, region, security level, company and people who were asked for', () => {
    const may = (ticket: Parameters<typeof readyTicket>[0], agent: Parameters<typeof schedulerAgent>[0]): boolean => {
      const scheduler = make(adaptive);
      scheduler.add(readyTicket(ticket), NOW);
      return given(scheduler, [schedulerAgent(agent)]).length === 1;
    };
    assert.equal(may({}, { types: ['TEST'] }), false);
    assert.equal(may({ customType: 'scan' }, { types: ['scan'] }), true);
    assert.equal(may({ needs: ['gpu'] }, {}), false);
    assert.equal(may({ needs: ['gpu'] }, { has: ['gpu'] }), true);
    assert.equal(may({ metadata: { region: 'eu' } }, { region: 'us' }), false);
    assert.equal(may({ metadata: { region: 'eu' } }, { region: 'eu' }), true);
    assert.equal(may({ security: 'RESTRICTED' }, { labels: { security_level: 'internal' } }), false);
    assert.equal(may({ security: 'INTERNAL' }, { labels: { security_level: 'internal' } }), true);
    assert.equal(may({ security: 'INTERNAL' }, { labels: { security_level: 'nonsense' } }), false);
    assert.equal(may({}, { instance: 'other' }), false);
    assert.equal(may({}, { instance: 'acme' }), true);
    assert.equal(may({}, { kind: 'person' }), false);
    assert.equal(may({ needs: ['approve'] }, { kind: 'person', has: ['approve'] }), true);
    assert.equal(may({}, { open: false }), false);
  });

  it('heeds breakers and adaptive limits', () => {
    const guard: SchedulerOptions['guard'] = (agent) => ({ allows: agent !== 'slow', limit: 2, why: null });
    const scheduler = make(adaptive, { guard });
    for (const plan of [1, 2, 3, 4]) scheduler.add(readyTicket({ plan, ...soon }), NOW);
    assert.deepEqual(given(scheduler, [slow({ concurrency: 9 }), fast({ concurrency: 9 })]), ['1>fast', '2>fast']);
  });

  it('lets agents of last resort work when no other has had room for a time, and the burst pool when it is open', () => {
    let burst = false;
    const scheduler = make(adaptive, { burstOpen: () => burst });
    const agents = [fast({ labels: { last_resort: 'true' } }), slow({ labels: { burst: 'true' } })];
    scheduler.add(readyTicket({ plan: 1, ...soon }), NOW);
    scheduler.add(readyTicket({ plan: 2, ...soon }), NOW);
    assert.deepEqual(given(scheduler, agents, NOW + 29_999), []);
    burst = true;
    assert.deepEqual(given(scheduler, agents, NOW + 29_999), ['1>slow']);
    assert.deepEqual(given(scheduler, [agents[0]], NOW + 100_000), ['2>fast']);
  });

  it('does not let a company at its cap stand in the way of others', () => {
    const scheduler = make({ ...adaptive, caps: { ...adaptive.caps, perCompany: 1 } });
    const tickets = [1, 2, 3].map((plan) => readyTicket({ plan, ...soon, deadline: NOW + 20_000 + plan }));
    assert.deepEqual(order(scheduler, [...tickets, readyTicket({ plan: 4, ...soon, instance: 'b' })]), [1, 4]);
    scheduler.ended(1, 0, 'a', NOW + 1);
    assert.deepEqual(order(scheduler, []), [2]);
  });

  it('counts what runs towards caps: what ended makes room, what was begun elsewhere takes it', () => {
    const scheduler = make({ ...adaptive, caps: { running: 2, perCompany: null, perLabel: {} } });
    const { spec } = readyTicket({ ...soon });
    scheduler.began({ plan: 9, n: 0, instance: 'b', spec, agent: 'gone', at: NOW });
    assert.deepEqual(
      order(
        scheduler,
        [1, 2].map((plan) => readyTicket({ plan, ...soon })),
      ),
      [1],
    );
    scheduler.ended(9, 0, 'gone', NOW + 1);
    assert.deepEqual(order(scheduler, []), [2]);
  });
});

describe('Scheduler, for people', () => {
  it('says why a ticket waits: position, filters, candidates, caps, when an agent is free', () => {
    const scheduler = make({ ...adaptive, caps: { ...adaptive.caps, running: 1 } });
    const agents = [schedulerAgent({ key: 'one' }), schedulerAgent({ key: 'other', types: ['TEST'] })];
    for (const agent of agents) scheduler.setAgent(agent);
    for (const plan of [1, 2, 3]) scheduler.add(readyTicket({ plan, ...soon, deadline: NOW + 60_000 + plan }), NOW);
    given(scheduler, agents);
    const why = scheduler.why(3, 0, NOW)!;
    assert.deepEqual(why.position, { inClass: 2, of: 2, overall: 2 });
    assert.deepEqual(why.ahead, { tickets: 1, byCompany: { acme: 1 }, workMs: 10_000, ownMs: 10_000 });
    assert.deepEqual(
      why.filters.filter(({ removed }) => removed > 0).map(({ filter, removed }) => [filter, removed]),
      [['task-type', 1]],
    );
    assert.deepEqual(
      why.candidates.map(({ agent, busyUntil }) => [agent, busyUntil]),
      [['one', NOW + 10_000]],
    );
    assert.deepEqual(why.caps, [{ name: 'running', limit: 1, running: 1 }]);
    assert.equal(why.freeAt, NOW + 10_000);
    assert.equal(why.company.running, 1);
    assert.equal(why.company.eligible, true);
    assert.equal(scheduler.why(1, 0, NOW), null);
  });

  it('says that nobody can do a ticket', () => {
    const scheduler = make(adaptive);
    scheduler.add(readyTicket({ plan: 1, needs: ['gpu'] }), NOW);
    scheduler.setAgent(schedulerAgent({}));
    const why = scheduler.why(1, 0, NOW)!;
    assert.equal(why.freeAt, null);
    assert.equal(why.filters.find(({ filter }) => filter === 'capability')!.removed, 1);
  });

  it('reckons what waits in a class and who can do it', () => {
    const scheduler = make(adaptive, { factors: { a: 0.5 } });
    for (const plan of [1, 2]) scheduler.add(readyTicket({ plan, ...soon }), NOW);
    scheduler.setAgent(schedulerAgent({ concurrency: 3 }));
    scheduler.setAgent(schedulerAgent({ key: 'shut', open: false }));
    const [{ tickets, backlogMs, capacity, agents }] = scheduler.backlog(NOW);
    assert.deepEqual(
      { tickets, backlogMs, capacity, agents },
      { tickets: 2, backlogMs: 20_000, capacity: 6, agents: 1 },
    );
  });

  it('reckons what the whole fleet can do in ordinary times as what it can do of a class, each agent once', () => {
    const scheduler = make(adaptive, {
      estimates: {
        ...PLAIN_ESTIMATES,
        base: ({ estimated_duration_ms: ms }) => ms!,
        factor: (type) => (type === 'TEST' ? 1 : 4),
      },
    });
    for (const key of ['a', 'b']) scheduler.setAgent(schedulerAgent({ key, types: ['BUILD', 'TEST'] }));
    const extra: Partial<SchedulerAgent>[] = [
      { open: false },
      { kind: 'person' },
      { labels: { burst: 'true' } },
      { labels: { last_resort: 'true' } },
    ];
    extra.forEach((more, n) => scheduler.setAgent(schedulerAgent({ key: `extra-${n}`, ...more })));
    assert.equal(scheduler.capacity(NOW), 2 / 2.5, 'nothing waits: all that they can do');
    scheduler.add(readyTicket({ plan: 1, ...soon }), NOW);
    assert.equal(scheduler.capacity(NOW), 2 / 4);
    scheduler.add(readyTicket({ plan: 2, type: 'TEST', ms: 20_000 }), NOW);
    assert.equal(scheduler.capacity(NOW), 2 / ((10_000 * 4 + 20_000) / 30_000));
    scheduler.setAgent(schedulerAgent({ key: 'idle', types: ['QUERY'], concurrency: 8 }));
    assert.equal(scheduler.capacity(NOW), 1 + 8 / 4);
  });
});
