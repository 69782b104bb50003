import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { FlowCTelemetryEvent } from '../../src/platform/contracts/generated/records.ts';
import type { StreamedEvent } from '../../src/colmeia.ts';
import { LOCAL_OPERATOR } from '../../src/trust/identity/principal.ts';
import type { Open } from './place.ts';
import { refused, SampleCompany } from './sample-company.ts';
import { chainOf, sampleDecision } from './sample-decision.ts';

export function companiesConformance(open: Open): void {
  describe('companies', () => {
    test('what belongs to another company answers exactly like what is not there', async () => {
      const [mine, theirs] = [await SampleCompany.found(open()), await SampleCompany.found(open())];
      const { colmeia, who } = mine;
      await theirs.submit('hidden', chainOf('a'));
      await theirs.agent('worker');
      const lease = await theirs.leaseOne('worker');
      const { ticket_id } = lease.ticket;
      const same = async (
        call: (id: string) => Promise<unknown>,
        code: Parameters<typeof refused>[1],
        hidden: string,
        absent: string,
      ): Promise<void> => {
        const [one, other] = [await refused(call(hidden), code), await refused(call(absent), code)];
        assert.equal(one.message.replace(hidden, '?'), other.message.replace(absent, '?'));
      };
      await same((planId) => colmeia.plans.get(who, { planId }), 'PLAN_NOT_FOUND', 'hidden', 'absent');
      await same((planId) => colmeia.plans.cancel(who, { planId }, {}), 'PLAN_NOT_FOUND', 'hidden', 'absent');
      await same((id) => colmeia.tickets.get(who, id), 'TICKET_NOT_FOUND', ticket_id, 'zzz-0');
      await same(
        (id) => colmeia.leases.complete(who, id, { fencing_token: 1, output: {} }),
        'LEASE_NOT_FOUND',
        lease.lease_id,
        'zzz-0-1',
      );
      await same((id) => colmeia.agents.get(who, id), 'AGENT_NOT_FOUND', 'worker', 'absent');
      await same((name) => colmeia.instances.get(who, name), 'INSTANCE_NOT_FOUND', theirs.name, 'absent');
      await same((instance) => colmeia.plans.list(who, { instance }), 'INSTANCE_NOT_FOUND', theirs.name, 'absent');
      await refused(
        mine.submit('smuggled', chainOf('a'), { decision: { metadata: { instance: theirs.name } } }),
        'INSTANCE_NOT_FOUND',
      );
      assert.deepEqual((await colmeia.plans.list(who, {})).items, []);
      assert.deepEqual((await colmeia.audit.list(who, { plan_id: 'hidden' })).items, []);
      await theirs.complete(lease);
    });

    test('two companies may have plans of the same id; an operator has to say which it means', async () => {
      const colmeia = open();
      const [one, two] = [await SampleCompany.found(colmeia), await SampleCompany.found(colmeia)];
      const id = `both-${one.name}`;
      await one.submit(id, chainOf('a'));
      await two.submit(id, chainOf('b'));
      assert.deepEqual([Object.keys(await one.states(id)), Object.keys(await two.states(id))], [['a'], ['b']]);
      await refused(colmeia.plans.get(LOCAL_OPERATOR, { planId: id }), 'PLAN_AMBIGUOUS');
      assert.equal((await colmeia.plans.get(LOCAL_OPERATOR, { planId: id, instance: two.name })).instance, two.name);
    });

    test('an operator directs any company by naming it in the decision', async () => {
      const company = await SampleCompany.found(open());
      const decision = sampleDecision('named', chainOf('a'), { decision: { metadata: { instance: company.name } } });
      assert.equal((await company.colmeia.decisions.submit(LOCAL_OPERATOR, decision)).instance, company.name);
      assert.equal((await company.plan('named')).status, 'running');
      await refused(company.colmeia.instances.create(LOCAL_OPERATOR, { name: company.name }), 'INSTANCE_EXISTS');
      await refused(company.colmeia.instances.create(company.who, { name: 'mutiny' }), 'FORBIDDEN');
    });

    test('a revoked key proves nobody, and neither does a wrong one', async () => {
      const company = await SampleCompany.found(open());
      const { colmeia, who } = company;
      const { key, key_id } = await colmeia.keys.create(who, { kind: 'company', instance: company.name });
      assert.equal((await colmeia.keys.authenticate(key))?.instance, company.name);
      await colmeia.keys.revoke(who, key_id);
      assert.equal(await colmeia.keys.authenticate(key), null);
      for (const wrong of ['', 'nothing', `${company.key}x`, company.key.slice(0, -1)])
        assert.equal(await colmeia.keys.authenticate(wrong), null);
      assert.ok(!JSON.stringify(await colmeia.keys.list(who, {})).includes(company.key));
      await refused(colmeia.keys.create(who, { kind: 'operator' }), 'FORBIDDEN');
    });

    test('plans and tickets are listed in pages that hold each once', async () => {
      const company = await SampleCompany.found(open());
      const { colmeia, who } = company;
      for (let n = 0; n < 7; n++) await company.submit(`p${n}`, chainOf('a', 'b'));
      const seen: string[] = [];
      for (let after: string | undefined; ;) {
        const page = await colmeia.plans.list(who, {
          limit: 3,
          status: 'running',
          ...(after === undefined ? {} : { after }),
        });
        seen.push(...page.items.map(({ plan_id }) => plan_id));
        if (page.next === null) break;
        after = page.next;
      }
      assert.deepEqual(
        seen.sort(),
        Array.from({ length: 7 }, (_, n) => `p${n}`),
      );
      const page = await colmeia.tickets.byPlan(who, { planId: 'p3' }, { limit: 1, offset: 1 });
      assert.deepEqual([page.tickets[0]?.task_id, page.total, page.has_more], ['b', 2, false]);
    });

    test('the audit says who did what, filtered and paged, and its chain verifies', async () => {
      const company = await SampleCompany.found(open());
      const { colmeia, who } = company;
      await company.submit('told', chainOf('a', 'b', 'c'));
      await company.agent('worker');
      await company.work('told', 'worker');
      const journal = await company.journal();
      assert.deepEqual(
        journal.map(({ n }) => n),
        journal.map((_, i) => i + 1),
      );
      const leased = await colmeia.audit.list(who, { type: 'ticket.leased' });
      assert.deepEqual(
        leased.items.map(({ data }) => [data?.agent, data?.own]),
        Array.from({ length: 3 }, () => ['worker', true]),
      );
      const byCompany = await colmeia.audit.list(who, { actor: `company:${company.name}` });
      assert.ok(
        byCompany.items.length > 0 && byCompany.items.every(({ by }) => by.startsWith(`company:${company.name}`)),
      );
      const [verdict, ...others] = await colmeia.audit.verify(who, {});
      assert.deepEqual(others, []);
      assert.deepEqual(
        [verdict!.instance, verdict!.ok, verdict!.events, verdict!.fault],
        [company.name, true, journal.length, null],
      );
      assert.ok((await colmeia.audit.verify(LOCAL_OPERATOR, {})).every(({ ok }) => ok));
    });

    test('a reader of events gets each once and in order, and goes on where it stopped', async () => {
      const company = await SampleCompany.found(open());
      const { colmeia, who } = company;
      const seen: StreamedEvent[] = [];
      const stop = await colmeia.events.subscribe(who, {}, (event) => void seen.push(event));
      await company.submit('heard', chainOf('a', 'b'));
      await company.until(
        'events',
        async () => seen.length,
        (count) => count >= 3,
      );
      stop();
      const heard = seen.length;
      await company.agent('worker');
      await company.work('heard', 'worker');
      assert.equal(seen.length, heard, 'it was stopped');
      const stopAgain = await colmeia.events.subscribe(
        who,
        { after: seen.at(-1)!.id },
        (event) => void seen.push(event),
      );
      await company.until(
        'the end',
        async () => seen.at(-1)?.type,
        (type) => type === 'plan.completed',
      );
      stopAgain();
      const numbers = seen.map(({ n }) => n);
      assert.deepEqual(
        numbers,
        numbers.map((_, i) => numbers[0]! + i),
      );
      assert.ok(seen.every(({ instance }) => instance === company.name));
    });

    test('a reader of one plan hears of that plan only', async () => {
      const company = await SampleCompany.found(open());
      const seen: StreamedEvent[] = [];
      const stop = await company.colmeia.events.subscribe(
        company.who,
        { planId: 'this' },
        (event) => void seen.push(event),
      );
      await company.submit('that', chainOf('a'));
      await company.submit('this', chainOf('a'));
      await company.until(
        'events',
        async () => seen.length,
        (count) => count >= 3,
      );
      stop();
      assert.deepEqual([...new Set(seen.map(({ plan }) => plan))], ['this']);
    });

    test('telemetry is pulled by a cursor, each record once, with the whole correlation', async () => {
      const company = await SampleCompany.found(open());
      const { colmeia, who } = company;
      await company.submit('measured', chainOf('a', 'b'), { plan: { trace_id: '4bf92f3577b34da6a3ce929d0e0e4736' } });
      await company.agent('worker');
      const records: FlowCTelemetryEvent[] = [];
      let after: string | undefined;
      const pull = async (): Promise<void> => {
        for (;;) {
          const page = await colmeia.events.telemetry(who, { limit: 5, ...(after === undefined ? {} : { after }) });
          after = page.next ?? after;
          records.push(...page.items);
          if (page.items.length === 0) return;
        }
      };
      await pull();
      const before = records.length;
      assert.ok(before > 0);
      await company.work('measured', 'worker');
      await pull();
      const count = (type: string): number => records.filter(({ event_type }) => event_type === type).length;
      assert.deepEqual(
        ['FLOW_C_STARTED', 'TICKET_ASSIGNED', 'TICKET_COMPLETED', 'FLOW_C_COMPLETED'].map(count),
        [1, 2, 2, 1],
      );
      assert.equal(new Set(records.map(({ metadata }) => metadata.event_id)).size, records.length);
      for (const record of records) {
        const { plan_id, intent_id, decision_id, correlation_id, trace_id, workflow_id } = record;
        assert.deepEqual(
          [plan_id, intent_id, decision_id, correlation_id, trace_id, workflow_id],
          [
            'measured',
            'intent-measured',
            'decision-measured',
            'correlation-measured',
            '4bf92f3577b34da6a3ce929d0e0e4736',
            'orchestration-measured',
          ],
        );
      }
    });

    test('the status counts what the caller sees, and the process is healthy and ready', async () => {
      const company = await SampleCompany.found(open());
      const { colmeia, who } = company;
      await company.submit('one', chainOf('a'));
      await company.submit('two', chainOf('a'));
      await company.agent('worker');
      await company.work('one', 'worker');
      const status = await company.until(
        'the count',
        () => colmeia.status(who),
        ({ total_processed }) => total_processed >= 1,
      );
      assert.ok(status.success_rate === 100 && status.active_executions <= 1);
      assert.equal(colmeia.health().status, 'healthy');
      assert.equal(colmeia.ready().status, 'ready');
      assert.match((await colmeia.metrics()).text, /orchestration_workflows_started_total/);
    });
  });
}
