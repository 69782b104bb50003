import { createHmac } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Dispatcher, Pool } from 'undici';
import type { ExecutionTicket } from '../../platform/contracts/generated/records.ts';
import type { HttpAgentConfig } from './agent-config.ts';
import { AgentError, messageOf } from './agent-error.ts';
import type { AttemptContext } from './agent-loop.ts';
import { outputOf } from './agent-loop.ts';
import type { ErrorClass } from './agent-transport.ts';

export type HttpAdapterOptions = {
  config: HttpAgentConfig;
  /** Folder of agents.json. */
  folder: string;
  env: Record<string, string | undefined>;
  random?: () => number;
};

type Answer = { status: number; headers: Dispatcher.ResponseData['headers']; text: string };

const REDIRECTS = 3;
/** Characters of an answer that an error repeats. */
const SAID_LENGTH = 500;

/** `t=<unix seconds>,v1=<hex HMAC-SHA256 of "<t>.<body>">`: the receiver computes the same and refuses old times. */
export function signatureOf(secret: string, body: string, now: number): string {
  const t = Math.floor(now / 1000);
  return `t=${t},v1=${createHmac('sha256', secret).update(`${t}.${body}`).digest('hex')}`;
}

/** An agent that posts each ticket to an endpoint and takes the JSON object it answers as the output. */
export class HttpAdapter {
  readonly #options: HttpAdapterOptions;
  readonly #pool: Pool;
  readonly #path: string;

  constructor(options: HttpAdapterOptions) {
    this.#options = options;
    const url = new URL(options.config.endpoint);
    this.#path = `${url.pathname}${url.search}`;
    this.#pool = new Pool(url.origin, {
      connections: options.config.concurrency,
      keepAliveTimeout: 60_000,
      headersTimeout: 0,
      bodyTimeout: 0,
    });
  }

  close(): Promise<void> {
    return this.#pool.destroy();
  }

  /** The handler. */
  run = async (ticket: ExecutionTicket, context: AttemptContext): Promise<Record<string, string>> => {
    const limitMs = Math.min(this.#options.config.timeout_ms, ticket.sla.timeout_ms);
    const limit = AbortSignal.timeout(Math.min(limitMs, 2 ** 31 - 1));
    try {
      return outputFrom(await this.#post(ticket, context, AbortSignal.any([limit, context.signal])));
    } catch (error) {
      if (context.signal.aborted) throw context.signal.reason;
      if (limit.aborted) throw new AgentError(`the endpoint did not answer within ${limitMs} ms`, 'timeout');
      throw error;
    }
  };

  async #post(ticket: ExecutionTicket, context: AttemptContext, signal: AbortSignal): Promise<Answer> {
    const body = JSON.stringify(ticket);
    for (let failures = 0; ; failures++) {
      const isLast = failures >= this.#options.config.retries;
      let answer: Answer | null = null;
      try {
        answer = await this.#send(body, context, signal);
      } catch (error) {
        if (isLast || signal.aborted || error instanceof AgentError) throw error;
        context.log(`the endpoint could not be reached: ${messageOf(error)}`);
      }
      if (answer && (isLast || ![502, 503, 504].includes(answer.status))) return answer;
      const ceiling = 200 * 2 ** failures;
      await sleep(ceiling * (0.5 + 0.5 * (this.#options.random ?? Math.random)()), undefined, { signal });
    }
  }

  async #send(body: string, context: AttemptContext, signal: AbortSignal): Promise<Answer> {
    const { config } = this.#options;
    const secret = await this.#secret();
    let path = this.#path;
    for (let redirects = 0; ; redirects++) {
      const response = await this.#pool.request({
        method: 'POST',
        path,
        body,
        signal,
        headers: {
          ...config.headers,
          'content-type': 'application/json',
          accept: 'application/json',
          'idempotency-key': context.leaseId,
          ...(secret === null ? {} : { 'colmeia-signature': signatureOf(secret, body, Date.now()) }),
        },
      });
      const text = await readAtMost(response.body, config.max_response_bytes);
      const { statusCode: status, headers } = response;
      if (status < 300 || status >= 400) return { status, headers, text };
      const target = URL.parse(String(headers.location ?? ''), new URL(path, config.endpoint).href);
      const keepsBody = status === 307 || status === 308;
      if (!keepsBody || redirects >= REDIRECTS || target?.origin !== new URL(config.endpoint).origin) {
        throw new AgentError(
          `the endpoint answered with a redirect (${status}) that is not followed: only 307 and 308 within its own host are`,
          'poison',
        );
      }
      path = `${target.pathname}${target.search}`;
    }
  }

  /** Read for each call, so that it can be changed without a restart. */
  async #secret(): Promise<string | null> {
    const { config, folder, env } = this.#options;
    if (config.secret === null) return null;
    const secret =
      'env' in config.secret
        ? env[config.secret.env]
        : await readFile(resolve(folder, config.secret.file), 'utf8').catch(() => undefined);
    if (!secret?.trim())
      throw new AgentError('the secret of the signature cannot be read; see the configuration of the agent', 'auth');
    return secret.trim();
  }
}

async function readAtMost(body: Dispatcher.ResponseData['body'], limit: number): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of body as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > limit) throw new AgentError(`the answer has more than ${limit} bytes`, 'poison');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

function outputFrom({ status, headers, text }: Answer): Record<string, string> {
  if (status < 300) {
    let value: unknown;
    try {
      value = text.trim() === '' ? {} : JSON.parse(text);
    } catch {
      throw new AgentError('the endpoint did not answer with JSON', 'poison');
    }
    return outputOf(value);
  }
  const said = text.trim() === '' ? '' : `: ${text.slice(0, SAID_LENGTH)}`;
  throw new AgentError(`the endpoint answered ${status}${said}`, classOf(status), {
    retryAfterMs: retryAfterMs(headers['retry-after']),
  });
}

function classOf(status: number): ErrorClass {
  if (status === 429) return 'quota';
  if (status === 401 || status === 403) return 'auth';
  if (status === 408 || status === 504) return 'timeout';
  if (status === 409 || status === 423 || status === 425 || status >= 500) return 'transient';
  return 'poison';
}

/** Seconds or a date. Source: RFC 9110, 10.2.3. */
function retryAfterMs(header: string | string[] | undefined): number | null {
  if (typeof header !== 'string' || header.trim() === '') return null;
  const ms = /^\d+$/.test(header.trim()) ? Number(header) * 1000 : Date.parse(header) - Date.now();
  return Number.isFinite(ms) ? Math.max(0, ms) : null;
}
