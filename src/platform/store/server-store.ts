import pg from 'pg';

import { type Random } from '../clock.ts';
import { ColmeiaError } from '../errors.ts';
import { migrate } from './migrate.ts';
import { Notices } from './notices.ts';
import {
  clientConfig,
  CONNECT_DEADLINE_MS,
  DedicatedConnection,
  endClient,
  QUERY_DEADLINE_MS,
  sessionOf,
} from './server-connection.ts';
import { explainServerError, storeUnavailable } from './server-errors.ts';
import { type Scope, type Sql, type Store } from './store.ts';
import { inTransaction, sqlIdentifier } from './transaction.ts';

export type ServerOptions = {
  /** PostgreSQL 15+, a direct or session-pooled connection: a transaction pooler loses LISTEN and prepared statements. */
  databaseUrl: string;
  /** Connections of `read` and `write`; two more are kept for flushes and notices. Default 10. */
  poolSize?: number;
  log?: (event: object, message: string) => void;
  random?: Random;
};

/** Any number that other programs on the same database are unlikely to use. */
const MIGRATION_LOCK = 7_420_001;
const MIGRATION_WAIT_MS = 120_000;
const CLOSE_DEADLINE_MS = 10_000;

const deadlines = `set local statement_timeout = ${QUERY_DEADLINE_MS}; set local idle_in_transaction_session_timeout = ${QUERY_DEADLINE_MS}; `;
/** Generic plans are made while the tables are empty: keep them on the keys. Only where flushes run. */
const FLUSH_SETTINGS = `set enable_seqscan = off; set enable_hashjoin = off; set enable_mergejoin = off; set jit = off;
  set statement_timeout = ${QUERY_DEADLINE_MS}`;
const FLUSH_ARITY = `select pronargs as n from pg_proc where oid = 'colmeia_flush'::regproc`;

/** Connects, migrates, and keeps coming back. Throws STORE_UNAVAILABLE when the server cannot be reached now. */
export async function openServerStore(options: ServerOptions): Promise<Store> {
  const flushArity = await migrateServer(options);
  const store = new ServerStore(options, flushArity);
  await store.open();
  return store;
}

/** Replicas that start at once migrate in turn, under an advisory lock of the database. */
async function migrateServer({ databaseUrl, log }: ServerOptions): Promise<number> {
  const client = new pg.Client({ ...clientConfig(databaseUrl, 'migration'), query_timeout: MIGRATION_WAIT_MS });
  client.on('error', () => undefined); // the query under way fails by itself
  try {
    await client.connect();
    await client.query(`select pg_advisory_lock(${MIGRATION_LOCK})`);
    const applied = await migrate(sessionOf(client));
    if (applied > 0) log?.({ applied }, 'database migrated');
    const { rows } = await client.query(FLUSH_ARITY);
    return rows[0].n;
  } catch (error) {
    throw isMissingRight(error) ? mayNotMigrate(error) : explainServerError(error, 'write');
  } finally {
    await endClient(client); // and with it the lock
  }
}

const isMissingRight = (error: unknown): error is Error => (error as { code?: string }).code === '42501';

function mayNotMigrate(cause: Error): ColmeiaError {
  const remedy =
    'its login needs CREATEROLE for the first start, or an administrator makes the roles colmeia_engine, colmeia_coordinator and colmeia_company and grants them to it (docs/operations.md, PostgreSQL)';
  const message = `${cause.message}: ${remedy}`;
  return new ColmeiaError('CONFIG_INVALID', message, { faults: [{ path: 'DATABASE_URL', message }], cause });
}

class ServerStore implements Store {
  readonly tier = 'server';
  readonly #pool: pg.Pool;
  readonly #flushing: DedicatedConnection;
  readonly #listening: DedicatedConnection;
  readonly #notices = new Notices();
  readonly #watchers: ((unavailable: string | null) => void)[] = [];
  readonly #flushArity: number;
  readonly #flushText: string;
  /** The last state that the watchers were told. */
  #told: string | null = null;
  #opened = false;
  #closed = false;
  #lastFlush: Promise<unknown> = Promise.resolve();

