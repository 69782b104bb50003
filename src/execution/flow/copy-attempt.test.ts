import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { CONTROL, DEADLINE, has, rule, Run } from './decided-plan.testing.ts';
import type { ErrorClass } from './flow-state.ts';
import { restorePlan } from './restore.ts';

/** Two tickets in a row; the first runs at agent-0 since 1 under token 1. */
const running = (...args: Parameters<typeof rule>): Run => new Run([rule(...args), rule([0])]).lease(1, 0);
const copy = (run: Run, at: number, agent = 'other', n = 0): Run => run.do({ type: 'copied', at, n, agent });
/** ... and at `other` since 5 under token 2. */
const copied = (...args: Parameters<typeof rule>): Run => copy(running(...args), 5);
const complete = (run: Run, at: number, fence: number): Run => run.do({ type: 'completed', at, n: 0, fence });
const fail = (run: Run, at: number, fence: number, errorClass: ErrorClass = 'transient'): Run =>
  run.do({ type: 'failed', at, n: 0, fence, errorClass, error: 'broken', retryAfterMs: null, jitter: 1 });
const release = (run: Run, at: number, fence: number): Run => run.do({ type: 'released', at, n: 0, fence });
const said = (run: Run, event: string): Record<string, unknown>[] =>
  run.all.flatMap((command) => (command.type === 'publish' && command.event === event ? [command.data] : []));

