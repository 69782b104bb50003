import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ColmeiaError, isColmeiaError, type ErrorCode } from '../../platform/errors.ts';
import { Admission } from './admission.ts';
import type { FlowBatch } from './flow-batch.ts';
import { OpenTickets } from './open-tickets.ts';

function admission(admit?: (instance: string) => ColmeiaError | null) {
  const seen = { refused: 0, done: 0 };
  const made = new Admission({ onQueueFull: () => void seen.refused++, ...(admit && { admit }) });
  const work = async (): Promise<void> => void seen.done++;
  return { made, seen, work };
}
const refusedWith = (call: Promise<unknown>, code: ErrorCode) =>
  assert.rejects(call, (error) => isColmeiaError(error, code) && error.retryAfterMs === 1_000);

describe('admission', () => {
  it('refuses and counts decisions when 10,000 changes wait', async () => {
    const { made, seen, work } = admission();
    await made.decision(9_999, work);
    await refusedWith(made.decision(10_000, work), 'QUEUE_FULL');
    assert.deepEqual(seen, { refused: 1, done: 1 });
  });

  it('refuses and counts changes that run alone when 2,000 of them wait', async () => {
    const { made, seen, work } = admission();
    await made.alone(1_999, work);
    await refusedWith(made.alone(2_000, work), 'QUEUE_FULL');
    assert.deepEqual(seen, { refused: 1, done: 1 });
  });

  it('asks whether new plans of the company are taken now, then whether they fit', async () => {
    const overloaded = new ColmeiaError('QUEUE_FULL', 'not now', { retryAfterMs: 1_000 });
    const { made, seen } = admission((instance) => (instance === 'acme' ? overloaded : null));
    const batch = { at: 0, opened: new Map() } as unknown as FlowBatch;
    const begin = (instance: string, tickets: number) =>
      made.counted(async () => made.mustBegin(batch, instance, tickets, new OpenTickets()));
    await refusedWith(begin('acme', 1), 'QUEUE_FULL');
    await begin('bela', 100_000);
    await assert.rejects(begin('bela', 100_001), (error) => isColmeiaError(error, 'QUEUE_FULL'));
    assert.equal(seen.refused, 2);
  });
});
