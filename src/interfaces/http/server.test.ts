import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import net from 'node:net';
import { test, type TestContext } from 'node:test';
import type { Colmeia, EventQuery, StreamedEvent } from '../../colmeia.ts';
import { ColmeiaError } from '../../platform/errors.ts';
import { AUTHORIZED, colmeiaDouble } from './colmeia.testing.ts';
import { logInto } from './failure-log.testing.ts';
import { startHttpServer } from './server.ts';
import type { HttpLimits } from './http-limits.ts';

async function start(t: TestContext, colmeia: Colmeia, limits: Partial<HttpLimits> = {}) {
  const server = await startHttpServer({ colmeia, port: 0, limits: { closeGraceMs: 1_000, ...limits } });
  t.after(() => server.close());
  return server;
}

/** Starts a call and gives what has come so far, as it grows. */
async function open(url: string, headers: Record<string, string> = {}, method = 'GET') {
  const request = http.request(url, { method, headers: { ...AUTHORIZED, ...headers }, agent: false });
  request.on('error', () => {});
  request.end();
  const [response] = (await once(request, 'response')) as [http.IncomingMessage];
  const read = { text: '' };
  response.setEncoding('utf8').on('data', (chunk) => (read.text += chunk));
  response.on('error', () => {});
  return { request, response, read };
}

