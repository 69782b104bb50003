import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { LOCAL_OPERATOR } from '../../src/trust/identity/principal.ts';
import type { Open } from './place.ts';
import { refused, SampleCompany } from './sample-company.ts';
import { ALL_TASK_TYPES, chainOf } from './sample-decision.ts';

const LEASE_MS = 300;

export function agentsConformance(open: Open): void {
  describe('agents', () => {
    test('a lease that nobody extends runs out: the ticket goes to another agent and the first one is fenced', async () => {
      const company = await SampleCompany.found(open());
      const { colmeia, who } = company;
      await company.submit('lost', chainOf('a', 'b'));
      await company.agent('first');
      await company.agent('second');
      const lost = await company.leaseOne('first');
      const next = await company.leaseOne('second');
      assert.deepEqual([next.ticket.task_id, next.attempt, next.fencing_token], ['a', 2, 2]);
      await refused(company.complete(lost), 'LEASE_FENCED');
      await refused(company.fail(lost, 'poison'), 'LEASE_FENCED');
      await refused(
        colmeia.leases.heartbeat(who, lost.lease_id, { fencing_token: lost.fencing_token }),
        'LEASE_FENCED',
      );
      const now = await company.ticket('lost', 'a');
      assert.deepEqual([now.state, now.agent_id, now.fencing_token], ['running', 'second', 2]);
      await company.complete(next, { by: 'second' });
      await refused(company.complete(lost), 'LEASE_FENCED');
      assert.deepEqual((await company.ticket('lost', 'a')).result?.output, { by: 'second' });
      const event = (await company.journal('lost')).find(({ type }) => type === 'ticket.retrying');
      assert.deepEqual([event?.by, event?.data?.error_class], ['engine', 'timeout']);
    });

    test('attempts that are lost, in silence or because the agent began anew, use up no retry', async () => {
      const company = await SampleCompany.found(open());
      await company.submit('unlucky', chainOf('a'));
      assert.equal((await company.ticket('unlucky', 'a')).sla.max_retries, 1);
      await company.agent('worker');
      await company.leaseOne('worker'); // and not a word more of it
      assert.equal((await company.leaseOne('worker')).attempt, 2);
      await company.agent('worker', { held: [] });
      await company.fail(await company.leaseOne('worker'), 'transient');
      const last = await company.leaseOne('worker');
      assert.equal(last.attempt, 4);
      await company.complete(last);
      assert.equal((await company.plan('unlucky')).status, 'completed');
      const lost = (await company.journal('unlucky')).map(({ data }) => data?.lost).filter((n) => n !== undefined);
      assert.deepEqual(lost, [1, 2]);
    });

    test('heartbeats keep a lease for as long as they come, and carry progress and logs', async () => {
      const company = await SampleCompany.found(open());
      const { colmeia, who } = company;
      await company.submit('long', chainOf('a'));
      await company.agent('worker');
      const lease = await company.leaseOne('worker');
      for (let n = 0; n < 8; n++) {
        await sleep(LEASE_MS / 3);
        const beat = await colmeia.leases.heartbeat(who, lease.lease_id, {
          fencing_token: lease.fencing_token,
          progress: n / 8,
          logs: [`line ${n}`],
        });
        assert.ok(beat.expires_at > Date.now() && !beat.cancel);
      }
      assert.equal((await company.ticket('long', 'a')).progress, 7 / 8);
      await company.complete(lease);
      assert.deepEqual(
        (await company.ticket('long', 'a')).result?.logs,
        Array.from({ length: 8 }, (_, n) => `line ${n}`),
      );
      assert.equal((await company.ticket('long', 'a')).attempt, 1);
    });

    test('a result that is said again is answered again and counts once', async () => {
      const company = await SampleCompany.found(open());
      await company.submit('twice', chainOf('a', 'b'), { plan: { risk_band: 'medium' } });
      await company.agent('worker');
      const failing = await company.leaseOne('worker');
      for (let n = 0; n < 3; n++) assert.equal((await company.fail(failing, 'transient')).status, 'FAILED');
      const done = await company.leaseOne('worker');
      assert.equal(done.attempt, 2, 'the failure counted once');
      for (const said of await Promise.all([1, 2, 3].map(() => company.complete(done))))
        assert.equal(said.status, 'COMPLETED');
      await refused(company.fail(done, 'transient'), 'LEASE_FENCED');
      const last = await company.leaseOne('worker');
      await company.complete(last);
      assert.equal((await company.complete(last)).status, 'COMPLETED', 'also when the plan has ended');
      assert.equal((await company.complete(done)).status, 'COMPLETED');
      const events = await company.journal('twice');
      assert.equal(events.filter(({ type }) => type === 'ticket.completed').length, 2);
    });

    test('a wrong token is refused and changes nothing', async () => {
      const company = await SampleCompany.found(open());
      await company.submit('wrong', chainOf('a'));
      await company.agent('worker');
      const lease = await company.leaseOne('worker');
      await refused(company.complete({ ...lease, fencing_token: 7 }), 'LEASE_FENCED');
      await refused(company.complete({ ...lease, lease_id: 'nothing' }), 'LEASE_NOT_FOUND');
      assert.equal((await company.ticket('wrong', 'a')).state, 'running');
      await company.complete(lease);
    });

    test('a poll that is repeated under its idempotency key gets the same leases', async () => {
      const company = await SampleCompany.found(open());
      const { colmeia, who } = company;
      await company.submit('poll', [{ id: 'a' }, { id: 'b' }, { id: 'c' }]);
      await company.agent('worker');
      const poll = (idempotencyKey: string) =>
        colmeia.agents.lease(who, 'worker', { max: 2, wait_ms: 50 }, { idempotencyKey });
      const [first, again] = [await poll('k1'), await poll('k1')];
      assert.equal(first.leases.length, 2);
      assert.deepEqual(again.leases, first.leases);
      assert.equal((await poll('k2')).leases.length, 1);
    });

    test('a poll that goes away gives its tickets back without a lost attempt', async () => {
      const company = await SampleCompany.found(open());
      const { colmeia, who } = company;
      await company.agent('worker');
      const gone = new AbortController();
      const poll = colmeia.agents.lease(who, 'worker', { max: 1, wait_ms: 10_000 }, { signal: gone.signal });
      await sleep(20);
      gone.abort();
      assert.deepEqual(await poll, { leases: [] });
      await company.submit('back', chainOf('a'));
      assert.equal((await company.leaseOne('worker')).attempt, 1);
    });

    test('an agent never has more tickets than it asked for, nor more than its concurrency', async () => {
      const company = await SampleCompany.found(open());
      await company.submit(
        'many',
        Array.from({ length: 10 }, (_, n) => ({ id: `t${n}` })),
      );
      await company.agent('narrow', { concurrency: 3 });
      const two = await company.lease('narrow', 2);
      const one = await company.lease('narrow', 10);
      assert.deepEqual([two.length, one.length], [2, 1]);
      assert.deepEqual(await company.lease('narrow', 10, 40), []);
      await company.complete(one[0]!);
      assert.equal((await company.lease('narrow', 10)).length, 1);
    });

    test('an agent that drains gets nothing more, and finishes what it has', async () => {
      const company = await SampleCompany.found(open());
      await company.submit('drain', [{ id: 'a' }, { id: 'b' }]);
      await company.agent('leaving', { concurrency: 1 });
      const lease = await company.leaseOne('leaving');
      const waiting = company.lease('leaving', 1, 5_000);
      await company.colmeia.agents.drain(company.who, 'leaving');
      assert.deepEqual(await waiting, []);
      await company.complete(lease);
      assert.deepEqual(await company.lease('leaving', 1, 50), []);
      assert.equal((await company.colmeia.agents.get(company.who, 'leaving')).state, 'draining');
      await company.agent('other');
      assert.deepEqual(await company.work('drain', 'other'), ['b']);
    });

    test('an agent of a company works for it alone; an agent of the fleet works for all', async () => {
      const colmeia = open();
      const [one, two] = [await SampleCompany.found(colmeia), await SampleCompany.found(colmeia)];
      await one.agent('own');
      await two.submit('theirs', chainOf('a'));
      assert.deepEqual(await one.lease('own', 10, 80), []);
      await one.submit('ours', chainOf('a'));
      assert.equal((await one.leaseOne('own')).ticket.plan_id, 'ours');

      const fleet = `fleet-${one.name}`;
      await colmeia.agents.register(LOCAL_OPERATOR, { agent_id: fleet, task_types: ALL_TASK_TYPES, concurrency: 10 });
      const got = new Set<string>();
      for (const deadline = Date.now() + 5_000; !got.has('theirs');) {
        assert.ok(Date.now() < deadline, 'the fleet agent got nothing');
        const { leases } = await colmeia.agents.lease(LOCAL_OPERATOR, fleet, { max: 10, wait_ms: 200 });
        for (const lease of leases) {
          got.add(lease.ticket.plan_id);
          await colmeia.leases.complete(LOCAL_OPERATOR, lease.lease_id, {
            fencing_token: lease.fencing_token,
            output: {},
          });
        }
      }
      assert.equal((await two.plan('theirs')).status, 'completed');
      const done = (await two.journal('theirs')).find(({ type }) => type === 'ticket.completed');
      assert.deepEqual([done?.data?.agent, done?.data?.own], [fleet, undefined]);
      await colmeia.agents.remove(LOCAL_OPERATOR, fleet);
    });

    test('the key of an agent runs tickets and nothing else', async () => {
      const company = await SampleCompany.found(open());
      const { colmeia } = company;
      const { key } = await colmeia.keys.create(company.who, { kind: 'agent', agent_id: 'bound' });
      const agent = await colmeia.keys.authenticate(key);
      assert.ok(agent);
      assert.deepEqual([agent.kind, agent.instance, agent.agentId], ['agent', company.name, 'bound']);
      await company.submit('bound', chainOf('a', 'b'));
      await refused(colmeia.agents.register(agent, { agent_id: 'another', task_types: ['EXECUTE'] }), 'FORBIDDEN');
      await colmeia.agents.register(agent, { agent_id: 'bound', task_types: ['EXECUTE'] });
      const { leases } = await colmeia.agents.lease(agent, 'bound', { wait_ms: 2_000 });
      const { lease_id, fencing_token } = leases[0]!;
      await colmeia.leases.complete(agent, lease_id, { fencing_token, output: {} });
      await company.agent('person');
      const other = await company.leaseOne('person');
      await refused(
        colmeia.leases.complete(agent, other.lease_id, { fencing_token: other.fencing_token, output: {} }),
        'LEASE_NOT_FOUND',
      );
      for (const call of [
        () => colmeia.plans.get(agent, { planId: 'bound' }),
        () => colmeia.plans.list(agent, {}),
        () => colmeia.decisions.submit(agent, {}),
        () => colmeia.audit.list(agent, {}),
        () => colmeia.keys.create(agent, { kind: 'agent' }),
        () => colmeia.events.subscribe(agent, {}, () => {}),
      ])
        await refused(call(), 'FORBIDDEN');
    });

    describe('ExecutionResult records', () => {
      const record = (ticket_id: string, agent_id: string, status: string, more: Record<string, unknown> = {}) => ({
        ticket_id,
        agent_id,
        status,
        result: { success: status !== 'FAILED', output: { by: 'record' }, metadata: {}, logs: [] },
        timestamp: Date.now(),
        ...more,
      });

      test('complete, fail and keep alive a ticket of their agent', async () => {
        const company = await SampleCompany.found(open());
        const { colmeia, who } = company;
        await company.submit('records', chainOf('a', 'b'));
        await company.agent('speaker');
        const a = await company.leaseOne('speaker');
        for (let n = 0; n < 4; n++) {
          await sleep(LEASE_MS / 2.5);
          assert.equal(
            (await colmeia.leases.result(who, record(a.ticket.ticket_id, 'speaker', 'RUNNING'))).status,
            'RUNNING',
          );
        }
        const failed = record(a.ticket.ticket_id, 'speaker', 'FAILED', { error_message: 'no disk' });
        assert.equal((await colmeia.leases.result(who, failed)).status, 'FAILED');
        const again = await company.leaseOne('speaker');
        assert.equal(again.attempt, 2);
        assert.equal(
          (await colmeia.leases.result(who, record(a.ticket.ticket_id, 'speaker', 'COMPLETED'))).status,
          'COMPLETED',
        );
        assert.deepEqual((await company.ticket('records', 'a')).result?.output, { by: 'record' });
        const b = await company.leaseOne('speaker');
        await colmeia.leases.result(who, record(b.ticket.ticket_id, 'speaker', 'COMPLETED'));
        assert.equal((await company.plan('records')).status, 'completed');
      });

      test('are refused from another agent, with a stale token, of another company and out of contract', async () => {
        const [company, other] = [await SampleCompany.found(open()), await SampleCompany.found(open())];
        const { colmeia, who } = company;
        await company.submit('mine', chainOf('a'));
        await company.agent('speaker');
        const { ticket } = await company.leaseOne('speaker');
        const stale = { success: true, output: {}, metadata: { fencing_token: '9' }, logs: [] };
        await refused(colmeia.leases.result(who, record(ticket.ticket_id, 'someone', 'COMPLETED')), 'LEASE_FENCED');
        await refused(
          colmeia.leases.result(who, record(ticket.ticket_id, 'speaker', 'COMPLETED', { result: stale })),
          'LEASE_FENCED',
        );
        await refused(
          colmeia.leases.result(other.who, record(ticket.ticket_id, 'speaker', 'COMPLETED')),
          'TICKET_NOT_FOUND',
        );
        await refused(colmeia.leases.result(who, record('none', 'speaker', 'COMPLETED')), 'TICKET_NOT_FOUND');
        const { faults } = await refused(
          colmeia.leases.result(who, { ticket_id: 1, status: 'DONE' }),
          'INVALID_REQUEST',
        );
        assert.ok(faults.length >= 4, JSON.stringify(faults));
        assert.equal((await company.ticket('mine', 'a')).state, 'running');
      });
    });
  });
}
