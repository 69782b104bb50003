import type { Row, Scope, Sql, Store } from '../../platform/store/store.ts';
import { ticketStateOf } from '../flow/flow-store.ts';
import type { PlanControl } from '../flow/flow-state.ts';
import { planKey } from './plan.ts';
import type { Correlation, KeptTicket } from './ticket-record.ts';
import type { TicketSpec } from './ticket.ts';

export type KeptPlan = Correlation & {
  status: string;
  control: Partial<PlanControl>;
  risk_band: string;
  revision: number;
  tickets: number;
  ended_at: number | null;
  result: Record<string, unknown> | null;
};

const PLAN = `p.key, p.instance, p.id, p.status, p.control, p.tickets, p.created_at, p.ended_at, p.result,
  h.intent_id, coalesce(h.correlation_id, d.correlation_id) as correlation_id, coalesce(h.trace_id, d.trace_id) as trace_id,
  coalesce(h.span_id, d.span_id) as span_id, h.risk_band, h.revision, d.decision_id`;
/** Each document of a plan is parsed once a row. */
const CONTENT = `cross join lateral json_to_record(p.header)
    as h(intent_id text, correlation_id text, trace_id text, span_id text, risk_band text, revision int)
  cross join lateral json_to_record(p.decision) as d(decision_id text, correlation_id text, trace_id text, span_id text)`;
/** Lists read in the order of an index, however little the planner knows of the tables: an embedded database is never analyzed. */
const IN_INDEX_ORDER = `select set_config('enable_sort', 'off', true), set_config('enable_bitmapscan', 'off', true),
  set_config('enable_seqscan', 'off', true)`;
const TICKET = `t.plan, t.n, t.instance, t.status, t.spec, t.deps, t.agent, t.fence, t.attempt, t.due, t.deadline, t.started_at, t.ended_at, t.note, t.result`;

function keptPlanOf(row: Row): KeptPlan {
  return {
    key: row.key as number,
    instance: row.instance as string,
    plan_id: row.id as string,
    intent_id: (row.intent_id as string | null) ?? '',
    decision_id: (row.decision_id as string | null) ?? '',
    correlation_id: row.correlation_id as string | null,
    trace_id: row.trace_id as string | null,
    span_id: row.span_id as string | null,
    created_at: row.created_at as number,
    status: row.status as string,
    control: row.control as Partial<PlanControl>,
    risk_band: (row.risk_band as string | null) ?? '',
    revision: (row.revision as number | null) ?? 1,
    tickets: row.tickets as number,
    ended_at: row.ended_at as number | null,
    result: row.result as Record<string, unknown> | null,
  };
}

export type FoundTicket = { of: KeptPlan; ticket: KeptTicket; result: Record<string, unknown> | null };

function foundTicketOf(row: Row, of: KeptPlan): FoundTicket {
  return {
    of,
    ticket: { ...ticketStateOf(row), n: row.n as number, deps: row.deps as number[], spec: row.spec as TicketSpec },
    result: row.result as Record<string, unknown> | null,
  };
}

/** Plans of an id that the scope sees: one per company. By the id's unique index. */
export async function findPlansById(
  store: Store,
  scope: Scope,
  planId: string,
  instance: string | null,
): Promise<KeptPlan[]> {
  const rows = await store.read(scope, (sql) =>
    sql.query(
      `select ${PLAN} from plan p ${CONTENT} where p.id = $1 and ($2::text is null or p.instance = $2) limit 3`,
      [planId, instance],
    ),
  );
  return rows.map(keptPlanOf);
}

export type PlanListQuery = {
  instance: string | null;
  status: string | null;
  /** Where the page before ended. */
  after: { at: number; key: number } | null;
  limit: number;
};

/**
 * First and last key that a company's plans can have; of all companies when none is named. As parameters, because under row
 * level security only plain comparisons reach the index.
 */
