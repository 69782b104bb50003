import { ColmeiaError, type Fault } from '../../platform/errors.ts';
import type { Row, Sql, Store } from '../../platform/store/store.ts';
import { journalBody, journalHash, type JournalEvent, type JournalHead } from '../../trust/audit/journal.ts';
import { rulesOf } from '../plans/generate-tickets.ts';
import type { TicketSpec } from '../plans/ticket.ts';
import { tokenOf } from './attempt.ts';
import type { PlanControl, PlanStatus, TicketState } from './flow-state.ts';
import type { LivePlan } from './live-plan.ts';
import type { CompanyStanding } from './company-standing.ts';
import { restorePlan } from './restore.ts';

export type PlanRef = { instance: string; planId: string };
export type Statements = readonly { text: string; values: readonly unknown[] }[];

/** A plan that is or was here: enough to answer the same decision, and to refuse another one under its id. */
export type KnownPlan = {
  key: number;
  digest: string;
  status: string;
  rev: number;
  faults: readonly Fault[];
  /** Its decision broke the contract: a good one may replace it. */ invalid: boolean;
};

/** `lastAt`: time of its last commit, epoch ms; 0 = there is none. */
export type LoadedCompany = {
  name: string;
  no: number;
  standing: CompanyStanding;
  head: JournalHead;
  lastAt: number;
  plans: LivePlan[];
};

const OPEN: PlanStatus[] = ['waiting_approval', 'running', 'compensating', 'consolidating'];

const PLAN = `key, instance, id, status, flow, rev, digest, control, created_at,
  header ->> 'intent_id' as intent_id, header ->> 'correlation_id' as correlation_id, header ->> 'trace_id' as trace_id,
  header ->> 'span_id' as span_id, decision ->> 'decision_id' as decision_id`;
const TICKET = 'plan, n, status, spec, deps, agent, fence, attempt, due, deadline, started_at, ended_at, note';

/** Companies with their heads and their open plans, as one reading of the database. */
export async function loadCompanies(store: Store, names: readonly string[]): Promise<LoadedCompany[]> {
  if (names.length === 0) return [];
  return store.read({ as: 'engine' }, async (sql) => {
    const heads = await sql.query<
      Row & JournalHead & { name: string; no: number; standing: CompanyStanding; at: Date | null }
    >(
      `select i.name, i.no, i.state as standing, h.seq, h.events, h.plans, h.hash, j.at from instance i
       join journal_head h on h.instance = i.name left join journal j on j.instance = h.instance and j.seq = h.seq
       where i.name = any($1)`,
      [names],
    );
    const plans = await sql.query(`select ${PLAN} from plan where instance = any($1) and status = any($2)`, [
      names,
      OPEN,
    ]);
    const live = await withTickets(sql, plans);
    const byCompany = Map.groupBy(live, (plan) => plan.instance);
    return heads.map(({ name, no, standing, at, ...head }) => ({
      name,
      no,
      standing,
      head,
      lastAt: at?.getTime() ?? 0,
      plans: byCompany.get(name) ?? [],
    }));
  });
}

/** One plan, open or ended; null = there is none. */
export async function findKept(store: Store, key: number): Promise<LivePlan | null> {
  return store.read({ as: 'engine' }, async (sql) => {
    const plans = await sql.query(`select ${PLAN} from plan where key = $1`, [key]);
    return (await withTickets(sql, plans))[0] ?? null;
  });
}

export async function findKnown(store: Store, refs: readonly PlanRef[]): Promise<[PlanRef, KnownPlan][]> {
  const rows = await store.read({ as: 'engine' }, (sql) =>
    sql.query<Row & KnownPlan & { instance: string; id: string; result: { faults?: Fault[] } | null }>(
      `select p.key, p.instance, p.id, p.digest, p.status, p.rev, case when p.status = 'rejected' then p.result end as result
       from plan p join unnest($1::text[], $2::text[]) v(instance, id) on p.id = v.id and p.instance = v.instance`,
      [refs.map((ref) => ref.instance), refs.map((ref) => ref.planId)],
    ),
  );
  return rows.map(({ key, instance, id, digest, status, rev, result }) => {
    const faults = result?.faults ?? [];
    return [
      { instance, planId: id },
      { key, digest, status, rev, faults, invalid: faults.length > 0 },
    ];
  });
}

