import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { FastifyBaseLogger, InjectOptions } from 'fastify';
import { encodeAvro } from '../../platform/contracts/avro-codec.ts';
import { parseRecord } from '../../platform/contracts/parse-record.ts';
import { ColmeiaError, ERROR_CODES, type ErrorCode } from '../../platform/errors.ts';
import { AUTHORIZED, colmeiaDouble, OPERATOR_KEY, TICKET } from './colmeia.testing.ts';
import { EXAMPLE_RESULT } from './example-records.ts';
import { createHttpApp, type HttpAppOptions } from './http-app.ts';
import { STATUS_OF } from './status-of.ts';

type Setup = Partial<HttpAppOptions>;

async function call(request: InjectOptions, setup: Setup = {}) {
  const { app } = await createHttpApp({ colmeia: colmeiaDouble(), host: '127.0.0.1', ...setup });
  try {
    return await app.inject(request);
  } finally {
    await app.close();
  }
}

const post = (url: string, payload?: unknown, headers: Record<string, string> = {}): InjectOptions => ({
  method: 'POST',
  url,
  payload: payload as string,
  headers: { ...AUTHORIZED, ...headers },
});

test('the same 401 answers a missing key, a wrong key and an unknown route under /api', async () => {
  const { app } = await createHttpApp({ colmeia: colmeiaDouble(), host: '127.0.0.1' });
  const calls: InjectOptions[] = [
    { url: '/api/v1/plans' },
    { url: '/api/v1/plans', headers: { authorization: 'Bearer wrong' } },
    { url: '/api/v1/plans', headers: { authorization: `Basic ${OPERATOR_KEY}` } },
    { url: '/api/v1/plans', headers: { authorization: `Bearer ${'x'.repeat(600)}` } },
    { url: '/api/v1/no/such/route' },
    { url: '/api/v1/plans/%zz' },
    { method: 'PUT', url: '/api/v1/plans' },
  ];
  for (const request of calls) {
    const answer = await app.inject(request);
    assert.equal(answer.statusCode, 401, JSON.stringify(request));
    assert.equal(answer.headers['www-authenticate'], 'Bearer');
    const { request_id, ...body } = answer.json();
    assert.deepEqual(body, {
      detail: 'the call needs a valid key: send "Authorization: Bearer <key>"',
      code: 'UNAUTHENTICATED',
    });
    assert.equal(request_id, answer.headers['x-request-id'] ?? request_id);
  }
});

test('probes, metrics and the document need no key', async () => {
  const { app } = await createHttpApp({ colmeia: colmeiaDouble(), host: '127.0.0.1' });
  for (const url of ['/health', '/ready', '/metrics', '/openapi.json', '/openapi.yaml', '/docs', '/']) {
    assert.equal((await app.inject(url)).statusCode, 200, url);
  }
  assert.equal((await app.inject('/nothing')).statusCode, 404);
});

test('a Host header that is no name of this machine is refused before anything else', async () => {
  const answer = await call({ url: '/health', headers: { host: 'evil.example' } });
  assert.deepEqual([answer.statusCode, answer.json().code], [403, 'FORBIDDEN']);
});

test('no answer lets foreign web pages read it', async () => {
  const answer = await call({ url: '/health', headers: { origin: 'https://evil.example' } });
  assert.equal(answer.headers['access-control-allow-origin'], undefined);
  assert.equal(
    (await call({ method: 'OPTIONS', url: '/api/v1/plans', headers: { origin: 'https://evil.example' } })).statusCode,
    401,
  );
});

test('every error code is answered with its status, in the form of the contract', async () => {
  for (const code of Object.keys(ERROR_CODES) as ErrorCode[]) {
    const get = async () => {
      throw new ColmeiaError(code, 'the reason', { faults: [{ path: 'x', message: 'm' }], retryAfterMs: 1_500 });
    };
    const answer = await call(
      { url: '/api/v1/plans/p1', headers: AUTHORIZED },
      { colmeia: colmeiaDouble({ plans: { get } }) },
    );
    const body = answer.json();
    assert.equal(answer.statusCode, STATUS_OF[code], code);
    assert.deepEqual(
      Object.keys(body)
        .toSorted()
        .filter((key) => key !== 'faults'),
      ['code', 'detail', 'request_id'],
    );
    if (STATUS_OF[code] === 500) {
      assert.deepEqual([body.code, body.faults, body.detail.includes('reason')], ['INTERNAL', undefined, false]);
    } else {
      assert.deepEqual([body.code, body.faults], [code, [{ path: 'x', message: 'm' }]]);
      assert.equal(answer.headers['retry-after'], '2');
    }
    if (answer.statusCode === 404) assert.match(body.detail, /not found/);
    if (answer.statusCode === 503) assert.match(body.detail, /not available/);
  }
});

