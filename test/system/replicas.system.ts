import assert from 'node:assert/strict';
import fs from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { startPostgres, type Postgres } from '../../scripts/postgres.ts';
import { LOCAL_OPERATOR } from '../../src/trust/identity/principal.ts';
import type { Colmeia } from '../../src/colmeia.ts';
import { ALL_TASK_TYPES, chainOf, sampleDecision } from '../flow/sample-decision.ts';
import { COMPANIES, oneTicket, submitted, until, withReplicas } from './replica-cluster.ts';
import { asAdmin } from './test-server.ts';

const TAKEOVER_MS = 5_000;

let postgres: Postgres; // of its own, as it is restarted
let databases = 0;
before(async () => void (postgres = await startPostgres()));
after(() => postgres?.stop());

async function freshDatabase(): Promise<string> {
  const name = `replicas_${databases++}`;
  await asAdmin(postgres.url, (client) => client.query(`create database ${name}`));
  return postgres.url.replace(/postgres$/, name);
}

/** How many shards each replica holds, by the database itself: ownership session → shards. */
async function shards(databaseUrl: string): Promise<number[]> {
  const { rows } = await asAdmin(databaseUrl, (client) =>
    client.query(
      `select count(*)::int as n from pg_locks where locktype = 'advisory' and granted and classid = ${0x636f02}
       and database = (select oid from pg_database where datname = current_database()) group by pid order by 1`,
    ),
  );
  return rows.map(({ n }) => n as number);
}

