import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { priorityScore } from '../plans/priority-score.ts';
import { ReadyQueue, type ReadyTicket } from './ready-queue.ts';
import { readyTicket } from './sample-ticket.ts';

/** Everything in the order in which it would leave. */
function drain(queue: ReadyQueue, instance: string | null = null): string[] {
  const order: string[] = [];
  for (;;) {
    const first = [...queue.classes.values()]
      .map((each) => each.first(instance))
      .find((ticket) => ticket !== undefined);
    if (first === undefined) return order;
    queue.remove(first.plan, first.n);
    order.push(`${first.plan}/${first.n}`);
  }
}

describe('ReadyQueue', () => {
  it('puts the more critical first, then the nearer deadline, then the first to come', () => {
    const queue = new ReadyQueue();
    queue.add(readyTicket({ plan: 1, deadline: 1_000 }), 0);
    queue.add(readyTicket({ plan: 2, deadline: 900 }), 0);
    queue.add(readyTicket({ plan: 3, deadline: 900 }), 0);
    queue.add(readyTicket({ plan: 4, deadline: 2_000, risk: 'critical' }), 0);
    assert.deepEqual(drain(queue), ['4/0', '2/0', '3/0', '1/0']);
  });

  it('keeps a ticket once, however often it is added', () => {
    const queue = new ReadyQueue();
    queue.add(readyTicket({ plan: 1 }), 0);
    queue.add(readyTicket({ plan: 1 }), 5);
    assert.equal(queue.size, 1);
    queue.remove(1, 0);
    queue.remove(1, 0);
    assert.equal(queue.size, 0);
    assert.equal(queue.classes.size, 0);
  });

  it('moves a ticket forward when half and when four fifths of its time are spent', () => {
    const queue = new ReadyQueue();
    queue.add(readyTicket({ plan: 1, deadline: 1_000 }), 0);
    queue.add(readyTicket({ plan: 2, deadline: 100_000, risk: 'high', createdAt: 0 }), 0);
    const first = (): number => [...queue.classes.values()][0].first(null)!.plan;
    assert.equal(first(), 2);
    queue.advance(499);
    assert.equal(first(), 2);
    queue.advance(800);
    assert.equal(first(), 1);
  });

  it('drops every ticket of a plan and no other', () => {
    const queue = new ReadyQueue();
    for (const [plan, n] of [
      [1, 0],
      [1, 1],
      [2, 0],
    ])
      queue.add(readyTicket({ plan, n }), 0);
    queue.removePlan(1);
    assert.deepEqual(drain(queue), ['2/0']);
  });

  it('shows an agent of one company only what is that company’s', () => {
    const queue = new ReadyQueue();
    queue.add(readyTicket({ plan: 1, instance: 'acme' }), 0);
    queue.add(readyTicket({ plan: 2, instance: 'bela', risk: 'critical' }), 0);
    assert.deepEqual(drain(queue, 'acme'), ['1/0']);
  });

  it('keeps the order of the reference score at every moment, whatever comes and goes', () => {
    const step = fc.record({
      what: fc.constantFrom('add', 'add', 'add', 'remove', 'advance', 'drop'),
      plan: fc.nat(5),
      n: fc.nat(5),
      risk: fc.constantFrom('low', 'medium', 'high', 'critical'),
      life: fc.integer({ min: 0, max: 500 }),
      company: fc.constantFrom('a', 'b'),
      wait: fc.nat(100),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
        const queue = new ReadyQueue();
        const model = new Map<string, ReadyTicket>();
        let now = 0;
        for (const { what, plan, n, risk, life, company, wait } of steps) {
          now += wait;
          const ticket = readyTicket({ plan, n, instance: company, risk, createdAt: now, deadline: now + life });
          if (what === 'add') queue.add(ticket, now);
          if (what === 'add' && !model.has(`${plan}/${n}`)) model.set(`${plan}/${n}`, ticket);
          if (what === 'remove') queue.remove(plan, n);
          if (what === 'remove') model.delete(`${plan}/${n}`);
          if (what === 'drop') queue.removePlan(plan);
          if (what === 'drop') for (const key of [...model.keys()]) if (key.startsWith(`${plan}/`)) model.delete(key);
          queue.advance(now);
          assert.equal(queue.size, model.size);
          const best = (whose: string | null): number =>
            Math.max(
              -1,
              ...[...model.values()]
                .filter((each) => whose === null || each.instance === whose)
                .map((each) => priorityScore(each.spec, each.createdAt, each.deadline, now)),
            );
          for (const whose of [null, 'a', 'b']) {
            const first = [...queue.classes.values()][0]?.first(whose);
            const score = first === undefined ? -1 : priorityScore(first.spec, first.createdAt, first.deadline, now);
            assert.ok(
              Math.abs(score - best(whose)) < 1e-9,
              `the first of ${whose} scores ${score}, the best ${best(whose)}`,
            );
          }
        }
        assert.deepEqual(drain(queue).sort(), [...model.keys()].sort());
      }),
    );
  });
});