test('a fault of ours is logged without the key and answered without its words', async () => {
  const lines: unknown[][] = [];
  const write = (...line: unknown[]): void => void lines.push(line);
  const log = {
    level: 'info',
    info: write,
    error: write,
    warn: write,
    debug: write,
    trace: write,
    fatal: write,
    silent: write,
  } as unknown as FastifyBaseLogger;
  log.child = () => log;
  const get = async () => {
    throw new TypeError('secret detail');
  };
  const answer = await call(
    { url: '/api/v1/plans/p1', headers: AUTHORIZED },
    { colmeia: colmeiaDouble({ plans: { get } }), log },
  );
  assert.deepEqual([answer.statusCode, answer.json().code], [500, 'INTERNAL']);
  assert.doesNotMatch(answer.body, /secret/);
  assert.equal(lines.length, 1);
  assert.match(String((lines[0]![0] as { err: Error }).err), /secret detail/);
  assert.ok(!JSON.stringify(lines).includes(OPERATOR_KEY));
});

test('a body that cannot be taken is answered with its own code', async () => {
  const json = { 'content-type': 'application/json' };
  const cases: [InjectOptions, number, ErrorCode, RegExp][] = [
    [post('/api/v1/decisions', '{"a": }', json), 400, 'INVALID_REQUEST', /is not valid JSON: /],
    [post('/api/v1/decisions', '{"__proto__": {}}', json), 400, 'INVALID_REQUEST', /__proto__/],
    [
      post('/api/v1/decisions', '{"a": {"constructor": {"prototype": 1}}}', json),
      400,
      'INVALID_REQUEST',
      /constructor/,
    ],
    [post('/api/v1/decisions', '', json), 400, 'INVALID_REQUEST', /body is missing/],
    [
      post('/api/v1/decisions', 'a=1', { 'content-type': 'application/x-www-form-urlencoded' }),
      415,
      'INVALID_REQUEST',
      /content type/,
    ],
    [
      post('/api/v1/agents', Buffer.from('x'), { 'content-type': 'application/avro' }),
      415,
      'INVALID_REQUEST',
      /content type/,
    ],
    [post('/api/v1/decisions', `"${'x'.repeat(2_000)}"`, json), 413, 'TOO_LARGE', /larger/],
    [{ url: `/api/v1/plans/${'x'.repeat(2_000)}`, headers: AUTHORIZED }, 400, 'INVALID_REQUEST', /./],
    [{ url: '/api/v1/plans/%zz', headers: AUTHORIZED }, 400, 'INVALID_REQUEST', /url/],
    [{ method: 'PUT', url: '/api/v1/plans', headers: AUTHORIZED }, 404, 'ROUTE_NOT_FOUND', /not found/],
    [{ url: '/api/v1/nothing', headers: AUTHORIZED }, 404, 'ROUTE_NOT_FOUND', /not found/],
  ];
  for (const [request, status, code, detail] of cases) {
    const answer = await call(request, { limits: { bodyBytes: 1_000 } });
    assert.deepEqual([answer.statusCode, answer.json().code], [status, code], JSON.stringify(request));
    assert.match(answer.json().detail, detail);
    assert.ok(answer.body.length < 1_000);
  }
});

test('every fault of query and body is listed at once, each with its place', async () => {
  const answer = await call(post('/api/v1/plans/p1/reject?instance=a&instance=b', { reason: 3, task_id: ['x'] }));
  assert.equal(answer.statusCode, 400);
  assert.deepEqual(answer.json().faults, [
    { path: 'query.instance', message: 'must be a string, but is a list' },
    { path: 'body.reason', message: 'must be a string, but is 3' },
    { path: 'body.task_id', message: 'must be a string, but is a list' },
  ]);
  const logs = await call(post('/api/v1/leases/l1/heartbeat', { fencing_token: 1, logs: ['a', 2] }));
  assert.deepEqual(logs.json().faults, [{ path: 'body.logs[1]', message: 'must be a string, but is 2' }]);
});

test('numbers of a query are numbers, and a body is not coerced', async () => {
  let seen: unknown;
  const list = async (_who: unknown, query: unknown) => {
    seen = query;
    return { items: [], next: null };
  };
  const colmeia = colmeiaDouble({ audit: { list } });
  await call(
    { url: '/api/v1/audit/events?limit=7&from=1780000000000&type=plan.&other=1', headers: AUTHORIZED },
    { colmeia },
  );
  assert.deepEqual(seen, { limit: 7, from: 1_780_000_000_000, type: 'plan.' });
  for (const limit of ['0', '101', '', '1.5', 'x', '1e1', '99999999999999999999']) {
    const answer = await call({ url: `/api/v1/plans?limit=${limit}`, headers: AUTHORIZED });
    assert.deepEqual([answer.statusCode, answer.json().faults?.[0]?.path], [400, 'query.limit'], limit);
  }
  const text = await call(post('/api/v1/leases/l1/heartbeat', { fencing_token: '7' }));
  assert.equal(text.json().faults[0].path, 'body.fencing_token');
});

test('a name with U+0000 is refused before it reaches the database', async () => {
  const answer = await call({ url: '/api/v1/plans/%00?instance=a%00', headers: AUTHORIZED });
  assert.deepEqual(
    answer.json().faults.map(({ path }: { path: string }) => path),
    ['params.plan_id', 'query.instance'],
  );
});

