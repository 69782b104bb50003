import { ColmeiaError, type Fault } from '../../platform/errors.ts';
import type { Row, Scope, Sql, Store } from '../../platform/store/store.ts';
import { parseJournalBody, type RecordedEvent } from './journal.ts';

export type AuditQuery = {
  instance?: string;
  plan_id?: string;
  /** Prefix of `by`, as `operator:` or `agent:builder-1`. */
  actor?: string;
  /** Prefix of the type, as `plan.` or `ticket.failed`. */
  type?: string;
  /** Epoch ms; both are included. */
  from?: number;
  to?: number;
  /** Default 50, at most 100. */
  limit?: number;
  after?: string;
};

/** Journal rows that one call looks at, at most, and about the most bytes of them. */
const ROWS = 200;
const BYTES = 2_000_000;
/** Clocks of replicas may differ by this much, so that times within a company are in order but for it. */
const SKEW_MS = 60_000;
/** How far back the first look at all companies goes, and how much farther each next one. */
const WINDOW_MS = 1_000;
const WIDER = 16;

/** The place of an event; a page goes on with what is before it. */
type Place = { at: number; instance: string; seq: number; index: number };
type JournalRow = { instance: string; seq: number; at: Date; body: string };
/** Rows newest first; `more` false = nothing is older. */
type Found = { rows: JournalRow[]; more: boolean };

/** Times of one company may go back when it changes its replica, so a company is listed by its own numbers. */
const BY_SEQ = 'seq desc';
const BY_AT = 'at desc, instance collate "C" desc, seq desc';

/** Bodies of the rows that `ids` names, newest first, up to the byte limit. */
const withBodies = (ids: string, order: string): string => `with id as materialized (${ids})
  select instance, seq, at, body from (
    select *, sum(octet_length(body)) over (order by ${order}) - octet_length(body) as before
    from (select j.* from id join journal j on j.instance = id.instance and j.seq = id.seq) named) sized
  where before < ${BYTES} order by ${order}`;
const UP_TO = (n: number): string => `(at, instance collate "C", seq) <= ($${n}, $${n + 1}, $${n + 2})`;

const BY_COMPANY = withBodies(
  `select instance, seq from journal where instance = $1 and seq <= $2 order by seq desc limit ${ROWS}`,
  BY_SEQ,
);
const BY_PLAN = withBodies(
  `select instance, seq from (select instance, seq, at from journal where plans && $1::int8[] offset 0) hit
  where ${UP_TO(2)} order by ${BY_AT} limit ${ROWS}`,
  BY_AT,
);
const BY_TIME = withBodies(
  `select instance, seq from journal where at >= $1 and at <= $2 and ${UP_TO(2)} order by ${BY_AT} limit ${ROWS}`,
  BY_AT,
);

/**
 * Events newest first, of what the scope sees. Each call looks at a bounded number of journal rows, so a page may be short
 * or empty and still have a `next`; null = the end. Throws INVALID_REQUEST.
 */
export async function listEvents(
  store: Store,
  scope: Scope,
  query: AuditQuery,
): Promise<{ items: RecordedEvent[]; next: string | null }> {
  const { limit, after } = checked(query);
  const instance = query.instance ?? (scope.as === 'company' ? scope.instance : null);
  const isOther = scope.as === 'company' && instance !== scope.instance;
  if (isOther || (query.from ?? -Infinity) > (query.to ?? Infinity)) return { items: [], next: null };
  const byNumber = instance !== null && query.plan_id === undefined;
  const found = await store.read(scope, (sql) => {
    if (query.plan_id !== undefined) return findByPlan(sql, query, instance, after);
    return instance === null ? findByTime(sql, query, after) : findByCompany(sql, query, instance, after);
  });
  const items: RecordedEvent[] = [];
  let last: Place | null = after;
  for (const row of found.rows) {
    const events = parseJournalBody(row);
    for (let index = events.length - 1; index >= 0; index--) {
      const place = { at: row.at.getTime(), instance: row.instance, seq: row.seq, index };
      if (after !== null && !isBefore(place, after, byNumber)) continue;
      if (items.length === limit) return { items, next: tokenOf(last!) };
      last = place;
      if (matches(events[index], query)) items.push(events[index]);
    }
  }
  const isPast =
    query.from !== undefined && found.rows.length > 0 && found.rows.at(-1)!.at.getTime() < query.from - SKEW_MS;
  return { items, next: !found.more || isPast || last === null ? null : tokenOf(last) };
}

async function findByPlan(sql: Sql, query: AuditQuery, instance: string | null, after: Place | null): Promise<Found> {
  const plans = await sql.query('select key from plan where id = $1 and ($2::text is null or instance = $2)', [
    query.plan_id,
    instance,
  ]);
  if (plans.length === 0) return { rows: [], more: false };
  const upTo = boundOf(after, (query.to ?? MOST) + SKEW_MS);
  const rows = await sql.query<Row & JournalRow>(BY_PLAN, [plans.map((plan) => plan.key), ...upTo]);
  return { rows, more: rows.length > 0 };
}

