import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Colmeia } from '../../src/colmeia.ts';
import type { Open } from './place.ts';
import { refused, SampleCompany } from './sample-company.ts';
import { chainOf, samplePlan } from './sample-decision.ts';

/** The cap that these tests are run with. */
export const MOST_OPEN = 5;

async function rejections(colmeia: Colmeia): Promise<number> {
  const line = /^orchestration_scheduler_rejections_total(?:\{[^}]*\})? (\d+)$/m.exec((await colmeia.metrics()).text);
  assert.ok(line, 'the metric is not there');
  return Number(line[1]);
}

export function queuesConformance(open: Open): void {
  describe('the queue of a company', () => {
    test('takes no more open tickets than its cap, says so, and takes them when there is room', async () => {
      const company = await SampleCompany.found(open());
      const other = await SampleCompany.found(open());
      await company.submit('first', chainOf('a', 'b', 'c'));
      await company.submit('second', chainOf('a'));
      const before = await rejections(company.colmeia);
      const journal = (await company.journal()).length;
      const error = await refused(company.submit('third', chainOf('a', 'b')), 'QUEUE_FULL');
      assert.equal(error.message, `company "${company.name}" has 4 open tickets and may have 5; 2 more do not fit`);
      assert.ok(error.retryAfterMs! >= 1_000 && error.retryAfterMs! <= 60_000, String(error.retryAfterMs));
      await refused(company.plan('third'), 'PLAN_NOT_FOUND');
      assert.equal((await company.journal()).length, journal);
      assert.equal((await rejections(company.colmeia)) - before, 1);

      assert.equal((await other.submit('third', chainOf('a', 'b'))).status, 'running');
      assert.equal((await company.submit('first', chainOf('a', 'b', 'c'))).duplicate, true);
      await company.agent('worker');
      await company.work('first', 'worker');
      assert.equal((await company.submit('third', chainOf('a', 'b'))).status, 'running');
    });

    test('counts every ticket that has not ended, and none that has', async () => {
      const company = await SampleCompany.found(open());
      await company.submit('full', [...chainOf('a', 'b'), { id: 'c' }, { id: 'd' }, { id: 'e' }]);
      await company.agent('worker');
      const lease = await company.leaseAll('worker', 'a', 'c', 'd', 'e');
      await refused(company.submit('more', chainOf('a')), 'QUEUE_FULL');
      await company.complete(lease.c!);
      assert.equal((await company.submit('more', chainOf('a'))).status, 'running');
      await refused(company.submit('still more', chainOf('a')), 'QUEUE_FULL');
      await company.colmeia.plans.cancel(company.who, { planId: 'more' }, {});
      assert.equal((await company.submit('still more', chainOf('a'))).status, 'running');
    });

    test('takes no new revision that would carry it over its cap, and any that does not', async () => {
      const company = await SampleCompany.found(open());
      await company.submit('grows', chainOf('a', 'b', 'c'));
      const replan = (...ids: string[]) =>
        company.colmeia.plans.replan(
          company.who,
          { planId: 'grows' },
          { cognitive_plan: samplePlan('grows', chainOf(...ids)) },
        );
      await refused(replan('a', 'b', 'c', 'd', 'e', 'f'), 'QUEUE_FULL');
      assert.deepEqual(Object.keys(await company.states('grows')), ['a', 'b', 'c']);
      assert.equal((await replan('a', 'x', 'y', 'z', 'q')).status, 'running');
      assert.equal((await replan('x', 'y', 'z', 'q', 'a')).status, 'running');
    });
  });
}
