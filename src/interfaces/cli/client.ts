import type http from 'node:http';
import type { Fault } from '../../platform/errors.ts';
import { CliError, EXIT, exitOfStatus } from './cli-error.ts';

export type QueryValues = Record<string, string | number | boolean | null | undefined>;
export type Call = {
  method?: string;
  query?: QueryValues;
  body?: unknown;
  headers?: Record<string, string>;
  signal?: AbortSignal;
};
/** A whole answer, whatever its status. */
export type Answer = { status: number; text: string };

/** How calls reach a control plane: a server over HTTP, or one in this process. */
export type Transport = {
  /** For messages to people. */
  readonly name: string;
  /** False: what it reaches ends with this process. */
  readonly isServer: boolean;
  /** Throws CliError when there is no answer, and what `signal` was aborted with. */
  send(path: string, call: Call): Promise<Answer>;
  /** The answer with its body unread, for event streams. */
  open(path: string, call: Call): Promise<http.IncomingMessage>;
  close(): Promise<void>;
};

/** Calls the REST API. */
export class Client {
  readonly transport: Transport;

  constructor(transport: Transport) {
    this.transport = transport;
  }

  get<T>(path: string, query?: QueryValues, signal?: AbortSignal): Promise<T> {
    return this.#json<T>(path, { query, signal });
  }

  post<T>(path: string, body: unknown, query?: QueryValues): Promise<T> {
    return this.#json<T>(path, { method: 'POST', body, query });
  }

  put<T>(path: string, body: unknown): Promise<T> {
    return this.#json<T>(path, { method: 'PUT', body });
  }

  delete<T>(path: string, query?: QueryValues): Promise<T> {
    return this.#json<T>(path, { method: 'DELETE', query });
  }

  /** The body as it is, whatever the status: for health, ready and metrics. */
  text(path: string): Promise<Answer> {
    return this.transport.send(path, {});
  }

  open(path: string, call: Call): Promise<http.IncomingMessage> {
    return this.transport.open(path, call);
  }

  close(): Promise<void> {
    return this.transport.close();
  }

  async #json<T>(path: string, call: Call): Promise<T> {
    const { status, text } = await this.transport.send(path, call);
    if (status >= 300) throw refusal(status, text);
    if (text === '') return {} as T;
    try {
      return JSON.parse(text) as T;
    } catch (cause) {
      const message = `${this.transport.name} answered something that is not JSON: is it a Colmeia server?`;
      throw new CliError(EXIT.failed, message, { cause });
    }
  }
}

/** Path and query of a call as one. */
export function pathOf(path: string, query: QueryValues = {}): string {
  const given = Object.entries(query).filter(([, value]) => value !== undefined && value !== null);
  if (given.length === 0) return path;
  return `${path}?${new URLSearchParams(given.map(([name, value]): [string, string] => [name, String(value)])).toString()}`;
}

/** The server's refusal as an error of the CLI. */
export function refusal(status: number, text: string): CliError {
  let body: { detail?: unknown; code?: unknown; faults?: unknown } = {};
  try {
    body = JSON.parse(text) ?? {};
  } catch {
    // A proxy answers in its own words; the status says enough.
  }
  const message = typeof body.detail === 'string' ? body.detail : `HTTP ${status}`;
  const code = typeof body.code === 'string' ? body.code : null;
  return new CliError(exitOfStatus(status), message, {
    code,
    faults: Array.isArray(body.faults) ? (body.faults as Fault[]) : [],
  });
}
