import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, beforeEach, describe, test } from 'node:test';
import { type LoopbackServer, startLoopbackServer } from '../../platform/loopback-server.testing.ts';
import type { ClusterAgentConfig } from './agent-config.ts';
import { AttemptStopped, LeaseLeft } from './agent-error.ts';
import { attemptContext, failureOf, sampleTicket } from './attempt.testing.ts';
import { ClusterAdapter } from './cluster-adapter.ts';
import { parseAgentConfig } from './parse-agent-config.ts';

type Seen = { route: string; authorization: string | undefined; body: string };

/** How the other cluster answers a route; undefined = as one whose ticket is done at once. */
type Answer = (response: ServerResponse, nth: number) => void;

let site: LoopbackServer;
let address: string;
let folder: string;
let seen: Seen[] = [];
let answers: Record<string, Answer> = {};
let lines: string[] = [];

const json = (response: ServerResponse, status: number, body: unknown, headers: Record<string, string> = {}): void =>
  void response.writeHead(status, headers).end(JSON.stringify(body));

const DONE = { tickets: [{ state: 'completed', result: { output: { n: '1' }, metadata: {}, logs: [] } }] };
const USUAL: Record<string, Answer> = {
  decisions: (response) => json(response, 202, { status: 'running', duplicate: false }),
  'by-plan': (response) => json(response, 200, DONE),
  cancel: (response) => json(response, 200, { status: 'cancelled' }),
  events: (response) => json(response, 429, { code: 'QUEUE_FULL', detail: 'too many streams' }),
};

function routeOf({ url }: IncomingMessage): string {
  const path = new URL(url!, 'http://x').pathname.replace('/base/api/v1/', '');
  return Object.keys(USUAL).find((route) => path.split('/').includes(route)) ?? path;
}

before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'colmeia-faults-'));
  writeFileSync(join(folder, 'key'), 'secret-key-1\n', { mode: 0o600 });
  site = await startLoopbackServer((request, response, body) => {
    const route = routeOf(request);
    seen.push({ route, authorization: request.headers.authorization, body: body.toString() });
    const nth = seen.filter((call) => call.route === route).length;
    (answers[route] ?? USUAL[route])!(response, nth);
  });
  address = `${site.address}/base/`;
});
after(async () => {
  await site.close();
  rmSync(folder, { recursive: true });
});
beforeEach(() => {
  seen = [];
  answers = {};
  lines = [];
});

const TICKET = sampleTicket({ ticket_id: '1-0', plan_id: 'p', created_at: 5 });

async function run(
  more: { colmeia?: Record<string, unknown>; signal?: AbortSignal; timeoutMs?: number; answerMs?: number } = {},
): Promise<Record<string, string>> {
  const colmeia = { address, key_file: 'key', ...more.colmeia };
  const config = parseAgentConfig([{ agent_id: 'c', kind: 'http', task_types: ['QUERY'], colmeia }], folder)
    .agents[0] as ClusterAgentConfig;
  const log = (_level: string, message: string): void => void lines.push(message);
  const { signal = new AbortController().signal, answerMs = 2_000 } = more;
  const adapter = new ClusterAdapter({ config, folder, home: join(folder, 'home'), log, random: () => 0, answerMs });
  const ticket = { ...TICKET, sla: { ...TICKET.sla, timeout_ms: more.timeoutMs ?? 60_000 } };
  try {
    return await adapter.run(
      ticket,
      attemptContext({ signal, leaseId: '1-0-1', log: (line) => void lines.push(line) }),
    );
  } finally {
    await adapter.close();
  }
}

const calls = (route: string): Seen[] => seen.filter((call) => call.route === route);

