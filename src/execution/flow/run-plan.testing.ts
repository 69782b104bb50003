import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

import type { Colmeia } from '../../colmeia.ts';
import { LOCAL_OPERATOR } from '../../trust/identity/principal.ts';

export type Received = { url: string; headers: http.IncomingHttpHeaders; body: Buffer };

/** A receiver on loopback that answers as it is told. */
export async function receiver(answer: (received: Received) => number) {
  const received: Received[] = [];
  const server = http.createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const one = { url: request.url!, headers: request.headers, body: Buffer.concat(chunks) };
      const status = answer(one);
      if (status < 300) received.push(one);
      response.writeHead(status, { 'content-type': 'application/json' }).end('{}');
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    received,
    close: () => {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(resolve));
    },
  };
}

/** A decision to build and then to test; `more` goes into the plan. */
export function decision(planId: string, more: Record<string, unknown> = {}): Record<string, unknown> {
  const task = (task_id: string, task_type: string, dependencies: string[]) => ({
    task_id,
    task_type,
    description: task_id,
    dependencies,
    estimated_duration_ms: 1_000,
  });
  return {
    decision_id: `d-${planId}`,
    plan_id: planId,
    intent_id: 'i',
    correlation_id: 'c',
    final_decision: 'approve',
    consensus_method: 'voting',
    aggregated_confidence: 1,
    aggregated_risk: 0,
    specialist_votes: [],
    explainability_token: '',
    reasoning_summary: '',
    compliance_checks: {},
    consensus_metrics: {
      divergence_score: 0,
      convergence_time_ms: 1,
      unanimous: true,
      fallback_used: false,
      pheromone_strength: 0,
      bayesian_confidence: 1,
      voting_confidence: 1,
    },
    guardrails_triggered: [],
    requires_human_review: false,
    created_at: Date.now(),
    metadata: {},
    hash: '',
    cognitive_plan: {
      plan_id: planId,
      intent_id: 'i',
      correlation_id: 'c',
      tasks: [task('build', 'BUILD', []), task('test', 'TEST', ['build'])],
      execution_order: ['build', 'test'],
      risk_score: 0,
      risk_band: 'low',
      risk_factors: {},
      explainability_token: '',
      reasoning_summary: '',
      created_at: Date.now(),
      complexity_score: 0,
      original_domain: 'TECHNICAL',
      original_priority: 'normal',
      original_security_level: 'internal',
      metadata: {},
      ...more,
    },
  };
}

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
