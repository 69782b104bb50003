import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isColmeiaError } from '../../platform/errors.ts';
import { CONTROL, DEADLINE, rule, Run } from './decided-plan.testing.ts';
import type { FlowEvent } from './flow-state.ts';
import { growthOf, OpenTickets } from './open-tickets.ts';

const refusal = (tickets: OpenTickets, more: number, gathered: number, now: number) => {
  try {
    tickets.mustTake(more, gathered, 100, 'acme', now);
    return null;
  } catch (error) {
    assert.ok(isColmeiaError(error, 'QUEUE_FULL'));
    return error;
  }
};

describe('the open tickets of a company', () => {
  it('may be as many as the cap, with those of the batch that gathers', () => {
    const tickets = new OpenTickets();
    tickets.count = 60;
    assert.equal(refusal(tickets, 30, 10, 0), null);
    const refused = refusal(tickets, 31, 10, 0);
    assert.equal(refused?.message, 'company "acme" has 70 open tickets and may have 100; 31 more do not fit');
    assert.equal(refused?.retryAfterMs, 60_000);
  });

  it('may always become fewer', () => {
    const tickets = new OpenTickets();
    tickets.count = 200;
    assert.equal(refusal(tickets, 0, 0, 0), null);
    assert.equal(refusal(tickets, -5, 0, 0), null);
  });

  it('make room in the time that ends of late would take, from one second to sixty', () => {
    const tickets = new OpenTickets();
    for (let s = 0; s < 300; s++) tickets.ended(10, s * 1_000);
    assert.ok(Math.abs(tickets.rate(300_000) - 10) < 0.5, `${tickets.rate(300_000)}`);
    tickets.count = 100;
    const wait = (more: number, now: number): number => refusal(tickets, more, 0, now)!.retryAfterMs!;
    assert.ok(Math.abs(wait(50, 300_000) - 5_000) < 300, `${wait(50, 300_000)}`);
    assert.equal(wait(1, 300_000), 1_000);
    assert.equal(wait(100_000, 300_000), 60_000);
    assert.ok(wait(50, 330_000) > 2 * wait(50, 300_000), 'nothing ended for a while');
  });

  it('are believed to end as fast as they do from the first seconds on', () => {
    const tickets = new OpenTickets();
    for (let s = 0; s <= 4; s++) tickets.ended(20, s * 1_000);
    assert.ok(Math.abs(tickets.rate(4_000) - 25) < 5, `${tickets.rate(4_000)}`);
  });

  it('bear a clock that goes back', () => {
    const tickets = new OpenTickets();
    tickets.ended(100, 60_000);
    tickets.ended(100, 0);
    assert.ok(tickets.rate(0) > 0 && Number.isFinite(tickets.rate(0)));
  });
});

describe('the growth of a plan', () => {
  it('is what a new revision adds to what is open', () => {
    const run = new Run([rule(), rule(), rule([0]), rule([1])]).run(1, 0).lease(3, 1);
    const replanned = (keep: (number | null)[]): FlowEvent => ({
      type: 'replanned',
      at: 5,
      rules: keep.map(() => rule()),
      deadlines: keep.map(() => DEADLINE),
      keep,
      gate: false,
      control: CONTROL,
    });
    for (const keep of [[0, 1, null], [null, null, null, null, null], [], [0, 1]]) {
      const before = run.state.open;
      const { state } = new Run([rule(), rule(), rule([0]), rule([1])]).run(1, 0).lease(3, 1).do(replanned(keep));
      assert.equal(growthOf(run.state, replanned(keep)), state.open - before);
    }
    assert.equal(growthOf(run.state, { type: 'paused', at: 5 }), 0);
  });
});
