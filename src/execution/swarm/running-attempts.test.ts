import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { readyTicket } from '../scheduling/sample-ticket.testing.ts';
import { RunningAttempts } from './running-attempts.ts';

const run = (agent: string, at = 0) => ({
  plan: 1,
  n: 0,
  instance: 'acme',
  spec: readyTicket({}).spec,
  agent,
  at,
});

describe('the attempts that run', () => {
  it('are counted once however often they are told, the second one of a ticket as a copy', () => {
    const attempts = new RunningAttempts();
    assert.deepEqual(
      [attempts.begin(run('a')), attempts.begin(run('a')), attempts.begin(run('b'))],
      ['new', 'known', 'new'],
    );
    assert.deepEqual([attempts.size, attempts.copies, attempts.isCopied(run('a'))], [2, 1, true]);
    assert.equal(attempts.end(1, 0, 'c', false), false);
  });

  it('leave the ticket to the copy when the first one ends', () => {
    const attempts = new RunningAttempts();
    for (const agent of ['a', 'b']) attempts.begin(run(agent));
    assert.equal(attempts.end(1, 0, 'a', true), true);
    assert.deepEqual([attempts.size, attempts.copies], [1, 0]);
    assert.equal(attempts.end(1, 0, 'b', false), true);
    assert.equal(attempts.size, 0);
  });

  it('know an end that is taken back from a new attempt, until its result was learned', () => {
    const attempts = new RunningAttempts();
    attempts.begin(run('a'));
    attempts.end(1, 0, 'a', true);
    assert.equal(attempts.begin(run('a')), 'again');
    attempts.end(1, 0, 'a', true);
    assert.equal(attempts.learned(1, 0, 'a'), true);
    assert.equal(attempts.learned(1, 0, 'a'), false);
    assert.equal(attempts.begin(run('a')), 'new');
  });

  it('are looked at when their time has come, unless they have ended', () => {
    const attempts = new RunningAttempts();
    const [first, second] = [run('a'), { ...run('b'), n: 1 }];
    for (const [one, at] of [
      [first, 10],
      [second, 20],
    ] as const) {
      attempts.begin(one);
      attempts.lookAt(one, at);
    }
    assert.equal(attempts.nextLook, 10);
    attempts.end(1, 0, 'a', false);
    assert.deepEqual([attempts.nextLook, attempts.takeLooks(30)], [20, [second]]);
    assert.equal(attempts.nextLook, Infinity);
  });
});
