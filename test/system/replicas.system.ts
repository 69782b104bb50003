import assert from 'node:assert/strict';
import fs from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { startPostgres, type Postgres } from '../../scripts/postgres.ts';
import type { Colmeia } from '../../src/colmeia.ts';
import { AgentRegistry } from '../../src/execution/agents/agent-registry.ts';
import { agentKeyOf } from '../../src/execution/agents/agent.ts';
import { FlowEngine } from '../../src/execution/flow/flow-engine.ts';
import { TICKET_POLICY } from '../../src/execution/plans/generate-tickets.ts';
import { prepareDecision } from '../../src/execution/plans/prepare-decision.ts';
import type { ColmeiaOptions } from '../../src/index.ts';
import { systemClock } from '../../src/platform/clock.ts';
import { isColmeiaError } from '../../src/platform/errors.ts';
import { openStore } from '../../src/platform/store/open-store.ts';
import { LOCAL_OPERATOR } from '../../src/trust/identity/principal.ts';
import { QUICK } from '../flow/place.ts';
import { ALL_TASK_TYPES, chainOf, sampleDecision } from '../flow/sample-decision.ts';
import { ControlPlane } from './control-plane.ts';
import { assertAllCompleted, assertNothingLost, readHistory } from './history.ts';
import { Load } from './load.ts';
import { asAdmin } from './test-server.ts';

/** Enough that every replica has some of them. */
const COMPANIES = Array.from({ length: 12 }, (_, n) => `company-${n}`);
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

type Cluster = {
  databaseUrl: string;
  replicas: ControlPlane[];
  faces: Colmeia[];
  join: () => Promise<ControlPlane>;
  /** Resolves when the first results are in. */
  startLoad: (faces: readonly Colmeia[]) => Promise<Load>;
};

/** Runs replicas of one database, and afterwards reads what it says. */
async function withReplicas(
  count: number,
  work: (cluster: Cluster) => Promise<void>,
  more: ColmeiaOptions = {},
): Promise<void> {
  const databaseUrl = await freshDatabase();
  const replicas: ControlPlane[] = [];
  const join = async (): Promise<ControlPlane> => {
    const replica = new ControlPlane({
      ...QUICK,
      databaseUrl,
      leaseDurationMs: 3_000,
      ...more,
    } satisfies ColmeiaOptions);
    await replica.start();
    replicas.push(replica);
    return replica;
  };
  let load: Load | null = null;
  const startLoad = async (faces: readonly Colmeia[]): Promise<Load> => {
    load = new Load({ faces, companies: COMPANIES });
    load.start();
    await load.nextResult();
    return load;
  };
  const loadOf = (): Load | null => load;
  try {
    await Promise.all(Array.from({ length: count }, join));
    for (const name of COMPANIES) await replicas[0]!.colmeia.instances.create(LOCAL_OPERATOR, { name });
    await work({ databaseUrl, replicas, faces: replicas.map(({ colmeia }) => colmeia), join, startLoad });
    await loadOf()?.stopSubmitting();
    if (load !== null) await untilIdle(replicas);
  } finally {
    const stopped = loadOf()?.stopSubmitting();
    await loadOf()?.stopAgents();
    await Promise.all(replicas.map((replica) => replica.close()));
    await stopped;
  }
  const history = await readHistory({ databaseUrl, dataFolder: null });
  const told = loadOf();
  if (told === null) return;
  assertNothingLost(told, history);
  assertAllCompleted(history);
}

