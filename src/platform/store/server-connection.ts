import pg from 'pg';

import { type Random } from '../clock.ts';
import { explainServerError, isConnectionLoss, reasonOf, storeUnavailable } from './server-errors.ts';
import { decodeValue, encodeValue } from './sql-values.ts';
import { type Row } from './store.ts';
import { type Session } from './transaction.ts';

export const CONNECT_DEADLINE_MS = 5_000;
export const QUERY_DEADLINE_MS = 30_000;
const RETRY_FIRST_MS = 100;
const RETRY_LAST_MS = 5_000;

/** Settings that every connection of ours shares. */
export function clientConfig(databaseUrl: string, name: string): pg.ClientConfig {
  return {
    connectionString: databaseUrl,
    application_name: `colmeia ${name}`,
    connectionTimeoutMillis: CONNECT_DEADLINE_MS,
    query_timeout: QUERY_DEADLINE_MS + 1_000, // after the server's own, so that a live server tells why
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
    types: { getTypeParser: (oid: number) => (text: string) => decodeValue(oid, text) } as pg.ClientConfig['types'],
  };
}

/** Lets the server notice within half a minute that we are gone, and free what we held. */
export const KEEP_ALIVE = 'set tcp_keepalives_idle = 10; set tcp_keepalives_interval = 5; set tcp_keepalives_count = 3';

export type DedicatedOptions = {
  databaseUrl: string;
  name: string;
  /** Runs on each new connection before anyone uses it. */
  prepare(client: pg.Client): Promise<void>;
  onUp?(): void;
  onDown?(reason: string): void;
  log?: (event: object, message: string) => void;
  random?: Random;
};

/**
 * One connection that comes back by itself, with backoff from 0.1 to 5 s. While it is away `use` throws STORE_UNAVAILABLE at once.
 */
export class DedicatedConnection {
  readonly #options: DedicatedOptions;
  readonly #random: Random;
  #client: pg.Client | null = null;
  #tail: Promise<unknown> = Promise.resolve();
  #reason = 'it is not connected yet';
  #stopped = false;
  #retryDelayMs = RETRY_FIRST_MS;
  #retryTimer: NodeJS.Timeout | undefined;

  constructor(options: DedicatedOptions) {
    this.#options = options;
    this.#random = options.random ?? Math.random;
  }

  /** The first connection; its failure is thrown, later ones are retried. */
  async start(): Promise<void> {
    try {
      await this.#connect();
    } catch (error) {
      this.#stopped = true;
      throw explainServerError(error, 'read');
    }
  }

  /** null = connected. */
  get unavailable(): string | null {
    return this.#client === null ? this.#reason : null;
  }

  /**
   * Runs `work` after that of earlier calls, on the connection of the time of the call. Throws what `work` throws; a connection
   * that broke meanwhile, or did not answer in time, is dropped.
   */
  async use<T>(work: (client: pg.Client) => Promise<T>): Promise<T> {
    const client = this.#client;
    if (client === null) throw storeUnavailable(this.#reason);
    const turn = this.#tail.then(() => this.#run(client, work));
    this.#tail = turn.catch(() => undefined);
    return turn;
  }

  async #run<T>(client: pg.Client, work: (client: pg.Client) => Promise<T>): Promise<T> {
    if (this.#client !== client) throw storeUnavailable(this.#reason);
    try {
      return await work(client);
    } catch (error) {
      if (isConnectionLoss(error)) this.#lost(client, reasonOf(error));
      throw explainServerError(error, 'write');
    }
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#retryTimer);
    const client = this.#client;
    this.#client = null;
    this.#reason = 'it is closed';
    if (client !== null) await endClient(client);
  }

  async #connect(): Promise<void> {
    const client = new pg.Client(clientConfig(this.#options.databaseUrl, this.#options.name));
    client.on('error', (error) => this.#lost(client, reasonOf(error)));
    client.on('end', () => this.#lost(client, 'the connection was closed'));
    try {
      await client.connect();
      await client.query(KEEP_ALIVE);
      await this.#options.prepare(client);
    } catch (error) {
      await endClient(client);
      throw error;
    }
    if (this.#stopped) return endClient(client);
    this.#client = client;
    this.#retryDelayMs = RETRY_FIRST_MS;
    this.#options.onUp?.();
  }

  #lost(client: pg.Client, reason: string): void {
    if (this.#client !== client) return; // one on its way up reports by itself
    this.#client = null;
    this.#reason = reason;
    void endClient(client);
    this.#options.log?.({ connection: this.#options.name, reason }, 'database connection lost');
    this.#options.onDown?.(reason);
    this.#retryLater();
  }

  #retryLater(): void {
    if (this.#stopped) return;
    this.#retryTimer = setTimeout(() => void this.#retry(), this.#retryDelayMs * (0.5 + this.#random() / 2));
    this.#retryDelayMs = Math.min(this.#retryDelayMs * 2, RETRY_LAST_MS);
  }

  async #retry(): Promise<void> {
    try {
      await this.#connect();
    } catch (error) {
      this.#reason = reasonOf(error);
      this.#retryLater();
    }
  }
}

/** `broken` = the connection is lost or its state unknown; a statement would queue behind one that may never end, and is refused. */
export function sessionOf(client: pg.ClientBase): Session & { broken: boolean } {
  let underWay = 0;
  const session = {
    broken: false,
    async script(text: string): Promise<string> {
      const results = await watch(() => client.query(text) as unknown as Promise<pg.QueryResult | pg.QueryResult[]>);
      return [results].flat().at(-1)?.command ?? '';
    },
    async query(text: string, values: readonly unknown[]): Promise<Row[]> {
      const query = { text, values: values.map(encodeValue), queryMode: 'extended' }; // never several statements in one text
      return (await watch(() => client.query(query))).rows;
    },
    abandon(): void {
      if (underWay > 0) session.broken = true;
    },
  };
  const watch = async <T>(ask: () => Promise<T>): Promise<T> => {
    if (session.broken) throw new Error('the connection was closed');
    underWay++;
    try {
      return await ask();
    } catch (error) {
      if (isConnectionLoss(error)) session.broken = true;
      throw error;
    } finally {
      underWay--;
    }
  };
  return session;
}

/** A polite end, cut after a second: the driver waits for ever for a server that does not answer. Never throws. */
export async function endClient(client: pg.Client): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const patience = new Promise<void>((resolve) => (timer = setTimeout(resolve, 1_000)));
  await Promise.race([client.end().catch(() => undefined), patience]);
  clearTimeout(timer);
  (client as unknown as { connection: { stream: { destroy(): void } } }).connection.stream.destroy();
}
