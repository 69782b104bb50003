import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { ReadyQueue, type ReadyTicket } from './ready-queue.ts';
import { readyTicket } from './sample-ticket.ts';
import { schedule } from './schedule.ts';
import type { SchedulerAgent } from './scheduler-agent.ts';

const agent = (
  key: string,
  more: Partial<{
    instance: string | null;
    types: string[];
    can: string[];
    free: number;
    concurrency: number;
    kind: string;
  }> = {},
): SchedulerAgent => {
  const { instance = null, types = ['BUILD'], can = [], free = 1, concurrency = 1, kind = 'service' } = more;
  const fixed = { key, instance, kind, labels: {}, region: null, concurrency, open: true };
  return { ...fixed, taskTypes: new Set(types), capabilities: new Set(can), free };
};

function queueOf(...tickets: ReadyTicket[]): ReadyQueue {
  const queue = new ReadyQueue();
  for (const ticket of tickets) queue.add(ticket, 0);
  return queue;
}

const run = (queue: ReadyQueue, agents: SchedulerAgent[], limit = 100): string[] =>
  schedule(queue, agents, 0, limit).map(({ ticket, agent: key }) => `${ticket.plan}/${ticket.n} ${key}`);

describe('a scheduling cycle', () => {
  it('gives the most urgent ticket to an agent that can do it, and takes it out of the queue', () => {
    const queue = queueOf(readyTicket({ plan: 1 }), readyTicket({ plan: 2, risk: 'critical' }));
    assert.deepEqual(run(queue, [agent('a')]), ['2/0 a']);
    assert.equal(queue.size, 1);
  });

  it('leaves tickets that no agent can do, by type or by capability', () => {
    const queue = queueOf(readyTicket({ plan: 1, type: 'DEPLOY' }), readyTicket({ plan: 2, needs: ['gpu'] }));
    assert.deepEqual(run(queue, [agent('a', { can: ['cpu'] })]), []);
    assert.equal(queue.size, 2);
    assert.deepEqual(run(queue, [agent('b', { can: ['gpu'] })]), ['2/0 b']);
  });

  it('gives people only tickets that ask for a capability', () => {
    const queue = queueOf(readyTicket({ plan: 1 }), readyTicket({ plan: 2, needs: ['human'] }));
    assert.deepEqual(run(queue, [agent('ana', { can: ['human'], free: 9, concurrency: 9, kind: 'person' })]), [
      '2/0 ana',
    ]);
  });

  it('finds agents by the caller’s own name of a type', () => {
    assert.deepEqual(
      run(queueOf(readyTicket({ type: 'EXECUTE', customType: 'paint' })), [agent('a', { types: ['paint'] })]),
      ['1/0 a'],
    );
  });

  it('does not let a ticket that nobody can take hold up the others', () => {
    const queue = queueOf(readyTicket({ plan: 1, type: 'DEPLOY', risk: 'critical' }), readyTicket({ plan: 2 }));
    assert.deepEqual(run(queue, [agent('a')]), ['2/0 a']);
  });

  it('gives an agent no more than it has free, and prefers the one with the larger share free', () => {
    const tickets = [0, 1, 2, 3].map((n) => readyTicket({ n }));
    const given = run(queueOf(...tickets), [
      agent('a', { free: 1, concurrency: 4 }),
      agent('b', { free: 2, concurrency: 2 }),
    ]);
    assert.deepEqual(
      given.map((each) => each.slice(-1)),
      ['b', 'b', 'a'],
    );
  });

  it('keeps a company’s agent to its company, and lets it choose first', () => {
    const queue = queueOf(
      readyTicket({ plan: 1, instance: 'acme' }),
      readyTicket({ plan: 2, instance: 'bela', risk: 'critical' }),
    );
    assert.deepEqual(run(queue, [agent('all'), agent('own', { instance: 'acme' })]), ['1/0 own', '2/0 all']);
  });

  it('gives no more than the limit in one cycle', () => {
    const queue = queueOf(...[0, 1, 2, 3].map((n) => readyTicket({ n })));
    assert.equal(run(queue, [agent('a', { free: 4, concurrency: 4 })], 3).length, 3);
  });

  it('never gives a ticket twice, to an agent that cannot, or past what is free; what it leaves nobody could take', () => {
    const types = fc.constantFrom('BUILD', 'TEST');
    const can = fc.subarray(['x', 'y']);
    const company = fc.constantFrom('acme', 'bela');
    const tickets = fc.array(
      fc.record({ type: types, needs: can, instance: company, risk: fc.constantFrom('low', 'critical') }),
      { maxLength: 30 },
    );
    const agents = fc.array(
      fc.record({ types: fc.subarray(['BUILD', 'TEST']), can, instance: fc.option(company), free: fc.nat(4) }),
      { maxLength: 6 },
    );
    fc.assert(
      fc.property(tickets, agents, (wanted, offered) => {
        const all = wanted.map((more, n) => readyTicket({ n, ...(more as object) }));
        const candidates = offered.map((more, i) => agent(`a${i}`, { ...more, concurrency: 4 }));
        const queue = queueOf(...all);
        const given = schedule(queue, candidates, 0, 1_000);
        assert.deepEqual(
          schedule(queueOf(...all), candidates, 0, 1_000).map((each) => [each.ticket.n, each.agent]),
          given.map((each) => [each.ticket.n, each.agent]),
        );
        assert.equal(new Set(given.map(({ ticket }) => ticket.n)).size, given.length);
        assert.equal(queue.size, all.length - given.length);
        const fits = (one: SchedulerAgent, { spec, instance }: ReadyTicket): boolean =>
          one.taskTypes.has(spec.task_type) &&
          spec.required_capabilities.every((need) => one.capabilities.has(need)) &&
          (one.instance === null || one.instance === instance);
        for (const one of candidates) {
          const mine = given.filter((each) => each.agent === one.key);
          assert.ok(mine.length <= one.free && mine.every(({ ticket }) => fits(one, ticket)));
          if (mine.length === one.free) continue;
          const left = all.filter((ticket) => !given.some((each) => each.ticket.n === ticket.n));
          assert.ok(!left.some((ticket) => fits(one, ticket)), `${one.key} has room and was passed over`);
        }
      }),
    );
  });
});