describe('replicas of one database', () => {
  test('three divide the companies, and each answers for all of them', async () => {
    await withReplicas(await freshDatabase(), 3, async ({ databaseUrl, faces }) => {
      await until('a fair division', async () => {
        const held = await shards(databaseUrl);
        return held.length === 3 && held.every((n) => n >= 20 && n <= 22) && held.reduce((a, b) => a + b) === 64;
      });
      // every company by every replica: two of three calls are forwarded
      for (const [n, face] of faces.entries())
        await Promise.all(COMPANIES.map((instance) => submitted(face, `by-${n}`, instance)));
      const [one, two, three] = faces as [Colmeia, Colmeia, Colmeia];
      const instance = COMPANIES[3]!;
      for (const face of faces) {
        assert.equal((await face.plans.get(LOCAL_OPERATOR, { planId: 'by-1', instance })).status, 'running');
        const again = await face.decisions.submit(LOCAL_OPERATOR, oneTicket('by-0', instance));
        assert.equal(again.duplicate, true);
      }
      await one.plans.pause(LOCAL_OPERATOR, { planId: 'by-2', instance }, {});
      assert.equal((await two.plans.get(LOCAL_OPERATOR, { planId: 'by-2', instance })).paused, true);
      await three.plans.resume(LOCAL_OPERATOR, { planId: 'by-2', instance }, {});
      // an agent that talks to one replica gets the work of all companies
      await two.agents.register(LOCAL_OPERATOR, {
        agent_id: 'one-for-all',
        task_types: ALL_TASK_TYPES,
        concurrency: 10,
      });
      const done = new Set<string>();
      for (const deadline = Date.now() + 15_000; done.size < 3 * COMPANIES.length;) {
        assert.ok(Date.now() < deadline, `only ${done.size} tickets came`);
        const { leases } = await two.agents.lease(LOCAL_OPERATOR, 'one-for-all', { max: 10, wait_ms: 500 });
        for (const { lease_id, fencing_token, ticket } of leases) {
          done.add(`${ticket.metadata.instance}/${ticket.plan_id}`);
          const face = faces[done.size % 3]!;
          await face.leases.heartbeat(LOCAL_OPERATOR, lease_id, { fencing_token });
          await face.leases.complete(LOCAL_OPERATOR, lease_id, { fencing_token, output: {} });
        }
      }
      for (const { ok, fault } of await three.audit.verify(LOCAL_OPERATOR, {})) assert.ok(ok, String(fault));
      // what happens anywhere is heard everywhere
      const heard: string[] = [];
      const page = await one.audit.list(LOCAL_OPERATOR, { type: 'plan.completed', limit: 100 });
      heard.push(...page.items.map(({ instance: of, plan }) => `${of}/${plan}`));
      assert.equal(new Set(heard).size, 3 * COMPANIES.length);
    });
  });

  test('one that is killed under load is taken over from, and nothing acknowledged is lost', async (t) => {
    await withReplicas(await freshDatabase(), 3, async ({ replicas, faces, startLoad }) => {
      await startLoad(faces.slice(1));
      await sleep(1_500);
      await replicas[0]!.kill();
      const killedAt = performance.now();
      await Promise.all(COMPANIES.map((instance) => submitted(faces[1]!, 'after-the-kill', instance)));
      const ms = performance.now() - killedAt;
      t.diagnostic(`all companies answer again ${ms.toFixed(0)} ms after the kill`);
      assert.ok(ms < TAKEOVER_MS, `${ms} ms`);
      await sleep(1_000);
    });
  });

  test('one that stops gracefully hands over at once', async (t) => {
    await withReplicas(await freshDatabase(), 2, async ({ replicas, faces, startLoad }) => {
      await startLoad(faces.slice(1));
      await sleep(500);
      await replicas[0]!.close();
      const stoppedAt = performance.now();
      await Promise.all(COMPANIES.map((instance) => submitted(faces[1]!, 'after-the-stop', instance)));
      const ms = performance.now() - stoppedAt;
      t.diagnostic(`all companies answer again ${ms.toFixed(0)} ms after the end of the process`);
      assert.ok(ms < 1_000, `${ms} ms`);
    });
  });

  test('one that joins under load gets its share', async (t) => {
    await withReplicas(await freshDatabase(), 2, async ({ databaseUrl, faces, join, startLoad }) => {
      await startLoad(faces);
      const third = await join();
      const ms = await until('a share for the third', async () => {
        const held = await shards(databaseUrl);
        return held.length === 3 && held.every((n) => n >= 20);
      });
      t.diagnostic(`64 shards divided by three ${ms.toFixed(0)} ms after the third was ready`);
      await submitted(third.colmeia, 'by-the-third', COMPANIES[0]!);
      await sleep(500);
    });
  });

  for (const { how, away } of [
    { how: 'restarted', away: () => postgres.restart() },
    {
      how: 'killed with all its sessions and gone for seven seconds',
      away: async () => {
        await postgres.kill9();
        await sleep(7_000);
        await postgres.restart();
      },
    },
  ])
    test(`the database is ${how} under load: calls are refused meanwhile, then the work goes on`, async (t) => {
      await withReplicas(await freshDatabase(), 2, async ({ faces, startLoad }) => {
        const load = await startLoad(faces);
        await sleep(1_000);
        const refusals: Record<string, Set<string>> = { read: new Set(), write: new Set() };
        const note = (kind: string) => (error: Error & { code?: string }) =>
          void refusals[kind]!.add(error.code ?? error.message);
        let isAway = true;
        const [face, instance] = [faces[0]!, COMPANIES[0]!];
        const decision = (n: number) =>
          sampleDecision(`meanwhile-${n}`, chainOf('a'), { decision: { metadata: { instance } } });
        const reading = (async () => {
          for (; isAway; await sleep(5)) await face.plans.list(LOCAL_OPERATOR, { limit: 1 }).catch(note('read'));
        })();
        const writing = (async () => {
          for (let n = 0; isAway; n++, await sleep(5))
            await face.decisions.submit(LOCAL_OPERATOR, decision(n)).catch(note('write'));
        })();
        await away();
        const backAt = performance.now();
        isAway = false;
        await load.nextResult();
        t.diagnostic(
          `next acknowledged result ${(performance.now() - backAt).toFixed(0)} ms after the server was back`,
        );
        await Promise.all([reading, writing]);
        t.diagnostic(
          `reads were told ${[...refusals.read!].join(', ')}; writes ${[...refusals.write!].join(', ') || 'nothing, they waited'}`,
        );
        assert.deepEqual([...refusals.read!], ['STORE_UNAVAILABLE']);
        for (const code of refusals.write!) assert.ok(['STORE_UNAVAILABLE', 'NOT_OWNER'].includes(code), code);
        await sleep(1_000);
        await Promise.all(faces.flatMap((from, n) => COMPANIES.map((of) => submitted(from, `after-${n}`, of))));
      });
    });

  test('a replica that sleeps through its replacement is fenced when it wakes', async () => {
    await withReplicas(await freshDatabase(), 2, async ({ databaseUrl, replicas, faces, startLoad }) => {
      await startLoad(faces);
      await sleep(500);
      const [sleeper, other] = [replicas[0]!, faces[1]!];
      sleeper.signal('SIGSTOP');
      // its session dies, as the server notices when a host is gone
      const others = portsOf(replicas[1]!.pid);
      await asAdmin(databaseUrl, (client) =>
        client.query(
          `select pg_terminate_backend(pid) from (select distinct pid from pg_locks where locktype = 'advisory' and classid = ${0x636f02}
           and pid not in (select pid from pg_stat_activity where client_port = any($1))) held`,
          [others],
        ),
      );
      await Promise.all(COMPANIES.map((instance) => submitted(other, 'while-it-sleeps', instance)));
      await sleep(300);
      sleeper.signal('SIGCONT');
      await sleep(2_000);
      await Promise.all(COMPANIES.map((instance) => submitted(faces[0]!, 'after-its-sleep', instance)));
    });
  });
});

/** Local ports of the TCP connections of a process. */
function portsOf(pid: number): number[] {
  const inodes = new Set<string>();
  for (const fd of fs.readdirSync(`/proc/${pid}/fd`)) {
    try {
      const match = /^socket:\[(\d+)\]$/.exec(fs.readlinkSync(`/proc/${pid}/fd/${fd}`));
      if (match !== null) inodes.add(match[1]!);
    } catch {
      // closed meanwhile
    }
  }
  const lines = fs.readFileSync('/proc/net/tcp', 'utf8').split('\n').slice(1);
  const fields = lines.map((line) => line.trim().split(/\s+/)).filter(({ length }) => length > 9);
  return fields.filter((field) => inodes.has(field[9]!)).map((field) => parseInt(field[1]!.split(':')[1]!, 16));
}
