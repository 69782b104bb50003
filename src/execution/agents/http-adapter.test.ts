import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, beforeEach, describe, test } from 'node:test';
import { type LoopbackServer, startLoopbackServer } from '../../platform/loopback-server.testing.ts';
import type { HttpAgentConfig } from './agent-config.ts';
import { AttemptStopped } from './agent-error.ts';
import { attemptContext, failureOf, sampleTicket } from './attempt.testing.ts';
import { HttpAdapter } from './http-adapter.ts';
import { parseAgentConfig } from './parse-agent-config.ts';

type Seen = { url: string; headers: IncomingMessage['headers']; body: string };

let site: LoopbackServer;
let address: string;
let folder: string;
let seen: Seen[] = [];
let answer: (response: ServerResponse, n: number) => void = (response) => response.end('{}');

before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'colmeia-http-'));
  writeFileSync(join(folder, 'secret'), 'whsec-1\n');
  site = await startLoopbackServer((request, response, body) => {
    seen.push({ url: request.url!, headers: request.headers, body: body.toString() });
    answer(response, seen.length);
  });
  ({ address } = site);
});
after(async () => {
  await site.close();
  rmSync(folder, { recursive: true });
});
beforeEach(() => {
  seen = [];
});

const TICKET = sampleTicket({ parameters: { city: 'São Paulo' }, metadata: {} });

async function post(
  more: Record<string, unknown> = {},
  signal = new AbortController().signal,
  ticket = TICKET,
): Promise<Record<string, string>> {
  const config = parseAgentConfig(
    [{ agent_id: 'h', kind: 'http', task_types: ['QUERY'], endpoint: `${address}/run?x=1`, ...more }],
    folder,
  ).agents[0] as HttpAgentConfig;
  const adapter = new HttpAdapter({ config, folder, env: { HOOK_SECRET: 'whsec-2' }, random: () => 0 });
  try {
    return await adapter.run(ticket, attemptContext({ signal }));
  } finally {
    await adapter.close();
  }
}

const statusOnce = (status: number, headers: Record<string, string> = {}, body = ''): void => {
  answer = (response) => response.writeHead(status, headers).end(body);
};

describe('http adapter', () => {
  test('posts the ticket, signed, and takes the answer as output', async () => {
    answer = (response) => response.end('{"temperature":21,"unit":"C"}');
    assert.deepEqual(await post({ secret: { file: 'secret' }, headers: { 'x-team': 'sales' } }), {
      temperature: '21',
      unit: 'C',
    });
    const [{ url, headers, body }] = seen as [Seen];
    assert.equal(url, '/run?x=1');
    assert.deepEqual(JSON.parse(body), TICKET);
    assert.equal(headers['idempotency-key'], 'lease-9');
    assert.equal(headers['x-team'], 'sales');
    const [, t, v1] = /^t=(\d+),v1=([0-9a-f]{64})$/.exec(headers['colmeia-signature'] as string)!;
    assert.equal(v1, createHmac('sha256', 'whsec-1').update(`${t}.${body}`).digest('hex'));
    assert.ok(Math.abs(Number(t) - Date.now() / 1000) < 5);
  });

  test('the secret may come from an allowed variable; without one that can be read nothing is sent', async () => {
    answer = (response) => response.end('{}');
    await post({ secret: { env: 'HOOK_SECRET' } });
    assert.match(seen[0]!.headers['colmeia-signature'] as string, /^t=/);
    seen = [];
    assert.equal((await failureOf(post({ secret: { file: 'nowhere' } }))).errorClass, 'auth');
    assert.equal((await failureOf(post({ secret: { env: 'NOT_SET' } }))).errorClass, 'auth');
    assert.equal(seen.length, 0);
  });

  test('each status has its error class', async () => {
    const classes = {
      400: 'poison',
      401: 'auth',
      403: 'auth',
      404: 'poison',
      408: 'timeout',
      422: 'poison',
      429: 'quota',
      500: 'transient',
      503: 'transient',
    };
    for (const [status, errorClass] of Object.entries(classes)) {
      statusOnce(Number(status), {}, 'because');
      const error = await failureOf(post({ retries: 0 }));
      assert.equal(error.errorClass, errorClass, status);
      assert.equal(error.message, `the endpoint answered ${status}: because`);
    }
  });

  test('Retry-After of a quota is passed on, in seconds or as a date', async () => {
    statusOnce(429, { 'retry-after': '7' });
    assert.equal((await failureOf(post())).retryAfterMs, 7_000);
    assert.equal(seen.length, 1);
    statusOnce(429, { 'retry-after': new Date(Date.now() + 60_000).toUTCString() });
    assert.ok(Math.abs((await failureOf(post())).retryAfterMs! - 60_000) < 2_000);
  });

  test('a lost connection and a 503 are repeated, with the same key', async () => {
    answer = (response, n) =>
      n === 1 ? response.destroy() : n === 2 ? response.writeHead(503).end() : response.end('{"n":3}');
    assert.deepEqual(await post(), { n: '3' });
    assert.deepEqual(
      seen.map(({ headers }) => headers['idempotency-key']),
      ['lease-9', 'lease-9', 'lease-9'],
    );
  });

  test('an answer that is late, too large, no JSON or no object fails in its own way', async () => {
    answer = () => {};
    assert.equal((await failureOf(post({ timeout_ms: 80 }))).errorClass, 'timeout');
    answer = (response) => response.write('{');
    assert.equal((await failureOf(post({ timeout_ms: 80 }))).errorClass, 'timeout');
    for (const body of ['x'.repeat(5_000), '<html>', '[1]', '"text"']) {
      statusOnce(200, {}, body);
      assert.equal((await failureOf(post({ max_response_bytes: 4_000 }))).errorClass, 'poison', body.slice(0, 10));
    }
  });

  test('a redirect stays within its host', async () => {
    answer = (response, n) =>
      n === 1 ? response.writeHead(308, { location: '/moved' }).end() : response.end('{"ok":1}');
    assert.deepEqual(await post(), { ok: '1' });
    assert.equal(seen[1]!.url, '/moved');
    for (const [status, location] of [
      [307, 'http://127.0.0.2:9/'],
      [308, '//evil.test/x'],
      [302, '/moved'],
      [308, '/run?x=1'],
    ] as const) {
      statusOnce(status, { location });
      assert.equal((await failureOf(post())).errorClass, 'poison', location);
    }
  });

  test('a cancelled attempt ends the call', async () => {
    answer = () => {};
    const controller = new AbortController();
    const result = post({}, controller.signal);
    setTimeout(() => controller.abort(new AttemptStopped('cancelled')), 30);
    await assert.rejects(result, { name: 'AttemptStopped' });
  });
});
