import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemClock } from '../../platform/clock.ts';
import { openStore } from '../../platform/store/open-store.ts';
import type { Store } from '../../platform/store/store.ts';
import { AgentRegistry } from '../agents/agent-registry.ts';
import { parseAgentSpec } from '../agents/parse-agent-spec.ts';
import { TICKET_POLICY } from '../plans/generate-tickets.ts';
import { prepareDecision } from '../plans/prepare-decision.ts';
import { FlowEngine } from './flow-engine.ts';
import { decision } from './run-plan.testing.ts';

const LEASE_MS = 3_600_000;
const POLICY = {
  tickets: TICKET_POLICY,
  backoff: { baseMs: 10, maxMs: 10, quotaMs: 10 },
  stopGraceMs: 1_000,
  caps: {},
} as Parameters<typeof prepareDecision>[3];

/** A store that commits one flush and loses the answer, when it is told to. */
function forgetful(store: Store): Store & { isForgetting: boolean } {
  return Object.create(store, {
    isForgetting: { value: false, writable: true },
    read: { value: store.read.bind(store) },
    flush: {
      async value(this: { isForgetting: boolean }, args: readonly string[]) {
        await store.flush(args as string[]);
        if (!this.isForgetting) return;
        this.isForgetting = false;
        throw new Error('the connection was lost');
      },
    },
  }) as Store & { isForgetting: boolean };
}

test('a lease whose commit came true unanswered is given anew at once, and counts as no attempt', async () => {
  const database = await openStore({ databaseUrl: null, dataFolder: null });
  const store = forgetful(database);
  const registry = new AgentRegistry(systemClock, LEASE_MS);
  const said: string[] = [];
  const log = (_level: string, _data: unknown, message: string): void => void said.push(message);
  const engine = new FlowEngine({
    store,
    clock: systemClock,
    random: () => 0.5,
    registry,
    onCommitted: () => {},
    log,
  });
  try {
    await engine.own(['default']);
    const agent = registry.put(null, parseAgentSpec({ agent_id: 'worker', task_types: ['BUILD', 'TEST'] }));
    const { submission } = prepareDecision(decision('p'), 'test', Date.now(), POLICY, () => 'default');
    await engine.submit(submission);
    store.isForgetting = true;
    const [lease] = await registry.poll(agent, 1, 5_000);
    assert.equal(said.length, 1, 'the answer was not lost');
    assert.deepEqual([lease?.attempt, lease?.fence], [1, 2]);
    assert.equal(registry.leaseCount, 1);
  } finally {
    await engine.stop();
    registry.close();
    await database.close();
  }
});
