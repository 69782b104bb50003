import { ColmeiaError } from '../../src/platform/errors.ts';
import type { Row, Sql, Store } from '../../src/platform/store/store.ts';
import type { MemoryDatabase } from './memory-database.ts';

/** What the way to the database does to one call. */
export type Weather = { beforeMs: number; afterMs: number; fault: 'none' | 'refused' | 'lost answer' };

/** One process's connection. After `cut` nothing is answered any more; what was under way came true or not. */
export class MemoryStore implements Store {
  readonly tier: Store['tier'];
  /** Commits under way. */
  flushing = 0;
  readonly #database: MemoryDatabase;
  readonly #weather: (kind: 'flush' | 'read' | 'write') => Weather;
  readonly #sleep: (ms: number) => Promise<void>;
  #cut: boolean | null = null; // the value: does what is under way still arrive

  constructor(
    tier: Store['tier'],
    database: MemoryDatabase,
    sleep: (ms: number) => Promise<void>,
    weather: (kind: 'flush' | 'read' | 'write') => Weather,
  ) {
    this.tier = tier;
    this.#database = database;
    this.#sleep = sleep;
    this.#weather = weather;
  }

  cut(arrives: boolean): void {
    this.#cut = arrives;
  }

  async #call<T>(kind: 'flush' | 'read' | 'write', work: () => T | Promise<T>): Promise<T> {
    if (this.#cut !== null) return new Promise(() => {});
    const { beforeMs, afterMs, fault } = this.#weather(kind);
    await this.#sleep(beforeMs);
    if (this.#cut === false) return new Promise(() => {});
    if (fault === 'refused') throw new ColmeiaError('STORE_UNAVAILABLE', 'the database is not available');
    const done = await work();
    await this.#sleep(afterMs);
    if (this.#cut !== null) return new Promise(() => {});
    if (fault === 'lost answer') throw new ColmeiaError('STORE_UNAVAILABLE', 'the connection was lost');
    return done;
  }

  flush(args: readonly string[]): Promise<void> {
    this.flushing++;
    return this.#call('flush', () => this.#database.flush(args)).finally(() => this.flushing--);
  }

  /** REPEATABLE READ: all its statements see one moment. */
  read<T>(_scope: unknown, work: (sql: Sql) => Promise<T>): Promise<T> {
    return this.#call('read', () => {
      const seen = this.#database.snapshot();
      return work({
        query: async (text, values = []) => (
          await this.#sleep(this.#weather('read').beforeMs),
          seen.query(text, values) as never
        ),
      });
    });
  }

  /** Its statements are gathered and run as one; enough for appendOne, whose answers do not steer it but at the end. */
  write<T>(_scope: unknown, work: (sql: Sql) => Promise<T>): Promise<T> {
    return this.#call('write', () => this.#inTransaction(work));
  }

  async #inTransaction<T>(work: (sql: Sql) => Promise<T>): Promise<T> {
    // Nothing else can run between these statements: they wait for nothing but promises that are already settled.
    let failure: unknown;
    let result: T;
    const statements: [string, readonly unknown[]][] = [];
    const seq = (text: string, values: readonly unknown[]): Row[] => {
      statements.push([text, values]);
      if (!/^update journal_head/.test(text)) return [];
      return this.#database.heads.get(values[0] as string)?.seq === (values[1] as number) - 1 ? [{}] : [];
    };
    try {
      result = await work({ query: async (text, values = []) => seq(text, values) as never });
    } catch (error) {
      failure = error;
    }
    if (failure !== undefined) throw failure;
    this.#database.transaction(() => statements.forEach(([text, values]) => this.#database.query(text, values)));
    return result!;
  }

  async notify(): Promise<void> {}
  async listen(): Promise<() => void> {
    return () => {};
  }
  unavailable(): string | null {
    return null;
  }
  onAvailability(): void {}
  async close(): Promise<void> {}
}
