import { journalHash } from '../../src/trust/audit/journal.ts';
import type { Commit, JournalRow, MemoryDatabase, TicketRow } from './memory-database.ts';

type Phase = 'idle' | 'running' | 'completed' | 'compensating' | 'compensated' | 'failed' | 'cancelled';
/** `fence`: the last token given; `live`: tokens of the attempts that run. */
type Seen = { phase: Phase; fence: number; live: Set<number>; undoFailed: boolean; undoneBy: number | null };
type Note = { superseded?: true; token?: number; copy?: { fence: number } };
type SeenPlan = { ended: string | null; tickets: Map<number, Seen> };
type Event = { n: number; type: string; plan?: string; ticket?: number; data?: Record<string, unknown> };

const PLAN_ENDS = new Set(['plan.completed', 'plan.failed', 'plan.cancelled', 'plan.compensated', 'plan.rejected']);
const PHASES_OF_ROWS = new Set(['running', 'completed', 'compensating', 'compensated']);

/**
 * What must hold whatever happens, checked on every commit: a model of the flow that knows only the journal, held against
 * the rows. It shares no code with decide().
 */
export class Invariants {
  violation: string | null = null;
  /** Attempts whose completion is in the journal: plan/n/fence. */
  readonly completions = new Set<string>();
  /** Copies whose begin is in the journal. */
  copies = 0;
  readonly #database: MemoryDatabase;
  readonly #plans = new Map<number, SeenPlan>();
  readonly #chains = new Map<string, { seq: number; events: number; hash: string }>();

  constructor(database: MemoryDatabase) {
    this.#database = database;
    database.onCommit = (commit) => this.#check(commit);
  }

  broken(what: string): void {
    this.violation ??= what;
  }

