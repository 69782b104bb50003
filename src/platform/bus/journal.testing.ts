import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { appendOne } from '../../execution/flow/flow-store.ts';
import { EMPTY_HEAD, type JournalHead } from '../../trust/audit/journal.ts';
import { openStore } from '../store/open-store.ts';
import type { Store } from '../store/store.ts';
import type { BusLine, BusRow } from './journal-reader.ts';

/** Writes journals as a company's writer does, one commit after the other. Event n is about plan `p<n>`. */
export class TestJournal {
  readonly store: Store;
  /** Reads of the database; a test sets it to 0 before what it looks at. */
  reads = 0;
  readonly #heads = new Map<string, JournalHead>();

  private constructor(real: Store) {
    const read: Store['read'] = (scope, work) => (this.reads++, real.read(scope, work));
    this.store = new Proxy(real, {
      get: (target, name) =>
        name === 'read'
          ? read
          : typeof target[name as 'close'] === 'function'
            ? target[name as 'close'].bind(target)
            : target[name as 'close'],
    });
  }

  /** In a new database in memory. */
  static async open(): Promise<TestJournal> {
    return new TestJournal(await openStore({ databaseUrl: null, dataFolder: null }));
  }

  async company(name: string): Promise<string> {
    await this.store.write({ as: 'coordinator' }, async (sql) => {
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
    const next = await appendOne(this.store, instance, head, at, events, []);
    this.#heads.set(instance, next);
    return { instance, seq: next.seq, at, firstEvent: head.events + 1, events };
  }
}

export async function until(isSo: () => boolean | Promise<boolean>, what: string): Promise<void> {
  for (let waited = 0; !(await isSo()); waited += 5) {
    if (waited > 5_000) assert.fail(`still waiting: ${what}`);
    await sleep(5);
  }
}

/** Events as `company/n`. */
export const said = (events: readonly { instance: string; n: number }[]): string[] =>
  events.map((event) => `${event.instance}/${event.n}`);
/** Those of a company from one to another, both included. */
export const names = (instance: string, from: number, to: number): string[] =>
  Array.from({ length: to - from + 1 }, (_, i) => `${instance}/${from + i}`);
