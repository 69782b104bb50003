import { type Random } from '../clock.ts';
import { DedicatedConnection } from './server-connection.ts';

/**
 * How the replicas of a server divide work among them: session-level advisory locks on a connection of their own. When that
 * connection dies all locks of this replica are gone, and `onLost` tells; it comes back by itself, without any lock.
 * Needs a direct or session-pooled connection. Every method throws STORE_UNAVAILABLE while the connection is away.
 */
export class OwnershipLocks {
  readonly #connection: DedicatedConnection;
  readonly #onLost: ((reason: string) => void)[] = [];
  #backendPid: number | null = null;

  private constructor(options: {
    databaseUrl: string;
    log?: (event: object, message: string) => void;
    random?: Random;
  }) {
    this.#connection = new DedicatedConnection({
      ...options,
      name: 'ownership',
      prepare: async (client) => {
        const { rows } = await client.query('select pg_backend_pid() as pid');
        this.#backendPid = rows[0].pid;
      },
      onDown: (reason) => {
        this.#backendPid = null;
        for (const tell of this.#onLost) tell(reason);
      },
    });
  }

  static async open(options: {
    databaseUrl: string;
    log?: (event: object, message: string) => void;
    random?: Random;
  }): Promise<OwnershipLocks> {
    const locks = new OwnershipLocks(options);
    await locks.#connection.start();
    return locks;
  }

  /** The session that holds our locks, as `holders` shows it; null while away. Another one after each loss. */
  get backendPid(): number | null {
    return this.#backendPid;
  }

  /** Called when every lock is gone because the connection died; not called by `close`. */
  onLost(on: (reason: string) => void): void {
    this.#onLost.push(on);
  }

  /** True when this session has the lock now. Counts: each success wants its own `unlock`. `kind` and `id` are int4. */
  async tryLock(kind: number, id: number): Promise<boolean> {
    return this.#ask('select pg_try_advisory_lock($1::int4, $2::int4) as yes', kind, id);
  }

  /** False when this session did not have it. */
  async unlock(kind: number, id: number): Promise<boolean> {
    return this.#ask('select pg_advisory_unlock($1::int4, $2::int4) as yes', kind, id);
  }

  /** Who holds which locks of a kind in this database: id → backend pid. */
  async holders(kind: number): Promise<Map<number, number>> {
    const { rows } = await this.#connection.use((client) =>
      client.query(
        `select objid::int8 as id, pid from pg_locks
         where locktype = 'advisory' and objsubid = 2 and granted and classid = ($1::int4::int8 & 4294967295)::oid
           and database = (select oid from pg_database where datname = current_database())`,
        [kind],
      ),
    );
    return new Map(rows.map(({ id, pid }) => [id | 0, pid])); // an oid is unsigned, an int4 is not
  }

  async close(): Promise<void> {
    this.#backendPid = null;
    await this.#connection.stop();
  }

  async #ask(text: string, kind: number, id: number): Promise<boolean> {
    const { rows } = await this.#connection.use((client) => client.query(text, [kind, id]));
    return rows[0].yes;
  }
}
