import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { CONTROL, DEADLINE, has, rule, Run, undoable } from './decided-plan.testing.ts';
import type { FlowEvent, TicketRules } from './flow-state.ts';

describe('retrying a plan', () => {
  it('goes on from the failed ticket and keeps what is done', () => {
    const run = new Run([rule(), rule([0], { maxRetries: 0 }), rule([1])]).run(1, 0).lease(3, 1).fail(4, 1);
    run.do({ type: 'retried', at: 10 });
    assert.equal(run.statuses, 'completed ready waiting');
    assert.deepEqual([run.state.tickets[1].attempt, run.state.tickets[1].fence], [0, 1]);
    assert.equal(run.state.tickets[1].deadline, 60_010);
    assert.equal(run.run(11, 1, 2).state.status, 'completed');
    assert.deepEqual(run.events('ticket.completed'), [
      'ticket.completed 0',
      'ticket.completed 1',
      'ticket.completed 2',
    ]);
  });

  it('goes on from a cancelled plan', () => {
    const run = new Run([rule(), rule([0])])
      .run(1, 0)
      .do({ type: 'cancelled', at: 3, undo: false, why: '' })
      .do({ type: 'retried', at: 4 });
    assert.equal(run.run(5, 1).state.status, 'completed');
  });

  it('does again what was undone, and not what could not be; that is no inconsistency', () => {
    const run = new Run([undoable(), rule([0]), rule([1], { maxRetries: 0 })])
      .run(1, 0, 1)
      .lease(5, 2)
      .fail(6, 2)
      .run(7, 3);
    assert.equal(run.state.status, 'compensated');
    run.do({ type: 'retried', at: 10 });
    assert.match(run.statuses, /^ready completed /);
    assert.equal(run.run(11, 0, 2).state.status, 'completed');
    assert.deepEqual(run.result.inconsistencies, []);
  });

  it('undoes again what was done again', () => {
    const run = new Run([undoable(), rule([0], { maxRetries: 0 })])
      .run(1, 0)
      .lease(3, 1)
      .fail(4, 1)
      .run(5, 2)
      .do({ type: 'retried', at: 10 });
    assert.equal(run.state.tickets[0].note?.undoneBy, 2);
    assert.equal(run.run(11, 0).lease(13, 1).fail(14, 1).run(15, 3).state.status, 'compensated');
    assert.equal(run.state.tickets[0].note?.undoneBy, 3);
  });

  it('refuses a plan that is open, completed or rejected', () => {
    assert.equal(new Run([rule()]).do({ type: 'retried', at: 1 }).refusal, 'PLAN_STATE');
    assert.equal(new Run([rule()]).run(1, 0).do({ type: 'retried', at: 3 }).refusal, 'PLAN_STATE');
    const rejected = new Run([rule()], { gate: true }).do({ type: 'declined', at: 1, n: null, why: '' });
    assert.equal(rejected.do({ type: 'retried', at: 3 }).refusal, 'PLAN_STATE');
  });
});

describe('replanning', () => {
  const replan = (
    rules: TicketRules[],
    keep: (number | null)[],
    more: { at?: number; gate?: boolean } = {},
  ): FlowEvent => ({
    type: 'replanned',
    at: more.at ?? 10,
    rules,
    deadlines: rules.map(() => DEADLINE),
    keep,
    gate: more.gate ?? false,
    control: CONTROL,
  });

  it('keeps what is done and what runs, replaces the rest, and stops what it replaces', () => {
    const run = new Run([rule(), rule(), rule([0])]).run(1, 0).lease(3, 1, 2);
    run.do(replan([rule(), rule([0])], [0, null]));
    assert.equal(run.statuses, 'completed cancelled cancelled ready');
    assert.ok(has(run, 'ticket.stop', 1) && has(run, 'ticket.stop', 2));
    assert.equal(run.complete(11, 1).refusal, 'LEASE_FENCED');
    assert.equal(run.run(12, 3).state.status, 'completed');
    assert.deepEqual(run.result.inconsistencies, []);
  });

  it('lets a kept attempt go on, and new tickets wait for it', () => {
    const run = new Run([rule()]).lease(1, 0).do(replan([rule(), rule([0])], [0, null]));
    assert.equal(run.statuses, 'running waiting');
    assert.equal(run.complete(11, 0).run(12, 1).state.status, 'completed');
  });

  it('opens a failed plan again', () => {
    const run = new Run([rule(), rule([0])])
      .run(1, 0)
      .lease(3, 1)
      .fail(4, 1)
      .do(replan([rule(), rule([0])], [0, null]));
    assert.equal(run.run(12, 2).state.status, 'completed');
  });

  it('refuses to keep what has not started, has ended otherwise, or is named twice', () => {
    const run = new Run([rule(), rule([0])]);
    for (const keep of [[1], [9]]) assert.equal(run.do(replan([rule()], keep)).refusal, 'PLAN_STATE');
    run.run(1, 0).lease(3, 1).fail(4, 1);
    for (const keep of [[1], [0, 0]])
      assert.equal(
        run.do(
          replan(
            keep.map(() => rule()),
            keep,
          ),
        ).refusal,
        'PLAN_STATE',
      );
  });

  it('starts nothing new before a gated revision is approved, while kept attempts go on', () => {
    const run = new Run([rule([], { timeoutMs: 1_000 }), rule()])
      .lease(1, 0)
      .do(replan([rule(), rule(), rule([0])], [0, 1, null], { gate: true }));
    assert.equal(run.state.status, 'waiting_approval');
    assert.equal(run.statuses, 'running waiting waiting');
    assert.ok(has(run, 'ticket.withdraw', 1));
    assert.equal(run.state.timerAt, 1_001);
    run.complete(12, 0);
    assert.equal(run.statuses, 'completed waiting waiting');
    assert.equal(run.do({ type: 'approved', at: 13, n: null }).statuses, 'completed ready ready');
  });

  it('keeps what is done when a gated revision is declined, and ends cancelled', () => {
    const run = new Run([rule(), rule()])
      .run(1, 0)
      .do(replan([rule(), rule()], [0, null], { gate: true }))
      .do({ type: 'declined', at: 11, n: null, why: 'no' });
    assert.equal(run.state.status, 'cancelled');
    assert.equal(run.statuses, 'completed cancelled cancelled');
    assert.equal(run.do({ type: 'retried', at: 12 }).state.status, 'waiting_approval');
  });

  it('fails a plan whose kept attempt fails while the revision waits for approval', () => {
    const run = new Run([rule([], { maxRetries: 0 })])
      .lease(1, 0)
      .do(replan([rule(), rule()], [0, null], { gate: true }))
      .fail(11, 0);
    assert.equal(run.state.status, 'failed');
  });

  it('refuses to retry what builds on a replaced ticket that was undone', () => {
    const run = new Run([undoable(), undoable([0]), rule()])
      .run(1, 0, 1)
      .do(replan([rule(), rule([], { maxRetries: 0 })], [1, null]));
    run.lease(11, 3).fail(12, 3).run(13, 4).run(15, 5);
    assert.equal(run.state.status, 'compensated');
    assert.equal(run.do({ type: 'retried', at: 20 }).refusal, 'PLAN_STATE');
    assert.equal(run.do(replan([rule()], [null], { at: 21 })).run(22, 6).state.status, 'completed');
  });
});
