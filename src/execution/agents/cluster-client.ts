import { open } from 'node:fs/promises';
import { type Dispatcher, Pool } from 'undici';
import { ERROR_CODES, type ErrorCode } from '../../platform/errors.ts';
import { Secret } from '../../platform/secret.ts';
import { ERROR_CLASSES, type ErrorClass } from './agent-transport.ts';

export type ClusterClientOptions = {
  /** Base URL. */
  address: string;
  /** Path of the file with the bearer key; read for each call, so that it can be changed without a restart. */
  keyFile: string;
  /** Longest wait for one answer. Default 15,000. */
  answerMs?: number;
};

/** Where a diverted plan is: its id and its company there. */
export type PlanPlace = { planId: string; instance: string };

/** The one ticket of a diverted plan, as far as it matters here. */
export type RemoteTicket = {
  /** A state of TicketView, such as running, completed, failed, cancelled. */
  state: string;
  error: string | null;
  progress: number | null;
  result: { output: Record<string, string>; metadata: Record<string, string>; logs: string[] } | null;
};

/** Why a call to the other cluster came to nothing. */
export class ClusterFault extends Error {
  /** Its own code; CONFIG_INVALID = the key file is wrong; null = no answer, or one that is not Colmeia's. */
  readonly code: ErrorCode | null;
  /** null = the call was not answered, or not made. */
  readonly status: number | null;
  readonly retryAfterMs: number | null;
  /** The call may have had its effect all the same. */
  readonly mayHaveArrived: boolean;

  constructor(
    message: string,
    more: {
      code?: ErrorCode | null;
      status?: number;
      retryAfterMs?: number | null;
      mayHaveArrived?: boolean;
      cause?: unknown;
    } = {},
  ) {
    super(message, more.cause === undefined ? undefined : { cause: more.cause });
    this.name = 'ClusterFault';
    this.mayHaveArrived = more.mayHaveArrived ?? false;
    this.code = more.code ?? null;
    this.status = more.status ?? null;
    this.retryAfterMs = more.retryAfterMs ?? null;
  }
}

/** The connection never stood. */
const NOT_CONNECTED = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'UND_ERR_CONNECT_TIMEOUT',
]);
const ANSWER_BYTES = 16 * 1_048_576;
const CONNECTIONS = 16;
/** Pages of events that are searched for the class of a failure. */
const PAGES = 3;

type Json = Record<string, unknown>;
type Call = { body?: unknown; signal?: AbortSignal };

/** Another Colmeia over its public API. Every refusal and every lost call is a ClusterFault. */
export class ClusterClient {
  readonly #keyFile: string;
  readonly #answerMs: number;
  readonly #prefix: string;
  readonly #origin: string;
  readonly #pool: Pool;

  constructor({ address, keyFile, answerMs = 15_000 }: ClusterClientOptions) {
    const url = new URL(address);
    this.#origin = url.origin;
    this.#prefix = url.pathname.replace(/\/+$/, '');
    this.#keyFile = keyFile;
    this.#answerMs = answerMs;
    this.#pool = new Pool(url.origin, { connections: CONNECTIONS, keepAliveTimeout: 60_000 });
  }

  close(): Promise<void> {
    return this.#pool.destroy();
  }

  /** Hands in a decision. `duplicate`: it was there before. */
  async submit(decision: Json, signal: AbortSignal): Promise<{ status: string; duplicate: boolean }> {
    const { status, duplicate } = await this.#call('POST', 'decisions', { body: decision, signal });
    if (typeof status !== 'string') throw notColmeia();
    return { status, duplicate: duplicate === true };
  }

  async planStatus({ planId, instance }: PlanPlace, signal: AbortSignal): Promise<string> {
    const { status } = await this.#call('GET', `plans/${encodeURIComponent(planId)}${inCompany(instance)}`, { signal });
    if (typeof status !== 'string') throw notColmeia();
    return status;
  }

