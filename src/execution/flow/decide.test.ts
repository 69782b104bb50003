import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { decide } from './decide.ts';
import { has, rule, Run, undoable } from './decided-plan.testing.ts';

describe('the start of a plan', () => {
  it('makes the tickets without dependencies ready and leaves the others waiting', () => {
    const run = new Run([rule(), rule([0]), rule()]);
    assert.equal(run.statuses, 'ready waiting ready');
    assert.deepEqual(run.events(), ['plan.received', 'plan.validated', 'plan.ticketed']);
    assert.ok(has(run, 'ticket.ready', 0) && has(run, 'ticket.ready', 2));
  });

  it('completes at once when there is nothing to do', () => assert.equal(new Run([]).state.status, 'completed'));

  it('begins with nothing but a submission', () =>
    assert.throws(() => decide(null, { type: 'paused', at: 0 }), /begins with "submitted"/));
});

describe('dependencies', () => {
  it('holds a ticket until every one of its dependencies has completed', () => {
    const run = new Run([rule(), rule(), rule([0, 1])]).run(1, 0);
    assert.equal(run.statuses, 'completed ready waiting');
    run.run(3, 1);
    assert.equal(run.statuses, 'completed completed ready');
    assert.equal(run.run(5, 2).state.status, 'completed');
  });

  it('counts a dependency that is named twice', () =>
    assert.equal(new Run([rule(), rule([0, 0])]).run(1, 0, 1).state.status, 'completed'));
});

describe('approval', () => {
  it('holds the whole plan until a person approves it', () => {
    const run = new Run([rule(), rule([0])], { gate: true });
    assert.equal(run.state.status, 'waiting_approval');
    assert.equal(run.statuses, 'waiting waiting');
    assert.equal(run.do({ type: 'approved', at: 1, n: null }).statuses, 'ready waiting');
  });

  it('approves the destructive tasks with the plan', () => {
    const run = new Run([rule(), rule([0], { gated: true })], { gate: true })
      .do({ type: 'approved', at: 1, n: null })
      .run(2, 0, 1);
    assert.equal(run.state.status, 'completed');
  });

  it('holds a destructive task alone, after its dependencies', () => {
    const run = new Run([rule(), rule([0], { gated: true }), rule()]).run(1, 0);
    assert.equal(run.statuses, 'completed approval ready');
    assert.deepEqual(run.events('ticket.waiting_approval'), ['ticket.waiting_approval 1']);
    assert.equal(run.do({ type: 'approved', at: 3, n: 1 }).statuses, 'completed ready ready');
  });

  it('takes the approval of a destructive task ahead of its turn', () => {
    const run = new Run([rule(), rule([0], { gated: true })]).do({ type: 'approved', at: 1, n: 1 }).run(2, 0);
    assert.equal(run.statuses, 'completed ready');
  });

  it('refuses an approval that nothing waits for', () => {
    const run = new Run([rule(), rule([], { gated: true })]);
    for (const n of [0, 9]) assert.equal(run.do({ type: 'approved', at: 1, n }).refusal, 'PLAN_STATE');
    run.do({ type: 'approved', at: 1, n: 1 });
    for (const n of [1, null]) assert.equal(run.do({ type: 'approved', at: 2, n }).refusal, 'PLAN_STATE');
  });

  it('rejects a plan that is declined', () => {
    const run = new Run([rule()], { gate: true }).do({ type: 'declined', at: 1, n: null, why: 'no' });
    assert.equal(run.state.status, 'rejected');
    assert.equal(run.statuses, 'cancelled');
    assert.ok(has(run, 'finish'));
  });

  it('fails a plan whose destructive task is declined', () => {
    const run = new Run([undoable(), rule([0], { gated: true })])
      .run(1, 0)
      .do({ type: 'declined', at: 3, n: null, why: 'no' });
    assert.equal(run.statuses, 'compensating failed ready');
    assert.equal(run.run(4, 2).state.status, 'compensated');
  });

  it('rejects a plan that nobody approved before valid_until', () => {
    const run = new Run([rule()], { gate: true, validUntil: 500 });
    assert.equal(run.state.timerAt, 500);
    assert.equal(run.due(499).state.status, 'waiting_approval');
    assert.equal(run.due(500).state.status, 'rejected');
  });

  it('still wants approval when a plan that was cancelled unapproved is retried', () => {
    const run = new Run([rule()], { gate: true }).do({ type: 'cancelled', at: 1, undo: false, why: '' });
    assert.equal(run.state.status, 'cancelled');
    assert.equal(run.do({ type: 'retried', at: 2 }).state.status, 'waiting_approval');
    assert.equal(run.do({ type: 'approved', at: 3, n: null }).statuses, 'ready');
  });
});

