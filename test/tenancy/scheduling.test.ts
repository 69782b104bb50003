import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { BudgetView, ExplainView, Scheduling, WhyView } from '../../src/execution/swarm/scheduling-views.ts';
import { EXAMPLE_DECISION, EXAMPLE_PLAN } from '../../src/interfaces/http/example-records.ts';
import { createServerForTest, type Answer, type TestServer } from '../support/server.ts';

const FIRST = 'primeira';
const SECOND = 'segunda';
let server: TestServer;
let firstKey: string;
let secondKey: string;

before(async () => {
  server = await createServerForTest();
  firstKey = await server.found(FIRST);
  secondKey = await server.found(SECOND);
  for (const [key, plan_id] of [
    [firstKey, 'plan-first'],
    [secondKey, 'plan-second'],
  ] as const) {
    const cognitive_plan = { ...EXAMPLE_PLAN, plan_id };
    await sent('POST', '/api/v1/decisions', key, {
      ...EXAMPLE_DECISION,
      plan_id,
      decision_id: `d-${plan_id}`,
      cognitive_plan,
    });
  }
  const agent = { kind: 'service', task_types: ['BUILD'], capabilities: ['node'] };
  await sent('POST', '/api/v1/agents', firstKey, { agent_id: 'agent-of-first', ...agent });
});
after(() => server.close());

