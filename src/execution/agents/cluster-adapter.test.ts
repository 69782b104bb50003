import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { sampleDecision, type SampleTask } from '../../../test/flow/sample-decision.ts';
import { type AgentHandler, AgentError, runAgent, type RunningAgent } from '../../agent.ts';
import type { Colmeia, TicketView } from '../../colmeia.ts';
import { createColmeia } from '../../create-colmeia.ts';
import { type HttpServer, startHttpServer } from '../../interfaces/http/server.ts';
import { localTransport } from '../../local-transport.ts';
import { LOCAL_OPERATOR } from '../../trust/identity/principal.ts';
import { type ConfiguredAgents, parseAgentConfig, startConfiguredAgents } from './configured-agents.ts';
import { lossyNetwork } from './lossy-network.testing.ts';

const TASK_TYPES = ['EXECUTE', 'QUERY', 'COMPENSATE'];

let folder: string;
let here: Colmeia;
let there: Colmeia;
let server: HttpServer;
let diverting: ConfiguredAgents | null = null;
let worker: RunningAgent | null = null;
let port = 0;
let key = '';
let plans = 0;
const said: string[] = [];

/** The other cluster; the same folder is the same cluster again, on the same port. */
async function startThere(dataFolder: string | null): Promise<void> {
  there = await createColmeia({
    scheduling: { last_resort_after_ms: 0 },
    dataFolder,
    policy: { backoff: { baseMs: 20, maxMs: 50, quotaMs: 50 } },
    leaseDurationMs: 1_500,
  });
  server = await startHttpServer({ colmeia: there, port });
  port = Number(new URL(server.address).port);
}

async function stopThere(): Promise<void> {
  await worker?.stop(0);
  worker = null;
  await server.close();
  await there.close();
}

function workThere(handler: AgentHandler): void {
  worker = runAgent({
    agentId: 'worker',
    taskTypes: TASK_TYPES,
    concurrency: 8,
    transport: localTransport(there),
    handleSignals: false,
    graceMs: 0,
    log: () => {},
    handler,
  });
}

async function divert(more: Record<string, unknown> = {}): Promise<void> {
  const agent = {
    agent_id: 'elsewhere',
    kind: 'http',
    task_types: TASK_TYPES,
    concurrency: 8,
    colmeia: { address: server.address, key_file: 'cluster.key', ...more },
  };
  diverting = await startConfiguredAgents({
    config: parseAgentConfig([agent], folder),
    transport: localTransport(here),
    home: join(folder, 'home'),
    log: (_level, message) => said.push(message),
  });
}

async function newKey(kind: 'operator' | 'company' = 'operator', instance?: string): Promise<void> {
  key = (await there.keys.create(LOCAL_OPERATOR, { kind, instance })).key;
  writeFileSync(join(folder, 'cluster.key'), `${key}\n`, { mode: 0o600 });
}

async function submit(task: Partial<SampleTask> = {}, plan: Record<string, unknown> = {}): Promise<string> {
  const planId = `plan-${++plans}`;
  await here.decisions.submit(
    LOCAL_OPERATOR,
    sampleDecision(planId, [{ id: 'one', parameters: { city: 'São Paulo' }, ...task }], { plan }),
  );
  return planId;
}

async function until<T>(what: () => Promise<T | null | undefined | false>, ms = 20_000): Promise<T> {
  for (const end = Date.now() + ms; ; await sleep(10)) {
    const found = await what();
    if (found) return found;
    assert.ok(Date.now() < end, `not within ${ms} ms; said: ${said.join(' | ')}`);
  }
}

const ENDED = ['completed', 'failed', 'cancelled', 'compensated'];
const ended = (planId: string, colmeia = here): Promise<string> =>
  until(async () => {
    const { status } = await colmeia.plans.get(LOCAL_OPERATOR, { planId });
    return ENDED.includes(status) && status;
  });
