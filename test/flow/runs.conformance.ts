import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Open } from './place.ts';
import { assertFlow, refused, SampleCompany } from './sample-company.ts';
import { chainOf, DIAMOND, type SampleTask } from './sample-decision.ts';

const UNDOABLE: readonly SampleTask[] = [
  { id: 'a', undo: 'drop-a', parameters: { table: 't' } },
  { id: 'b', after: ['a'] },
  { id: 'c', after: ['b'], undo: 'drop-c' },
  { id: 'd', after: ['c'] },
];

export function runsConformance(open: Open): void {
  describe('runs', () => {
    test('a chain runs in its order and ends with results, a consolidation and a whole journal', async () => {
      const company = await SampleCompany.found(open());
      assert.equal((await company.submit('chain', chainOf('a', 'b', 'c'))).status, 'running');
      await company.agent('worker');
      assert.deepEqual(await company.work('chain', 'worker', (task) => ({ output: { of: task, n: 1 } })), [
        'a',
        'b',
        'c',
      ]);
      const plan = await company.plan('chain');
      assert.deepEqual([plan.status, plan.progress, plan.result?.success], ['completed', { completed: 3 }, true]);
      assert.deepEqual((await company.ticket('chain', 'b')).result?.output, { of: 'b', n: '1' });
      const journal = await company.journal('chain');
      assert.deepEqual(
        journal.map(({ type, ticket }) => (ticket === undefined ? type : `${type} ${ticket}`)),
        [
          ...['plan.received', 'plan.validated', 'plan.ticketed'],
          ...[0, 1, 2].flatMap((n) => [`ticket.leased ${n}`, `ticket.completed ${n}`]),
          ...['plan.consolidating', 'plan.completed'],
        ],
      );
      assertFlow(journal, await company.tickets('chain'));
    });

    test('branches of a diamond are out at once, and the join waits for both', async () => {
      const company = await SampleCompany.found(open());
      await company.submit('diamond', DIAMOND);
      await company.agent('worker');
      await company.complete(await company.leaseOne('worker'));
      const { left, right } = await company.leaseAll('worker', 'left', 'right');
      await company.complete(left!);
      assert.deepEqual(await company.lease('worker', 10, 50), []);
      await company.complete(right!);
      assert.equal((await company.leaseOne('worker')).ticket.task_id, 'bottom');
    });

    test('a plan of eighty tasks that depend at random is worked off by three agents, each ticket once and in order', async () => {
      const company = await SampleCompany.found(open());
      const tasks = Array.from({ length: 80 }, (_, n) => ({
        id: `t${n}`,
        after: [...new Set([n - 1 - ((n * 7) % 5), n - 1 - ((n * 13) % 11)].filter((dep) => dep >= 0))].map(
          (dep) => `t${dep}`,
        ),
      }));
      await company.submit('wide', tasks);
      const agents = ['one', 'two', 'three'];
      for (const agent of agents) await company.agent(agent, { concurrency: 4 });
      const begun = await Promise.all(agents.map((agent) => company.work('wide', agent)));
      assert.equal(begun.flat().length, 80);
      assertFlow(await company.journal('wide'), await company.tickets('wide'));
    });

    test('required capabilities and task types decide who gets a ticket', async () => {
      const company = await SampleCompany.found(open());
      await company.submit('able', [
        { id: 'gpu', capabilities: ['gpu', 'linux'] },
        { id: 'build', type: 'BUILD' },
      ]);
      await company.agent('builder', { task_types: ['BUILD'] });
      await company.agent('plain', { task_types: ['EXECUTE'], capabilities: ['linux'] });
      assert.equal((await company.leaseOne('builder')).ticket.task_id, 'build');
      assert.deepEqual(await company.lease('plain', 1, 50), []);
      await company.agent('strong', { task_types: ['EXECUTE'], capabilities: ['linux', 'gpu', 'more'] });
      assert.equal((await company.leaseOne('strong')).ticket.task_id, 'gpu');
    });

    test('a transient failure is tried again after a backoff, under a new token', async () => {
      const company = await SampleCompany.found(open());
      await company.submit('retry', chainOf('a', 'b'), { plan: { risk_band: 'medium' } });
      await company.agent('worker');
      const first = await company.leaseOne('worker');
      await company.fail(first, 'transient', { error_message: 'the net is down' });
      const waiting = await company.ticket('retry', 'a');
      assert.deepEqual([waiting.state, waiting.error_message], ['backoff', 'the net is down']);
      const began = Date.now();
      const second = await company.leaseOne('worker');
      assert.ok(
        waiting.next_attempt_at !== null && Date.now() >= waiting.next_attempt_at - 1,
        'it came before its time',
      );
      assert.ok(Date.now() - began < 2_000);
      assert.deepEqual([second.attempt, second.fencing_token], [2, 2]);
      await refused(company.complete(first), 'LEASE_FENCED');
      await company.fail(second, 'transient');
      await company.complete(await company.leaseOne('worker'));
      const done = await company.ticket('retry', 'a');
      assert.deepEqual([done.state, done.retry_count, done.attempt], ['completed', 2, 3]);
      await company.work('retry', 'worker');
      assert.deepEqual((await company.plan('retry')).result?.retries, 2);
    });

    test('when the retries are used up the plan fails, and what depended on the ticket is cancelled', async () => {
      const company = await SampleCompany.found(open());
      await company.submit('spent', [...chainOf('a', 'b'), { id: 'alone' }]);
      await company.agent('worker');
      const begun = await company.work('spent', 'worker', (task) =>
        task === 'a' ? { fail: 'transient', message: 'never works' } : null,
      );
      assert.deepEqual(begun.filter((task) => task === 'a').length, 2, 'risk low: one retry');
      assert.ok(!begun.includes('b'));
      const { status } = await company.plan('spent');
      const a = await company.ticket('spent', 'a');
      assert.deepEqual([status, a.state, a.status, a.error_message], ['failed', 'failed', 'FAILED', 'never works']);
      assert.equal((await company.ticket('spent', 'b')).state, 'cancelled');
      assert.equal((await company.colmeia.plans.workflow(company.who, 'orchestration-spent')).status, 'FAILED');
    });

    for (const { errorClass, attempts } of [
      { errorClass: 'transient', attempts: 3 },
      { errorClass: 'timeout', attempts: 3 },
      { errorClass: 'quota', attempts: 3 },
      { errorClass: 'auth', attempts: 1 },
      { errorClass: 'poison', attempts: 1 },
    ] as const)
      test(`failures of class ${errorClass} are tried ${attempts === 1 ? 'once' : 'again within the retries'}`, async () => {
        const company = await SampleCompany.found(open());
        await company.submit('class', chainOf('a'), { plan: { risk_band: 'medium' } });
        await company.agent('worker');
        assert.equal((await company.work('class', 'worker', () => ({ fail: errorClass }))).length, attempts);
        const events = (await company.journal('class')).filter(({ data }) => data?.error_class === errorClass);
        assert.deepEqual(
          events.map(({ type }) => type),
          [...Array.from({ length: attempts - 1 }, () => 'ticket.retrying'), 'ticket.failed'],
        );
      });

    test('a quota failure rests longer than a transient one, and an agent may name the time', async () => {
      const company = await SampleCompany.found(open());
      await company.submit('rest', [{ id: 'quota' }, { id: 'named' }]);
      await company.agent('worker');
      const { quota, named } = await company.leaseAll('worker', 'quota', 'named');
      const before = Date.now();
      await company.fail(quota!, 'quota');
      await company.fail(named!, 'transient', { retry_after_ms: 60_000 });
      const at = async (task: string): Promise<number> =>
        (await company.ticket('rest', task)).next_attempt_at! - before;
      assert.ok((await at('quota')) >= 60, 'at least half of 120 ms');
      assert.ok((await at('named')) >= 60_000);
    });

    test('what is done is undone in reverse order when the plan cannot finish', async () => {
      const company = await SampleCompany.found(open());
      await company.submit('undo', UNDOABLE);
      await company.agent('worker');
      const seen: Record<string, Record<string, string>> = {};
      const order: string[] = [];
      for (const deadline = Date.now() + 10_000; (await company.plan('undo')).ended_at === null;) {
        assert.ok(Date.now() < deadline);
        for (const lease of await company.lease('worker', 10, 50)) {
          order.push(lease.ticket.task_id);
          seen[lease.ticket.task_id] = lease.ticket.parameters;
          if (lease.ticket.task_id === 'd') await company.fail(lease, 'poison');
          else await company.complete(lease);
        }
      }
      assert.deepEqual(order, ['a', 'b', 'c', 'd', 'c~undo', 'a~undo']);
      const a = await company.ticket('undo', 'a');
      assert.deepEqual(seen['a~undo'], { table: 't', compensates: a.ticket_id, action: 'drop-a' });
      const plan = await company.plan('undo');
      assert.deepEqual(
        [plan.status, await company.states('undo')],
        [
          'compensated',
          {
            a: 'compensated',
            b: 'completed',
            c: 'compensated',
            d: 'failed',
            'c~undo': 'completed',
            'a~undo': 'completed',
          },
        ],
      );
      assert.equal(a.compensation_ticket_id, (await company.ticket('undo', 'a~undo')).ticket_id);
    });

    test('a plan whose compensation fails has failed, and the rest is undone all the same', async () => {
      const company = await SampleCompany.found(open());
      await company.submit('stuck', UNDOABLE);
      await company.agent('worker');
      const order = await company.work('stuck', 'worker', (task) =>
        task === 'd' || task === 'c~undo' ? { fail: 'poison' } : null,
      );
      assert.deepEqual(order.slice(-2), ['c~undo', 'a~undo']);
      assert.equal((await company.plan('stuck')).status, 'failed');
    });

    test('a ticket that ends after its deadline has broken its SLA, and counts all the same', async () => {
      const company = await SampleCompany.found(open());
      await company.submit('late', chainOf('a'), { plan: { valid_until: Date.now() + 600 } });
      await company.agent('worker');
      const lease = await company.leaseOne('worker');
      assert.ok(lease.ticket.sla.timeout_ms >= 60_000);
      await company.until(
        'the SLA to be broken',
        () => company.journal('late'),
        (journal) => journal.some(({ type }) => type === 'ticket.late'),
      );
      await company.complete(lease);
      assert.deepEqual((await company.plan('late')).result?.sla, { compliant: false, violations: 1 });
    });
  });
}
