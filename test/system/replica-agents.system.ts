import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Colmeia } from '../../src/colmeia.ts';
import { LOCAL_OPERATOR } from '../../src/trust/identity/principal.ts';
import { ALL_TASK_TYPES, sampleDecision } from '../flow/sample-decision.ts';
import { COMPANIES, submitted, until, withReplicas } from './replica-cluster.ts';
import { openTestServer, type TestServer } from './test-server.ts';

let server: TestServer;
before(async () => void (server = await openTestServer()));
after(() => server?.stop());

test('an agent that talks to one replica is alive for all, and one that falls silent is gone once', async () => {
  const heartbeatIntervalMs = 2_000;
  await withReplicas(
    await server.database(),
    3,
    async ({ faces }) => {
      const spec = { task_types: ALL_TASK_TYPES, concurrency: 50 };
      for (const agent_id of ['lively', 'silent'])
        await faces[0]!.agents.register(LOCAL_OPERATOR, { agent_id, ...spec });
      const beat = async (...ids: string[]): Promise<void> => {
        for (const id of ids) await faces[0]!.agents.heartbeat(LOCAL_OPERATOR, id, {});
        await sleep(200);
      };
      for (let n = 0; n < 5; n++) await beat('lively', 'silent');
      await Promise.all(COMPANIES.map((instance) => submitted(faces[1]!, 'p', instance)));
      const held = new Set<string>();
      await until('a lease from every company', async () => {
        const { leases } = await faces[0]!.agents.lease(LOCAL_OPERATOR, 'silent', { max: 50, wait_ms: 100 });
        for (const { ticket } of leases) held.add(ticket.metadata.instance!);
        await beat('lively', 'silent');
        return held.size === COMPANIES.length;
      });
      const got = new Set<string>();
      await until('every ticket at the other agent', async () => {
        const { leases } = await faces[0]!.agents.lease(LOCAL_OPERATOR, 'lively', { max: 50, wait_ms: 50 });
        for (const { ticket } of leases) got.add(ticket.metadata.instance!);
        await beat('lively');
        return got.size === COMPANIES.length;
      });
      for (const face of faces) {
        assert.equal((await face.agents.get(LOCAL_OPERATOR, 'lively')).life, 'alive');
        assert.equal((await face.agents.get(LOCAL_OPERATOR, 'silent')).life, 'gone');
      }
      const { items } = await faces[2]!.audit.list(LOCAL_OPERATOR, { instance: '$system', type: 'agent.gone' });
      assert.deepEqual(
        items.map(({ data }) => data?.agent),
        ['silent'],
      );
    },
    { heartbeatIntervalMs, leaseDurationMs: 60_000 },
  );
});

test('every replica offers people their work, and each shows the whole inbox', async () => {
  await withReplicas(await server.database(), 3, async ({ faces, join }) => {
    await faces[0]!.agents.register(LOCAL_OPERATOR, {
      agent_id: 'ana',
      kind: 'person',
      task_types: ALL_TASK_TYPES,
      capabilities: ['human'],
      concurrency: 50,
    });
    const tasks = [{ id: 'sign', capabilities: ['human'] }];
    for (const instance of COMPANIES)
      await faces[1]!.decisions.submit(
        LOCAL_OPERATOR,
        sampleDecision('paper', tasks, { decision: { metadata: { instance } } }),
      );
    const all = [...faces, (await join()).colmeia];
    for (const face of all) {
      await until('the whole inbox', async () => {
        const { items } = await face.inbox.list(LOCAL_OPERATOR, { agent_id: 'ana', limit: 100 });
        return new Set(items.map(({ instance }) => instance)).size === COMPANIES.length;
      });
    }
    const page = await all[3]!.inbox.list(LOCAL_OPERATOR, { limit: 5 });
    const rest = await all[0]!.inbox.list(LOCAL_OPERATOR, { limit: 50, after: page.next! });
    assert.equal(new Set([...page.items, ...rest.items].map(({ instance }) => instance)).size, COMPANIES.length);
    for (const { lease_id, fencing_token } of [...page.items, ...rest.items])
      await all[2]!.leases.complete(LOCAL_OPERATOR, lease_id!, { fencing_token: fencing_token!, output: {} });
    await untilEnded(all[1]!);
  });
});

async function untilEnded(face: Colmeia): Promise<void> {
  await until('the end of every plan', async () => {
    const { items } = await face.plans.list(LOCAL_OPERATOR, { status: 'running', limit: 5 });
    return items.length === 0;
  });
}
