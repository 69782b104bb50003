import { appendOne } from '../../execution/flow/flow-store.ts';
import { EMPTY_HEAD, type JournalHead } from '../../trust/audit/journal.ts';
import type { Store } from '../store/store.ts';
import type { BusLine, BusRow } from './journal-reader.ts';

/** Writes journals as a company's writer does, one commit after the other. Event n is about plan `p<n>`. */
export class TestJournal {
  readonly #store: Store;
  readonly #heads = new Map<string, JournalHead>();

  constructor(store: Store) {
    this.#store = store;
  }

  async company(name: string): Promise<string> {
    await this.#store.write({ as: 'coordinator' }, async (sql) => {
      await sql.query('insert into instance (name) values ($1)', [name]);
      await sql.query('insert into journal_head (instance) values ($1)', [name]);
    });
    return name;
  }

  /** One row, of that many events or of those given; it is committed, and nobody was told. */
  async commit(instance: string, what: number | readonly BusLine[], at = new Date()): Promise<BusRow> {
    const head = this.#heads.get(instance) ?? EMPTY_HEAD;
    const events =
      typeof what !== 'number'
        ? what
        : Array.from({ length: what }, (_, i) => ({
            type: 'plan.received',
            by: 'engine',
            plan: `p${head.events + i + 1}`,
          }));
    const next = await appendOne(this.#store, instance, head, at, events, []);
    this.#heads.set(instance, next);
    return { instance, seq: next.seq, at, firstEvent: head.events + 1, events };
  }

  /** Time of the first commit, epoch ms. */
  async startOf(instance: string): Promise<number> {
    const rows = await this.#store.read({ as: 'engine' }, (sql) =>
      sql.query('select at from journal where instance = $1 and seq = 1', [instance]),
    );
    return (rows[0].at as Date).getTime();
  }
}
