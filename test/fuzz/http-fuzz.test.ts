import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { inspect } from 'node:util';
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import fc from 'fast-check';
import { LOCAL_OPERATOR } from '../../src/index.ts';
import { EXAMPLE_DECISION } from '../../src/interfaces/http/example-records.ts';
import { arbitraryMutation } from '../../src/platform/contracts/arbitrary-record.testing.ts';
import {
  createServerForTest,
  operationsOf,
  type OpenApiOperation,
  type Schema,
  type TestCall,
  type TestServer,
} from '../support/server.ts';

const RUNS = Number(process.env.FUZZ_RUNS ?? 40);
const SEED = Number(process.env.FUZZ_SEED ?? 20_261_121);
/** Longer than any answer may take; polls wait at most POLL_MS. */
const HANG_MS = 2_000;
const POLL_MS = 20;

let server: TestServer;
let ajv: Ajv2020;
/** Ids that exist, so that calls get further than "not found". */
const ids: Record<string, string[]> = {};

before(async () => {
  server = await createServerForTest();
  ajv = new Ajv2020({ strict: false, validateFormats: false }).addSchema({ $id: 'document', ...server.document });
  await fill();
});
after(() => server.close());

async function fill(): Promise<void> {
  const post = async (url: string, body: unknown) => {
    const answer = await server.call({
      method: 'POST',
      url: `/api/v1/${url}`,
      headers: JSON_TYPE,
      body: JSON.stringify(body),
    });
    assert.ok(answer.status < 300, `${url}: ${answer.text}`);
    return JSON.parse(answer.text);
  };
  const { plan_id, workflow_id } = await post('decisions', EXAMPLE_DECISION);
  await post('agents', { agent_id: 'fuzzed', kind: 'service', task_types: ['BUILD'], capabilities: ['node'] });
  const { leases } = await post('agents/fuzzed/leases', { max: 1, wait_ms: 1_000 });
  const { key_id } = await post('keys', { kind: 'company', instance: 'default' });
  await post('instances', { name: 'fuzzy' });
  const { items } = await server.colmeia.instances.operations(LOCAL_OPERATOR, {});
  Object.assign(ids, {
    plan_id: [plan_id],
    workflow_id: [workflow_id],
    agent_id: ['fuzzed'],
    key_id: [key_id],
    operation_id: items.map(({ id }) => id),
    name: ['default', 'fuzzy'],
    instance: ['default'],
    class: ['BUILD'],
    metric: ['colmeia_backlog_seconds', 'colmeia_backlog_drain_seconds'],
    labelSelector: ['class=BUILD', 'class in (BUILD, TEST)', '!class', 'a!=b,class'],
    lease_id: leases.map((lease: { lease_id: string }) => lease.lease_id),
    ticket_id: leases.map((lease: { ticket: { ticket_id: string } }) => lease.ticket.ticket_id),
  });
}

const JSON_TYPE = { 'content-type': 'application/json' };
const ODD = [
  '',
  ' ',
  '.',
  '..',
  '%',
  '%00',
  '\u0000',
  "' or 1=1 --",
  '__proto__',
  'constructor',
  '$system',
  '-1',
  '99999999999999999999',
  '1-1-1',
  'é',
  '😀',
  '\ud800',
  'x'.repeat(900),
  'x'.repeat(3_000),
  '{}',
  '[object Object]',
  'null',
  'orchestration-',
];

const word = (name: string): fc.Arbitrary<string> =>
  fc.oneof(
    fc.constantFrom(...(ids[name] ?? ['x'])),
    fc.constantFrom(...ODD),
    fc.string({ unit: 'binary', maxLength: 20 }),
  );

function resolve(schema: Schema): Schema {
  const name = typeof schema.$ref === 'string' ? schema.$ref.split('/').at(-1)! : null;
  return name === null ? schema : server.document.components.schemas[name]!;
}