  constructor(options: ServerOptions, flushArity: number) {
    const { databaseUrl, log, random } = options;
    this.#flushArity = flushArity;
    this.#flushText = `select colmeia_flush(${Array.from({ length: flushArity }, (_, i) => `$${i + 1}`).join(',')})`;
    this.#pool = new pg.Pool({
      ...clientConfig(databaseUrl, 'pool'),
      max: options.poolSize ?? 10,
      idleTimeoutMillis: 60_000,
    });
    this.#pool.on('error', () => undefined); // an idle connection died; the pool has dropped it
    this.#pool.on('connect', (client) => client.on('error', () => undefined)); // one at work died; its next statement says so
    const told = { databaseUrl, log, random, onUp: () => this.#tell(), onDown: () => this.#tell() };
    this.#flushing = new DedicatedConnection({
      ...told,
      name: 'flush',
      prepare: async (client) => void (await client.query(FLUSH_SETTINGS)),
    });
    this.#listening = new DedicatedConnection({
      ...told,
      name: 'notices',
      prepare: async (client) => {
        client.on('notification', ({ channel, payload }) => this.#notices.deliver(channel, payload ?? ''));
        for (const channel of this.#notices.channels()) await client.query(`listen ${sqlIdentifier(channel)}`);
      },
    });
  }

  async open(): Promise<void> {
    try {
      await Promise.all([this.#flushing.start(), this.#listening.start()]);
    } catch (error) {
      await this.close();
      throw error;
    }
    this.#opened = true;
  }

  read<T>(scope: Scope, work: (sql: Sql) => Promise<T>): Promise<T> {
    return this.#transact('read', scope, work);
  }

  write<T>(scope: Scope, work: (sql: Sql) => Promise<T>): Promise<T> {
    return this.#transact('write', scope, work);
  }

  async flush(args: readonly string[]): Promise<void> {
    this.#assertUsable();
    if (args.length !== this.#flushArity) {
      throw new Error(`colmeia_flush takes ${this.#flushArity} arrays, not ${args.length}.`);
    }
    const query = { name: 'colmeia_flush', text: this.#flushText, values: args as string[] };
    const flushed = this.#flushing.use((client) => client.query(query)); // in the order of the calls
    this.#lastFlush = flushed.catch(() => undefined);
    await flushed;
  }

  async notify(channel: string, payload: string): Promise<void> {
    this.#assertUsable();
    this.#notices.assertFits(payload);
    await this.#listening.use((client) => client.query('select pg_notify($1, $2)', [channel, payload]));
  }

  async listen(channel: string, on: (payload: string) => void): Promise<() => void> {
    this.#assertUsable();
    const remove = this.#notices.add(channel, on);
    const say = (verb: 'listen' | 'unlisten'): Promise<unknown> =>
      this.#listening.use((client) => client.query(`${verb} ${sqlIdentifier(channel)}`));
    try {
      await say('listen');
    } catch (error) {
      remove();
      throw error;
    }
    return () => {
      if (remove()) say('unlisten').catch(() => undefined); // a connection that died listens to nothing
    };
  }

  unavailable(): string | null {
    if (this.#closed) return 'it is closed';
    return this.#flushing.unavailable ?? this.#listening.unavailable;
  }

  onAvailability(on: (unavailable: string | null) => void): void {
    this.#watchers.push(on);
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    const underWay = Promise.all([this.#lastFlush, this.#pool.end()]);
    let timer: NodeJS.Timeout | undefined;
    const deadline = new Promise((resolve) => (timer = setTimeout(resolve, CLOSE_DEADLINE_MS)));
    await Promise.race([underWay, deadline]);
    clearTimeout(timer);
    await Promise.all([this.#flushing.stop(), this.#listening.stop()]);
  }

  async #transact<T>(mode: 'read' | 'write', scope: Scope, work: (sql: Sql) => Promise<T>): Promise<T> {
    this.#assertUsable();
    let client: pg.PoolClient;
    try {
      client = await this.#pool.connect();
    } catch (error) {
      const busy = this.#pool.waitingCount > 0 || this.#pool.totalCount >= this.#pool.options.max;
      throw busy
        ? storeUnavailable(`no connection became free in ${CONNECT_DEADLINE_MS} ms`, error)
        : explainServerError(error, mode);
    }
    const session = sessionOf(client);
    try {
      const options = { deadlineMs: QUERY_DEADLINE_MS, settings: deadlines };
      return await inTransaction(session, scope, mode, work, options);
    } catch (error) {
      throw explainServerError(error, mode);
    } finally {
      client.release(session.broken);
    }
  }

  #assertUsable(): void {
    const why = this.unavailable();
    if (why !== null) throw storeUnavailable(why);
  }

  /** Either connection can be the first to notice; the watchers hear of a change once. */
  #tell(): void {
    if (!this.#opened || this.#closed) return;
    const now = this.unavailable();
    if ((now === null) === (this.#told === null)) return;
    this.#told = now;
    for (const watch of this.#watchers) watch(now);
  }
}
