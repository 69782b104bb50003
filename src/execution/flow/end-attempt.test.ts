import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { decide } from './decide.ts';
import { CONTROL, DEADLINE, has, rule, Run } from './decided-plan.testing.ts';
import type { FlowEvent } from './flow-state.ts';

describe('the fencing token', () => {
  const run = (): Run => new Run([rule()]).lease(1, 0).fail(2, 0, 'transient').due(1_002).lease(1_003, 0);

  it('grows with every lease', () => assert.equal(run().state.tickets[0].fence, 2));

  for (const type of ['completed', 'failed', 'lost', 'released'] as const) {
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

describe('an attempt that is lost', () => {
  /** Loses the ticket's next attempts, each an hour after the one before. */
  function losing(run: Run, times: number): Run {
    const hour = 3_600_000;
    for (let i = 0, at = run.state.tickets[0].attempt * hour; i < times; i++, at += hour)
      run
        .due(at)
        .lease(at + 1, 0)
        .lose(at + 2, 0);
    return run;
  }
  const once = (): Run => new Run([rule([], { maxRetries: 1 })]);

  it('uses up no retry: failures afterwards are tried again as often as max_retries says', () => {
    const run = losing(once(), 2);
    assert.deepEqual([run.statuses, run.state.tickets[0].attempt], ['backoff', 2]);
    run.due(1e9).lease(1e9, 0).fail(1e9, 0, 'transient');
    assert.equal(run.statuses, 'backoff');
    run.due(2e9).lease(2e9, 0).fail(2e9, 0, 'transient');
    assert.equal(run.state.status, 'failed');
  });

  it('uses one up from the fourth on, so that a ticket which brings its agents down comes to an end', () => {
    assert.equal(losing(once(), 4).statuses, 'backoff');
    assert.equal(losing(once(), 5).state.status, 'failed');
  });

  it('is not tried again when max_retries is 0: it may have begun', () => {
    assert.equal(losing(new Run([rule([], { maxRetries: 0 })]), 1).state.status, 'failed');
  });

  it('waits longer with each loss, or the time that is named; a failure after it waits as the first one', () => {
    const dueAfter = (run: Run): number => run.state.tickets[0].due! - run.state.tickets[0].startedAt!;
    assert.equal(dueAfter(losing(once(), 1)), 1 + 1_000);
    assert.equal(dueAfter(losing(once(), 2)), 1 + 2_000);
    assert.equal(dueAfter(once().lease(1, 0).lose(2, 0, 0)), 1);
    const failed = losing(once(), 2).due(1e9).lease(1e9, 0).fail(1e9, 0, 'transient');
    assert.equal(dueAfter(failed), 1_000);
  });

  it('is forgotten with a retry of the plan', () => {
    const run = losing(once(), 5).do({ type: 'retried', at: 1e9 });
    assert.equal(run.state.tickets[0].note?.lost, undefined);
    assert.deepEqual(losing(run, 1).state.tickets[0].note?.lost, 1);
  });

  it('of two leaves the ticket to the other, and counts as nothing', () => {
    const run = once().lease(1, 0).do({ type: 'copied', at: 2, n: 0, agent: 'other' }).lose(3, 0);
    assert.deepEqual([run.statuses, run.state.tickets[0].note?.lost], ['running', undefined]);
  });

  it('ends the ticket of a plan that stops', () => {
    const run = once().lease(1, 0).do({ type: 'cancelled', at: 2, undo: false, why: '' }).lose(3, 0);
    assert.equal(run.state.status, 'cancelled');
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
