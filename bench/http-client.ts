import { Pool } from 'undici';

export type HttpAnswer = { status: number; body: unknown };
type ServerEvent = { type: string; plan?: string; [name: string]: unknown };

/** Calls with kept connections, as a client that is in earnest would make them. */
export class HttpClient {
  readonly #pool: Pool;
  readonly #headers: Record<string, string>;

  constructor(address: string, key: string) {
    this.#pool = new Pool(address, { headersTimeout: 120_000, bodyTimeout: 0, keepAliveTimeout: 60_000 });
    this.#headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' };
  }

  async call(method: 'GET' | 'POST', path: string, body?: string): Promise<HttpAnswer> {
    const response = await this.#pool.request({ method, path, headers: this.#headers, body });
    const text = await response.body.text();
    return { status: response.statusCode, body: text === '' ? null : JSON.parse(text) };
  }

  /** Throws for every answer that is no success. */
  async must<T = Record<string, unknown>>(method: 'GET' | 'POST', path: string, body?: unknown): Promise<T> {
    const answer = await this.call(method, path, body === undefined ? undefined : JSON.stringify(body));
    if (answer.status >= 300) throw new Error(`${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
    return answer.body as T;
  }

  /** Server-sent events until `close`. Resolves when the stream is open. */
  async events(on: (event: ServerEvent) => void): Promise<void> {
    const response = await this.#pool.request({ method: 'GET', path: '/api/v1/events', headers: this.#headers });
    if (response.statusCode !== 200) throw new Error(`events: ${response.statusCode}`);
    response.body.setEncoding('utf8');
    let rest = '';
    response.body.on('data', (chunk: string) => {
      const lines = (rest + chunk).split('\n');
      rest = lines.pop()!;
      for (const line of lines) if (line.startsWith('data: ')) on(JSON.parse(line.slice(6)) as ServerEvent);
    });
    response.body.on('error', () => {});
  }

  async close(): Promise<void> {
    await this.#pool.destroy();
  }
}

/** The ends of plans as the stream tells them. */
export async function watchEndsOverHttp(client: HttpClient): Promise<(planId: string) => Promise<void>> {
  const waiting = new Map<string, () => void>();
  await client.events(({ type, plan }) => {
    if (type !== 'plan.completed' || plan === undefined) return;
    waiting.get(plan)?.();
    waiting.delete(plan);
  });
  return (planId) => new Promise((resolve) => waiting.set(planId, resolve));
}
