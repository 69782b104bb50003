import type { Scope, Store } from '../store/store.ts';

/** One event as the bus carries it. What events mean is said in trust/audit/journal.ts, whose RecordedEvent has this shape. */
export type BusEvent = BusLine & { instance: string; seq: number; n: number; at: Date };
export type BusLine = {
  type: string;
  by: string;
  plan?: string;
  ticket?: number;
  why?: string;
  data?: Record<string, unknown>;
};

/** A committed row of the journal. `firstEvent` is the number of its first event within the company. */
export type BusRow = { instance: string; seq: number; at: Date; firstEvent: number; events: readonly BusLine[] };

/** Most rows and about the most bytes of one page: a row of a busy commit can hold a thousand events. */
const PAGE_ROWS = 200;
const PAGE_BYTES = 1_000_000;

const PAGE = `select seq, at, body from (
    select seq, at, body, sum(octet_length(body)) over (order by seq) - octet_length(body) as before
    from (select seq, at, body from journal where instance = $1 and seq > $2 order by seq limit ${PAGE_ROWS}) page
  ) sized where before < ${PAGE_BYTES} order by seq`;

/** The next rows of a company after `seq`, a bounded page; empty = there are none, or none for this scope. */
export async function readRows(store: Store, scope: Scope, instance: string, seq: number): Promise<BusRow[]> {
  const rows = await store.read(scope, (sql) => sql.query(PAGE, [instance, seq]));
  return rows.map((row) => rowOf(instance, row.seq as number, row.at as Date, row.body as string));
}

/** Where each company's journal ends, as far as the scope may see: all of them, or one. */
export async function readHeads(store: Store, scope: Scope, instance: string | null): Promise<Map<string, number>> {
  const rows = await store.read(scope, (sql) =>
    instance === null
      ? sql.query('select instance, seq from journal_head order by instance', [])
      : sql.query('select $1::text as instance, coalesce(max(seq), 0)::int8 as seq from journal where instance = $1', [
          instance,
        ]),
  );
  return new Map(rows.map((row) => [row.instance as string, row.seq as number]));
}

/** For each company with rows at or after a time: the row before the first of them. */
export async function readSeqBefore(store: Store, scope: Scope, at: number): Promise<Map<string, number>> {
  const rows = await store.read(scope, (sql) =>
    sql.query('select instance, min(seq) - 1 as seq from journal where at >= $1 group by instance', [new Date(at)]),
  );
  return new Map(rows.map((row) => [row.instance as string, row.seq as number]));
}

/** The events of a row from its `skip`th on, each with its place. */
export function eventsOf(row: BusRow, skip = 0): BusEvent[] {
  const events: BusEvent[] = [];
  for (let i = skip; i < row.events.length; i++) {
    events.push({ ...row.events[i], instance: row.instance, seq: row.seq, n: row.firstEvent + i, at: row.at });
  }
  return events;
}

function rowOf(instance: string, seq: number, at: Date, body: string): BusRow {
  const events = body.split('\n').map((line) => JSON.parse(line) as BusLine & { n: number });
  return { instance, seq, at, firstEvent: events[0].n, events };
}
