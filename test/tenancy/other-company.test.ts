import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { EXAMPLE_DECISION, EXAMPLE_PLAN } from '../../src/interfaces/http/example-records.ts';
import { LOCAL_OPERATOR } from '../../src/trust/identity/principal.ts';
import {
  createServerForTest,
  operationsOf,
  type Answer,
  type OpenApiOperation,
  type TestServer,
} from '../support/server.ts';

/** Every id of a thing, once as the other company has it and once as nobody does; of the same form and length. */
type Ids = Record<string, { theirs: string; nobodys: string }>;

let server: TestServer;
let ids: Ids;
let ourKey: string;
let theirKey: string;

const JSON_TYPE = { 'content-type': 'application/json' };
const THEIRS = 'alheia';
const NOBODYS = 'ninguem'.slice(0, THEIRS.length);

before(async () => {
  server = await createServerForTest();
  theirKey = await server.found(THEIRS);
  ourKey = await server.found('nossa');
  await server.call(
    asUs('POST', '/api/v1/agents', { agent_id: 'ours', kind: 'service', task_types: ['BUILD'], capabilities: [] }),
  );
  const post = async (url: string, body: unknown) => {
    const answer = await server.call({
      method: 'POST',
      url: `/api/v1/${url}`,
      key: theirKey,
      headers: JSON_TYPE,
      body: JSON.stringify(body),
    });
    assert.ok(answer.status < 300, `${url}: ${answer.text}`);
    return JSON.parse(answer.text);
  };
  await post('decisions', { ...EXAMPLE_DECISION, cognitive_plan: EXAMPLE_PLAN });
  await post('agents', { agent_id: 'their-agent', kind: 'service', task_types: ['BUILD'], capabilities: ['node'] });
  const { leases } = await post('agents/their-agent/leases', { max: 1, wait_ms: 2_000 });
  const { secrets } = server.colmeia;
  await secrets.set(LOCAL_OPERATOR, { instance: THEIRS, secret: 'their_token' }, { value: 'their-very-own-token' });
  const { key_id } = await post('keys', { kind: 'company', instance: THEIRS });
  await server.colmeia.instances.owners.add(LOCAL_OPERATOR, THEIRS, 'user:their@owner.example');
  const [{ id: operation_id }] = (await server.colmeia.instances.operations(LOCAL_OPERATOR, { instance: THEIRS }))
    .items;
  const [lease] = leases;
  const { plan_id } = EXAMPLE_DECISION;
  ids = {
    plan_id: { theirs: plan_id, nobodys: 'plan-none' },
    workflow_id: { theirs: `orchestration-${plan_id}`, nobodys: 'orchestration-plan-none' },
    ticket_id: { theirs: lease.ticket.ticket_id, nobodys: absent(lease.ticket.ticket_id) },
    lease_id: { theirs: lease.lease_id, nobodys: absent(lease.lease_id) },
    agent_id: { theirs: 'their-agent', nobodys: 'nones-agent' },
    key_id: { theirs: key_id, nobodys: '0123456789abcdef' },
    secret: { theirs: 'their_token', nobodys: 'nones_token' },
    operation_id: { theirs: operation_id, nobodys: operation_id.replaceAll(/[0-9a-f]/g, '0') },
    principal: { theirs: 'user:their@owner.example', nobodys: 'user:nones@owner.example' },
    target: { theirs: THEIRS, nobodys: NOBODYS },
    to: { theirs: THEIRS, nobodys: NOBODYS },
    name: { theirs: THEIRS, nobodys: NOBODYS },
    instance: { theirs: THEIRS, nobodys: NOBODYS },
  };
});
after(() => server.close());

/** The same form in a plan that does not exist: the first part of such an id names the plan. */
function absent(id: string): string {
  return id.replace(/^[0-9a-z]+/, (plan) => (parseInt(plan, 36) + 1_000).toString(36));
}

const asUs = (method: string, url: string, body?: unknown) => ({
  method,
  url,
  key: ourKey,
  headers: JSON_TYPE,
  body: body === undefined ? undefined : JSON.stringify(body),
});

const whose = (which: 'theirs' | 'nobodys') => (text: string) => {
  let filled = text;
  for (const [name, id] of Object.entries(ids)) filled = filled.replaceAll(`{${name}}`, encodeURIComponent(id[which]));
  return filled;
};

/** Everything in a body that names a thing, as `{"ticket_id": …}`, at any depth. */
function bodyNaming(value: unknown, which: 'theirs' | 'nobodys'): unknown {
  if (Array.isArray(value)) return value.map((item) => bodyNaming(item, which));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, inner]) => [
      name,
      typeof inner === 'string' && ids[name] ? ids[name][which] : bodyNaming(inner, which),
    ]),
  );
}