describe('a copy of a running ticket', () => {
  it('gets the next token, and the first attempt keeps its own', () => {
    const run = copied();
    const { status, fence, agent, attempt, startedAt, note } = run.state.tickets[0];
    assert.deepEqual([status, fence, agent, attempt, startedAt], ['running', 2, 'agent-0', 1, 1]);
    assert.deepEqual(note, { token: 1, copied: true, copy: { fence: 2, agent: 'other', startedAt: 5 } });
    assert.deepEqual(said(run, 'ticket.copied'), [{ agent: 'other', fence: 2, attempt: 1 }]);
    assert.deepEqual([run.state.open, run.state.running], [2, 1]);
  });

  for (const { winner, agent, began, loser } of [
    { winner: 1, agent: 'agent-0', began: 1, loser: { agent: 'other', fence: 2, attempt: 1, duration_ms: 15 } },
    { winner: 2, agent: 'other', began: 5, loser: { agent: 'agent-0', fence: 1, attempt: 1, duration_ms: 19 } },
  ])
    it(`counts the first result, here of token ${winner}, once, and fences the other`, () => {
      const run = complete(copied(), 20, winner);
      const ticket = run.state.tickets[0];
      assert.deepEqual([ticket.status, ticket.agent, ticket.startedAt, ticket.fence], ['completed', agent, began, 2]);
      assert.equal(ticket.note?.copy, undefined);
      assert.deepEqual(said(run, 'ticket.completed'), [{ agent, fence: winner, attempt: 1, duration_ms: 20 - began }]);
      assert.deepEqual(said(run, 'ticket.copy_lost'), [loser]);
      for (const again of [complete, fail, release]) assert.equal(again(run, 21, loser.fence).refusal, 'LEASE_FENCED');
      assert.equal(run.run(22, 1).state.status, 'completed');
      assert.deepEqual(run.result.inconsistencies, []);
    });

  it('may fail and leave the work to the first attempt, which uses up no retry', () => {
    const run = fail(copied(), 10, 2, 'poison');
    assert.equal(run.statuses, 'running waiting');
    assert.deepEqual(said(run, 'ticket.copy_failed'), [
      { agent: 'other', fence: 2, attempt: 1, error_class: 'poison', error: 'broken', duration_ms: 5 },
    ]);
    assert.equal(complete(run, 11, 2).refusal, 'LEASE_FENCED');
    assert.equal(complete(run, 12, 1).state.tickets[0].agent, 'agent-0');
    assert.equal(said(run, 'ticket.copy_lost').length, 0);
  });

  it('goes on when the first attempt fails', () => {
    const run = fail(copied(), 10, 1);
    assert.deepEqual([run.state.tickets[0].agent, run.state.tickets[0].startedAt], ['other', 5]);
    assert.equal(complete(run, 11, 1).refusal, 'LEASE_FENCED');
    assert.equal(complete(run, 12, 2).state.tickets[0].status, 'completed');
  });

  it('ends by the rules of retries when both have failed, with one retry used up', () => {
    const run = fail(fail(copied([], { maxRetries: 1 }), 10, 2), 12, 1);
    assert.equal(run.statuses, 'backoff waiting');
    assert.deepEqual(said(run, 'ticket.retrying')[0], {
      agent: 'agent-0',
      fence: 1,
      attempt: 1,
      error_class: 'transient',
      error: 'broken',
      duration_ms: 11,
      delay_ms: 1_000,
    });
    run.due(1_012).lease(1_013, 0);
    const { fence, attempt, note } = run.state.tickets[0];
    assert.deepEqual([fence, attempt, note?.token, note?.copied], [3, 2, undefined, undefined]);
    assert.equal(complete(run, 1_014, 3).state.tickets[0].status, 'completed');
  });

  it('is begun once for each attempt that counts, whichever of the two is left', () => {
    for (const fence of [1, 2]) {
      const run = fail(copied(), 10, fence);
      assert.equal(copy(run, 11, 'third').refusal, 'PLAN_STATE');
      fail(run, 12, 3 - fence)
        .due(2_000)
        .lease(2_001, 0);
      assert.equal(copy(run, 2_002, 'third').refusal, null);
    }
  });

  it('may be begun again when nobody took it up', () => {
    const run = release(copied(), 6, 2);
    assert.deepEqual(said(run, 'ticket.copy_released'), [{ agent: 'other', fence: 2 }]);
    assert.equal(copy(run, 7, 'third').refusal, null);
    assert.equal(complete(run, 8, 2).refusal, 'LEASE_FENCED');
    assert.equal(complete(run, 9, 3).state.tickets[0].agent, 'third');
  });

  it('goes on when the first attempt is given back', () => {
    const run = release(copied(), 6, 1);
    assert.deepEqual([run.statuses, run.state.tickets[0].agent], ['running waiting', 'other']);
    const back = release(run, 7, 2);
    assert.deepEqual([back.statuses, back.state.tickets[0].attempt], ['ready waiting', 0]);
  });

  it('is refused for what may not run twice, does not run, or is at that agent already', () => {
    assert.equal(copy(running([], { copyable: false }), 5).refusal, 'PLAN_STATE');
    assert.equal(copy(new Run([rule()]), 5).refusal, 'PLAN_STATE');
    assert.equal(copy(running(), 5, 'other', 1).refusal, 'PLAN_STATE');
    assert.equal(copy(running(), 5, 'other', 7).refusal, 'PLAN_STATE');
    assert.equal(copy(running(), 5, 'agent-0').refusal, 'PLAN_STATE');
    assert.equal(copy(copied(), 6, 'third').refusal, 'PLAN_STATE');
    assert.equal(copy(complete(running(), 5, 1), 6).refusal, 'PLAN_STATE');
  });

  it('is refused in a plan that is paused or stopping', () => {
    assert.equal(copy(running().do({ type: 'paused', at: 4 }), 5).refusal, 'PLAN_STATE');
    assert.equal(copy(running().do({ type: 'cancelled', at: 4, undo: false, why: '' }), 5).refusal, 'PLAN_STATE');
  });

  it('has its own time limit, and both are woken for', () => {
    const run = copied([], { timeoutMs: 100 });
    assert.equal(run.state.timerAt, 101);
    run.due(101);
    assert.deepEqual([run.state.tickets[0].agent, run.state.timerAt], ['other', 105]);
    assert.deepEqual(said(run, 'ticket.copy_failed')[0].error, 'took longer than 100 ms');
    run.due(105);
    assert.equal(run.statuses, 'backoff waiting');
  });

  it('ends with the first attempt when both are past their time', () => {
    const run = copied([], { timeoutMs: 100 }).due(DEADLINE - 1);
    assert.equal(run.statuses, 'backoff waiting');
    assert.deepEqual([said(run, 'ticket.copy_failed').length, said(run, 'ticket.retrying').length], [1, 1]);
  });

  it('is told to stop with the first attempt, and fenced with it after the grace', () => {
    const run = copied().do({ type: 'cancelled', at: 10, undo: false, why: '' });
    assert.ok(has(run, 'ticket.stop', 0));
    run.due(10 + CONTROL.stopGraceMs);
    assert.equal(run.state.status, 'cancelled');
    for (const fence of [1, 2]) assert.equal(complete(run, 6_000, fence).refusal, 'LEASE_FENCED');
  });

  it('counts when it comes before the end of the grace', () => {
    const run = complete(copied().do({ type: 'cancelled', at: 10, undo: false, why: '' }), 11, 2);
    assert.deepEqual([run.statuses, run.state.status], ['completed cancelled', 'cancelled']);
  });

  it('is kept with its ticket by a new revision, and ended with it otherwise', () => {
    const replan = (keep: number | null) =>
      copied().do({
        type: 'replanned',
        at: 10,
        rules: [rule()],
        deadlines: [DEADLINE],
        keep: [keep],
        gate: false,
        control: CONTROL,
      });
    assert.equal(complete(replan(0), 11, 2).statuses, 'completed cancelled');
    const replaced = replan(null);
    assert.equal(replaced.statuses, 'cancelled cancelled ready');
    assert.deepEqual(said(replaced, 'ticket.cancelled')[0], { agent: 'agent-0', fence: 1, attempt: 1 });
    assert.deepEqual(said(replaced, 'ticket.copy_lost').length, 1);
    assert.equal(replaced.state.tickets[0].note?.copy, undefined);
    for (const fence of [1, 2]) assert.equal(complete(replaced, 11, fence).refusal, 'LEASE_FENCED');
  });

  it('is begun in plans of version 1 too, which go on by the same rules', () => {
    const run = new Run([rule([], { maxRetries: 1 }), rule([0])]).lease(1, 0);
    const { status, control, rules, tickets } = run.state;
    run.state = restorePlan(JSON.parse(JSON.stringify({ flow: 1, status, control, rules, tickets })));
    complete(copy(run, 5), 6, 2);
    assert.deepEqual([run.statuses, run.state.flow], ['completed ready', 1]);
  });
});