const ticketOf = async (planId: string, colmeia = here): Promise<TicketView> =>
  (await colmeia.tickets.byPlan(LOCAL_OPERATOR, { planId }, {})).tickets[0]!;
/** The plans that tickets of a plan became. */
const plansThere = async (planId: string) =>
  (await there.plans.list(LOCAL_OPERATOR, { limit: 100 })).items.filter(
    ({ intent_id }) => intent_id === `intent-${planId}`,
  );

describe('diversion to another Colmeia', () => {
  before(async () => {
    here = await createColmeia({
      scheduling: { last_resort_after_ms: 0 },
      policy: { backoff: { baseMs: 20, maxMs: 50, quotaMs: 50 }, stopGraceMs: 2_000 },
      leaseDurationMs: 1_500,
    });
    await startThere(null);
  });
  after(async () => {
    await stopThere();
    await here.close();
  });
  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'colmeia-cluster-'));
    said.length = 0;
    await newKey();
  });
  afterEach(async () => {
    await diverting?.stop(0);
    diverting = null;
    await worker?.stop(0);
    worker = null;
    rmSync(folder, { recursive: true });
  });

  test('a ticket becomes one plan there, with what it is and where it came from, and its result comes back', async () => {
    const seen: Record<string, unknown>[] = [];
    workThere((ticket, { log, metadata }) => {
      seen.push(ticket);
      log('measured');
      metadata({ input_tokens: '12' });
      return { temperature: 21 };
    });
    await divert();
    const planId = await submit({ type: 'weather', estimateMs: 45_000 }, { original_security_level: 'restricted' });
    assert.equal(await ended(planId), 'completed');
    const ticket = await ticketOf(planId);
    assert.deepEqual(ticket.result!.output, { temperature: '21' });
    assert.deepEqual(ticket.result!.metadata, { input_tokens: '12' });
    assert.ok(ticket.result!.logs.includes('measured'), ticket.result!.logs.join());
    const [{ metadata, ...there }] = seen as [TicketView];
    for (const name of ['task_id', 'task_type', 'parameters', 'security_level', 'priority', 'risk_band'] as const)
      assert.deepEqual(there[name], ticket[name], name);
    assert.equal(there.estimated_duration_ms, 45_000);
    assert.equal(there.sla.timeout_ms, ticket.sla.timeout_ms);
    assert.equal(there.correlation_id, ticket.correlation_id);
    assert.deepEqual(
      [metadata.origin_ticket_id, metadata.origin_plan_id, metadata.origin_instance, metadata.task_type],
      [ticket.ticket_id, planId, 'default', 'weather'],
    );
    assert.equal((await plansThere(planId)).length, 1);
    const agent = await here.agents.get(LOCAL_OPERATOR, 'elsewhere');
    assert.equal(agent.labels.last_resort, 'true');
  });

  test('the company there is the one of the same name, or the one that is configured', async () => {
    workThere(() => ({}));
    await there.instances.create(LOCAL_OPERATOR, { name: 'guests' });
    await newKey('company', 'guests');
    await divert({ instance: 'guests' });
    const planId = await submit();
    assert.equal(await ended(planId), 'completed');
    assert.deepEqual(
      (await plansThere(planId)).map((plan) => plan.instance),
      ['guests'],
    );
  });

  test('a failure keeps its class and words; the next attempt has the same plan go on', async () => {
    let calls = 0;
    workThere(() => {
      if (++calls <= 2) throw new AgentError('the scale is broken', 'timeout');
      return { weight: 3 };
    });
    await divert();
    const planId = await submit();
    assert.equal(await ended(planId), 'completed');
    assert.equal((await ticketOf(planId)).attempt, 2);
    const [only, ...others] = await plansThere(planId);
    assert.equal(others.length, 0);
    const retried = await there.audit.list(LOCAL_OPERATOR, { plan_id: only!.plan_id, type: 'plan.retried' });
    assert.equal(retried.items.length, 1);
    const failed = await here.audit.list(LOCAL_OPERATOR, { plan_id: planId, type: 'ticket.retrying' });
    assert.equal(failed.items[0]!.data!.error_class, 'timeout');
    assert.match(String(failed.items[0]!.data!.error), /the scale is broken/);
  });

  test('an attempt that another agent gave back in between changes nothing: the next one has the same plan go on', async () => {
    let calls = 0;
    workThere(async () => {
      if (++calls > 2) return { weight: 3 };
      if (calls === 2) await here.agents.cordon(LOCAL_OPERATOR, 'elsewhere');
      throw new AgentError('the scale is broken', 'timeout');
    });
    await divert();
    const planId = await submit();
    await until(async () => (await ticketOf(planId)).error_message !== null);
    const agent_id = 'elsewhere-too';
    await here.agents.register(LOCAL_OPERATOR, { agent_id, kind: 'service', task_types: TASK_TYPES, capabilities: [] });
    const { leases } = await here.agents.lease(LOCAL_OPERATOR, agent_id, { max: 1, wait_ms: 5_000 });
    const { lease_id, fencing_token } = leases[0]!;
    await here.leases.release(LOCAL_OPERATOR, lease_id, { fencing_token });
    await here.agents.remove(LOCAL_OPERATOR, agent_id);
    await here.agents.uncordon(LOCAL_OPERATOR, 'elsewhere');
    assert.equal(await ended(planId), 'completed');
    assert.equal((await plansThere(planId)).length, 1);
  });

  test('what no attempt can do fails for good here too; started over by a person, it is a plan of its own', async () => {
    let calls = 0;
    workThere(() => {
      if (++calls === 1) throw new AgentError('no such city', 'poison');
      return {};
    });
    await divert();
    const planId = await submit();
    assert.equal(await ended(planId), 'failed');
    assert.equal((await ticketOf(planId)).attempt, 1);
    await until(() => here.plans.retry(LOCAL_OPERATOR, { planId }, {}).catch(() => null));
    assert.equal(await ended(planId), 'completed');
    assert.equal(calls, 2);
    assert.equal((await plansThere(planId)).length, 2);
  });

  test('a cancel here cancels there', async () => {
    let stopped = '';
    workThere(async (_ticket, { signal }) => {
      await sleep(60_000, undefined, { signal }).catch(() => (stopped = String(signal.reason)));
      throw signal.reason;
    });
    await divert();
    const planId = await submit();
    await until(async () => (await plansThere(planId)).length === 1 && (await ticketOf(planId)).state === 'running');
    const { plan_id } = (await plansThere(planId))[0]!;
    await until(async () => (await ticketOf(plan_id, there)).state === 'running');
    await here.plans.cancel(LOCAL_OPERATOR, { planId }, {});
    assert.equal(await ended(plan_id, there), 'cancelled');
    assert.match(stopped, /cancelled/);
    assert.equal(await ended(planId), 'cancelled');
  });

  test('when this side restarts, the ticket is taken up under the same lease and attempt', async () => {
    let calls = 0;
    let finish = (): void => {};
    workThere(async () => {
      calls++;
      await new Promise<void>((resolve) => (finish = resolve));
      return { done: true };
    });
    await divert();
    const planId = await submit();
    await until(async () => calls === 1);
    await diverting!.stop(0);
    assert.equal((await plansThere(planId))[0]!.status, 'running');
    await divert();
    finish();
    assert.equal(await ended(planId), 'completed');
    const ticket = await ticketOf(planId);
    assert.deepEqual([ticket.attempt, ticket.result!.output.done, calls], [1, 'true', 1]);
    await until(async () => readdirSync(join(folder, 'home', 'diverted', 'elsewhere')).length === 0);
  });

  test('when the other side is killed in the middle and comes back, the ticket ends there in its one plan', async () => {
    await stopThere();
    const data = join(folder, 'data');
    await startThere(data);
    await newKey();
    let calls = 0;
    workThere(async (_ticket, { signal }) => {
      calls++;
      await sleep(60_000, undefined, { signal });
    });
    await divert();
    const planId = await submit();
    await until(async () => calls === 1);
    await stopThere();
    await sleep(300);
    await startThere(data);
    workThere(() => ({ second: 'life' }));
    assert.equal(await ended(planId), 'completed');
    const ticket = await ticketOf(planId);
    assert.deepEqual([ticket.attempt, ticket.result!.output.second], [1, 'life']);
    assert.equal((await plansThere(planId)).length, 1);
    await stopThere();
    await startThere(null);
  });

  test('when the other side comes back without its data, the ticket is handed in again', async () => {
    workThere(async (_ticket, { signal }) => sleep(60_000, undefined, { signal }));
    await divert();
    const planId = await submit();
    await until(async () => (await plansThere(planId)).length === 1);
    await stopThere();
    await startThere(null);
    await newKey();
    workThere(() => ({ again: 1 }));
    assert.equal(await ended(planId), 'completed');
    assert.equal((await ticketOf(planId)).attempt, 1);
  });

  test('a ticket that was diverted once goes no further, and may still run where it came from', async () => {
    // The other cluster diverts everything back to this one.
    const back = await startHttpServer({ colmeia: here, port: 0 });
    const backKey = (await here.keys.create(LOCAL_OPERATOR, { kind: 'operator' })).key;
    writeFileSync(join(folder, 'back.key'), backKey, { mode: 0o600 });
    for (const max_hops of [1, 2]) {
      const agent = {
        agent_id: 'back',
        kind: 'http',
        task_types: TASK_TYPES,
        colmeia: { address: back.address, key_file: 'back.key', max_hops },
      };
      const diverter = await startConfiguredAgents({
        config: parseAgentConfig([agent], folder),
        transport: localTransport(there),
        home: join(folder, `home-back-${max_hops}`),
        log: () => {},
      });
      await divert();
      const planId = await submit();
      assert.equal(await ended(planId), 'failed');
      const ticket = await ticketOf(planId);
      assert.match(
        ticket.error_message!,
        max_hops === 1 ? /diverted too often: through 1 clusters/ : /diverted too often: it came from http/,
      );
      assert.equal(ticket.attempt, 2, 'its class here is transient');
      assert.equal(
        (await here.plans.list(LOCAL_OPERATOR, { limit: 1 })).items[0]!.plan_id,
        planId,
        'nothing came back',
      );
      await diverting!.stop(0);
      await diverter.stop(0);
    }
    await back.close();
  });

  test('over a network that loses one in four calls or answers, each ticket is one plan there and completes', async (t) => {
    const runs = new Map<string, number>();
    workThere((ticket) => {
      runs.set(ticket.plan_id, (runs.get(ticket.plan_id) ?? 0) + 1);
      return { n: ticket.parameters.n };
    });
    const network = await lossyNetwork(new URL(server.address));
    t.after(() => network.close());
    await divert({ address: network.address });
    const submitted = await Promise.all(Array.from({ length: 25 }, (_, n) => submit({ parameters: { n: String(n) } })));
    for (const [n, planId] of submitted.entries()) {
      assert.equal(await ended(planId), 'completed');
      assert.equal((await ticketOf(planId)).result!.output.n, String(n));
      assert.equal((await plansThere(planId)).length, 1);
    }
    assert.equal(runs.size, 25);
    assert.ok(network.lost() > 10, `${network.lost()} calls were lost`);
  });

  test('a key that is open to everybody is not used, and no key is ever said', async () => {
    workThere(() => ({}));
    chmodSync(join(folder, 'cluster.key'), 0o644);
    await divert();
    const planId = await submit();
    await until(async () => (await ticketOf(planId)).error_message !== null);
    assert.match((await ticketOf(planId)).error_message!, /open to others \(mode 644\)/);
    assert.equal((await ticketOf(planId)).state, 'backoff');
    assert.ok(said.some((line) => /open to others/.test(line)));
    assert.equal(
      said.some((line) => line.includes(key)),
      false,
    );
  });
});
