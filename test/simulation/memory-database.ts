import type { Row } from '../../src/platform/store/store.ts';
import { flushRows } from './flush-rows.ts';
import { parseArray } from './parse-array.ts';
import { SqlError } from './sql-error.ts';

export type PlanRow = Row & { key: number; instance: string; id: string; status: string; rev: number; digest: string };
export type TicketRow = Row & {
  plan: number;
  n: number;
  instance: string;
  status: string;
  deps: number[];
  agent: string | null;
  fence: number;
  attempt: number;
  /** JSON text. */
  note: string | null;
  result: string | null;
};
export type JournalRow = { instance: string; seq: number; at: string; plans: number[]; body: string; hash: string };
export type HeadRow = { name: string; no: number; seq: number; events: number; plans: number; hash: string };

/** What one commit changed, for whoever checks it. `was` null = a new row. */
export type Commit = {
  plans: { was: PlanRow | null; is: PlanRow }[];
  tickets: { was: TicketRow | null; is: TicketRow }[];
  journal: JournalRow[];
};

/** Parts of colmeia_flush that a planted bug may leave out. */
export type Leave = {
  ticketGuards?: boolean;
  planGuards?: boolean;
  journal?: boolean;
  rollback?: boolean;
  results?: boolean;
  heads?: boolean;
  snapshots?: boolean;
};

/**
 * The tables of the spine and colmeia_flush in memory, to the letter of migrations/0001_spine.sql: what a value may be, keys,
 * guards, all or nothing. Rows are replaced, never changed, so that a reading is a shallow copy.
 */
export class MemoryDatabase {
  plans = new Map<number, PlanRow>();
  planIds = new Map<string, number>();
  tickets = new Map<string, TicketRow>();
  journal = new Map<string, JournalRow>();
  heads = new Map<string, HeadRow>();
  onCommit: (commit: Commit) => void = () => {};
  readonly leave: Leave;

  constructor(companies: readonly string[], leave: Leave = {}) {
    this.leave = leave;
    companies.forEach((name, i) => this.heads.set(name, { name, no: i + 1, seq: 0, events: 0, plans: 0, hash: '' }));
  }

  ticketsOf(plan: number): TicketRow[] {
    const rows: TicketRow[] = [];
    for (let row = this.tickets.get(`${plan}/0`); row !== undefined; row = this.tickets.get(`${plan}/${rows.length}`))
      rows.push(row);
    return rows;
  }

  /** What a reading transaction sees: one moment. */
  snapshot(): MemoryDatabase {
    if (this.leave.snapshots) return this;
    const { plans, planIds, tickets, journal, heads } = this;
    const copy = {
      plans: new Map(plans),
      planIds: new Map(planIds),
      tickets: new Map(tickets),
      journal,
      heads: new Map(heads),
    };
    return Object.assign(Object.create(MemoryDatabase.prototype) as MemoryDatabase, copy);
  }

