import type { Row, Scope, Store } from '../../platform/store/store.ts';
import { journalHash } from './journal.ts';

/** `ok` false: `fault` says where the chain breaks and how. `rows` and `events` count what holds. */
export type AuditVerdict = { instance: string; ok: boolean; rows: number; events: number; fault: string | null };

/** Rows of a page, and about the most bytes: rows of busy commits are large, and memory stays constant. */
const PAGE_ROWS = 500;
const PAGE_BYTES = 4_000_000;

/** One statement is one view of the database, so that commits meanwhile do not look like faults. */
const HEAD = `select h.seq, h.events, h.hash,
    (select max(seq) from journal j where j.instance = h.instance) as last
  from journal_head h where h.instance = $1`;
const PAGE = `select seq, at, plans, body, hash from (
    select *, sum(octet_length(body)) over (order by seq) - octet_length(body) as before
    from (select seq, at, plans, body, hash from journal where instance = $1 and seq > $2 and seq <= $3 order by seq limit ${PAGE_ROWS}) page
  ) sized where before < ${PAGE_BYTES} order by seq`;

/** Under which name rows up to a number were hashed, when the company has another one now. */
const FORMER = 'select until_seq, name from former_name where instance = $1 order by until_seq';

type FormerName = { until_seq: number; name: string };
type Head = { seq: number; events: number; hash: string; last: number | null };
type ChainRow = { seq: number; at: Date; plans: number[]; body: string; hash: string };

/**
 * Walks the chain of one company up to where its head stood at the start, and finds a row that was changed, removed, added,
 * reordered, renumbered or cut off at the end. What it cannot find: a chain rewritten from some row to its end, the head
 * included; for that, keep a head hash elsewhere. A company that the scope does not see answers like an empty one.
 */
export async function verifyJournal(store: Store, scope: Scope, instance: string): Promise<AuditVerdict> {
  const verdict: AuditVerdict = { instance, ok: true, rows: 0, events: 0, fault: null };
  const broken = (fault: string): AuditVerdict => ({ ...verdict, ok: false, fault });
  if (scope.as === 'company' && scope.instance !== instance) return verdict;
  // a company's own role does not read heads; what it may see was decided above
  const [head] = await store.read({ as: 'engine' }, (sql) => sql.query<Row & Head>(HEAD, [instance]));
  if (head === undefined) return verdict;
  const former = await store.read(scope, (sql) => sql.query<Row & FormerName>(FORMER, [instance]));
  let hash = '';
  while (verdict.rows < head.seq) {
    const rows = await store.read(scope, (sql) => sql.query<Row & ChainRow>(PAGE, [instance, verdict.rows, head.seq]));
    if (rows.length === 0) return broken(cutOff(verdict.rows, head.seq));
    for (const row of rows) {
      const name = former.find(({ until_seq }) => row.seq <= until_seq)?.name ?? instance;
      const fault = faultOf(row, verdict, hash, name);
      if (fault !== null) return broken(fault);
      hash = row.hash;
      verdict.rows++;
      verdict.events += countLines(row.body);
    }
  }
  if ((head.last ?? 0) > head.seq)
    return broken(`row ${head.seq + 1} stands after the end of the chain: the head says it ends with row ${head.seq}`);
  if (head.hash !== hash) return broken(`the head does not match row ${head.seq}: that row, or the head, was changed`);
  if (head.events !== verdict.events)
    return broken(`the head counts ${head.events} events, the rows have ${verdict.events}: the head was changed`);
  return verdict;
}

function faultOf(
  { seq, at, plans, body, hash }: ChainRow,
  before: AuditVerdict,
  previous: string,
  instance: string,
): string | null {
  const expected = before.rows + 1;
  if (seq !== expected) return `${range(expected, seq - 1)} missing: after row ${before.rows} comes row ${seq}`;
  if (hash === journalHash(previous, instance, seq, at.toISOString(), plans, body)) return null;
  const first = Number(/^\{"n":(\d+)[,}]/.exec(body)?.[1]);
  if (first !== before.events + 1 && Number.isInteger(first)) {
    return `row ${seq} is out of its place (reordered or renumbered): its events begin with number ${first}, ${before.events + 1} comes next`;
  }
  return before.rows === 0
    ? `row ${seq} was changed: its content does not give its hash`
    : `row ${seq} was changed, or row ${seq - 1} with its hash: the chain does not go on from one to the other`;
}

const cutOff = (last: number, head: number): string =>
  `${range(last + 1, head)} missing: the journal was cut off after row ${last}, the head says ${head}`;
const range = (from: number, to: number): string => (from === to ? `row ${from} is` : `rows ${from} to ${to} are`);

function countLines(body: string): number {
  let lines = 1;
  for (let at = body.indexOf('\n'); at >= 0; at = body.indexOf('\n', at + 1)) lines++;
  return lines;
}
