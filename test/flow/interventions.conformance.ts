import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Open } from './place.ts';
import { assertFlow, refused, SampleCompany } from './sample-company.ts';
import { chainOf, samplePlan } from './sample-decision.ts';

/** What people do to a plan: approve, cancel, pause, retry, replan. */
export function interventionsConformance(open: Open): void {
  describe('interventions', () => {
    test('a plan that wants approval waits, and who let it go and why is in the audit', async () => {
      const company = await SampleCompany.found(open());
      const { colmeia, who } = company;
      for (const [plan, more] of [
        ['asks', { plan: { requires_approval: true } }],
        ['conditional', { decision: { final_decision: 'conditional' } }],
        ['review', { decision: { requires_human_review: true } }],
      ] as const) {
        assert.equal((await company.submit(plan, chainOf('a'), more)).status, 'waiting_approval');
        assert.deepEqual((await company.plan(plan)).waits_for_approval, ['*']);
      }
      await company.agent('worker');
      assert.deepEqual(await company.lease('worker', 10, 50), []);
      await colmeia.plans.approve(who, { planId: 'asks' }, { reason: 'looks fine' });
      assert.deepEqual(await company.work('asks', 'worker'), ['a']);
      const approved = (await company.journal('asks')).find(({ type }) => type === 'plan.approved');
      assert.equal(approved?.why, 'looks fine');
      assert.match(approved!.by, new RegExp(`^company:${company.name}:`));

      await refused(colmeia.plans.reject(who, { planId: 'review' }, { reason: '  ' }), 'INVALID_REQUEST');
      await colmeia.plans.reject(who, { planId: 'review' }, { reason: 'not now' });
      assert.equal((await company.plan('review')).status, 'rejected');
      await refused(colmeia.plans.approve(who, { planId: 'review' }, {}), 'PLAN_STATE');
      await refused(colmeia.plans.approve(who, { planId: 'asks' }, {}), 'PLAN_STATE');
    });

    test('a destructive task waits for a person while the others run', async () => {
      const company = await SampleCompany.found(open());
      const { colmeia, who } = company;
      await company.submit('drop', [{ id: 'look' }, { id: 'drop', after: ['look'] }, { id: 'tell', after: ['look'] }], {
        plan: { destructive_tasks: ['drop'], is_destructive: true },
      });
      await company.agent('worker');
      await company.complete(await company.leaseOne('worker'));
      await company.complete(await company.leaseOne('worker'));
      assert.deepEqual(await company.lease('worker', 10, 50), []);
      assert.deepEqual((await company.plan('drop')).waits_for_approval, ['drop']);
      assert.equal((await company.ticket('drop', 'drop')).state, 'approval');
      await refused(colmeia.plans.approve(who, { planId: 'drop' }, { task_id: 'nothing' }), 'INVALID_REQUEST');
      await refused(colmeia.plans.approve(who, { planId: 'drop' }, { task_id: 'tell' }), 'PLAN_STATE');
      await colmeia.plans.approve(who, { planId: 'drop' }, { task_id: 'drop', reason: 'it is old' });
      await company.work('drop', 'worker');
      assert.equal((await company.plan('drop')).status, 'completed');
    });

    test('a destructive task that is declined fails the plan, and what was done is undone', async () => {
      const company = await SampleCompany.found(open());
      await company.submit(
        'declined',
        [
          { id: 'make', undo: 'unmake' },
          { id: 'drop', after: ['make'] },
        ],
        {
          plan: { destructive_tasks: ['drop'] },
        },
      );
      await company.agent('worker');
      await company.complete(await company.leaseOne('worker'));
      await company.colmeia.plans.reject(company.who, { planId: 'declined' }, { reason: 'too risky', task_id: 'drop' });
      assert.deepEqual(await company.work('declined', 'worker'), ['make~undo']);
      assert.equal((await company.plan('declined')).status, 'compensated');
    });

    test('cancelling stops what waits at once, tells running attempts, and undoes when asked', async () => {
      const company = await SampleCompany.found(open());
      const { colmeia, who } = company;
      for (const plan of ['stop', 'undone'])
        await company.submit(plan, [
          { id: 'a', undo: 'un-a' },
          { id: 'b', after: ['a'] },
          { id: 'c', after: ['b'] },
        ]);
      await company.agent('worker');
      for (const lease of Object.values(await leasesByPlan(company, 2))) await company.complete(lease);
      const { stop, undone } = await leasesByPlan(company, 2);
      await colmeia.plans.cancel(who, { planId: 'stop' }, { reason: 'changed our mind' });
      await colmeia.plans.cancel(who, { planId: 'undone' }, { compensate: true });
      assert.equal((await company.ticket('stop', 'c')).state, 'cancelled');
      const beat = await colmeia.leases.heartbeat(who, stop!.lease_id, { fencing_token: stop!.fencing_token });
      assert.equal(beat.cancel, true);
      await company.fail(stop!, 'transient', { error_message: 'stopped' });
      assert.equal((await company.plan('stop')).status, 'cancelled');
      assert.equal((await company.states('stop')).a, 'completed');
      assert.equal(
        (await company.journal('stop')).find(({ type }) => type === 'plan.cancelling')?.why,
        'changed our mind',
      );

      await company.complete(undone!); // it was done before it heard
      assert.deepEqual(await company.work('undone', 'worker'), ['a~undo']);
      assert.deepEqual(
        [(await company.plan('undone')).status, (await company.states('undone')).b],
        ['compensated', 'completed'],
      );
      assert.equal((await colmeia.plans.cancel(who, { planId: 'undone' }, {})).status, 'compensated', 'said before');
      await company.submit('done', chainOf('x'));
      await company.work('done', 'worker');
      await refused(colmeia.plans.cancel(who, { planId: 'done' }, {}), 'PLAN_STATE');
    });

    test('an attempt that does not stop is fenced after its grace', async () => {
      const company = await SampleCompany.found(open());
      await company.submit('deaf', chainOf('a', 'b'));
      await company.agent('worker');
      const lease = await company.leaseOne('worker');
      await company.colmeia.plans.cancel(company.who, { planId: 'deaf' }, {});
      await company.until(
        'the end',
        () => company.plan('deaf'),
        ({ status }) => status === 'cancelled',
      );
      await refused(company.complete(lease), 'LEASE_FENCED');
      assert.deepEqual(await company.states('deaf'), { a: 'cancelled', b: 'cancelled' });
    });

    test('a paused plan gives out nothing, lets running attempts finish, and goes on', async () => {
      const company = await SampleCompany.found(open());
      const { colmeia, who } = company;
      await company.submit('rest', [{ id: 'a' }, { id: 'b', after: ['a'] }]);
      await company.agent('worker');
      const lease = await company.leaseOne('worker');
      await colmeia.plans.pause(who, { planId: 'rest' }, { reason: 'lunch' });
      assert.equal((await company.plan('rest')).paused, true);
      await company.complete(lease);
      assert.deepEqual(await company.lease('worker', 10, 80), []);
      await colmeia.plans.resume(who, { planId: 'rest' }, {});
      assert.deepEqual(await company.work('rest', 'worker'), ['b']);
      await refused(colmeia.plans.pause(who, { planId: 'rest' }, {}), 'PLAN_STATE');
    });

    test('a failed plan is retried from its failed tickets; what is done is not done again', async () => {
      const company = await SampleCompany.found(open());
      await company.submit('again', chainOf('a', 'b', 'c'));
      await company.agent('worker');
      assert.deepEqual(await company.work('again', 'worker', (task) => (task === 'b' ? { fail: 'poison' } : null)), [
        'a',
        'b',
      ]);
      await company.colmeia.plans.retry(company.who, { planId: 'again' }, { reason: 'b is mended' });
      assert.deepEqual(await company.work('again', 'worker'), ['b', 'c']);
      assert.equal((await company.plan('again')).status, 'completed');
      await refused(company.colmeia.plans.retry(company.who, { planId: 'again' }, {}), 'PLAN_STATE');
      assertFlow(await company.journal('again'), await company.tickets('again'));
    });

    test('a new revision keeps what is done or under way and unchanged, and runs the rest', async () => {
      const company = await SampleCompany.found(open());
      const { colmeia, who } = company;
      await company.submit('revised', chainOf('a', 'b', 'c'));
      await company.agent('worker');
      await company.complete(await company.leaseOne('worker'), { kept: 'yes' });
      const running = await company.leaseOne('worker');
      const plan = samplePlan('revised', [...chainOf('a', 'b'), { id: 'd', after: ['b'] }, { id: 'e', after: ['a'] }]);
      const answer = await colmeia.plans.replan(
        who,
        { planId: 'revised' },
        { cognitive_plan: plan, reason: 'c was wrong' },
      );
      assert.deepEqual([answer.revision, answer.status], [2, 'running']);
      await company.complete(running);
      assert.deepEqual((await company.work('revised', 'worker')).sort(), ['d', 'e']);
      assert.deepEqual(await company.states('revised'), {
        a: 'completed',
        b: 'completed',
        c: 'cancelled',
        d: 'completed',
        e: 'completed',
      });
      assert.deepEqual((await company.ticket('revised', 'a')).result?.output, { kept: 'yes' });
      assert.deepEqual(
        [(await company.plan('revised')).status, (await company.plan('revised')).revision],
        ['completed', 2],
      );
      const bad = samplePlan('revised', [{ id: 'a', after: ['x'] }]);
      await refused(colmeia.plans.replan(who, { planId: 'revised' }, { cognitive_plan: bad }), 'INVALID_DECISION');
    });
  });
}

/** A lease of each of so many plans. */
async function leasesByPlan(company: SampleCompany, plans: number) {
  const found: Record<string, Awaited<ReturnType<SampleCompany['leaseOne']>>> = {};
  for (const deadline = Date.now() + 5_000; Object.keys(found).length < plans;) {
    assert.ok(Date.now() < deadline);
    for (const lease of await company.lease('worker', 10, 200)) found[lease.ticket.plan_id] = lease;
  }
  return found;
}
