import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { runAgent, type RunningAgent } from '../../src/agent.ts';
import type { Colmeia } from '../../src/colmeia.ts';
import { createColmeia } from '../../src/index.ts';
import { startHttpServer, type HttpServer } from '../../src/interfaces/http/server.ts';
import { createLog } from '../../src/platform/observability/log.ts';
import { LOCAL_OPERATOR } from '../../src/trust/identity/principal.ts';
import type { RecordedEvent } from '../../src/trust/audit/journal.ts';
import { ALL_TASK_TYPES } from '../flow/sample-decision.ts';
import { planOf, recordedWorkflows, type RecordedWorkflow } from './recorded-workflow.ts';

const FASTER = 1_000;
const SLOTS = 64;
const AGENTS = 4;
const DEADLINE_MS = 100_000;

const workflows = recordedWorkflows();

describe(
  'recorded workflows, end to end over HTTP',
  { skip: workflows === null ? 'there is no ../shared/data/workflows' : false },
  () => {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'colmeia-workflows-'));
    let colmeia: Colmeia;
    let server: HttpServer;
    const keys = new Map<string, string>();
    before(async () => {
      colmeia = await createColmeia({ dataFolder: path.join(folder, 'data') }); // in memory the data would count as memory
      server = await startHttpServer({ colmeia, port: 0, log: createLog({ level: 'silent', format: 'json' }) });
      for (const { name } of workflows!) {
        await colmeia.instances.create(LOCAL_OPERATOR, { name: companyOf(name) });
        keys.set(name, (await colmeia.keys.create(LOCAL_OPERATOR, { kind: 'company', instance: companyOf(name) })).key);
      }
    });
    after(async () => {
      await server?.close();
      await colmeia?.close();
      fs.rmSync(folder, { recursive: true, force: true });
    });

    test('all seven at once on 64 slots: each ticket once, after what it depends on, and memory stays flat', async (t) => {
      const begun: string[] = [];
      const { key } = await colmeia.keys.create(LOCAL_OPERATOR, { kind: 'agent' }); // of the whole fleet
      const agents = Array.from({ length: AGENTS }, (_, n) => startAgent(server.address, key, n, begun));
      try {
        const watch = watchMemory();
        const startedAt = performance.now();
        const took = await Promise.all(
          workflows!.map((workflow) => run(server.address, workflow, keys.get(workflow.name)!)),
        );
        const ms = performance.now() - startedAt;
        const memory = watch.stop();
        for (const [i, { name, n, criticalPath }] of workflows!.entries())
          t.diagnostic(
            `${name}: ${n} tasks in ${(took[i]! / 1_000).toFixed(1)} s, critical path ${((criticalPath * 1_000) / FASTER / 1_000).toFixed(1)} s`,
          );
        const tasks = workflows!.reduce((sum, { n }) => sum + n, 0);
        t.diagnostic(
          `${tasks} tasks in ${(ms / 1_000).toFixed(1)} s; memory ${memory.first} → ${memory.last} MB, at most ${memory.most} MB`,
        );
        assert.equal(begun.length, tasks, 'attempts that began');
        assert.equal(new Set(begun).size, tasks, 'tickets that began');
        assert.ok(memory.last - memory.first < 150, JSON.stringify(memory));
        for (const workflow of workflows!) checkOrder(workflow, await journalOf(colmeia, workflow));
        for (const { ok, fault } of await colmeia.audit.verify(LOCAL_OPERATOR, {})) assert.ok(ok, String(fault));
      } finally {
        await Promise.all(agents.map((agent) => agent.stop()));
      }
    });
  },
);

const companyOf = (workflow: string): string => `of-${workflow.split('-')[0]}`;

/** Gives how long it took, in ms. */
async function run(address: string, workflow: RecordedWorkflow, key: string): Promise<number> {
  const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' };
  const body = JSON.stringify({ cognitive_plan: planOf(workflow, FASTER), correlation_id: workflow.name });
  const deadline = performance.now() + DEADLINE_MS;
  const started = await fetch(`${address}/api/v1/workflows/start`, { method: 'POST', headers, body });
  const answer = (await started.json()) as { workflow_id: string };
  assert.ok(started.ok, JSON.stringify(answer));
  for (;;) {
    const response = await fetch(`${address}/api/v1/workflows/${answer.workflow_id}`, { headers });
    const view = (await response.json()) as { status: string; execution_time: number };
    if (view.status !== 'RUNNING') {
      assert.equal(view.status, 'COMPLETED', workflow.name);
      return view.execution_time;
    }
    assert.ok(performance.now() < deadline, `${workflow.name} did not end`);
    await sleep(100);
  }
}

function startAgent(address: string, key: string, n: number, begun: string[]): RunningAgent {
  return runAgent({
    agentId: `runner-${n}`,
    taskTypes: ALL_TASK_TYPES,
    concurrency: SLOTS / AGENTS,
    address,
    key,
    handleSignals: false,
    log: () => {},
    handler: async (ticket) => {
      begun.push(ticket.ticket_id);
      await sleep(Number(ticket.parameters.sleep_ms));
      return { program: ticket.parameters.program };
    },
  });
}

async function journalOf(colmeia: Colmeia, { name }: RecordedWorkflow): Promise<RecordedEvent[]> {
  const events: RecordedEvent[] = [];
  const instance = companyOf(name);
  for (let after: string | undefined; ;) {
    const page = await colmeia.audit.list(LOCAL_OPERATOR, {
      instance,
      type: 'ticket.',
      limit: 100,
      ...(after === undefined ? {} : { after }),
    });
    events.push(...page.items);
    if (page.next === null) return events.reverse();
    after = page.next;
  }
}

function checkOrder({ name, tasks }: RecordedWorkflow, journal: readonly RecordedEvent[]): void {
  const completed = new Set<number>();
  for (const { type, ticket } of journal) {
    if (type === 'ticket.leased')
      for (const parent of tasks[ticket!]![2])
        assert.ok(completed.has(parent), `${name}: ${ticket} began before ${parent} was done`);
    if (type !== 'ticket.completed') continue;
    assert.ok(!completed.has(ticket!), `${name}: ${ticket} completed twice`);
    completed.add(ticket!);
  }
  assert.equal(completed.size, tasks.length, name);
}

/** Resident memory in MB, once things are under way and at the end. */
function watchMemory() {
  const now = (): number => Math.round(process.memoryUsage.rss() / 1_048_576);
  let [first, most] = [now(), 0];
  const warm = setTimeout(() => (first = now()), 3_000);
  const timer = setInterval(() => (most = Math.max(most, now())), 200);
  return {
    stop() {
      clearTimeout(warm);
      clearInterval(timer);
      return { first, most, last: now() };
    },
  };
}
