import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { AgentRegistry } from '../../src/execution/agents/agent-registry.ts';
import { agentKeyOf } from '../../src/execution/agents/agent.ts';
import { FlowEngine } from '../../src/execution/flow/flow-engine.ts';
import { TICKET_POLICY } from '../../src/execution/plans/generate-tickets.ts';
import { prepareDecision } from '../../src/execution/plans/prepare-decision.ts';
import { systemClock } from '../../src/platform/clock.ts';
import { openStore } from '../../src/platform/store/open-store.ts';
import type { Store } from '../../src/platform/store/store.ts';
import { QUICK } from '../flow/place.ts';
import { ALL_TASK_TYPES, chainOf, sampleDecision } from '../flow/sample-decision.ts';
import { assertNothingLost, readHistory } from './history.ts';
import type { AcknowledgedResult } from './load.ts';
import { openTestServer, type TestServer } from './test-server.ts';

let server: TestServer;
before(async () => void (server = await openTestServer()));
after(() => server?.stop());

const POLICY = { tickets: TICKET_POLICY, ...QUICK.policy, caps: {} } as Parameters<typeof prepareDecision>[3];

type Owner = { store: Store; registry: AgentRegistry; engine: FlowEngine };

/** An engine that believes to own the company, with an agent that asks it for work. */
async function openOwner(databaseUrl: string, log: (line: string) => void): Promise<Owner> {
  const store = await openStore({ databaseUrl, dataFolder: null });
  const registry = new AgentRegistry(systemClock, 30_000);
  const engine = new FlowEngine({
    store,
    clock: systemClock,
    random: Math.random,
    registry,
    onCommitted: () => {},
    log: (level, _data, message) => log(`${level}: ${message}`),
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
}

/** What was answered, and how often with which error. */
class Answers {
  readonly accepted = new Map<string, { instance: string }>();
  readonly results: AcknowledgedResult[] = [];
  readonly errors: Record<string, number> = {};
  readonly surprises: string[] = [];
  isOver = false;

  async submit({ engine }: Owner, planId: string): Promise<void> {
    const decision = sampleDecision(planId, chainOf('a', 'b'));
    const { submission } = prepareDecision(decision, 'test', Date.now(), POLICY, () => 'default');
    await engine.submit(submission).then(() => this.accepted.set(planId, { instance: 'default' }), this.#note);
  }

  /** Until all is over. */
  async work({ engine, registry }: Owner): Promise<void> {
    const result = '{"output":{},"metadata":{},"logs":[]}';
    while (!this.isOver) {
      for (const { plan: key, n, fence } of await registry.poll(registry.get(agentKeyOf(null, 'worker'))!, 20, 50)) {
        const plan = engine.plan(key)?.plan_id;
        await engine.complete({ instance: 'default', key, n, fence }, result, { by: 'test' }).then(() => {
          if (plan !== undefined) this.results.push({ instance: 'default', plan, ticket: n, fence });
        }, this.#note);
      }
    }
  }

  readonly #note = (error: unknown): void => {
    const code = (error as { code?: string }).code ?? String(error);
    this.errors[code] = (this.errors[code] ?? 0) + 1;
  };
}

test('two engines that both believe to own a company are kept apart by its journal', async () => {
  const databaseUrl = await server.database();
  const refused: string[] = [];
  const open = (): Promise<Owner> => openOwner(databaseUrl, (line) => refused.push(line));
  const owners = [await open(), await open()];
  const answers = new Answers();
  const workers = owners.map((owner) => answers.work(owner));
  for (let round = 0; round < 40; round++) {
    // the same id at both, now and then
    const plans = (e: number): string[] => [`both-${round}`, `own-${e}-${round}`];
    await Promise.all(owners.flatMap((owner, e) => plans(e).map((plan) => answers.submit(owner, plan))));
  }
  await sleep(1_000);
  answers.isOver = true;
  await Promise.all(workers);
  for (const { engine } of owners) await engine.stop();
  for (const { store } of owners) await store.close();
  assertNothingLost(answers, await readHistory({ databaseUrl, dataFolder: null }));
  assert.ok(refused.length > 0, 'they never met, so nothing was shown');
  const { accepted, results, errors } = answers;
  const seen = `${accepted.size} accepted, ${results.length} results, ${JSON.stringify(errors)}`;
  assert.ok(accepted.size >= 100 && results.length > 50, seen);
  for (const code of Object.keys(errors))
    assert.ok(['LEASE_FENCED', 'NOT_OWNER', 'CM001', '23505'].includes(code), seen);
});
