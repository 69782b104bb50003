import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Open } from './place.ts';
import { refused, SampleCompany } from './sample-company.ts';
import { chainOf, sampleDecision, samplePlan } from './sample-decision.ts';

export function decisionsConformance(open: Open): void {
  describe('decisions', () => {
    test('the same decision again is the same plan, also when it comes twenty times at once, and runs once', async () => {
      const company = await SampleCompany.found(open());
      const answers = await Promise.all(Array.from({ length: 20 }, () => company.submit('same', chainOf('a', 'b'))));
      assert.equal(answers.filter(({ duplicate }) => !duplicate).length, 1);
      assert.equal(new Set(answers.map(({ plan_id, workflow_id }) => `${plan_id} ${workflow_id}`)).size, 1);
      await company.agent('worker');
      assert.deepEqual(await company.work('same', 'worker'), ['a', 'b']);
      const late = await company.submit('same', chainOf('a', 'b'));
      assert.deepEqual([late.duplicate, late.status], [true, 'completed']);
      assert.equal((await company.journal('same')).filter(({ type }) => type === 'plan.received').length, 1);
    });

    test('key order and the plan as text or as object make no other decision', async () => {
      const company = await SampleCompany.found(open());
      const decision = sampleDecision('form', chainOf('a'));
      await company.colmeia.decisions.submit(company.who, decision);
      const turned = Object.fromEntries(Object.entries(decision).toReversed());
      turned.cognitive_plan = JSON.stringify(decision.cognitive_plan);
      assert.equal((await company.colmeia.decisions.submit(company.who, turned)).duplicate, true);
    });

    test('another decision under a plan id that is taken is a conflict, before and after the plan has ended', async () => {
      const company = await SampleCompany.found(open());
      await company.submit('taken', chainOf('a'));
      await refused(company.submit('taken', chainOf('b')), 'PLAN_CONFLICT');
      await company.agent('worker');
      assert.deepEqual(await company.work('taken', 'worker'), ['a']);
      await refused(company.submit('taken', chainOf('b')), 'PLAN_CONFLICT');
      assert.deepEqual(await company.states('taken'), { a: 'completed' });
    });

    test('an invalid decision is answered with every fault, kept as rejected and audited; its correction is accepted', async () => {
      const company = await SampleCompany.found(open());
      const tasks = [
        { id: 'a', after: ['c'] },
        { id: 'b', after: ['a'] },
        { id: 'c', after: ['b'] },
      ];
      const cycle = await refused(company.submit('faulty', tasks), 'INVALID_DECISION');
      assert.match(cycle.faults.map(({ message }) => message).join('\n'), /a → c → b → a|form a cycle/);

      const many = sampleDecision('faulty', [{ id: 'a', after: ['bb'] }, { id: 'b' }, { id: 'b' }], {
        decision: { aggregated_risk: 'high', valid_until: 1 },
      });
      delete many.created_at;
      const { faults } = await refused(company.colmeia.decisions.submit(company.who, many), 'INVALID_DECISION');
      const paths = faults.map(({ path }) => path);
      assert.ok(paths.includes('aggregated_risk'), JSON.stringify(faults));
      assert.ok(paths.includes('created_at'), JSON.stringify(faults));

      const kept = await company.plan('faulty');
      assert.equal(kept.status, 'rejected');
      assert.ok(Array.isArray(kept.result?.faults), JSON.stringify(kept.result));
      const rejected = (await company.journal('faulty')).filter(({ type }) => type === 'decision.rejected');
      assert.equal(rejected.length, 2);

      const answer = await company.submit('faulty', chainOf('a', 'b', 'c'));
      assert.deepEqual([answer.status, answer.duplicate], ['running', false]);
      await company.agent('worker');
      assert.deepEqual(await company.work('faulty', 'worker'), ['a', 'b', 'c']);
      assert.equal((await company.plan('faulty')).status, 'completed');
    });

    test('faults of the plan are named by their path', async () => {
      const company = await SampleCompany.found(open());
      const tasks = [{ id: 'a', after: ['build-x'] }, { id: 'b' }, { id: 'b' }];
      const { faults } = await refused(company.submit('paths', tasks), 'INVALID_DECISION');
      assert.deepEqual(faults.map(({ path }) => path).sort(), [
        'cognitive_plan.tasks[0].dependencies[0]',
        'cognitive_plan.tasks[2].task_id',
      ]);
    });

    test('an invalid decision does not touch the plan that has its id', async () => {
      const company = await SampleCompany.found(open());
      await company.submit('whole', chainOf('a'));
      await refused(company.submit('whole', [{ id: 'a', after: ['x'] }]), 'INVALID_DECISION');
      assert.equal((await company.plan('whole')).status, 'running');
      await company.agent('worker');
      await company.work('whole', 'worker');
      assert.equal((await company.plan('whole')).status, 'completed');
    });

    test('a decision that says no is recorded and answered, and nothing runs', async () => {
      const company = await SampleCompany.found(open());
      const answer = await company.submit('no', chainOf('a'), {
        decision: { final_decision: 'reject', reasoning_summary: 'too dear' },
      });
      assert.equal(answer.status, 'rejected');
      assert.equal((await company.plan('no')).status, 'rejected');
      await company.agent('worker');
      assert.deepEqual(await company.lease('worker', 10, 50), []);
      const [event] = await company.journal('no');
      assert.deepEqual([event!.type, event!.data?.why], ['plan.rejected', 'too dear']);
    });

    test('what is not a decision at all is a fault of the caller', async () => {
      const company = await SampleCompany.found(open());
      for (const value of [null, 7, 'text', [], {}])
        await refused(company.colmeia.decisions.submit(company.who, value), 'INVALID_DECISION');
    });

    test('of a batch each decision is answered on its own', async () => {
      const company = await SampleCompany.found(open());
      const decisions = [
        sampleDecision('b1', chainOf('a')),
        { plan_id: 'b2' },
        sampleDecision('b3', chainOf('a')),
        sampleDecision('b1', chainOf('x')),
      ];
      const answers = await company.colmeia.decisions.submitAll(company.who, decisions);
      assert.deepEqual(
        answers.map(({ plan_id, error }) => [plan_id, error?.code]),
        [
          ['b1', undefined],
          ['b2', 'INVALID_DECISION'],
          ['b3', undefined],
          ['b1', 'PLAN_CONFLICT'],
        ],
      );
    });

    test('a plan started twice is one plan, and another one under its id is a conflict', async () => {
      const { colmeia, who } = await SampleCompany.found(open());
      const plan = { ...samplePlan('started-twice', chainOf('a')), valid_until: null };
      const first = await colmeia.decisions.start(who, { cognitive_plan: plan });
      assert.deepEqual(await colmeia.decisions.start(who, { cognitive_plan: plan }), first);
      const other = colmeia.decisions.start(who, { cognitive_plan: { ...plan, risk_score: 0.9 } });
      await refused(other, 'PLAN_CONFLICT');
    });

    test('a plan started as a workflow answers to both of its workflow ids', async () => {
      const company = await SampleCompany.found(open());
      const { colmeia, who } = company;
      const started = await colmeia.decisions.start(who, {
        cognitive_plan: samplePlan('started', chainOf('a', 'b'), {
          correlation_id: null,
          original_priority: undefined,
        }),
        correlation_id: `c-${company.name}`,
        priority: 9,
      });
      assert.deepEqual([started.workflow_id, started.status], ['orchestration-started', 'started']);
      for (const id of ['orchestration-started', `orchestration-flow-c-c-${company.name}`])
        assert.equal((await colmeia.plans.workflow(who, id)).status, 'RUNNING');
      await company.agent('worker');
      const lease = await company.leaseOne('worker');
      assert.equal(lease.ticket.priority, 'CRITICAL');
      await company.complete(lease);
      const second = await company.leaseOne('worker');
      await colmeia.plans.signal(who, started.workflow_id, {
        signal_name: 'ticket_completed',
        args: [second.ticket.ticket_id, { output: { by: 'signal' } }],
      });
      const { result } = await colmeia.plans.query(who, started.workflow_id, { query_name: 'get_status' });
      assert.equal((result as { status: string }).status, 'completed');
      assert.equal((await colmeia.plans.workflow(who, started.workflow_id)).status, 'COMPLETED');
      assert.deepEqual((await company.ticket('started', 'b')).result?.output, { by: 'signal' });
      await refused(colmeia.plans.workflow(who, 'orchestration-nothing'), 'WORKFLOW_NOT_FOUND');
    });
  });
}