async function findByCompany(sql: Sql, query: AuditQuery, instance: string, after: Place | null): Promise<Found> {
  let seq = after === null ? null : after.seq - Number(after.index === 0);
  if (seq === null) {
    const [{ head }] = await sql.query<Row & { head: number }>(
      'select coalesce(max(seq), 0)::int8 as head from journal where instance = $1',
      [instance],
    );
    seq = query.to === undefined ? head : await lastSeqBy(sql, instance, head, query.to + SKEW_MS);
  }
  const rows = await sql.query<Row & JournalRow>(BY_COMPANY, [instance, seq]);
  return { rows, more: rows.length > 0 && rows.at(-1)!.seq > 1 };
}

/** The row after which everything is later than `at`, by halving: rows of a company are in the order of their times. */
async function lastSeqBy(sql: Sql, instance: string, head: number, at: number): Promise<number> {
  let low = 0;
  let high = head;
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    const [row] = await sql.query('select at from journal where instance = $1 and seq >= $2 order by seq limit 1', [
      instance,
      middle,
    ]);
    if (row !== undefined && (row.at as Date).getTime() <= at) low = middle;
    else high = middle - 1;
  }
  return low;
}

/** Over all companies there is only the coarse index on time, so ever wider windows are looked at until one holds rows. */
async function findByTime(sql: Sql, query: AuditQuery, after: Place | null): Promise<Found> {
  const [{ now }] = await sql.query<Row & { now: Date }>('select now() as now', []);
  const newest = now.getTime() + SKEW_MS;
  const [upTo, ...place] = boundOf(after, Math.min(query.to ?? newest, newest));
  const oldest = Math.max(query.from ?? 0, 0);
  for (let width = WINDOW_MS; ; width *= WIDER) {
    const floor = Math.max(oldest, upTo.getTime() - width);
    const rows = await sql.query<Row & JournalRow>(BY_TIME, [dateOf(floor), upTo, ...place]);
    if (rows.length > 0 || floor === oldest) return { rows, more: rows.length > 0 };
  }
}

/** Time, company and row from which on the listing is: before an event, or everything up to `at`. */
function boundOf(after: Place | null, at: number): [Date, string, number] {
  if (after === null) return [dateOf(at), '~', 0]; // no company's name comes after it
  return [dateOf(after.at), after.instance, after.seq - Number(after.index === 0)];
}

function matches(event: RecordedEvent, { plan_id, actor, type, from, to }: AuditQuery): boolean {
  const at = event.at.getTime();
  if (plan_id !== undefined && event.plan !== plan_id) return false;
  if (type !== undefined && !event.type.startsWith(type)) return false;
  if (actor !== undefined && !event.by.startsWith(actor)) return false;
  return at >= (from ?? -Infinity) && at <= (to ?? Infinity);
}

/** In the order of the listing, which is from new to old. */
function isBefore(a: Place, b: Place, byNumber: boolean): boolean {
  if (!byNumber && a.at !== b.at) return a.at < b.at;
  if (a.instance !== b.instance) return a.instance < b.instance;
  return a.seq < b.seq || (a.seq === b.seq && a.index < b.index);
}

/** The last time with four digits of a year, which every text of a time can hold. */
const MOST = Date.UTC(9999, 11, 31);
const dateOf = (at: number): Date => new Date(Math.min(Math.max(at, 0), MOST));

const tokenOf = ({ at, instance, seq, index }: Place): string => `${at}:${instance}:${seq}.${index}`;

function checked({ limit = 50, after, from, to }: AuditQuery): { limit: number; after: Place | null } {
  const faults: Fault[] = [];
  if (!Number.isInteger(limit) || limit < 1 || limit > 100)
    faults.push({ path: 'limit', message: 'is a whole number from 1 to 100' });
  for (const [path, value] of Object.entries({ from, to })) {
    if (value !== undefined && !Number.isSafeInteger(value))
      faults.push({ path, message: 'is a time in epoch milliseconds' });
  }
  const match = after === undefined ? null : /^(\d{1,16}):([^:\s]{1,100}):(\d{1,15})\.(\d{1,9})$/.exec(after);
  if (after !== undefined && match === null)
    faults.push({ path: 'after', message: 'is the `next` of the page before' });
  if (faults.length > 0) throw new ColmeiaError('INVALID_REQUEST', 'the query breaks the contract', { faults });
  return {
    limit,
    after: match && { at: Number(match[1]), instance: match[2], seq: Number(match[3]), index: Number(match[4]) },
  };
}
