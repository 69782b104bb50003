import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import {
  instanceNoOf,
  leaseIdOf,
  parseLeaseId,
  parseTicketId,
  planIdOf,
  planKey,
  ticketIdOf,
  workflowIdOf,
} from './plan.ts';

describe('workflow ids', () => {
  it('name their plan', () => assert.equal(planIdOf(workflowIdOf('p-1')), 'p-1'));

  it('are refused when they are not ours', () => {
    for (const id of ['', 'orchestration-', 'p-1', 'Orchestration-p']) assert.equal(planIdOf(id), null, id);
  });
});

describe('ticket and lease ids', () => {
  it('say where they belong', () => {
    const number = fc.integer({ min: 1, max: 2 ** 32 - 1 });
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 2 ** 20 - 1 }),
        number,
        fc.nat(999_999),
        fc.integer({ min: 1, max: 999_999_999 }),
        (no, of, n, fence) => {
          const key = planKey(no, of);
          assert.ok(Number.isSafeInteger(key));
          assert.equal(instanceNoOf(key), no);
          assert.deepEqual(parseTicketId(ticketIdOf(key, n)), { key, n });
          assert.deepEqual(parseLeaseId(leaseIdOf(key, n, fence)), { key, n, fence });
        },
      ),
    );
  });

  it('are refused when they are not ours', () => {
    for (const id of [
      '',
      '-',
      'a',
      'a-',
      '-1',
      'A-1',
      'a-1 ',
      'a-x',
      'a-1.5',
      'a-1234567',
      'zzzzzzzzzzz-1',
      'a b-1',
      'a-1\n',
    ])
      assert.equal(parseTicketId(id), null, JSON.stringify(id));
    for (const id of ['', 'a-1', 'a-1-', 'a-1-0', 'a-1-x', '-1-1', 'a--1', 'a-1-1-1', 'a-1--1', 'a-1-1234567890'])
      assert.equal(parseLeaseId(id), null, JSON.stringify(id));
  });

  it('are taken or refused, whatever comes, and never throw', () => {
    fc.assert(
      fc.property(fc.string(), (id) => {
        for (const parsed of [parseTicketId(id), parseLeaseId(id)])
          assert.ok(parsed === null || Number.isSafeInteger(parsed.key));
      }),
    );
  });
});