  #must(holds: boolean, what: () => string): void {
    if (!holds) this.broken(what());
  }

  #check(commit: Commit): void {
    const touched = new Set<number>();
    for (const row of commit.journal) {
      this.#checkChain(row);
      for (const key of row.plans) touched.add(key);
      for (const line of row.body.split('\n')) this.#replay(row, JSON.parse(line) as Event);
    }
    for (const { was, is } of commit.plans) {
      this.#must(touched.has(is.key), () => `plan ${is.id} changed to ${is.status} without a line in the journal`);
      this.#must(
        was === null || is.rev === was.rev + 1 || is.rev === was.rev,
        () => `plan ${is.id} leapt from revision ${was?.rev} to ${is.rev}`,
      );
      const ended = this.#plan(is.key).ended;
      const isEnd = !['waiting_approval', 'running', 'compensating', 'consolidating'].includes(is.status);
      this.#must(
        isEnd ? ended === is.status : ended === null,
        () => `plan ${is.id} is ${is.status}, by its journal ${ended ?? 'open'}`,
      );
      if (is.status === 'completed') this.#checkCompleted(is.key);
    }
    for (const { was, is } of commit.tickets) this.#checkTicket(was, is, touched);
  }

  #checkChain(row: JournalRow): void {
    const chain = this.#chains.get(row.instance) ?? { seq: 0, events: 0, hash: '' };
    this.#must(row.seq === chain.seq + 1, () => `the journal of ${row.instance} goes from ${chain.seq} to ${row.seq}`);
    this.#must(
      row.hash === journalHash(chain.hash, row.instance, row.seq, row.at, row.plans, row.body),
      () => `the chain of ${row.instance} breaks at ${row.seq}`,
    );
    const lines = row.body.split('\n').map((line) => (JSON.parse(line) as Event).n);
    lines.forEach((n, i) =>
      this.#must(n === chain.events + i + 1, () => `event ${n} of ${row.instance} follows ${chain.events + i}`),
    );
    this.#chains.set(row.instance, { seq: row.seq, events: chain.events + lines.length, hash: row.hash });
  }

  #checkTicket(was: TicketRow | null, is: TicketRow, touched: ReadonlySet<number>): void {
    const name = `ticket ${is.plan}/${is.n}`;
    const { phase, fence, live } = this.#ticket(is.plan, is.n);
    this.#must(touched.has(is.plan), () => `${name} changed to ${is.status} without a line in the journal`);
    const expected = PHASES_OF_ROWS.has(is.status) ? is.status : null;
    const said = PHASES_OF_ROWS.has(phase) ? phase : null;
    this.#must(expected === said, () => `${name} is ${is.status}, by its journal ${phase}`);
    this.#must(is.fence === fence, () => `${name} has token ${is.fence}, by its journal ${fence}`);
    this.#must(
      was === null || is.fence >= was.fence,
      () => `the token of ${name} went back from ${was?.fence} to ${is.fence}`,
    );
    const tokens = liveTokens(is);
    this.#must(
      tokens.length === live.size && tokens.every((token) => live.has(token)),
      () => `${name} runs under [${tokens}], by its journal under [${[...live]}]`,
    );
    if (is.status !== 'completed' || was?.status === 'completed' || was?.status === 'compensating') return;
    const { output } = JSON.parse(is.result ?? '{}') as { output?: { tag?: string } };
    const token = noteOf(is).token ?? is.fence;
    this.#must(
      output?.tag?.startsWith(`${is.plan}/${is.n}/${token}/`) === true,
      () => `${name} completed under ${token} with the result ${is.result}`,
    );
  }

  #checkCompleted(key: number): void {
    for (const row of this.#database.ticketsOf(key)) {
      const isOver = isSuperseded(row) || row.status === 'completed' || this.#undoes(row) !== null;
      this.#must(isOver, () => `plan ${key} completed with ticket ${row.n} ${row.status}`);
    }
  }

  #undoes(row: TicketRow): number | null {
    return (JSON.parse(row.spec as string) as { undoes: number | null }).undoes;
  }

  #plan(key: number): SeenPlan {
    let plan = this.#plans.get(key);
    if (plan === undefined) this.#plans.set(key, (plan = { ended: null, tickets: new Map() }));
    return plan;
  }

  #ticket(key: number, n: number): Seen {
    const { tickets } = this.#plan(key);
    let seen = tickets.get(n);
    if (seen === undefined)
      tickets.set(n, (seen = { phase: 'idle', fence: 0, live: new Set(), undoFailed: false, undoneBy: null }));
    return seen;
  }

  #replay(row: JournalRow, { type, plan: id, ticket: n, data = {} }: Event): void {
    const key = id === undefined ? undefined : this.#database.planIds.get(`${row.instance}/${id}`);
    if (key === undefined || type === 'decision.rejected' || type === 'incident.raised') return;
    const plan = this.#plan(key);
    if (type === 'plan.retried' || type === 'plan.replanned' || type === 'plan.received') {
      this.#must(
        type !== 'plan.retried' || (plan.ended !== null && plan.ended !== 'completed'),
        () => `plan ${id} is retried though it is ${plan.ended ?? 'open'}`,
      );
      plan.ended = null;
      if (type !== 'plan.retried') return;
      for (const ticket of this.#database.ticketsOf(key)) {
        const seen = this.#ticket(key, ticket.n);
        if (seen.phase !== 'completed' && !isSuperseded(ticket)) seen.phase = 'idle';
      }
      return;
    }
    this.#must(plan.ended === null, () => `${type} after plan ${id} was ${plan.ended}`);
    if (PLAN_ENDS.has(type)) plan.ended = type.slice('plan.'.length);
    if (n === undefined) return;
    const seen = this.#ticket(key, n);
    const name = `ticket ${key}/${n}`;
    const fence = data.fence as number;
    switch (type) {
      case 'ticket.leased':
        this.#must(seen.phase === 'idle', () => `${name} leased while ${seen.phase}`);
        this.#must(fence === seen.fence + 1, () => `${name} leased under ${fence} after ${seen.fence}`);
        for (const dep of this.#row(key, n)?.deps ?? []) {
          const { phase } = this.#ticket(key, dep);
          this.#must(phase === 'completed', () => `${name} leased while its dependency ${dep} is ${phase}`);
        }
        Object.assign(seen, { phase: 'running', fence, live: new Set([fence]) });
        break;
      case 'ticket.copied':
        this.copies++;
        this.#must(seen.phase === 'running' && seen.live.size === 1, () => `${name} copied under [${[...seen.live]}]`);
        this.#must(fence === seen.fence + 1, () => `${name} copied under ${fence} after ${seen.fence}`);
        this.#must(mayRunTwice(this.#row(key, n)), () => `${name} may not run twice and is copied`);
        seen.fence = fence;
        seen.live.add(fence);
        break;
      case 'ticket.copy_failed':
      case 'ticket.copy_released':
        this.#must(seen.phase === 'running' && seen.live.size === 2, () => `${type} of ${name} while ${seen.phase}`);
        this.#endLive(seen, fence, `${type} of ${name}`);
        break;
      case 'ticket.copy_lost':
        this.#must(seen.phase === 'completed' || seen.phase === 'cancelled', () => `${type} of ${name} that runs on`);
        this.#endLive(seen, fence, `${type} of ${name}`);
        break;
      case 'ticket.completed':
        this.#must(seen.phase === 'running', () => `${name} completed under ${fence} while ${seen.phase}`);
        this.#endLive(seen, fence, `the completion of ${name}`);
        seen.phase = 'completed';
        this.completions.add(`${key}/${n}/${fence}`);
        break;
      case 'ticket.retrying':
      case 'ticket.released':
        this.#must(seen.phase === 'running', () => `${type} of ${name} while ${seen.phase}`);
        this.#endLive(seen, fence, `${type} of ${name}`);
        seen.phase = 'idle';
        break;
      case 'ticket.failed':
      case 'ticket.cancelled': {
        this.#must(seen.phase === 'running' || seen.phase === 'idle', () => `${type} of ${name} while ${seen.phase}`);
        if (seen.phase === 'running') this.#endLive(seen, fence, `${type} of ${name}`);
        seen.phase = type === 'ticket.failed' ? 'failed' : 'cancelled';
        const row = this.#row(key, n);
        const of = row === undefined ? null : this.#undoes(row);
        if (of !== null) Object.assign(this.#ticket(key, of), { phase: 'completed', undoFailed: true });
        break;
      }
      case 'ticket.compensating':
        this.#must(seen.phase === 'completed', () => `${name} is undone while ${seen.phase}`);
        Object.assign(seen, { phase: 'compensating', undoneBy: data.by as number });
        this.#checkUndoOrder(key, n, name);
        break;
      case 'ticket.compensated':
        this.#must(seen.phase === 'compensating', () => `${name} compensated while ${seen.phase}`);
        this.#must(
          this.#ticket(key, seen.undoneBy!).phase === 'completed',
          () => `${name} compensated before its compensation completed`,
        );
        seen.phase = 'compensated';
        break;
      default:
    }
  }

  #endLive({ live }: Seen, fence: number, what: string): void {
    this.#must(live.delete(fence), () => `${what} under ${fence}, which is not among [${[...live]}]`);
  }

  #row(key: number, n: number): TicketRow | undefined {
    return this.#database.tickets.get(`${key}/${n}`);
  }

  /** What depended on a ticket is undone before it. */
  #checkUndoOrder(key: number, of: number, name: string): void {
    for (const row of this.#database.ticketsOf(key)) {
      if (!row.deps.includes(of)) continue;
      const { phase, undoFailed } = this.#ticket(key, row.n);
      const canUndo = (JSON.parse(row.spec as string) as { compensation: string | null }).compensation !== null;
      const stands =
        phase === 'running' || phase === 'compensating' || (phase === 'completed' && canUndo && !undoFailed);
      this.#must(!stands, () => `${name} is undone before ticket ${row.n}, which depends on it and is ${phase}`);
    }
  }
}

const noteOf = ({ note }: TicketRow): Note => (note === null ? {} : (JSON.parse(note) as Note));
const isSuperseded = (row: TicketRow): boolean => noteOf(row).superseded === true;

/** Tokens of the attempts that run, by the row. */
export function liveTokens(row: TicketRow): number[] {
  if (row.status !== 'running') return [];
  const { token = row.fence, copy } = noteOf(row);
  return copy === undefined ? [token] : [token, copy.fence];
}

function mayRunTwice(row: TicketRow | undefined): boolean {
  if (row === undefined) return false;
  const spec = JSON.parse(row.spec as string) as { qos: { delivery_mode: string }; gated: boolean };
  return spec.qos.delivery_mode === 'AT_LEAST_ONCE' && !spec.gated;
}
