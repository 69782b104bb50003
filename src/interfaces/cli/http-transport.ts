import http from 'node:http';
import https from 'node:https';
import type { Secret } from '../../platform/secret.ts';
import { CliError, EXIT } from './cli-error.ts';
import { pathOf, type Answer, type Call, type Transport } from './client.ts';

const CONNECT_MS = 10_000;
const ANSWER_MS = 120_000;

/** A server at an address. node:http, as it starts in a third of the time of every other client. */
export class HttpTransport implements Transport {
  readonly isServer = true;
  readonly name: string;
  readonly #key: Secret | null;
  readonly #agent: http.Agent;

  /** `key` null = calls carry none. */
  constructor(address: string, key: Secret | null) {
    this.name = address;
    this.#key = key;
    this.#agent = new (address.startsWith('https:') ? https : http).Agent({ keepAlive: true });
  }

  async send(path: string, call: Call): Promise<Answer> {
    const response = await this.open(path, call);
    try {
      return { status: response.statusCode!, text: await textOf(response) };
    } catch (cause) {
      throw call.signal?.aborted ? cause : this.#unreachable(cause as Error);
    }
  }

  open(path: string, call: Call): Promise<http.IncomingMessage> {
    const url = new URL(this.name + pathOf(path, call.query));
    const body = call.body === undefined ? null : Buffer.from(JSON.stringify(call.body));
    const headers: Record<string, string | number> = { accept: 'application/json', ...call.headers };
    if (this.#key !== null) headers.authorization = `Bearer ${this.#key.reveal()}`;
    if (body !== null) Object.assign(headers, { 'content-type': 'application/json', 'content-length': body.length });
    return new Promise((resolve, reject) => {
      const request = (url.protocol === 'https:' ? https : http).request(url, {
        method: call.method ?? 'GET',
        headers,
        agent: this.#agent,
        signal: call.signal,
      });
      const fail = (cause: Error): void => reject(call.signal?.aborted ? cause : this.#unreachable(cause));
      request.setTimeout(ANSWER_MS, () => request.destroy(new Error(`no answer within ${ANSWER_MS / 1000} s`)));
      const connecting = setTimeout(
        () => request.destroy(new Error(`no connection within ${CONNECT_MS / 1000} s`)),
        CONNECT_MS,
      );
      request.once('socket', (socket) => {
        if (socket.connecting) socket.once('connect', () => clearTimeout(connecting));
        else clearTimeout(connecting);
      });
      request.on('close', () => clearTimeout(connecting));
      request.on('error', fail);
      request.on('response', resolve);
      request.end(body ?? undefined);
    });
  }

  async close(): Promise<void> {
    this.#agent.destroy();
  }

  #unreachable(cause: Error & { code?: string }): CliError {
    const why = cause.code === 'ECONNREFUSED' ? 'nothing listens there' : cause.message || cause.code;
    return new CliError(
      EXIT.unavailable,
      `${this.name} cannot be reached: ${why}. Is the server running? (\`colmeia serve\` starts one)`,
      { cause },
    );
  }
}

/** True when somebody takes connections there. */
export async function listens(address: string): Promise<boolean> {
  const probe = new HttpTransport(address, null);
  try {
    await probe.send('/health', {});
    return true;
  } catch {
    return false;
  } finally {
    await probe.close();
  }
}

export async function textOf(response: http.IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}