async function untilIdle(replicas: readonly ControlPlane[]): Promise<void> {
  const alive = replicas.find(({ isUp }) => isUp)!;
  for (const deadline = Date.now() + 30_000; ;) {
    const { items } = await alive.colmeia.plans.list(LOCAL_OPERATOR, { status: 'running', limit: 5 });
    if (items.length === 0) return;
    assert.ok(Date.now() < deadline, `open plans do not end: ${JSON.stringify(items)}`);
    await sleep(100);
  }
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

async function until(what: string, met: () => Promise<boolean>, withinMs = 10_000): Promise<number> {
  const from = performance.now();
  while (!(await met())) {
    assert.ok(performance.now() - from < withinMs, `${what}: not within ${withinMs} ms`);
    await sleep(20);
  }
  return performance.now() - from;
}

const oneTicket = (planId: string, instance: string) =>
  sampleDecision(planId, chainOf('a'), { decision: { metadata: { instance } } });

/** Asks until it is answered by a plan. */
async function submitted(face: Colmeia, planId: string, instance: string): Promise<number> {
  const from = performance.now();
  const decision = oneTicket(planId, instance);
  for (;;) {
    try {
      await face.decisions.submit(LOCAL_OPERATOR, decision);
      return performance.now() - from;
    } catch (error) {
      if (!isColmeiaError(error, 'NOT_OWNER') && !isColmeiaError(error, 'STORE_UNAVAILABLE')) throw error;
      assert.ok(performance.now() - from < 20_000, `${planId}: ${error.message}`);
      await sleep(20);
    }
  }
}

describe('replicas of one database', () => {
  test('three divide the companies, and each answers for all of them', async () => {
    await withReplicas(3, async ({ databaseUrl, faces }) => {
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
    await withReplicas(3, async ({ replicas, faces, startLoad }) => {
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
    await withReplicas(2, async ({ replicas, faces, startLoad }) => {
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
    await withReplicas(2, async ({ databaseUrl, faces, join, startLoad }) => {
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
      await withReplicas(2, async ({ faces, startLoad }) => {
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
    await withReplicas(2, async ({ databaseUrl, replicas, faces, startLoad }) => {
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

test('an agent that talks to one replica is alive for all, and one that falls silent is gone once', async () => {
  const heartbeatIntervalMs = 2_000;
  await withReplicas(
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
  await withReplicas(3, async ({ faces, join }) => {
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

test('two engines that both believe to own a company are kept apart by its journal', async () => {
  const databaseUrl = await freshDatabase();
  const refused: string[] = [];
  const open = async () => {
    const store = await openStore({ databaseUrl, dataFolder: null });
    const registry = new AgentRegistry(systemClock, 30_000);
    const engine = new FlowEngine({
      store,
      clock: systemClock,
      random: Math.random,
      registry,
      onCommitted: () => {},
      log: (level, _data, message) => void refused.push(`${level}: ${message}`),
    });
    await engine.own(['default']);
    registry.put(null, {
      agent_id: 'worker',
      kind: 'service',
      task_types: ALL_TASK_TYPES,
      capabilities: [],
      concurrency: 20,
      labels: {},
      region: null,
      version: null,
    });
    return { store, registry, engine };
  };
  const policy = { tickets: TICKET_POLICY, ...QUICK.policy, caps: {} } as Parameters<typeof prepareDecision>[3];
  const engines = [await open(), await open()];
  const accepted = new Map<string, { instance: string }>();
  const results: Load['results'] = [];
  const outcomes: Record<string, number> = {};
  const note = (error: unknown): void => {
    const code = (error as { code?: string }).code ?? String(error);
    outcomes[code] = (outcomes[code] ?? 0) + 1;
  };
  const submit = async ({ engine }: (typeof engines)[number], planId: string): Promise<void> => {
    const { submission } = prepareDecision(
      sampleDecision(planId, chainOf('a', 'b')),
      'test',
      Date.now(),
      policy,
      () => 'default',
    );
    await engine.submit(submission).then(() => accepted.set(planId, { instance: 'default' }), note);
  };
  let isOver = false;
  const work = async ({ engine, registry }: (typeof engines)[number]): Promise<void> => {
    while (!isOver) {
      for (const { plan, n, fence } of await registry.poll(registry.get(agentKeyOf(null, 'worker'))!, 20, 50)) {
        const id = engine.plan(plan)?.plan_id;
        await engine
          .complete({ instance: 'default', key: plan, n, fence }, '{"output":{},"metadata":{},"logs":[]}', {
            by: 'test',
          })
          .then(() => {
            if (id !== undefined) results.push({ instance: 'default', plan: id, ticket: n, fence });
          }, note);
      }
    }
  };
  const workers = engines.map(work);
  for (let round = 0; round < 40; round++)
    // the same id at both, now and then
    await Promise.all(
      engines.flatMap((engine, e) => [submit(engine, `both-${round}`), submit(engine, `own-${e}-${round}`)]),
    );
  await sleep(1_000);
  isOver = true;
  await Promise.all(workers);
  for (const { engine } of engines) await engine.stop();
  for (const { store } of engines) await store.close();
  const history = await readHistory({ databaseUrl, dataFolder: null });
  assertNothingLost({ accepted, results, surprises: [] } as unknown as Load, history);
  assert.ok(refused.length > 0, 'they never met, so nothing was shown');
  assert.ok(
    accepted.size >= 100 && results.length > 50,
    `${accepted.size} accepted, ${results.length} results, ${JSON.stringify(outcomes)}`,
  );
  for (const code of Object.keys(outcomes))
    assert.ok(['LEASE_FENCED', 'NOT_OWNER', 'CM001', '23505'].includes(code), JSON.stringify(outcomes));
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
