import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Pool } from 'undici';
import { ColmeiaError, ERROR_CODES, type ErrorCode } from '../../platform/errors.ts';
import type { AgentTerms, AgentTransport, LeaseGrant, LeaseState } from './agent-transport.ts';

export type HttpTransportOptions = {
  /** Base URL; default: the file `address` of the home, read again after a lost connection, as the port may have changed. */
  address?: string;
  /** Bearer key; default: the file `operator.key` of the home, read again when it is refused. */
  key?: string;
  /** COLMEIA_HOME. */
  home: string;
};

type Call = { method?: 'POST'; headers?: Record<string, string>; signal?: AbortSignal; answerWithinMs?: number };

/** An answer should never be late by more than this. */
const ANSWER_MS = 30_000;

/** The agent protocol over HTTP/1.1 with kept connections. undici's Pool: the p99 of global fetch is 20 times worse. */
export class HttpAgentTransport implements AgentTransport {
  readonly #options: HttpTransportOptions;
  #target: Promise<{ pool: Pool; prefix: string; key: string }> | null = null;

  constructor(options: HttpTransportOptions) {
    this.#options = options;
  }

  register: AgentTransport['register'] = (spec) => this.#call<AgentTerms>('agents', spec);

  heartbeatAgent: AgentTransport['heartbeatAgent'] = (agentId, telemetry) =>
    this.#call(`agents/${encodeURIComponent(agentId)}/heartbeat`, { telemetry });

  drain: AgentTransport['drain'] = (agentId) => this.#call(`agents/${encodeURIComponent(agentId)}/drain`, {});

  lease: AgentTransport['lease'] = (agentId, { max, waitMs, idempotencyKey, signal }) =>
    this.#call<{ leases: LeaseGrant[] }>(
      `agents/${encodeURIComponent(agentId)}/leases`,
      { max, wait_ms: waitMs },
      { headers: { 'idempotency-key': idempotencyKey }, signal, answerWithinMs: waitMs + ANSWER_MS },
    );

  heartbeatLease: AgentTransport['heartbeatLease'] = (leaseId, { fencingToken, progress, logs }) =>
    this.#call<LeaseState>(`leases/${encodeURIComponent(leaseId)}/heartbeat`, {
      fencing_token: fencingToken,
      progress,
      logs,
    });

  complete: AgentTransport['complete'] = (leaseId, { fencingToken, output, metadata, logs }) =>
    this.#call(`leases/${encodeURIComponent(leaseId)}/complete`, {
      fencing_token: fencingToken,
      output,
      metadata,
      logs,
    });

  fail: AgentTransport['fail'] = (leaseId, { fencingToken, errorMessage, errorClass, retryAfterMs }) =>
    this.#call(`leases/${encodeURIComponent(leaseId)}/fail`, {
      fencing_token: fencingToken,
      error_message: errorMessage,
      error_class: errorClass,
      retry_after_ms: retryAfterMs,
    });

  async close(): Promise<void> {
    const target = this.#target;
    this.#target = null;
    if (target) await target.then(({ pool }) => pool.destroy()).catch(() => {});
  }

  async #call<T>(path: string, body: unknown, call: Call = {}): Promise<T> {
    const opened = (this.#target ??= this.#open());
    try {
      const { pool, prefix, key } = await opened;
      const response = await pool.request({
        method: 'POST',
        path: `${prefix}/api/v1/${path}`,
        headers: { 'content-type': 'application/json', authorization: `Bearer ${key}`, ...call.headers },
        body: JSON.stringify(body),
        signal: call.signal,
        headersTimeout: call.answerWithinMs ?? ANSWER_MS,
      });
      const text = await response.body.text();
      if (response.statusCode < 300) return (text === '' ? {} : JSON.parse(text)) as T;
      throw refusal(response.statusCode, text, response.headers['retry-after']);
    } catch (error) {
      if (!call.signal?.aborted && mayHaveMoved(error) && this.#target === opened) this.#reopenLater();
      throw error;
    }
  }

  /** The next call reads address and key again; calls under way on the old connections end by themselves. */
  #reopenLater(): void {
    const old = this.#target;
    this.#target = null;
    old?.then(({ pool }) => pool.close()).catch(() => {});
  }

  async #open(): Promise<{ pool: Pool; prefix: string; key: string }> {
    const { home } = this.#options;
    const address = this.#options.address ?? (await readHome(home, 'address', 'COLMEIA_ADDRESS'));
    const key = this.#options.key ?? (await readHome(home, 'operator.key', 'COLMEIA_KEY'));
    const url = URL.parse(address);
    if (url === null || !/^https?:$/.test(url.protocol)) {
      throw new ColmeiaError('CONFIG_INVALID', `the address "${address}" is not an http(s) URL`);
    }
    const pool = new Pool(url.origin, { headersTimeout: 0, bodyTimeout: ANSWER_MS, keepAliveTimeout: 60_000 });
    return { pool, prefix: url.pathname.replace(/\/+$/, ''), key };
  }
}

async function readHome(home: string, file: string, variable: string): Promise<string> {
  try {
    return (await readFile(join(home, file), 'utf8')).trim();
  } catch (cause) {
    throw new Error(`no "${file}" in ${home}: is the control plane running? (${variable} may be set instead)`, {
      cause,
    });
  }
}

function mayHaveMoved(error: unknown): boolean {
  return !(error instanceof ColmeiaError) || error.code === 'UNAUTHENTICATED';
}

function refusal(status: number, text: string, retryAfter: string | string[] | undefined): Error {
  let body: { detail?: unknown; code?: unknown } = {};
  try {
    body = JSON.parse(text) ?? {};
  } catch {
    // A proxy answers in its own words; the status says enough.
  }
  const message = typeof body.detail === 'string' ? body.detail : `HTTP ${status}`;
  const seconds = Number(retryAfter);
  const retryAfterMs = Number.isFinite(seconds) && retryAfter !== undefined ? seconds * 1000 : undefined;
  const code = typeof body.code === 'string' && body.code in ERROR_CODES ? (body.code as ErrorCode) : codeOf(status);
  return code === null ? new Error(`HTTP ${status}: ${message}`) : new ColmeiaError(code, message, { retryAfterMs });
}

/** For answers that did not come from Colmeia itself; null = worth a repeat. */
function codeOf(status: number): ErrorCode | null {
  if (status === 401) return 'UNAUTHENTICATED';
  if (status === 403) return 'FORBIDDEN';
  if (status === 409) return 'LEASE_FENCED';
  if (status === 413) return 'TOO_LARGE';
  if (status === 400 || status === 422) return 'INVALID_REQUEST';
  if (status === 429) return 'QUEUE_FULL';
  return null;
}