describe('a cluster that is not well', () => {
  test('nobody there: the ticket is given back within moments, to run elsewhere', async () => {
    const error = await failureOf(run({ colmeia: { address: 'http://127.0.0.1:9' } }));
    assert.deepEqual([error.errorClass, error.retryAfterMs], ['transient', null]);
    assert.match(error.message, /could not be reached/);
    assert.equal(
      lines.some((line) => line.includes('may go on')),
      false,
      'nothing is there to be cancelled',
    );
  });

  test('a refused key or company is trouble of the operator, not the end of the ticket', async () => {
    for (const [status, code] of [
      [401, 'UNAUTHENTICATED'],
      [403, 'FORBIDDEN'],
      [404, 'INSTANCE_NOT_FOUND'],
    ] as const) {
      seen = [];
      answers.decisions = (response) => json(response, status, { code, detail: 'no' });
      const error = await failureOf(run());
      assert.deepEqual([error.errorClass, error.retryAfterMs, calls('decisions').length], ['transient', 10_000, 1]);
      assert.ok(lines.some((line) => line === 'c: the other cluster refused: no'));
    }
    assert.equal(
      lines.some((line) => line.includes('secret-key')),
      false,
    );
    assert.equal(seen[0]!.authorization, 'Bearer secret-key-1');
  });

  test('a full queue is a quota, with its Retry-After', async () => {
    answers.decisions = (response) =>
      json(response, 429, { code: 'QUEUE_FULL', detail: 'full' }, { 'retry-after': '7' });
    const error = await failureOf(run());
    assert.deepEqual([error.errorClass, error.retryAfterMs, calls('decisions').length], ['quota', 7_000, 1]);
    assert.equal(calls('cancel').length, 0);
  });

  test('content that it refuses for good fails for good', async () => {
    answers.decisions = (response) => json(response, 422, { code: 'INVALID_DECISION', detail: 'no such field' });
    const error = await failureOf(run());
    assert.deepEqual([error.errorClass, calls('decisions').length], ['poison', 1]);
    answers.decisions = (response) => json(response, 202, { status: 'rejected', duplicate: true });
    assert.equal((await failureOf(run())).errorClass, 'poison');
  });

  test('answers that are not Colmeia’s, and redirects, are repeated and then given up as transient', async () => {
    for (const answer of [
      (response) => response.writeHead(200).end('<html>hello</html>'),
      (response) => json(response, 200, [1]),
      (response) => json(response, 200, { status: 7 }),
      (response) => response.writeHead(302, { location: 'http://127.0.0.1:9/' }).end(),
      (response) => response.writeHead(404).end('nothing here'),
      (response) => response.destroy(),
    ] as Answer[]) {
      seen = [];
      answers.decisions = answer;
      const error = await failureOf(run());
      assert.deepEqual([error.errorClass, calls('decisions').length], ['transient', 3]);
    }
  });

  test('a lost answer and a 503 are repeated with the same decision', async () => {
    answers.decisions = (response, nth) =>
      nth === 1 ? response.destroy() : nth === 2 ? json(response, 503, {}) : USUAL.decisions!(response, nth);
    assert.deepEqual(await run(), { n: '1' });
    const bodies = new Set(calls('decisions').map(({ body }) => body));
    assert.deepEqual([calls('decisions').length, bodies.size], [3, 1]);
  });

  test('a cluster that hangs is left after the time for one answer, and the plan it may have made is cancelled', async () => {
    answers.decisions = () => {};
    const error = await failureOf(run({ answerMs: 60 }));
    assert.equal(error.errorClass, 'transient');
    assert.match(error.message, /did not answer in time/);
    assert.equal(calls('cancel').length, 1);
  });

  test('without its event stream the plan is looked at now and then, not all the time', async () => {
    answers['by-plan'] = (response, nth) =>
      nth === 1 ? json(response, 200, { tickets: [{ state: 'running' }] }) : json(response, 200, DONE);
    assert.deepEqual(await run(), { n: '1' });
    assert.equal(calls('by-plan').length, 2);
    assert.equal(calls('decisions').length, 1);
    assert.ok(calls('events').length >= 1);
  });

  test('away for longer than it may be while the ticket is there: given up, and cancelled if that gets through', async () => {
    answers['by-plan'] = (response) => response.destroy();
    const error = await failureOf(run({ colmeia: { unreachable_ms: 1 } }));
    assert.equal(error.errorClass, 'transient');
    assert.equal(calls('cancel').length, 1);
  });

  test('an attempt whose time is over cancels there and is a timeout here', async () => {
    answers['by-plan'] = (response) => json(response, 200, { tickets: [{ state: 'running' }] });
    const error = await failureOf(run({ timeoutMs: 80 }));
    assert.equal(error.errorClass, 'timeout');
    assert.equal(calls('cancel').length, 1);
  });

  test('a fenced attempt cancels there; one whose agent stops leaves its plan and its lease to the next start', async () => {
    answers['by-plan'] = (response) => json(response, 200, { tickets: [{ state: 'running' }] });
    for (const why of ['fenced', 'stopping'] as const) {
      seen = [];
      const controller = new AbortController();
      const result = run({ signal: controller.signal });
      result.catch(() => {});
      while (calls('by-plan').length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
      controller.abort(new AttemptStopped(why));
      await assert.rejects(result, why === 'fenced' ? { name: 'AttemptStopped', why } : LeaseLeft);
      assert.equal(calls('cancel').length, why === 'fenced' ? 1 : 0);
    }
    assert.deepEqual(readdirSync(join(folder, 'home', 'diverted', 'c')), ['1-0-1.json']);
  });
});