  flush(args: readonly string[]): void {
    const [p, u, r, t, x, j] = flushRows(args);
    this.transaction(() => {
      for (const row of p) this.#insertPlan({ ...row, rev: 1 } as PlanRow);
      for (const { key, ...change } of r)
        if (this.plans.has(key as number)) this.#setPlan({ ...this.plans.get(key as number)!, ...change });
      for (const { key, rev, ...change } of u) {
        const plan = this.plans.get(key as number);
        if (plan === undefined || (plan.rev !== rev && !this.leave.planGuards))
          throw new SqlError('CM001', 'stale plan');
        this.#setPlan({ ...plan, ...change, rev: plan.rev + 1 } as PlanRow);
      }
      for (const row of t)
        this.#insertTicket({
          ...row,
          due: null,
          result: null,
          deps: parseArray(row.deps as string).map(Number),
        } as unknown as TicketRow);
      for (const { was, was_fence, ...row } of x)
        this.#changeTicket(row as TicketRow, was as string, was_fence as number);
      if (this.leave.journal) return;
      for (const row of j)
        this.insertJournal({ ...row, plans: parseArray(row.plans as string).map(Number) } as unknown as JournalRow);
      for (const row of j)
        this.moveHead(row.instance as string, row.seq as number, {
          events: row.events as number,
          plans: row.given as number,
          hash: row.hash as string,
        });
    });
  }

  #undo: (() => void)[] = [];
  #commit: Commit = { plans: [], tickets: [], journal: [] };

  transaction(work: () => void): void {
    this.#undo = [];
    this.#commit = { plans: [], tickets: [], journal: [] };
    try {
      work();
    } catch (error) {
      if (!this.leave.rollback) for (const undo of this.#undo.reverse()) undo();
      throw error;
    }
    const { plans, tickets, journal } = this.#commit;
    this.onCommit({
      plans: asOne(plans, (row) => row.key),
      tickets: asOne(tickets, (row) => `${row.plan}/${row.n}`),
      journal,
    });
  }

  insertJournal(row: JournalRow): void {
    const key = `${row.instance}/${row.seq}`;
    if (this.journal.has(key) && !this.leave.heads) throw new SqlError('23505', 'duplicate key', 'journal_pkey');
    this.#put(this.journal, key, row);
    this.#commit.journal.push(row);
  }

  moveHead(instance: string, seq: number, to: Partial<HeadRow>): void {
    const head = this.heads.get(instance);
    if (head === undefined || (head.seq !== seq - 1 && !this.leave.heads))
      throw new SqlError('CM001', 'stale journal head');
    this.#put(this.heads, instance, { ...head, ...to, seq });
  }

  #insertPlan(row: PlanRow): void {
    if (this.plans.has(row.key)) throw new SqlError('23505', 'duplicate key', 'plan_pkey');
    const id = `${row.instance}/${row.id}`;
    if (this.planIds.has(id)) throw new SqlError('23505', 'duplicate key', 'plan_id');
    this.#put(this.planIds, id, row.key);
    this.#setPlan(row);
  }

  #setPlan(row: PlanRow): void {
    this.#commit.plans.push({ was: this.plans.get(row.key) ?? null, is: row });
    this.#put(this.plans, row.key, row);
  }

  #insertTicket(row: TicketRow): void {
    const key = `${row.plan}/${row.n}`;
    if (this.tickets.has(key)) throw new SqlError('23505', 'duplicate key', 'ticket_pkey');
    this.#put(this.tickets, key, row);
    this.#commit.tickets.push({ was: null, is: row });
  }

  #changeTicket(change: TicketRow, was: string, wasFence: number): void {
    const key = `${change.plan}/${change.n}`;
    const row = this.tickets.get(key);
    const holds = row !== undefined && ((row.status === was && row.fence === wasFence) || this.leave.ticketGuards);
    if (!holds) throw new SqlError('CM001', 'stale ticket');
    const result = this.leave.results ? row.result : (change.result ?? row.result);
    const is = { ...row, ...change, result };
    this.#put(this.tickets, key, is);
    this.#commit.tickets.push({ was: row, is });
  }

  #put<K, V>(map: Map<K, V>, key: K, value: V): void {
    const before = map.get(key);
    this.#undo.push(() => (before === undefined ? map.delete(key) : map.set(key, before)));
    map.set(key, value);
  }

  /** Answers the queries of flow-store.ts, recognised by what they read. */
  query(text: string, values: readonly unknown[]): Row[] {
    const [first, second] = values as [never, never];
    if (/from instance i\s+join journal_head/.test(text))
      return [...this.heads.values()]
        .filter((head) => (first as string[]).includes(head.name))
        .map((head) => {
          const row = this.journal.get(`${head.name}/${head.seq}`);
          return { ...head, standing: 'active', at: row === undefined ? null : new Date(row.at) };
        });
    if (/from plan where instance = any/.test(text)) {
      return [...this.plans.values()]
        .filter((row) => (first as string[]).includes(row.instance) && (second as string[]).includes(row.status))
        .map(planAnswer);
    }
    if (/from plan where key = \$1/.test(text))
      return [this.plans.get(first)].filter((row) => row !== undefined).map(planAnswer);
    if (/from plan p join unnest/.test(text)) {
      return (first as string[]).flatMap((instance, i) => {
        const row = this.plans.get(this.planIds.get(`${instance}/${second[i]}`)!);
        if (row === undefined) return [];
        return [
          {
            ...row,
            result: row.status === 'rejected' && row.result !== null ? JSON.parse(row.result as string) : null,
          },
        ];
      });
    }
    if (/from ticket where plan = any/.test(text)) {
      const keys = [...(first as number[])].sort((a, b) => a - b);
      return keys.flatMap((key) =>
        this.ticketsOf(key).map((row) => ({ ...row, spec: JSON.parse(row.spec as string), note: parsed(row.note) })),
      );
    }
    if (/^select status, fence, note from ticket where plan = \$1 and n = \$2/.test(text))
      return [this.tickets.get(`${first}/${second}`)]
        .filter((row) => row !== undefined)
        .map((row) => ({ ...row, note: parsed(row.note) }));
    if (/^set local role/.test(text)) return [];
    if (/^insert into journal /.test(text)) {
      const [instance, seq, at, plans, body, hash] = values as [string, number, Date, number[], string, string];
      this.insertJournal({ instance, seq, at: at.toISOString(), plans, body, hash });
      return [];
    }
    if (/^update journal_head set/.test(text)) {
      const [instance, seq, events, hash] = values as [string, number, number, string];
      if (this.heads.get(instance)?.seq !== seq - 1) return [];
      this.moveHead(instance, seq, { events, hash });
      return [{}];
    }
    throw new Error(`the memory database does not know this statement: ${text}`);
  }
}

/** Several changes of one row are one change. */
function asOne<R>(
  changes: readonly { was: R | null; is: R }[],
  keyOf: (row: R) => unknown,
): { was: R | null; is: R }[] {
  const byKey = new Map<unknown, { was: R | null; is: R }>();
  for (const { was, is } of changes) byKey.set(keyOf(is), { was: byKey.get(keyOf(is))?.was ?? was, is });
  return [...byKey.values()];
}

const parsed = (json: unknown): never => (json === null ? null : JSON.parse(json as string)) as never;

function planAnswer(row: PlanRow): Row {
  const header = parsed(row.header) as Record<string, unknown>;
  const text = (value: unknown): unknown => value ?? null;
  return {
    ...row,
    control: parsed(row.control),
    intent_id: text(header.intent_id),
    correlation_id: text(header.correlation_id),
    trace_id: text(header.trace_id),
    span_id: text(header.span_id),
    decision_id: text((parsed(row.decision) as Record<string, unknown>).decision_id),
  };
}