async function withTickets(sql: Sql, plans: readonly Row[]): Promise<LivePlan[]> {
  const rows = await sql.query(`select ${TICKET} from ticket where plan = any($1) order by plan, n`, [
    plans.map((plan) => plan.key),
  ]);
  const byPlan = Map.groupBy(rows, (row) => row.plan as number);
  return plans.map((plan) => livePlanOf(plan, byPlan.get(plan.key as number) ?? []));
}

function livePlanOf(row: Row, tickets: readonly Row[]): LivePlan {
  const specs = tickets.map((ticket) => ticket.spec as TicketSpec);
  return {
    key: row.key as number,
    instance: row.instance as string,
    plan_id: row.id as string,
    intent_id: row.intent_id as string,
    decision_id: row.decision_id as string,
    correlation_id: row.correlation_id as string | null,
    trace_id: row.trace_id as string | null,
    span_id: row.span_id as string | null,
    created_at: row.created_at as number,
    digest: row.digest as string,
    rev: row.rev as number,
    specs,
    state: restorePlan({
      flow: row.flow as number,
      status: row.status as PlanStatus,
      control: row.control as PlanControl,
      rules: tickets.map((ticket, n) => rulesOf(specs[n], ticket.deps as number[])),
      tickets: tickets.map(ticketStateOf),
    }),
  };
}

/** The columns of a ticket as decide() knows them. */
export function ticketStateOf(row: Row): Omit<TicketState, 'waits'> {
  return {
    status: row.status as TicketState['status'],
    attempt: row.attempt as number,
    fence: row.fence as number,
    agent: row.agent as string | null,
    due: row.due as number | null,
    deadline: row.deadline as number,
    startedAt: row.started_at as number | null,
    endedAt: row.ended_at as number | null,
    note: row.note as TicketState['note'],
  };
}

/** One journal row with the statements it speaks of, in one transaction. Returns where the chain stands then. */
export async function appendOne(
  store: Store,
  instance: string,
  head: JournalHead,
  at: Date,
  events: readonly JournalEvent[],
  statements: Statements,
): Promise<JournalHead> {
  const body = journalBody(events, head.events);
  const seq = head.seq + 1;
  const hash = journalHash(head.hash, instance, seq, at.toISOString(), [], body);
  const next = { seq, events: head.events + events.length, plans: head.plans, hash };
  await store.write({ as: 'coordinator' }, async (sql) => {
    for (const { text, values } of statements) await sql.query(text, values);
    await sql.query('set local role colmeia_engine');
    await sql.query('insert into journal (instance, seq, at, plans, body, hash) values ($1, $2, $3, $4, $5, $6)', [
      instance,
      seq,
      at,
      [],
      body,
      hash,
    ]);
    const moved = await sql.query(
      'update journal_head set seq = $2, events = $3, hash = $4 where instance = $1 and seq = $2 - 1 returning 1',
      [instance, seq, next.events, hash],
    );
    if (moved.length === 0)
      throw new ColmeiaError('NOT_OWNER', `another writer appends for company "${instance}"`, { retryAfterMs: 200 });
  });
  return next;
}

/** Takes every row of a company away, or gives all of them another name; answers what the database does. */
export async function changeCompany(store: Store, change: CompanyChange): Promise<Record<string, number>> {
  const [row] = await store.write({ as: 'coordinator' }, (sql) =>
    change.to === null
      ? sql.query('select colmeia_forget_company($1) as removed', [change.instance])
      : sql.query(`select '{}'::jsonb as removed from colmeia_rename_company($1, $2)`, [change.instance, change.to]),
  );
  return row.removed as Record<string, number>;
}

/** `to`: its new name; null = nothing of it stays. */
export type CompanyChange = { instance: string; to: string | null };

/** What a result that comes late is held against: `fence` is the token of the attempt that counted; null = no such ticket. */
export async function findTicketFence(
  store: Store,
  key: number,
  n: number,
): Promise<{ status: string; fence: number } | null> {
  const [row] = await store.read({ as: 'engine' }, (sql) =>
    sql.query<Row & Pick<TicketState, 'fence' | 'note'> & { status: string }>(
      'select status, fence, note from ticket where plan = $1 and n = $2',
      [key, n],
    ),
  );
  return row === undefined ? null : { status: row.status, fence: tokenOf(row) };
}
