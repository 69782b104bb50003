import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { has, rule, Run, undoable } from './decided-plan.testing.ts';

describe('failure and compensation', () => {
  it('stops the other branches, then undoes what is done', () => {
    const run = new Run([undoable(), rule(), rule([1]), undoable()]).run(1, 0).lease(3, 1, 3).fail(4, 3);
    assert.equal(run.statuses, 'completed running cancelled failed');
    assert.ok(has(run, 'ticket.stop', 1));
    run.fail(5, 1, 'transient');
    assert.equal(run.statuses, 'compensating cancelled cancelled failed ready');
    assert.equal(run.run(6, 4).state.status, 'compensated');
  });

  it('ends failed when there is nothing to undo', () =>
    assert.equal(new Run([rule(), rule([0])]).run(1, 0).lease(3, 1).fail(4, 1).state.status, 'failed'));

  it('undoes a diamond from its end to its beginning', () => {
    // 0 → 1, 2 → 3 → 4 (fails)
    const run = new Run([undoable(), undoable([0]), undoable([0]), undoable([1, 2]), rule([3])])
      .run(1, 0, 1, 2, 3)
      .lease(9, 4)
      .fail(10, 4);
    assert.equal(run.statuses, 'completed completed completed compensating failed ready');
    run.run(11, 5);
    assert.equal(run.state.tickets[1].status, 'compensating');
    assert.equal(run.state.tickets[2].status, 'compensating');
    assert.equal(run.state.tickets[0].status, 'completed');
    run.run(13, 6);
    assert.equal(run.state.tickets[0].status, 'completed');
    run.run(15, 7).run(17, 8);
    assert.equal(run.state.status, 'compensated');
    const order = run
      .events()
      .filter((event) => event.startsWith('ticket.compensating'))
      .map((event) => event.slice(-1));
    assert.deepEqual([order[0], order.slice(1, 3).sort().join(''), order[3]], ['3', '12', '0']);
  });

  it('passes over what cannot be undone, and keeps the order across it', () => {
    const run = new Run([undoable(), rule([0]), undoable([1]), rule([2])]).run(1, 0, 1, 2).lease(7, 3).fail(8, 3);
    assert.equal(run.statuses, 'completed completed compensating failed ready');
    run.run(9, 4);
    assert.equal(run.statuses, 'compensating completed compensated failed completed ready');
    assert.equal(run.run(11, 5).state.status, 'compensated');
    assert.deepEqual(run.result.inconsistencies, []);
  });

  it('tries a compensation again although the plan is stopping', () => {
    const run = new Run([rule([], { compensable: true, maxRetries: 1 }), rule([0], { maxRetries: 0 })])
      .run(1, 0)
      .lease(3, 1)
      .fail(4, 1)
      .lease(5, 2)
      .fail(6, 2, 'transient');
    assert.equal(run.state.tickets[2].status, 'backoff');
    assert.equal(run.due(1_006).run(1_007, 2).state.status, 'compensated');
  });

  it('ends failed and inconsistent when a compensation fails, and still undoes the rest', () => {
    const run = new Run([undoable(), undoable([0]), rule([1])])
      .run(1, 0, 1)
      .lease(5, 2)
      .fail(6, 2)
      .lease(7, 3)
      .fail(8, 3);
    assert.equal(run.state.tickets[1].status, 'completed');
    assert.equal(run.state.tickets[0].status, 'compensating');
    run.run(9, 4);
    assert.equal(run.state.status, 'failed');
    assert.match(run.result.inconsistencies.join(), /ticket 1 could not be compensated/);
    assert.equal(run.result.success, false);
  });
});