async function until(what: () => boolean, ms = 2_000): Promise<void> {
  const end = Date.now() + ms;
  while (!what()) {
    assert.ok(Date.now() < end, `not within ${ms} ms`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** Events that a test sends to every subscriber. */
function eventSource() {
  const readers = new Set<(event: StreamedEvent) => void>();
  const queries: EventQuery[] = [];
  const subscribe: Colmeia['events']['subscribe'] = async (_who, query, on) => {
    queries.push(query);
    readers.add(on);
    return () => void readers.delete(on);
  };
  const send = (n: number, type = 'plan.completed', data: Record<string, unknown> = {}): void => {
    for (const on of readers)
      on({ id: `default:${n}`, instance: 'default', seq: n, n, at: new Date(n), type, by: 'engine', data });
  };
  return { readers, queries, subscribe, send };
}

test('events arrive as server-sent events that can be resumed', async (t) => {
  const { readers, queries, subscribe, send } = eventSource();
  const { address } = await start(t, colmeiaDouble({ events: { subscribe } }));
  const { request, response, read } = await open(
    `${address}/api/v1/events?instance=default&plan_id=p1&after=default:1`,
    { 'last-event-id': 'default:3' },
  );
  assert.equal(response.headers['content-type'], 'text/event-stream; charset=utf-8');
  send(4, 'plan.completed\nevent: forged', { text: 'a\nb' });
  send(5);
  await until(() => read.text.includes('default:5'));
  assert.deepEqual(queries, [{ instance: 'default', planId: 'p1', after: 'default:3' }]);
  const frames = read.text.split('\n\n').slice(0, -1);
  assert.equal(frames[0], 'retry: 2000');
  assert.equal(frames[1]!.split('\n').length, 3);
  assert.ok(frames[1]!.startsWith('id: default:4\nevent: plan.completed event: forged\ndata: {"id":"default:4"'));
  assert.equal(
    frames[2],
    `id: default:5\nevent: plan.completed\ndata: ${JSON.stringify({ id: 'default:5', instance: 'default', seq: 5, n: 5, at: new Date(5), type: 'plan.completed', by: 'engine', data: {} })}`,
  );
  request.destroy();
  await until(() => readers.size === 0);
});

test('a refused subscription is answered as any other refusal', async (t) => {
  const subscribe = async () => {
    throw new ColmeiaError('INSTANCE_NOT_FOUND', 'instance "x" not found');
  };
  const { address } = await start(t, colmeiaDouble({ events: { subscribe } }));
  const { response } = await open(`${address}/api/v1/events?instance=x`);
  assert.equal(response.statusCode, 404);
});

test('an idle stream gets comments, and ends when its key is revoked', async (t) => {
  const { readers, subscribe } = eventSource();
  let known = true;
  const { OPERATOR } = await import('./colmeia.testing.ts');
  const colmeia = colmeiaDouble({
    events: { subscribe },
    keys: { authenticate: async () => (known ? OPERATOR : null) },
  });
  const { address } = await start(t, colmeia, { keepAliveMs: 20 });
  const { response, read } = await open(`${address}/api/v1/events`);
  await until(() => read.text.includes(': keep-alive\n\n'));
  known = false;
  await once(response, 'end');
  assert.equal(readers.size, 0);
});

test('a reader that does not read is dropped, and memory stays bounded', async (t) => {
  const { readers, subscribe, send } = eventSource();
  const { address } = await start(t, colmeiaDouble({ events: { subscribe } }), { streamWaitingBytes: 100_000 });
  const url = new URL(address);
  const socket = net.connect(Number(url.port), url.hostname);
  socket.pause();
  socket.on('error', () => {});
  socket.write(
    `GET /api/v1/events HTTP/1.1\r\nHost: ${url.host}\r\nAuthorization: ${AUTHORIZED.authorization}\r\n\r\n`,
  );
  await until(() => readers.size === 1);
  const text = 'x'.repeat(10_000);
  for (let n = 1; n <= 5_000 && readers.size > 0; n++) {
    send(n, 'plan.completed', { text });
    if (n % 50 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  await until(() => readers.size === 0);
  socket.destroy();
});

test('there is a most of event streams', async (t) => {
  const { subscribe } = eventSource();
  const { address } = await start(t, colmeiaDouble({ events: { subscribe } }), { streams: 1 });
  const first = await open(`${address}/api/v1/events`);
  const second = await open(`${address}/api/v1/events`);
  assert.deepEqual(
    [first.response.statusCode, second.response.statusCode, second.response.headers['retry-after']],
    [200, 429, '5'],
  );
  first.request.destroy();
});

/** A poll that waits until its signal aborts. */
function waitingPolls() {
  const polls = new Set<AbortSignal>();
  let aborted = 0;
  const lease: Colmeia['agents']['lease'] = (_who, _agent, _request, more) =>
    new Promise((resolve) => {
      polls.add(more!.signal!);
      more!.signal!.addEventListener('abort', () => {
        aborted++;
        resolve({ leases: [] });
      });
    });
  return { polls, lease, aborted: () => aborted };
}

test('a poll is abandoned when its client goes away', async (t) => {
  const { polls, lease, aborted } = waitingPolls();
  const { address } = await start(t, colmeiaDouble({ agents: { lease } }));
  const request = http.request(`${address}/api/v1/agents/a1/leases`, {
    method: 'POST',
    headers: AUTHORIZED,
    agent: false,
  });
  request.on('error', () => {});
  request.end();
  await until(() => polls.size === 1);
  request.destroy();
  await until(() => aborted() === 1);
});

test('closing ends polls and streams at once and cuts what does not end', async (t) => {
  const { polls, lease } = waitingPolls();
  const { subscribe } = eventSource();
  let isStuck = false;
  const never = () => {
    isStuck = true;
    return new Promise<never>(() => {});
  };
  const colmeia = colmeiaDouble({ agents: { lease }, events: { subscribe }, plans: { get: never } });
  const server = await start(t, colmeia, { closeGraceMs: 200 });
  const stream = await open(`${server.address}/api/v1/events`);
  const poll = open(`${server.address}/api/v1/agents/a1/leases`, {}, 'POST');
  const stuck = http.get(`${server.address}/api/v1/plans/p1`, { headers: AUTHORIZED, agent: false });
  const cut = once(stuck, 'error');
  await until(() => polls.size === 1 && isStuck);
  const ended = once(stream.response, 'end');
  const before = Date.now();
  await Promise.all([server.close(), server.close()]);
  const took = Date.now() - before;
  assert.ok(took >= 150 && took < 1_500, `${took} ms`);
  await ended;
  assert.equal((await poll).response.statusCode, 200);
  await cut;
  await assert.rejects(fetch(`${server.address}/health`));
});

test('bytes that are no HTTP are refused in the form of every error', async (t) => {
  const { address } = await start(t, colmeiaDouble());
  const url = new URL(address);
  const socket = net.connect(Number(url.port), url.hostname);
  socket.setEncoding('utf8').write('NONSENSE\r\n\r\n');
  const [answer] = (await once(socket, 'data')) as [string];
  assert.match(answer, /^HTTP\/1\.1 400 [\s\S]*"code":"INVALID_REQUEST"/);
  socket.destroy();
});

test('a client that goes away in the middle of its body is no fault of ours', async (t) => {
  const failures: unknown[] = [];
  const server = await startHttpServer({ colmeia: colmeiaDouble(), port: 0, log: logInto(failures) });
  t.after(() => server.close());
  const url = new URL(server.address);
  const socket = net.connect(Number(url.port), url.hostname);
  socket.write(
    `POST /api/v1/decisions HTTP/1.1\r\nHost: ${url.host}\r\nAuthorization: ${AUTHORIZED.authorization}\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"a":`,
  );
  await new Promise((resolve) => setTimeout(resolve, 50));
  socket.destroy();
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.equal((await fetch(`${server.address}/health`)).status, 200);
  assert.deepEqual(failures, []);
});

test('a second server on the same port is refused', async (t) => {
  const { address } = await start(t, colmeiaDouble());
  await assert.rejects(startHttpServer({ colmeia: colmeiaDouble(), port: Number(new URL(address).port) }), {
    code: 'EADDRINUSE',
  });
});
