import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { decide } from './decide.ts';
import { CONTROL, DEADLINE, has, rule, Run, undoable } from './decided-plan.testing.ts';
import type { FlowEvent, TicketRules } from './flow-state.ts';

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

describe('the fencing token', () => {
  const run = (): Run => new Run([rule()]).lease(1, 0).fail(2, 0, 'transient').due(1_002).lease(1_003, 0);

  it('grows with every lease', () => assert.equal(run().state.tickets[0].fence, 2));

  for (const type of ['completed', 'failed', 'released'] as const) {
    it(`refuses "${type}" under a stale, a future and an unknown token, and changes nothing`, () => {
      const before = run();
      for (const [n, fence] of [
        [0, 1],
        [0, 3],
        [7, 2],
      ]) {
        const event = {
          type,
          at: 1_004,
          n,
          fence,
          errorClass: 'poison',
          error: '',
          retryAfterMs: null,
          jitter: 0,
        } as FlowEvent;
        const after = decide(before.state, event);
        assert.equal((after.commands[0] as { code?: string }).code, 'LEASE_FENCED');
        assert.equal(after.commands.length, 1);
        assert.equal(after.state, before.state);
      }
    });
  }

  it('counts a completion once: said again it is refused', () => {
    const twice = run().complete(1_004, 0).complete(1_005, 0);
    assert.equal(twice.refusal, 'LEASE_FENCED');
    assert.deepEqual(twice.events('ticket.completed'), ['ticket.completed 0']);
  });
});

describe('retries', () => {
  for (const errorClass of ['transient', 'quota', 'timeout'] as const) {
    it(`tries again after "${errorClass}", as often as max_retries says`, () => {
      const run = new Run([rule([], { maxRetries: 1 })]).lease(1, 0).fail(2, 0, errorClass);
      assert.equal(run.statuses, 'backoff');
      run.due(run.state.tickets[0].due!).lease(40_000, 0).fail(40_001, 0, errorClass);
      assert.equal(run.state.status, 'failed');
    });
  }

  for (const errorClass of ['auth', 'poison'] as const) {
    it(`does not try again after "${errorClass}"`, () =>
      assert.equal(new Run([rule()]).lease(1, 0).fail(2, 0, errorClass).state.status, 'failed'));
  }

  const dueAfter = (jitter: number, attempt: number, backoff = {}): number => {
    const run = new Run([rule([], { maxRetries: 60, timeoutMs: 1e9 })], {
      backoff: { ...CONTROL.backoff, ...backoff },
    });
    let at = 0;
    for (let i = 1; i < attempt; i++) {
      at = run.lease(at, 0).fail(at, 0, 'transient').state.tickets[0].due!;
      run.due(at);
    }
    return run.lease(at, 0).fail(at, 0, 'transient', { jitter }).state.tickets[0].due! - at;
  };

  it('waits between half and the whole of an exponential, by chance', () => {
    assert.deepEqual([dueAfter(0, 1), dueAfter(0.5, 1), dueAfter(1, 1)], [500, 750, 1_000]);
    assert.deepEqual([dueAfter(0, 3), dueAfter(1, 3)], [2_000, 4_000]);
  });

  it('waits no longer than the cap, however often it failed', () =>
    assert.deepEqual([dueAfter(1, 8), dueAfter(0, 50)], [60_000, 30_000]));

  it('waits the time that the agent names, in whole milliseconds', () => {
    const run = new Run([rule()]).lease(1, 0).fail(10, 0, 'quota', { retryAfterMs: 1_234.5 });
    assert.equal(run.state.tickets[0].due, 10 + 1_235);
  });

  it('waits longer for a quota that names no time', () => {
    assert.equal(new Run([rule()]).lease(1, 0).fail(10, 0, 'quota').state.tickets[0].due, 10 + 30_000);
  });

  it('says so when the wait is over, so that the change has its line in the journal', () => {
    const run = new Run([rule()]).lease(1, 0).fail(2, 0, 'transient').due(1_002);
    assert.deepEqual(run.events('ticket.ready'), ['ticket.ready 0']);
    assert.ok(has(run, 'ticket.ready', 0));
  });
});

describe('time', () => {
  it('ends an attempt that takes longer than its timeout, and tells the agent to stop', () => {
    const run = new Run([rule([], { timeoutMs: 50 })]).lease(10, 0);
    assert.equal(run.state.timerAt, 60);
    run.due(59);
    assert.equal(run.statuses, 'running');
    run.due(60);
    assert.equal(run.statuses, 'backoff');
    assert.ok(has(run, 'ticket.stop', 0));
    assert.equal(run.complete(61, 0).refusal, 'LEASE_FENCED');
  });

  it('says once that a ticket is late, and counts it as a violation', () => {
    const run = new Run([rule([], { timeoutMs: 1e6 })])
      .due(DEADLINE)
      .due(DEADLINE + 5)
      .lease(DEADLINE + 6, 0)
      .complete(DEADLINE + 7, 0);
    assert.deepEqual(run.events('ticket.late'), ['ticket.late 0']);
    assert.equal(run.result.sla.violations, 1);
    assert.equal(run.state.status, 'completed');
  });

  it('says that a ticket is late when it completes late before the timer went off', () => {
    const run = new Run([rule([], { timeoutMs: 1e6 })]).lease(1, 0).complete(DEADLINE + 1, 0);
    assert.deepEqual(run.events('ticket.late'), ['ticket.late 0']);
  });

  it('sets its timer again when it went off for nothing', () => {
    const run = new Run([rule(), rule([0])]).lease(0, 0).complete(10, 0).lease(20, 1).due(60_000);
    assert.ok(run.commands.some((command) => command.type === 'timer.set' && command.at === 60_020));
  });
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
    assert.equal(run.run(11, 0).lease(13, 1).fail(14, 1).run(15, 3).state.status, 'compensated');
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

describe('giving a ticket back', () => {
  it('makes it ready again and counts no attempt', () => {
    const run = new Run([rule()]).lease(1, 0).do({ type: 'released', at: 2, n: 0, fence: 1 });
    assert.equal(run.statuses, 'ready');
    assert.deepEqual([run.state.tickets[0].attempt, run.state.tickets[0].agent], [0, null]);
    assert.ok(has(run, 'ticket.ready', 0));
  });

  it('cancels it when the plan is stopping', () => {
    const run = new Run([rule()])
      .lease(1, 0)
      .do({ type: 'cancelled', at: 2, undo: false, why: '' })
      .do({ type: 'released', at: 3, n: 0, fence: 1 });
    assert.equal(run.state.status, 'cancelled');
  });
});
