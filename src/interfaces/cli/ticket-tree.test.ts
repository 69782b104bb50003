import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { tally, ticketTree, type TreeTicket } from './ticket-tree.ts';

function ticket(task: string, state: string, after: string[] = [], more: Partial<TreeTicket> = {}): TreeTicket {
  const base = {
    agent_id: null,
    attempt: 1,
    progress: null,
    started_at: null,
    actual_duration_ms: null,
    error_message: null,
    task_type: 'BUILD' as const,
  };
  return {
    ...base,
    ticket_id: `t-${task}`,
    task_id: task,
    state,
    dependencies: after.map((one) => `t-${one}`),
    ...more,
  };
}
const plain = { now: 10_000, colour: false, rows: null, width: null };

describe('ticketTree', () => {
  it('puts each ticket under the last that it waits for, and names the others', () => {
    const tickets = [
      ticket('fetch', 'completed', [], { actual_duration_ms: 250 }),
      ticket('build', 'running', ['fetch'], { agent_id: 'b-1', started_at: 8_000, progress: 0.4, attempt: 2 }),
      ticket('docs', 'failed', ['fetch'], { error_message: 'no\nroom' }),
      ticket('pack', 'waiting', ['docs', 'build']),
    ];
    assert.deepEqual(ticketTree(tickets, plain), [
      '✔ fetch  completed  250 ms',
      '├ ▶ build  running  on b-1 · 40 % · attempt 2 · 2.0 s',
      '└ ✖ docs  failed  no room',
      '  └ · pack  waiting  after build',
    ]);
  });

  it('shows on a small screen what goes on and what went wrong', () => {
    const tickets = Array.from({ length: 50 }, (_, n) =>
      ticket(`t${n}`, n === 40 ? 'failed' : n === 45 ? 'running' : 'completed'),
    );
    assert.deepEqual(ticketTree(tickets, { ...plain, rows: 4 }), [
      '✔ t0  completed',
      '✖ t40  failed',
      '▶ t45  running',
      '… and 47 more tickets',
    ]);
  });

  it('takes a chain of 10,000 without running out of stack or off the screen', () => {
    const tickets = Array.from({ length: 10_000 }, (_, n) => ticket(`t${n}`, 'waiting', n === 0 ? [] : [`t${n - 1}`]));
    const lines = ticketTree(tickets.toReversed(), plain);
    assert.equal(lines.length, 10_000);
    assert.ok(Math.max(...lines.map((line) => line.length)) < 80);
  });

  it('shows every ticket even when the dependencies form a circle', () => {
    const tickets = [ticket('a', 'waiting', ['b']), ticket('b', 'waiting', ['a']), ticket('c', 'waiting', ['gone'])];
    assert.equal(ticketTree(tickets, plain).filter((line) => line.includes('waiting')).length, 3);
  });
});

it('tally counts what is done first', () => {
  assert.equal(
    tally([ticket('a', 'completed'), ticket('b', 'running'), ticket('c', 'running')]),
    '1 of 3 done, 2 running',
  );
});