describe('pause and resume', () => {
  it('withdraws what is ready, lets go on what runs, starts nothing until it is resumed', () => {
    const run = new Run([rule(), rule(), rule([0])]).lease(1, 0).do({ type: 'paused', at: 2 });
    assert.ok(has(run, 'ticket.withdraw', 1));
    run.complete(3, 0);
    assert.equal(run.statuses, 'completed ready ready');
    assert.ok(!has(run, 'ticket.ready'));
    run.do({ type: 'resumed', at: 4 });
    assert.ok(has(run, 'ticket.ready', 1) && has(run, 'ticket.ready', 2));
  });

  it('ignores leases on a paused plan', () => {
    const run = new Run([rule()]).do({ type: 'paused', at: 1 }).lease(2, 0);
    assert.equal(run.statuses, 'ready');
    assert.equal(run.state.tickets[0].fence, 0);
  });

  it('does the same once when it is said twice', () => {
    const run = new Run([rule()])
      .do({ type: 'paused', at: 1 })
      .do({ type: 'paused', at: 2 })
      .do({ type: 'resumed', at: 3 })
      .do({ type: 'resumed', at: 4 });
    assert.deepEqual(run.events('plan.paused'), ['plan.paused']);
    assert.deepEqual(run.events('plan.resumed'), ['plan.resumed']);
  });

  it('refuses to pause or resume a plan that has ended', () => {
    const run = new Run([rule()]).run(1, 0);
    for (const type of ['paused', 'resumed'] as const) assert.equal(run.do({ type, at: 3 }).refusal, 'PLAN_STATE');
  });
});

describe('cancelling', () => {
  it('ends at once when nothing runs', () => {
    const run = new Run([rule(), rule([0])]).do({ type: 'cancelled', at: 1, undo: false, why: 'so' });
    assert.equal(run.state.status, 'cancelled');
    assert.ok(has(run, 'ticket.withdraw', 0));
  });

  it('tells running attempts to stop, waits for them, and fences them after the grace', () => {
    const run = new Run([rule(), rule(), rule()])
      .lease(1, 0, 1)
      .do({ type: 'cancelled', at: 10, undo: false, why: '' });
    assert.equal(run.statuses, 'running running cancelled');
    assert.ok(has(run, 'ticket.stop', 0) && has(run, 'ticket.stop', 1));
    run.fail(20, 0, 'transient');
    assert.equal(run.statuses, 'cancelled running cancelled');
    assert.equal(run.state.timerAt, 5_010);
    assert.equal(run.due(5_010).state.status, 'cancelled');
    assert.equal(run.complete(5_011, 1).refusal, 'LEASE_FENCED');
  });

  it('gives the grace once, however often it is cancelled', () => {
    const run = new Run([rule([], { maxRetries: 0 }), rule()])
      .lease(1, 0, 1)
      .fail(2, 0)
      .do({ type: 'cancelled', at: 4_000, undo: false, why: '' });
    assert.equal(run.due(5_002).state.status, 'cancelled');
  });

  it('keeps what completes in the grace', () => {
    const run = new Run([rule()]).lease(1, 0).do({ type: 'cancelled', at: 2, undo: false, why: '' }).complete(3, 0);
    assert.equal(run.statuses, 'completed');
    assert.equal(run.state.status, 'cancelled');
  });

  it('undoes what is done when asked to, and ends compensated', () => {
    const run = new Run([undoable(), undoable([0]), rule([1])])
      .run(1, 0, 1)
      .do({ type: 'cancelled', at: 5, undo: true, why: '' });
    assert.equal(run.state.status, 'compensating');
    assert.equal(run.run(6, 3, 4).state.status, 'compensated');
    assert.equal(run.statuses, 'compensated compensated cancelled completed completed');
  });

  it('ends a paused plan, with what it undoes', () => {
    const run = new Run([undoable(), rule([0])])
      .run(1, 0)
      .do({ type: 'paused', at: 3 })
      .do({ type: 'cancelled', at: 4, undo: true, why: '' });
    assert.ok(has(run, 'ticket.ready', 2));
    assert.equal(run.run(5, 2).state.status, 'compensated');
  });

  it('refuses a plan that has ended or is being undone', () => {
    const run = new Run([undoable(), undoable([0])]).run(1, 0).lease(2, 1).fail(3, 1);
    assert.equal(run.do({ type: 'cancelled', at: 4, undo: false, why: '' }).refusal, 'PLAN_STATE');
    assert.equal(run.run(5, 2).do({ type: 'cancelled', at: 7, undo: false, why: '' }).refusal, 'PLAN_STATE');
  });
});