const call = (method: string, url: string, key: string, body?: unknown): Promise<Answer> =>
  server.call({
    method,
    url,
    key,
    ...(body === undefined ? {} : { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
  });

async function sent<T>(method: string, url: string, key: string, body?: unknown): Promise<T> {
  const { status, text } = await call(method, url, key, body);
  assert.ok(status < 300, `${method} ${url}: ${text}`);
  return JSON.parse(text) as T;
}

async function ticketsOf(plan: string, key: string): Promise<Record<string, string>> {
  const { tickets } = await sent<{ tickets: { task_id: string; ticket_id: string }[] }>(
    'GET',
    `/api/v1/tickets/by-plan/${plan}`,
    key,
  );
  return Object.fromEntries(tickets.map(({ task_id, ticket_id }) => [task_id, ticket_id]));
}
const whyOf = (ticket: string, key: string): Promise<WhyView> => sent('GET', `/api/v1/tickets/${ticket}/why`, key);

test('why a ticket waits names no other company and none of its agents, but to the operator', async () => {
  const { build } = await ticketsOf('plan-second', secondKey);
  const why = await whyOf(build!, secondKey);
  assert.equal(why.waits_for.what, 'agent');
  assert.deepEqual([why.queue?.position, why.queue?.of], [2, 2]);
  assert.deepEqual(why.queue?.ahead.companies, [{ instance: 'others', tickets: 1 }]);
  const text = JSON.stringify(why);
  assert.ok(!text.includes(FIRST) && !text.includes('agent-of-first'), text);
  const seen = await whyOf(build!, server.operatorKey);
  assert.deepEqual(seen.queue?.ahead.companies, [{ instance: FIRST, tickets: 1 }]);
});

test('a ticket that waits for another one says for which, and has no place in a queue', async () => {
  const { build, test: dependent } = await ticketsOf('plan-second', secondKey);
  const { waits_for, queue } = await whyOf(dependent!, secondKey);
  assert.deepEqual([waits_for.what, waits_for.tickets, queue], ['dependencies', [build], null]);
});

test('a plan that only agents of another company could do has no forecast, and its deadline is in danger', async () => {
  const url = '/api/v1/plans/plan-second/explain';
  const { forecast, parts, at_risk, slowest } = await sent<ExplainView>('GET', url, secondKey);
  assert.deepEqual([forecast, parts, at_risk], [null, null, 'warning']);
  assert.deepEqual(slowest.map(({ task_id }) => task_id).toSorted(), ['build', 'test']);
});

test('what concerns every company is for operators: policy, trails, experiments, backlog', async () => {
  const before = await sent('GET', '/api/v1/scheduling/policy', server.operatorKey);
  const calls: [string, string, unknown?][] = [
    ['PUT', 'policy', { preset: 'fairness' }],
    ['GET', 'trails'],
    ['DELETE', 'trails'],
    ['POST', 'experiment', { a: 'adaptive', b: 'fairness' }],
    ['DELETE', 'experiment'],
    ['GET', 'backlog'],
    ['GET', 'backlog/keda'],
  ];
  for (const [method, path, body] of calls) {
    const { status, text } = await call(method, `/api/v1/scheduling/${path}`, firstKey, body);
    assert.deepEqual([status, JSON.parse(text).code], [403, 'FORBIDDEN'], `${method} ${path}`);
  }
  const metric = '/apis/external.metrics.k8s.io/v1beta1/namespaces/x/colmeia_backlog_tickets';
  assert.equal((await call('GET', metric, firstKey)).status, 403);
  assert.deepEqual(await sent('GET', '/api/v1/scheduling/policy', server.operatorKey), before);
  assert.equal((await call('GET', '/api/v1/scheduling/experiment', server.operatorKey)).status, 404);
});

test('a policy that is wrong is refused with every fault and changes nothing; a right one is in force and in the audit', async () => {
  const url = '/api/v1/scheduling/policy';
  const before = await sent('GET', url, server.operatorKey);
  const wrong = await call('PUT', url, server.operatorKey, { preset: 'adaptve', lag_seconds: -1, colour: 'red' });
  const { code, faults } = JSON.parse(wrong.text) as { code: string; faults: { path: string }[] };
  assert.deepEqual([wrong.status, code], [400, 'INVALID_POLICY']);
  assert.deepEqual(faults.map(({ path }) => path).toSorted(), ['colour', 'lag_seconds', 'preset']);
  assert.deepEqual(await sent('GET', url, server.operatorKey), before);
  const document = { preset: 'adaptive', lag_seconds: 600, caps: { per_company: 40 } };
  const set = await sent<Awaited<ReturnType<Scheduling['policy']>>>('PUT', url, server.operatorKey, document);
  assert.deepEqual(set.document, document);
  const { lag_seconds, caps } = set.policy as { lag_seconds: number; caps: { per_company: number } };
  assert.deepEqual([lag_seconds, caps.per_company], [600, 40]);
  assert.ok(set.changed_at !== null && set.changed_by !== null);
  assert.deepEqual(await sent('GET', url, server.operatorKey), set);
  const { items } = await sent<{ items: { type: string }[] }>(
    'GET',
    '/api/v1/audit/events?type=scheduler.policy_changed',
    server.operatorKey,
  );
  assert.equal(items.length, 1);
});

test('a company sees its own error budgets only', async () => {
  const { leases } = await sent<{ leases: { lease_id: string; fencing_token: number }[] }>(
    'POST',
    '/api/v1/agents/agent-of-first/leases',
    firstKey,
    { max: 1, wait_ms: 2_000 },
  );
  const [{ lease_id, fencing_token }] = leases as [{ lease_id: string; fencing_token: number }];
  await sent('POST', `/api/v1/leases/${lease_id}/complete`, firstKey, { fencing_token, output: {} });
  const budgets = async (key: string): Promise<BudgetView[]> =>
    (await sent<{ items: BudgetView[] }>('GET', '/api/v1/scheduling/budgets', key)).items;
  // What was learned comes a moment after the result.
  let own: BudgetView[] = [];
  for (let i = 0; i < 100 && own.length === 0; i++) {
    own = await budgets(firstKey);
    if (own.length === 0) await new Promise((resolve) => void setTimeout(resolve, 20));
  }
  assert.deepEqual(
    own.map(({ instance, task_type, remaining_percent }) => [instance, task_type, remaining_percent]),
    [[FIRST, 'BUILD', 100]],
  );
  assert.deepEqual(await budgets(secondKey), []);
  assert.deepEqual(await budgets(server.operatorKey), own);
});
