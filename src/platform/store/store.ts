/** For whom a statement runs. The role is set for the transaction and is never the owner of the tables. */
export type Scope =
  /** One company: its own rows and what is shared with it (role colmeia_company, request.jwt.claims.instance). */
  | { as: 'company'; instance: string }
  /** The operator's view over all companies, keys and agents (role colmeia_coordinator). */
  | { as: 'coordinator' }
  /** The flow's writer: may append to the journal, never change it (role colmeia_engine). */
  | { as: 'engine' };

export type Row = Record<string, unknown>;

/** A transaction that already knows for whom it runs. int8 comes back as number, json and jsonb parsed, timestamptz as Date. */
export type Sql = {
  query<R extends Row = Row>(text: string, values?: readonly unknown[]): Promise<R[]>;
};

/**
 * The database, embedded (PGlite) or a server (PostgreSQL 15+): the same SQL on both.
 * No statement can run without a scope. Every method throws ColmeiaError STORE_UNAVAILABLE while the database is away,
 * STORE_FULL when its disk is full; errors of SQL itself carry `code` (SQLSTATE) as the drivers give it.
 */
export type Store = {
  readonly tier: 'embedded' | 'server';
  /**
   * One read-only transaction. Concurrent on a server, in turn when embedded: do not use the store inside of `work`. Longer than
   * 30 s fails, as in `write`.
   */
  read<T>(scope: Scope, work: (sql: Sql) => Promise<T>): Promise<T>;
  /** One transaction; whatever `work` throws rolls it back. */
  write<T>(scope: Scope, work: (sql: Sql) => Promise<T>): Promise<T>;
  /**
   * Calls colmeia_flush with its array literals in one round trip and one transaction (see migrations/).
   * Resolves after the commit is on disk, in the order of the calls. SQLSTATE CM001 = a guard refused, 23505 = a key exists;
   * nothing was changed then. After STORE_UNAVAILABLE or STORE_FULL it may have been made all the same (the connection or the
   * database broke in the middle): read what holds before going on.
   */
  flush(args: readonly string[]): Promise<void>;
  /** Events between replicas (LISTEN/NOTIFY); embedded: within the process. Payload ≤ 7,900 bytes. Lost while disconnected. */
  notify(channel: string, payload: string): Promise<void>;
  /** Resolves with the function that stops listening. */
  listen(channel: string, on: (payload: string) => void): Promise<() => void>;
  /** null = available; else why not. Cheap: the last known state, no query. */
  unavailable(): string | null;
  /** Called with the reason when the database goes away and with null when it is back. */
  onAvailability(on: (unavailable: string | null) => void): void;
  /** Waits for work under way, checkpoints when embedded, closes. */
  close(): Promise<void>;
};
