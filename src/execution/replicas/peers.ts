import crypto from 'node:crypto';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { Agent } from 'undici';
import { ColmeiaError, type ErrorCode, type Fault } from '../../platform/errors.ts';
import type { Replica } from './replica-store.ts';

/** Longest wait for an answer beside the wait that was asked for. */
const ANSWER_MS = 15_000;
const BODY_LIMIT = 64 * 1024 * 1024;

/** A call that ends when the caller goes away; `undo` takes back an answer that nobody received. */
export type PeerMethod = (input: never, signal: AbortSignal) => Promise<unknown>;
export type PeerMethods = Record<string, { call: PeerMethod; undo?: (answer: never) => void }>;

/** Serves the other replicas: JSON over HTTP, by the token in this replica's row, which only the database gives away. */
export async function servePeers(options: {
  host: string;
  port: number;
  token: string;
  methods: PeerMethods;
}): Promise<{ port: number; close(): Promise<void> }> {
  const wanted = Buffer.from(`Bearer ${options.token}`);
  const server = http.createServer((request, response) => {
    const shown = Buffer.from(request.headers.authorization ?? '');
    const method = options.methods[request.url?.slice(1) ?? ''];
    if (shown.length !== wanted.length || !crypto.timingSafeEqual(shown, wanted) || method === undefined) {
      response.writeHead(401).end();
      return;
    }
    void answer(method, request, response);
  });
  server.keepAliveTimeout = 60_000;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port, options.host, resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function answer(
  { call, undo }: PeerMethods[string],
  request: http.IncomingMessage,
  response: http.ServerResponse,
): Promise<void> {
  const gone = new AbortController();
  response.on('close', () => gone.abort());
  let body: string;
  let status = 200;
  let value: unknown;
  try {
    value = await call(JSON.parse(await readBody(request)) as never, gone.signal);
    body = JSON.stringify({ value });
  } catch (error) {
    status = 500;
    const known = error instanceof ColmeiaError ? error : new ColmeiaError('INTERNAL', (error as Error).message);
    const { code, message, faults, retryAfterMs } = known;
    body = JSON.stringify({ error: { code, message, faults, retryAfterMs } });
  }
  if (response.destroyed && status === 200) undo?.(value as never);
  else response.writeHead(status, { 'content-type': 'application/json' }).end(body);
}

async function readBody(request: http.IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > BODY_LIMIT) throw new ColmeiaError('TOO_LARGE', 'the call between replicas is too large');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

/** Calls other replicas. A replica that cannot be reached answers NOT_OWNER: what it owned is about to move. */
export class PeerClient {
  readonly #agent = new Agent({
    keepAliveTimeout: 50_000,
    headersTimeout: 0,
    bodyTimeout: 0,
    connect: { timeout: 2_000 },
  });

  async call<T>(
    replica: Replica,
    method: string,
    input: unknown,
    options: { waitMs?: number; signal?: AbortSignal } = {},
  ): Promise<T> {
    const deadline = AbortSignal.timeout(ANSWER_MS + (options.waitMs ?? 0));
    const signal = options.signal === undefined ? deadline : AbortSignal.any([deadline, options.signal]);
    let answered:
      | { value: T }
      | { error: { code: ErrorCode; message: string; faults: Fault[]; retryAfterMs: number | null } };
    try {
      const { body } = await this.#agent.request({
        origin: replica.address,
        path: `/${method}`,
        method: 'POST',
        signal,
        headers: { authorization: `Bearer ${replica.token}`, 'content-type': 'application/json' },
        body: JSON.stringify(input),
      });
      answered = (await body.json()) as typeof answered;
    } catch (cause) {
      throw new ColmeiaError('NOT_OWNER', `replica ${replica.no} cannot be reached`, { retryAfterMs: 200, cause });
    }
    if (!('error' in answered)) return answered.value; // which nothing is, when the method returns nothing
    const { code, message, faults, retryAfterMs } = answered.error;
    throw new ColmeiaError(code, message, { faults, ...(retryAfterMs === null ? {} : { retryAfterMs }) });
  }

  close(): Promise<void> {
    return this.#agent.destroy();
  }
}
