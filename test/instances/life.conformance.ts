import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Colmeia, OperationView } from '../../src/colmeia.ts';
import { LOCAL_OPERATOR } from '../../src/index.ts';
import type { Open } from '../flow/place.ts';
import { chainOf } from '../flow/sample-decision.ts';
import { refused, SampleCompany } from '../flow/sample-company.ts';

/** Waits for the end of an operation by its long poll. */
export async function endOf(colmeia: Colmeia, operation: OperationView): Promise<OperationView> {
  let view = operation;
  for (const deadline = Date.now() + 60_000; view.state === 'running' || view.state === 'undoing';) {
    assert.ok(Date.now() < deadline, `operation ${view.kind} did not end: ${JSON.stringify(view.steps)}`);
    view = await colmeia.instances.operation(LOCAL_OPERATOR, view.id, { after_rev: view.rev, wait_ms: 10_000 });
  }
  return view;
}

export async function completed(colmeia: Colmeia, operation: Promise<OperationView>): Promise<OperationView> {
  const view = await endOf(colmeia, await operation);
  assert.equal(view.state, 'completed', JSON.stringify(view.error));
  return view;
}

/** What the life of a company promises while its plans run, through the public face, on whatever database. */
export function lifeConformance(open: Open): void {
  describe('pausing a company', () => {
    test('it starts no ticket, takes decisions, and lets what runs come to its end; resumed, it goes on', async () => {
      const company = await SampleCompany.found(open());
      const { colmeia, name, who } = company;
      await company.agent('worker', { concurrency: 1 });
      await company.submit('under-way', chainOf('a', 'b'));
      const lease = await company.leaseOne('worker');
      assert.equal((await colmeia.instances.pause(LOCAL_OPERATOR, name, { reason: 'stocktaking' })).state, 'paused');
      assert.equal((await colmeia.instances.pause(LOCAL_OPERATOR, name, {})).state, 'paused', 'again is no fault');
      assert.equal((await company.submit('meanwhile', chainOf('c'))).status, 'running');
      await company.complete(lease);
      assert.deepEqual(await company.lease('worker', 1, 300), []);
      assert.deepEqual(await company.states('under-way'), { a: 'completed', b: 'ready' });
      const why = await company.why('under-way', 'b');
      assert.deepEqual([why.waits_for.what, why.queue], ['company', null]);
      const [event] = (await colmeia.audit.list(who, { type: 'instance.paused' })).items;
      assert.equal(event?.why, 'stocktaking');
      const waiting = company.lease('worker', 1, 10_000);
      await colmeia.instances.resume(who, name, {});
      const [next] = await waiting;
      assert.ok(next !== undefined, 'the open poll gets a ticket as soon as the company goes on');
      await company.complete(next);
      for (const plan of ['under-way', 'meanwhile']) await company.work(plan, 'worker');
    });

    test('a ticket of a paused company is not claimed past the scheduler, and none is tried again', async () => {
      const company = await SampleCompany.found(open());
      const { colmeia, name, who } = company;
      await company.agent('ana', { kind: 'person' });
      await company.agent('worker', { concurrency: 1 });
      await company.submit('held', chainOf('a'));
      const lease = await company.leaseOne('worker');
      await colmeia.instances.pause(LOCAL_OPERATOR, name, {});
      await company.fail(lease, 'transient');
      await company.until(
        'the end of the backoff',
        () => company.states('held'),
        ({ a }) => a === 'ready',
      );
      assert.deepEqual(await company.lease('worker', 1, 200), []);
      const { ticket_id } = await company.ticket('held', 'a');
      await refused(colmeia.inbox.claim(who, ticket_id, { agent_id: 'ana' }), 'INSTANCE_STATE');
      await colmeia.instances.resume(LOCAL_OPERATOR, name, {});
      await company.work('held', 'worker');
    });

    test('other companies do not notice', async () => {
      const [still, busy] = [await SampleCompany.found(open()), await SampleCompany.found(open())];
      await still.submit('waits', chainOf('a'));
      await still.colmeia.instances.pause(LOCAL_OPERATOR, still.name, {});
      await busy.agent('worker');
      await busy.submit('goes', chainOf('a', 'b'));
      await busy.work('goes', 'worker');
      assert.deepEqual(await still.states('waits'), { a: 'ready' });
      await still.colmeia.instances.resume(LOCAL_OPERATOR, still.name, {});
    });
  });

  describe('the figures of a company', () => {
    test('count its plans and tickets once, and say what its language models cost', async () => {
      const company = await SampleCompany.found(open());
      const { colmeia, name, who } = company;
      await company.agent('worker', { labels: { cost_per_million_input: '2' } });
      await company.submit('good', chainOf('a', 'b'));
      await company.submit('bad', [{ ...chainOf('c')[0]!, max_retries: 0 } as never]);
      await company.submit('open', chainOf('d'));
      for (let left = 4; left > 0; left--) {
        const [lease] = await company.lease('worker', 1);
        if (lease!.ticket.task_id === 'c') await company.fail(lease!, 'poison');
        else
          await colmeia.leases.complete(who, lease!.lease_id, {
            fencing_token: lease!.fencing_token,
            output: {},
            metadata: { input_tokens: 1_000_000, output_tokens: 0 },
          });
        if (left === 2) await colmeia.plans.pause(who, { planId: 'open' }, {});
        if ((await company.plan('good')).ended_at !== null && (await company.plan('bad')).ended_at !== null) break;
      }
      const stats = await company.until(
        'the figures',
        () => colmeia.instances.stats(who, name),
        ({ plans_completed, plans_failed }) => plans_completed >= 1 && plans_failed >= 1,
      );
      assert.equal(stats.plans_received, 3);
      assert.deepEqual([stats.plans_completed, stats.plans_failed, stats.plans_cancelled], [1, 1, 0]);
      assert.equal(stats.plans_open, 1);
      assert.ok(stats.cost_usd >= 4 && stats.month_cost_usd === stats.cost_usd, `cost ${stats.cost_usd}`);
      assert.deepEqual([stats.agents, stats.keys, stats.secrets, stats.database], [1, 1, 0, null]);
      const listed = (await colmeia.instances.list(who, {})).items[0]!;
      assert.equal(listed.statistics.plans_received, 3);
    });
  });

  describe('renaming a company', () => {
    test('its plans, keys, agents, figures and chain go along, and nothing is left under the old name', async () => {
      const company = await SampleCompany.found(open());
      const { colmeia, name } = company;
      const to = `${name}-renamed`;
      await company.agent('worker');
      await company.submit('before', chainOf('a', 'b'));
      await refused(colmeia.instances.rename(LOCAL_OPERATOR, name, { to: 'default' }), 'INSTANCE_EXISTS');
      const early = await endOf(colmeia, await colmeia.instances.rename(LOCAL_OPERATOR, name, { to }));
      assert.deepEqual([early.state, early.error?.code], ['failed', 'INSTANCE_STATE'], 'not while plans are open');
      await company.work('before', 'worker');
      await completed(colmeia, colmeia.instances.resumeOperation(LOCAL_OPERATOR, early.id));
      await refused(colmeia.instances.get(LOCAL_OPERATOR, name), 'INSTANCE_NOT_FOUND');
      const renamed = await SampleCompany.at(colmeia, to, company.key);
      assert.equal(renamed.who.instance, to, 'its key means the company by its new name');
      assert.equal((await renamed.plan('before')).status, 'completed');
      await renamed.submit('after', chainOf('c'));
      await renamed.agent('worker');
      await renamed.work('after', 'worker');
      const [verdict] = await colmeia.audit.verify(renamed.who, {});
      assert.deepEqual([verdict?.instance, verdict?.ok, verdict?.fault], [to, true, null]);
      const stats = await renamed.until(
        'the figures',
        () => colmeia.instances.stats(renamed.who, to),
        ({ plans_completed }) => plans_completed >= 2,
      );
      assert.equal(stats.plans_received, 2);
      await colmeia.instances.create(LOCAL_OPERATOR, { name });
      const [fresh] = await colmeia.audit.verify(LOCAL_OPERATOR, { instance: name });
      assert.deepEqual([fresh?.ok, fresh?.rows], [true, 0], 'the old name is free');
    });

    test('the company that work belongs to which names none keeps its name, and stays', async () => {
      const { instances } = open();
      await refused(instances.rename(LOCAL_OPERATOR, 'default', { to: 'other' }), 'INSTANCE_STATE');
      await refused(instances.remove(LOCAL_OPERATOR, 'default', { confirm: 'default' }), 'INSTANCE_STATE');
    });
  });
}
