import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { readyTicket } from '../scheduling/sample-ticket.testing.ts';
import { CONTROL, DEADLINE, rule, Run } from './decided-plan.testing.ts';
import { readyTicketOf } from './ready-ticket-of.ts';
import type { PlanState, TicketRules } from './flow-state.ts';

const plan = { key: 7, instance: 'acme', created_at: 3 };
/** Task n takes 10ⁿ ms. */
const specs = Array.from({ length: 8 }, (_, n) => ({ ...readyTicket({}).spec, estimated_duration_ms: 10 ** n }));
const by = { base: (spec: { estimated_duration_ms: number | null }): number => spec.estimated_duration_ms! };
const of = (state: PlanState, n: number, readyAt: number | null = null) =>
  readyTicketOf({ plan, state, specs }, n, readyAt, by);
const chain = (): TicketRules[] => [rule(), rule([0]), rule([0]), rule([1, 2])];

describe('a ready ticket', () => {
  it('says where it stands and what depends on it', () => {
    const { state } = new Run(chain());
    assert.deepEqual(of(state, 0, 9), {
      plan: 7,
      n: 0,
      instance: 'acme',
      spec: specs[0],
      createdAt: 3,
      deadline: DEADLINE,
      planDeadline: DEADLINE + 2 * 60_000,
      readyAt: 9,
      rank: 1 + 100 + 1_000,
      near: [],
    });
    assert.deepEqual([of(state, 1).rank, of(state, 2).rank, of(state, 3).rank], [1_010, 1_100, 1_000]);
  });

  it('has its own time, and its plan the time of the longest way by timeouts, until the decision ends', () => {
    const { state } = new Run([...chain(), rule([3], { timeoutMs: 5_000 })]);
    assert.deepEqual([of(state, 0).deadline, of(state, 0).planDeadline], [DEADLINE, DEADLINE + 2 * 60_000 + 5_000]);
    assert.equal(of(new Run([rule()]).state, 0).planDeadline, DEADLINE);
    const capped = new Run(chain(), { validUntil: DEADLINE + 1_000 });
    assert.equal(of(capped.state, 0).planDeadline, DEADLINE + 1_000);
    const ended = new Run(chain(), { validUntil: 1_000 });
    assert.equal(of(ended.state, 0).planDeadline, DEADLINE, 'never before its own');
  });

  it('names the agents that did what it waited for, each once and four at most', () => {
    const run = new Run([...Array.from({ length: 6 }, () => rule()), rule([0, 1, 2, 3, 4, 5])]);
    for (const [n, agent] of ['a', 'b', 'a', 'c', 'd', 'e'].entries())
      run.do({ type: 'leased', at: n, leases: [{ n, agent }] }).complete(10 + n, n);
    assert.deepEqual(of(run.state, 6).near, ['a', 'b', 'c', 'd']);
  });

  it('is ready since what it waited for ended, when nobody remembers', () => {
    const run = new Run(chain());
    assert.equal(of(run.state, 0).readyAt, 3);
    run.run(20, 0);
    assert.equal(of(run.state, 1).readyAt, 21);
  });

  it('counts nothing of what a new revision replaced', () => {
    const run = new Run(chain()).lease(5, 0);
    run.do({
      type: 'replanned',
      at: 6,
      rules: [rule(), rule([0])],
      deadlines: [DEADLINE, DEADLINE],
      keep: [0, null],
      gate: false,
      control: CONTROL,
    });
    assert.equal(run.statuses, 'running cancelled cancelled cancelled waiting');
    assert.equal(of(run.state, 0).rank, 1 + 10_000);
  });
});