/** The ways in which one operation may name something of the other company. */
function attempts(
  path: string,
  operation: OpenApiOperation,
  which: 'theirs' | 'nobodys',
): { how: string; url: string; body?: unknown }[] {
  const fill = whose(which);
  const example = operation.requestBody?.content['application/json']?.example;
  const body =
    example === undefined
      ? undefined
      : operation.operationId === 'leaseTickets'
        ? { max: 1, wait_ms: 0 }
        : bodyNaming(example, which);
  const found: { how: string; url: string; body?: unknown }[] = [];
  if (path.includes('{')) found.push({ how: 'path', url: fill(path), body });
  for (const { name } of (operation.parameters ?? []).filter((one) => one.in === 'query' && ids[one.name])) {
    found.push({ how: `?${name}`, url: `${fill(path)}?${name}=${fill(`{${name}}`)}`, body });
  }
  if (JSON.stringify(bodyNaming(example, 'theirs')) !== JSON.stringify(bodyNaming(example, 'nobodys')))
    found.push({ how: 'body', url: fill(path), body });
  if (operation.operationId === 'submitDecision') {
    const decision = { ...EXAMPLE_DECISION, metadata: { instance: ids.instance![which] } };
    found.push(
      { how: 'metadata.instance', url: path, body: decision },
      { how: 'metadata.instance in a batch', url: path, body: [decision] },
    );
  }
  return found;
}

/** What the caller can tell: without the request's own id, the echo of what it named, and times. */
function told({ status, text }: Answer): unknown {
  let shown = text;
  for (const { theirs, nobodys } of Object.values(ids).toSorted(
    (one, other) => other.theirs.length - one.theirs.length,
  )) {
    shown = shown.replaceAll(theirs, '<id>').replaceAll(nobodys, '<id>');
  }
  return {
    status,
    body: shown
      .replaceAll(/"request_id":"[^"]*"/g, '"request_id":"…"')
      .replaceAll(/\b\d{13}\b|\d{4}-\d\d-\d\dT[\d:.]+Z/g, '<time>'),
  };
}

/** These give our own company things of the same names, which is allowed; so they come last. */
const MAKES = new Set(['submitDecision', 'startWorkflow', 'registerAgent', 'createInstance', 'createKey']);

test('lists show nothing of another company', async () => {
  for (const { method, path, operation } of operationsOf(server.document)) {
    if (
      method !== 'GET' ||
      path.includes('{') ||
      operation.security.length === 0 ||
      operation.operationId === 'streamEvents'
    )
      continue;
    const { text } = await server.call(asUs(method, path));
    for (const { theirs } of [
      ids.ticket_id!,
      ids.lease_id!,
      ids.agent_id!,
      ids.key_id!,
      ids.operation_id!,
      ids.instance!,
    ]) {
      assert.ok(!text.includes(`"${theirs}"`), `${path} shows ${theirs}`);
    }
  }
});

test('what belongs to another company answers exactly as what is not there', async (t) => {
  const before = await theirState();
  const operations = operationsOf(server.document).filter(({ operation }) => operation.security.length > 0);
  const makes = ({ operation }: { operation: OpenApiOperation }): number => Number(MAKES.has(operation.operationId));
  for (const { method, path, operation } of operations.toSorted((one, other) => makes(one) - makes(other))) {
    const theirs = attempts(path, operation, 'theirs');
    const nobodys = attempts(path, operation, 'nobodys');
    for (const [i, { how, url, body }] of theirs.entries()) {
      await t.test(`${method} ${path} by ${how}`, async () => {
        const not = nobodys[i]!;
        const answer = await server.call(asUs(method, url, body));
        const expected = await server.call(asUs(method, not.url, not.body));
        assert.deepEqual(told(answer), told(expected));
        if (how === 'path') assert.ok([403, 404].includes(answer.status), `${answer.status} ${answer.text}`);
        assert.ok(answer.status < 500, answer.text);
      });
    }
  }
  assert.deepEqual(await theirState(), before, 'something of the other company changed');
});

test('nobody is told the same everywhere under /api/v1', async () => {
  const answers = new Set<string>();
  for (const { method, path, operation } of operationsOf(server.document)) {
    if (!path.startsWith('/api/v1')) continue;
    for (const which of ['theirs', 'nobodys'] as const) {
      const body = operation.requestBody === undefined ? {} : { headers: JSON_TYPE, body: '{}' };
      const answer = await server.call({ method, url: whose(which)(path), key: null, ...body });
      assert.equal(answer.status, 401, path);
      answers.add(JSON.stringify(told(answer)));
    }
  }
  answers.add(JSON.stringify(told(await server.call({ method: 'GET', url: '/api/v1/no/such/route', key: null }))));
  assert.equal(answers.size, 1);
});

/** All that the other company sees of its own, but for what time alone changes. */
async function theirState(): Promise<unknown> {
  const get = async (path: string) =>
    JSON.parse((await server.call({ method: 'GET', url: `/api/v1/${path}`, key: theirKey })).text);
  const { plan_id, agent_id } = ids;
  const { last_seen_at: _seen, ...agent } = await get(`agents/${agent_id!.theirs}`);
  const { items: events } = await get('audit/events?limit=100');
  return [
    await get(`plans/${plan_id!.theirs}`),
    (await get('plans')).items,
    (await get('keys')).items.map(({ last_used_at: _used, ...key }: Record<string, unknown>) => key),
    (await get(`instances/${THEIRS}/secrets`)).items,
    (await get(`instances/${THEIRS}`)).state,
    (await get(`instances/${THEIRS}/owners`)).items,
    (await get('operations')).items,
    agent,
    events.length,
  ];
}