async function keysOf(sql: Sql, instance: string | null): Promise<{ first: number; last: number }> {
  if (instance === null) return { first: 0, last: Number.MAX_SAFE_INTEGER };
  const [row] = await sql.query<Row & { no: number }>('select no from instance where name = $1', [instance]);
  return row === undefined ? { first: 0, last: -1 } : { first: planKey(row.no, 0), last: planKey(row.no + 1, 0) - 1 };
}

/** Keys of a page, newest first: by key within a company, by time across companies. */
async function pageOfKeys(sql: Sql, { instance, status, limit, ...query }: PlanListQuery): Promise<number[]> {
  const after = query.after ?? { at: Number.MAX_SAFE_INTEGER, key: Number.MAX_SAFE_INTEGER };
  const keys = async (text: string, values: unknown[]): Promise<number[]> =>
    (await sql.query<Row & { key: number }>(text, values)).map(({ key }) => key);
  if (instance !== null) {
    const { first, last } = await keysOf(sql, instance);
    const to = Math.min(last + 1, after.key);
    return status === null
      ? keys('select key from plan where key >= $1 and key < $2 order by key desc limit $3', [first, to, limit])
      : keys('select key from plan where instance = $1 and status = $2 and key < $3 order by key desc limit $4', [
          instance,
          status,
          to,
          limit,
        ]);
  }
  if (status === null) {
    const text = `select key from plan where (created_at, key) < ($1, $2) order by created_at desc, key desc limit $3`;
    return keys(text, [after.at, after.key, limit]);
  }
  return keys(
    `select q.key from instance i, lateral (
       select key, created_at from plan where instance = i.name and status = $1 and (created_at, key) < ($2, $3)
       order by instance desc, status desc, key desc limit $4) q
     order by q.created_at desc, q.key desc limit $4`,
    [status, after.at, after.key, limit],
  );
}

/** Newest first. */
export async function listPlans(store: Store, scope: Scope, query: PlanListQuery): Promise<KeptPlan[]> {
  const rows = await store.read(scope, async (sql) => {
    await sql.query(IN_INDEX_ORDER);
    return sql.query(
      `select ${PLAN} from unnest($1::int8[]) with ordinality v(key, i) join plan p on p.key = v.key ${CONTENT} order by v.i`,
      [await pageOfKeys(sql, query)],
    );
  });
  return rows.map(keptPlanOf);
}

const TICKET_WITH_PLAN = `${PLAN}, ${TICKET}, p.status as plan_status, p.result as plan_result, t.status as status`;
const withPlan = (row: Row): FoundTicket =>
  foundTicketOf(row, keptPlanOf({ ...row, status: row.plan_status, result: row.plan_result }));

export async function findTicket(store: Store, scope: Scope, key: number, n: number): Promise<FoundTicket | null> {
  const [row] = await store.read(scope, (sql) =>
    sql.query(
      `select ${TICKET_WITH_PLAN} from plan p ${CONTENT} join ticket t on t.plan = p.key where p.key = $1 and t.n = $2`,
      [key, n],
    ),
  );
  return row === undefined ? null : withPlan(row);
}

/** A page of the tickets of one plan, by number. */
export async function listTicketsOf(
  store: Store,
  scope: Scope,
  of: KeptPlan,
  from: number,
  limit: number,
): Promise<FoundTicket[]> {
  const rows = await store.read(scope, (sql) =>
    sql.query(`select ${TICKET} from ticket t where t.plan = $1 and t.n >= $2 order by t.n limit $3`, [
      of.key,
      from,
      limit,
    ]),
  );
  return rows.map((row) => foundTicketOf(row, of));
}

/** Tickets per state of one plan. */
export async function countStates(
  store: Store,
  scope: Scope,
  key: number,
): Promise<{ progress: Record<string, number>; waiting: string[] }> {
  const rows = await store.read(scope, (sql) =>
    sql.query<Row & { status: string; count: number; waiting: string[] | null }>(
      `select status, count(*)::int as count, (array_agg(spec ->> 'task_id' order by n) filter (where status = 'approval'))[1:100] as waiting
       from ticket where plan = $1 group by status`,
      [key],
    ),
  );
  return {
    progress: Object.fromEntries(rows.map((row) => [row.status, row.count])),
    waiting: rows.flatMap((row) => row.waiting ?? []),
  };
}