  async ticketOfPlan({ planId, instance }: PlanPlace, signal: AbortSignal): Promise<RemoteTicket> {
    const path = `tickets/by-plan/${encodeURIComponent(planId)}${inCompany(instance)}&limit=1`;
    const { tickets } = await this.#call('GET', path, { signal });
    const ticket = Array.isArray(tickets) ? (tickets[0] as Json | undefined) : undefined;
    if (typeof ticket?.state !== 'string') throw notColmeia();
    return {
      state: ticket.state,
      error: typeof ticket.error_message === 'string' ? ticket.error_message : null,
      progress: typeof ticket.progress === 'number' ? ticket.progress : null,
      result: resultOf(ticket.result),
    };
  }

  /** True when the cluster knows this very ticket: it came from there. */
  async hasTicket(ticketId: string, planId: string, createdAt: number, signal: AbortSignal): Promise<boolean> {
    try {
      const ticket = await this.#call('GET', `tickets/${encodeURIComponent(ticketId)}`, { signal });
      return ticket.plan_id === planId && ticket.created_at === createdAt;
    } catch (error) {
      if (error instanceof ClusterFault && error.status === 404) return false;
      throw error;
    }
  }

  /** Why the ticket of a plan failed the last time; null = the journal there does not say. */
  async errorClassOf({ planId, instance }: PlanPlace, signal: AbortSignal): Promise<ErrorClass | null> {
    let after = '';
    for (let page = 0; page < PAGES; page++) {
      const path = `audit/events${inCompany(instance)}&plan_id=${encodeURIComponent(planId)}&type=ticket.failed&limit=1${after}`;
      const { items, next } = await this.#call('GET', path, { signal });
      const event = Array.isArray(items) ? (items[0] as { data?: Json } | undefined) : undefined;
      const errorClass = event?.data?.error_class as ErrorClass;
      if (event !== undefined) return ERROR_CLASSES.includes(errorClass) ? errorClass : null;
      if (typeof next !== 'string') return null;
      after = `&after=${encodeURIComponent(next)}`;
    }
    return null;
  }

  /** An ended plan that did not complete goes on. */
  async retry({ planId, instance }: PlanPlace, reason: string, signal: AbortSignal): Promise<void> {
    await this.#call('POST', `plans/${encodeURIComponent(planId)}/retry${inCompany(instance)}`, {
      body: { reason },
      signal,
    });
  }

  async cancel({ planId, instance }: PlanPlace, reason: string): Promise<void> {
    await this.#call('POST', `plans/${encodeURIComponent(planId)}/cancel${inCompany(instance)}`, { body: { reason } });
  }

  /** Opens the stream of events; the body ends with the stream. `instance` null: of all that the key sees. */
  async events(instance: string | null, signal: AbortSignal): Promise<Dispatcher.ResponseData['body']> {
    const path = `events${instance === null ? '' : inCompany(instance)}`;
    // A connection of its own: streams would use up those of the calls.
    const stream = new Pool(this.#origin, { connections: 1, headersTimeout: this.#answerMs, bodyTimeout: 60_000 });
    try {
      const response = await stream.request({ ...(await this.#request('GET', path)), signal });
      if (response.statusCode !== 200) throw faultOf(response.statusCode, '', response.headers['retry-after']);
      response.body.once('close', () => void stream.destroy());
      return response.body;
    } catch (error) {
      void stream.destroy();
      throw error instanceof ClusterFault ? error : unanswered(error);
    }
  }

  async #call(method: 'GET' | 'POST', path: string, { body, signal }: Call): Promise<Json> {
    const request = await this.#request(method, path, body);
    const limit = AbortSignal.timeout(this.#answerMs);
    let status: number;
    let text: string;
    let retryAfter: string | string[] | undefined;
    try {
      const response = await this.#pool.request({
        ...request,
        signal: signal === undefined ? limit : AbortSignal.any([signal, limit]),
      });
      status = response.statusCode;
      retryAfter = response.headers['retry-after'];
      text = await readText(response.body);
    } catch (error) {
      if (signal?.aborted) throw error;
      throw error instanceof ClusterFault ? error : unanswered(error);
    }
    if (status >= 300) throw faultOf(status, text, retryAfter);
    const answer = jsonOf(text);
    if (answer === null) throw notColmeia();
    return answer;
  }

  async #request(method: 'GET' | 'POST', path: string, body?: unknown) {
    const key = await readKey(this.#keyFile);
    const type = body === undefined ? {} : { 'content-type': 'application/json' };
    return {
      method,
      path: `${this.#prefix}/api/v1/${path}`,
      headers: { authorization: `Bearer ${key.reveal()}`, ...type },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    };
  }
}

/** A key that everybody may read, or others may change, is refused. The file may be open to its group: mounted secrets are. */
async function readKey(file: string): Promise<Secret> {
  let text: string;
  try {
    const handle = await open(file, 'r');
    try {
      const { mode } = await handle.stat();
      if (process.platform !== 'win32' && (mode & 0o027) !== 0)
        throw new ClusterFault(
          `the key file of the cluster is open to others (mode ${(mode & 0o777).toString(8)}); chmod 600 closes it`,
          { code: 'CONFIG_INVALID' },
        );
      text = (await handle.readFile('utf8')).trim();
    } finally {
      await handle.close();
    }
  } catch (cause) {
    if (cause instanceof ClusterFault) throw cause;
    throw new ClusterFault('the key file of the cluster cannot be read; see the configuration of the agent', {
      code: 'CONFIG_INVALID',
      cause,
    });
  }
  if (!/^[\x21-\x7e]+$/.test(text))
    throw new ClusterFault('the key file of the cluster does not hold one key', { code: 'CONFIG_INVALID' });
  return new Secret(text);
}

const inCompany = (instance: string): string => `?instance=${encodeURIComponent(instance)}`;

async function readText(body: Dispatcher.ResponseData['body']): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of body as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > ANSWER_BYTES) throw notColmeia();
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

