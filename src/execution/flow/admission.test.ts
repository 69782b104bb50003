import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ColmeiaError, isColmeiaError, type ErrorCode } from '../../platform/errors.ts';
import { Admission } from './admission.ts';

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
    await made.decision('acme', 9_999, work);
    await refusedWith(made.decision('acme', 10_000, work), 'QUEUE_FULL');
    assert.deepEqual(seen, { refused: 1, done: 1 });
  });

  it('refuses and counts changes that run alone when 2,000 of them wait', async () => {
    const { made, seen, work } = admission();
    await made.alone(1_999, work);
    await refusedWith(made.alone(2_000, work), 'QUEUE_FULL');
    assert.deepEqual(seen, { refused: 1, done: 1 });
  });

  it('asks whether decisions of the company are taken now', async () => {
    const { made, seen, work } = admission((instance) =>
      instance === 'acme'
        ? new ColmeiaError(seen.done === 0 ? 'QUEUE_FULL' : 'SHUTTING_DOWN', 'not now', { retryAfterMs: 1_000 })
        : null,
    );
    await refusedWith(made.decision('acme', 0, work), 'QUEUE_FULL');
    await made.decision('bela', 0, work);
    await refusedWith(made.decision('acme', 0, work), 'SHUTTING_DOWN');
    assert.deepEqual(seen, { refused: 1, done: 1 });
  });
});