/** Rows one page of tickets looks at, at most, when it has to look for what matches. */
const EXAMINED = 1_000;

export type TicketListQuery = {
  instance: string | null;
  key: number | null;
  states: readonly string[] | null;
  taskType: string | null;
  /** Where the page before stopped looking. */
  after: { key: number; n: number } | null;
  limit: number;
};

/**
 * Tickets over plans, newest plan first. With a filter it looks at a bounded number of rows: the page may be short with
 * more to come.
 */
export async function listTickets(
  store: Store,
  scope: Scope,
  { instance, key, states, taskType, after, limit }: TicketListQuery,
): Promise<{ found: FoundTicket[]; next: { key: number; n: number } | null }> {
  const examined = states === null && taskType === null ? limit + 1 : EXAMINED;
  const from = after ?? { key: Number.MAX_SAFE_INTEGER, n: -1 };
  return store.read(scope, async (sql) => {
    await sql.query(IN_INDEX_ORDER);
    const { first, last } = key === null ? await keysOf(sql, instance) : { first: key, last: key };
    const seen = await sql.query<Row & { plan: number; n: number; matches: boolean; place: number; rows: number }>(
      `select * from (
         select plan, n, matches, (row_number() over ())::int as place, (count(*) over ())::int as rows from (
           select t.plan, t.n, (($4::text[] is null or t.status = any($4))
             and ($5::text is null or t.spec ->> 'task_type' = $5 or t.spec -> 'metadata' ->> 'task_type' = $5)) as matches
           from ticket t
           where t.plan <= $1 and t.plan >= $6 and (t.plan < $2 or t.n > $3)
           order by t.plan desc, t.n limit $7) looked) placed
       where matches or place = rows`,
      [Math.min(last, from.key), from.key, from.n, states, taskType, first, examined],
    );
    const matching = seen.filter((row) => row.matches).slice(0, limit);
    const end = matching.length === limit ? matching[limit - 1] : seen.at(-1);
    const hasMore = end !== undefined && (end.rows === examined || end.place < end.rows);
    const next = hasMore ? { key: end.plan, n: end.n } : null;
    if (matching.length === 0) return { found: [], next };
    const full = await sql.query(
      `select ${TICKET_WITH_PLAN} from unnest($1::int8[], $2::int4[]) with ordinality v(plan, n, i)
       join ticket t on t.plan = v.plan and t.n = v.n join plan p on p.key = t.plan ${CONTENT} order by v.i`,
      [matching.map((row) => row.plan), matching.map((row) => row.n)],
    );
    return { found: full.map(withPlan), next };
  });
}

/** Number of a task in the newest revision of a plan; null = there is none. */
export async function findTaskNumber(store: Store, scope: Scope, key: number, taskId: string): Promise<number | null> {
  const [row] = await store.read(scope, (sql) =>
    sql.query<Row & { n: number }>(
      `select n from ticket where plan = $1 and spec ->> 'task_id' = $2 order by n desc limit 1`,
      [key, taskId],
    ),
  );
  return row?.n ?? null;
}

/** The newest plan that was started under a correlation id. Rare, so without an index of its own: by time, bounded. */
export async function findPlanByCorrelation(
  store: Store,
  scope: Scope,
  correlationId: string,
  instance: string | null,
): Promise<KeptPlan | null> {
  const rows = await store.read(scope, (sql) =>
    sql.query(
      `select * from (select ${PLAN}, d.correlation_id as started_as from plan p ${CONTENT}
         where ($2::text is null or p.instance = $2) order by p.created_at desc, p.key desc limit 10000) q
       where $1 in (q.started_as, q.correlation_id) limit 1`,
      [correlationId, instance],
    ),
  );
  return rows.length === 0 ? null : keptPlanOf(rows[0]);
}