/** Values that fit a schema, or nearly. */
function valueOf(given: Schema, name = ''): fc.Arbitrary<unknown> {
  const schema = resolve(given) as Schema & {
    enum?: unknown[];
    properties?: Record<string, Schema>;
    items?: Schema;
    required?: string[];
    minimum?: number;
    maximum?: number;
  };
  const choices = (schema.oneOf ?? schema.anyOf) as Schema[] | undefined;
  if (choices) return fc.oneof(...choices.map((choice) => valueOf(choice, name)));
  if (schema.enum) return fc.constantFrom(...schema.enum);
  const types = [schema.type ?? 'string'].flat() as string[];
  return fc.oneof(
    ...types.map((type): fc.Arbitrary<unknown> => {
      if (type === 'integer')
        return fc.oneof(
          fc.integer({ min: Math.max(schema.minimum ?? 0, -1_000), max: Math.min(schema.maximum ?? 1_000, 1_000) }),
          fc.constantFrom(0, 1, -1, 2 ** 31, 2 ** 53),
        );
      if (type === 'number') return fc.double({ noNaN: true });
      if (type === 'boolean') return fc.boolean();
      if (type === 'null') return fc.constant(null);
      if (type === 'array') return fc.array(valueOf(schema.items ?? {}), { maxLength: 3 });
      if (type !== 'object') return word(name);
      if (schema.properties === undefined)
        return fc.dictionary(word(''), fc.jsonValue({ maxDepth: 2 }), { maxKeys: 3 });
      return fc.record(
        Object.fromEntries(Object.entries(schema.properties).map(([field, one]) => [field, valueOf(one, field)])),
        { requiredKeys: schema.required ?? [] },
      );
    }),
  );
}

function bodyOf({ requestBody }: OpenApiOperation): fc.Arbitrary<string | Buffer | undefined> {
  const { schema = {}, example } = requestBody?.content['application/json'] ?? {};
  const near = fc.oneof(fc.constant(example), valueOf(schema), arbitraryMutation(example), fc.jsonValue());
  const raw = fc.constantFrom<string | Buffer>(
    '',
    '{',
    '{"a":1',
    '[[[[',
    '"\\ud800"',
    '{"__proto__":{"a":1}}',
    '{"a":{"constructor":{"prototype":{}}}}',
    '1e999',
    '[]',
    'null',
    Buffer.from([0xff, 0xfe, 0]),
    '['.repeat(20_000),
  );
  return fc.oneof(
    { weight: 8, arbitrary: near.map(jsonText) },
    { weight: 1, arbitrary: raw },
    { weight: 1, arbitrary: fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)) },
  );
}

/** What JSON has no form for (an example may be mutated into it) is left out, and polls are kept short. */
function jsonText(value: unknown): string | undefined {
  try {
    return JSON.stringify(value, (_key, inner) => (typeof inner === 'bigint' ? String(inner) : inner));
  } catch {
    return '{}';
  }
}

/** A poll may wait as long as it was asked to; so that a hang can be told from that, it is asked for little. */
function shortPoll(body: string | Buffer | undefined): string | Buffer {
  try {
    const value = JSON.parse(String(body ?? '{}')) ?? {};
    const { wait_ms = 30_000 } = value;
    return Number.isInteger(wait_ms) && wait_ms > POLL_MS
      ? JSON.stringify({ ...value, wait_ms: POLL_MS })
      : (body ?? '{}');
  } catch {
    return body === '' || body === undefined ? '{"wait_ms":0}' : body;
  }
}

const header = fc.string({ unit: fc.constantFrom(...'abc XYZ019-_:;,.*/"\'%='), maxLength: 30 });
const contentType = fc.oneof(
  { weight: 8, arbitrary: fc.constant('application/json') },
  {
    weight: 3,
    arbitrary: fc.constantFrom(
      'application/json; charset=utf-8',
      'application/avro',
      'avro/binary',
      'text/plain',
      'application/x-www-form-urlencoded',
      'multipart/form-data; boundary=x',
    ),
  },
  { weight: 1, arbitrary: header },
);

function callOf(method: string, path: string, operation: OpenApiOperation): fc.Arbitrary<TestCall> {
  const parameters = operation.parameters ?? [];
  const inQuery = parameters.filter((one) => one.in === 'query');
  const inPath = parameters.filter((one) => one.in === 'path');
  const queryValue = (name: string, schema: Schema) => fc.oneof(valueOf(schema, name).map(String), word(name));
  return fc
    .record({
      params: fc.record(Object.fromEntries(inPath.map(({ name }) => [name, word(name)]))),
      query: fc.record(Object.fromEntries(inQuery.map(({ name, schema }) => [name, queryValue(name, schema)])), {
        requiredKeys: [],
      }),
      more: fc.constantFrom(
        '',
        '&limit=1&limit=2',
        '&a[b]=1',
        '&__proto__=1',
        '&%zz',
        '&instance',
        `&x=${'y'.repeat(5_000)}`,
      ),
      body: operation.requestBody === undefined ? fc.constant(undefined) : bodyOf(operation),
      type: contentType,
      headers: fc.record(
        { 'idempotency-key': header, 'last-event-id': header, authorization: header, accept: header },
        { requiredKeys: [] },
      ),
      keyed: fc.integer({ min: 0, max: 9 }),
    })
    .map(({ params, query, more, body, type, headers, keyed }): TestCall => {
      const at = path.replaceAll(/\{(\w+)\}/g, (_all, name: string) =>
        encode((params as Record<string, string>)[name]!),
      );
      const search = Object.entries(query)
        .map(([name, value]) => `${name}=${encode(String(value))}`)
        .join('&');
      const { authorization, ...others } = headers;
      const given = keyed === 0 && authorization !== undefined ? { ...others, authorization } : others;
      const sent = operation.operationId === 'leaseTickets' ? shortPoll(body) : body;
      return {
        method,
        url: `${at}?${search}${more}`,
        body: sent,
        headers: { ...given, ...(sent === undefined ? {} : { 'content-type': type }) },
      };
    });
}

