import type { IncomingHttpHeaders } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';

import { sampleDecision } from '../../../test/flow/sample-decision.ts';
import type { Colmeia } from '../../colmeia.ts';
import { startLoopbackServer } from '../../platform/loopback-server.testing.ts';
import { LOCAL_OPERATOR } from '../../trust/identity/principal.ts';

export type Received = { url: string; headers: IncomingHttpHeaders; body: Buffer };

/** A receiver on loopback that answers as it is told. */
export async function receiver(answer: (received: Received) => number) {
  const received: Received[] = [];
  const { address, close } = await startLoopbackServer(({ url, headers }, response, body) => {
    const one = { url: url!, headers, body };
    const status = answer(one);
    if (status < 300) received.push(one);
    response.writeHead(status, { 'content-type': 'application/json' }).end('{}');
  });
  return { url: address, received, close };
}

/** A decision to build and then to test; `more` goes into the plan. */
export function decision(planId: string, more: Record<string, unknown> = {}): Record<string, unknown> {
  const ids = { intent_id: 'i', correlation_id: 'c', created_at: Date.now() };
  return sampleDecision(planId, TASKS, {
    plan: { ...ids, ...more },
    decision: { ...ids, decision_id: `d-${planId}` },
  });
}

const TASKS = [
  { id: 'build', type: 'BUILD' },
  { id: 'test', type: 'TEST', after: ['build'] },
];

/** Works off tickets until `plans` plans are at their end; `how` may name the error class that an attempt fails with. */
export async function workOff(
  colmeia: Colmeia,
  plans: readonly string[],
  how: (task: string, attempt: number) => 'transient' | 'poison' | null,
): Promise<void> {
  await colmeia.agents.register(LOCAL_OPERATOR, {
    agent_id: 'worker',
    kind: 'service',
    task_types: ['BUILD', 'TEST'],
    capabilities: [],
    concurrency: 10,
  });
  const isOpen = async (): Promise<boolean> => {
    const all = await Promise.all(plans.map((planId) => colmeia.plans.get(LOCAL_OPERATOR, { planId })));
    return all.some((plan) => plan.ended_at === null);
  };
  while (await isOpen()) {
    const { leases } = await colmeia.agents.lease(LOCAL_OPERATOR, 'worker', { max: 10, wait_ms: 30 });
    for (const { lease_id, fencing_token, attempt, ticket } of leases) {
      await sleep(2); // so that durations are seen
      const error_class = how(ticket.task_id, attempt);
      if (error_class === null) await colmeia.leases.complete(LOCAL_OPERATOR, lease_id, { fencing_token, output: {} });
      else
        await colmeia.leases.fail(LOCAL_OPERATOR, lease_id, { fencing_token, error_class, error_message: 'no luck' });
    }
  }
}