function jsonOf(text: string): Json | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Json) : null;
  } catch {
    return null;
  }
}

function resultOf(value: unknown): RemoteTicket['result'] {
  if (typeof value !== 'object' || value === null) return null;
  const { output, metadata, logs } = value as Json;
  const lines = Array.isArray(logs) ? logs.filter((line) => typeof line === 'string') : [];
  return { output: textsOf(output), metadata: textsOf(metadata), logs: lines };
}

function textsOf(value: unknown): Record<string, string> {
  if (typeof value !== 'object' || value === null) return {};
  return Object.fromEntries(
    Object.entries(value).filter((entry): entry is [string, string] => typeof entry[1] === 'string'),
  );
}

const notColmeia = (): ClusterFault =>
  new ClusterFault('the other cluster gave an answer that is not Colmeia’s', { mayHaveArrived: true });

/** The words of the connection are kept, those of undici about our own limit are not. */
function unanswered(cause: unknown): ClusterFault {
  const { name, message, code = '' } = cause as NodeJS.ErrnoException;
  const why = name === 'TimeoutError' || name === 'HeadersTimeoutError' ? 'it did not answer in time' : message;
  return new ClusterFault(`the other cluster could not be reached: ${why}`, {
    cause,
    mayHaveArrived: !NOT_CONNECTED.has(code),
  });
}

function faultOf(status: number, text: string, retryAfter: string | string[] | undefined): ClusterFault {
  const { detail, code } = jsonOf(text) ?? {};
  const isOurs = typeof code === 'string' && code in ERROR_CODES;
  const said = typeof detail === 'string' ? detail.slice(0, 500) : `HTTP ${status}`;
  const seconds = typeof retryAfter === 'string' && /^\d+$/.test(retryAfter.trim()) ? Number(retryAfter) : null;
  return new ClusterFault(`the other cluster refused: ${said}`, {
    status,
    code: isOurs ? (code as ErrorCode) : null,
    retryAfterMs: seconds === null ? null : Math.min(seconds * 1000, 86_400_000),
    mayHaveArrived: status >= 500,
  });
}