/** Like encodeURIComponent, which refuses half a surrogate pair. */
function encode(text: string): string {
  return encodeURIComponent(text.toWellFormed());
}

const validators = new Map<string, ValidateFunction>();
function validatorOf(path: string, method: string, status: number, type: string): ValidateFunction {
  const pointer = ['paths', path, method.toLowerCase(), 'responses', String(status), 'content', type, 'schema']
    .map((step) => encodeURIComponent(step.replaceAll('~', '~0').replaceAll('/', '~1')))
    .join('/');
  let validator = validators.get(pointer);
  if (!validator) validators.set(pointer, (validator = ajv.compile({ $ref: `document#/${pointer}` })));
  return validator;
}

async function checkCall(request: TestCall, path: string, operation: OpenApiOperation): Promise<void> {
  let timer: NodeJS.Timeout;
  const hang = new Promise<never>(
    (_resolve, reject) => (timer = setTimeout(() => reject(new Error(`hangs: ${HANG_MS} ms`)), HANG_MS)),
  );
  const answer = await Promise.race([server.call(request), hang]).finally(() => clearTimeout(timer));
  const documented = operation.responses[String(answer.status)];
  const isError = answer.status >= 400;
  // A path that does not match any more (an empty or a dotted parameter) is another route, or none.
  const { code } = isError && request.method !== 'HEAD' ? JSON.parse(answer.text) : { code: null };
  if (code === 'ROUTE_NOT_FOUND') return;
  assert.ok(answer.status < 500, `${answer.status}: ${inspect(server.failures.at(-1))}`);
  assert.ok(documented, `${answer.status} is not documented: ${answer.text}`);
  const type = Object.keys(documented.content ?? {})[0];
  if (type !== 'application/json') return;
  const validate = validatorOf(path, request.method, answer.status, type);
  assert.ok(
    validate(JSON.parse(answer.text)),
    `${answer.status} ${answer.text.slice(0, 500)}: ${JSON.stringify(validate.errors?.slice(0, 3))}`,
  );
}

test('whatever is sent to any route, the answer is one that the document tells of, and soon', async (t) => {
  for (const { method, path, operation } of operationsOf(server.document)) {
    await t.test(`${method} ${path}`, () =>
      fc.assert(
        fc.asyncProperty(callOf(method, path, operation), (request) => checkCall(request, path, operation)),
        { seed: SEED, numRuns: RUNS, endOnFailure: true },
      ),
    );
  }
});

test('a text that the database cannot hold never makes a plan or its company unreadable', async () => {
  const odd = ['\u0000', '\ud800', 'a\udc00b'];
  const places = [
    'correlation_id',
    'trace_id',
    'intent_id',
    'decision_id',
    'hash',
    'reasoning_summary',
    'metadata',
  ] as const;
  for (const [i, text] of odd.entries()) {
    for (const place of places) {
      const plan_id = `odd-${i}-${place}`;
      const value = place === 'metadata' ? { note: text } : text;
      const named = { plan_id, [place]: value };
      const plan = { ...EXAMPLE_DECISION.cognitive_plan, ...named };
      const body = JSON.stringify({ ...EXAMPLE_DECISION, decision_id: plan_id, ...named, cognitive_plan: plan });
      const answers = [
        await server.call({ method: 'POST', url: '/api/v1/decisions', headers: JSON_TYPE, body }),
        await server.call({ method: 'GET', url: `/api/v1/plans/${plan_id}` }),
        await server.call({ method: 'GET', url: `/api/v1/tickets/by-plan/${plan_id}` }),
        await server.call({ method: 'GET', url: '/api/v1/telemetry?instance=default&limit=100' }),
      ];
      assert.deepEqual(
        answers.filter(({ status }) => status >= 500),
        [],
        `${JSON.stringify(text)} in ${place}`,
      );
    }
  }
});