test('unknown fields are ignored and named where the answer has warnings', async () => {
  const answer = await call(post('/api/v1/plans/p1/replan', { cognitive_plan: {}, reasn: 'typo' }));
  assert.deepEqual([answer.statusCode, answer.json().warnings], [200, ['unknown field "reasn" ignored']]);
  assert.equal((await call(post('/api/v1/plans/p1/pause', { other: 1 }))).statusCode, 200);
});

test('a body may be left out where nothing in it is required', async () => {
  for (const path of [
    'plans/p1/pause',
    'plans/p1/approve',
    'agents/a1/drain',
    'agents/a1/heartbeat',
    'agents/a1/leases',
  ]) {
    assert.equal((await call(post(`/api/v1/${path}`))).statusCode, 200, path);
    assert.equal(
      (await call(post(`/api/v1/${path}`, '', { 'content-type': 'application/json' }))).statusCode,
      200,
      path,
    );
  }
});

test('a batch of decisions answers each on its own', async () => {
  const refused = { code: 'INVALID_DECISION', detail: 'no', faults: [{ path: 'hash', message: 'is missing' }] };
  const submission = {
    plan_id: 'p',
    workflow_id: 'w',
    status: 'rejected',
    instance: 'default',
    duplicate: false,
    warnings: ['w'],
  };
  const submitAll = async () => [submission, { ...submission, error: refused }];
  const answer = await call(post('/api/v1/decisions', [{}, {}]), {
    colmeia: colmeiaDouble({ decisions: { submitAll } }),
  });
  assert.equal(answer.statusCode, 202);
  assert.deepEqual(answer.json(), { results: [submission, { ...submission, error: refused }] });
});

test('a record may come in Avro, plain or with a Confluent header', async () => {
  const parsed = parseRecord('ExecutionResult', EXAMPLE_RESULT);
  assert.ok(parsed.ok);
  const seen: unknown[] = [];
  const result = async (_who: unknown, record: unknown) => {
    seen.push(record);
    return { ticket_id: 't1', status: 'COMPLETED' };
  };
  const colmeia = colmeiaDouble({ leases: { result } });
  for (const [type, bytes] of [
    ['application/avro', encodeAvro('ExecutionResult', parsed.record)],
    ['avro/binary', encodeAvro('ExecutionResult', parsed.record, 5)],
  ] as const) {
    assert.equal((await call(post('/api/v1/results', bytes, { 'content-type': type }), { colmeia })).statusCode, 200);
  }
  assert.deepEqual(seen, [parsed.record, parsed.record]);
  const broken = await call(post('/api/v1/results', Buffer.from([1, 2]), { 'content-type': 'application/avro' }));
  assert.deepEqual([broken.statusCode, broken.json().code], [400, 'INVALID_REQUEST']);
});

test('a hot answer keeps every field although it is serialised by its schema', async () => {
  const answer = await call(post('/api/v1/agents/a1/leases', { max: 1, wait_ms: 0 }));
  assert.deepEqual(answer.json(), {
    leases: [{ lease_id: 'l1', fencing_token: 7, attempt: 1, expires_at: 1_780_000_000_000, ticket: TICKET }],
  });
});

test('the idempotency key of a poll is passed on', async () => {
  let seen: unknown;
  const lease = async (_who: unknown, _agent: string, _request: unknown, more?: { idempotencyKey?: string }) => {
    seen = more?.idempotencyKey;
    return { leases: [] };
  };
  await call(post('/api/v1/agents/a1/leases', {}, { 'idempotency-key': 'poll-1' }), {
    colmeia: colmeiaDouble({ agents: { lease } }),
  });
  assert.equal(seen, 'poll-1');
});

test('readiness is 503 with its checks while it takes no work', async () => {
  const ready = () => ({
    status: 'not_ready' as const,
    mode: 'degraded' as const,
    checks: { store: { status: 'away' } },
  });
  const answer = await call({ url: '/ready' }, { colmeia: colmeiaDouble({ ready }) });
  assert.deepEqual([answer.statusCode, answer.json().checks], [503, { store: { status: 'away' } }]);
});

test('a browser is sent to the page, a program gets links', async () => {
  const browser = await call({ url: '/', headers: { accept: 'text/html,*/*' } });
  assert.deepEqual([browser.statusCode, browser.headers.location], [302, '/docs']);
  assert.equal((await call({ url: '/' })).json().links.openapi, '/openapi.json');
});

test('while it closes, calls are refused and probes are answered', async () => {
  const { app, beginClosing } = await createHttpApp({ colmeia: colmeiaDouble(), host: '127.0.0.1' });
  beginClosing();
  const answer = await app.inject({ url: '/api/v1/plans', headers: AUTHORIZED });
  assert.deepEqual([answer.statusCode, answer.json().code, answer.headers.connection], [503, 'SHUTTING_DOWN', 'close']);
  assert.equal((await app.inject('/health')).statusCode, 200);
});
