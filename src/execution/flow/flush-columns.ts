import { isPlanChanged, type DraftPlan } from './live-plan.ts';
import { isEnded, type TicketState } from './flow-state.ts';

const quote = (text: string): string => (/["\\]/.test(text) ? `"${text.replace(/["\\]/g, '\\$&')}"` : `"${text}"`);
/** JSON text holds no control characters, so that quoting it as JSON is quoting it for an array, and native. */
const quoteJson = (text: string): string => JSON.stringify(text.includes('\\u') ? readable(text) : text);
const quoteLines = (lines: string): string =>
  `"${lines
    .split('\n')
    .map((line) => JSON.stringify(line).slice(1, -1))
    .join('\n')}"`;
/** PostgreSQL keeps NUL and lone surrogates in JSON text and then cannot read it: U+FFFD takes their place. */
const readable = (json: string): string =>
  json.replace(/\\\\|\\u0000|\\ud[89a-f][0-9a-f]{2}/g, (escape) => (escape === '\\\\' ? escape : '\\ufffd'));
const text = (value: string | null): string => (value === null ? 'NULL' : quote(value));
const number = (value: number | null): string => (value === null ? 'NULL' : String(value));
const json = (value: unknown): string => (value === null ? 'NULL' : quoteJson(JSON.stringify(value)));

/** Columns of each argument group of colmeia_flush, in its order. Source: migrations/0001_spine.sql. */
const GROUPS = {
  newPlans: 13,
  planChanges: 6,
  planContents: 7,
  newTickets: 13,
  ticketChanges: 14,
  journal: 8,
} as const;
type Group = keyof typeof GROUPS;

/** A journal row, with where the company's head goes with it. */
export type JournalRow = {
  instance: string;
  seq: number;
  at: string;
  plans: readonly number[];
  body: string;
  hash: string;
  events: number;
  given: number;
};

/** The arguments of one flush as PostgreSQL array literals, gathered column by column. */
export class FlushColumns {
  readonly #groups = Object.fromEntries(
    Object.entries(GROUPS).map(([group, width]) => [group, Array.from({ length: width }, (): string[] => [])]),
  ) as Record<Group, string[][]>;

  args(): string[] {
    return Object.values(this.#groups).flatMap((columns) => columns.map((column) => `{${column.join(',')}}`));
  }

  /** What changed between `before` and `after`, found by identity: decide() never changes a state in place. */
  plan(draft: DraftPlan): void {
    const { plan, before, after, content } = draft;
    const endedAt = isEnded(after.status) ? lastEnd(after.tickets, plan.created_at) : null;
    if (before === null) {
      this.#row(
        'newPlans',
        String(plan.key),
        quote(plan.instance),
        quote(plan.plan_id),
        quote(after.status),
        String(after.flow),
        quote(content!.digest),
        quoteJson(content!.decision),
        quoteJson(content!.header),
        json(after.control),
        String(draft.specs.length),
        String(plan.created_at),
        number(endedAt),
        json(draft.consolidation),
      );
    } else {
      if (content !== null) {
        this.#row(
          'planContents',
          String(plan.key),
          String(after.flow),
          quote(content.digest),
          quoteJson(content.decision),
          quoteJson(content.header),
          String(draft.specs.length),
          String(plan.created_at),
        );
      }
      if (isPlanChanged(draft)) {
        this.#row(
          'planChanges',
          String(plan.key),
          String(plan.rev),
          quote(after.status),
          json(after.control),
          number(endedAt),
          json(draft.consolidation),
        );
      }
    }
    const known = before?.tickets ?? [];
    for (let n = 0; n < after.tickets.length; n++) {
      const ticket = after.tickets[n];
      if (n >= known.length) this.#newTicket(draft, n, ticket);
      else if (ticket !== known[n] && isKeptDifferently(known[n], ticket))
        this.#ticketChange(draft, n, known[n], ticket);
    }
  }

  /** A plan that never ran: its decision was refused, or was no. */
  rejectedPlan(row: {
    key: number;
    instance: string;
    id: string;
    flow: number;
    digest: string;
    decision: string;
    header: string;
    at: number;
    result: unknown;
  }): void {
    this.#row(
      'newPlans',
      String(row.key),
      quote(row.instance),
      quote(row.id),
      'rejected',
      String(row.flow),
      quote(row.digest),
      quoteJson(row.decision),
      quoteJson(row.header),
      '"{}"',
      '0',
      String(row.at),
      String(row.at),
      json(row.result),
    );
  }

  journal({ instance, seq, at, plans, body, hash, events, given }: JournalRow): void {
    this.#row(
      'journal',
      quote(instance),
      String(seq),
      at,
      quote(`{${plans.join(',')}}`),
      quoteLines(body),
      hash,
      String(events),
      String(given),
    );
  }

  #newTicket({ plan, specs, after }: DraftPlan, n: number, ticket: TicketState): void {
    this.#row(
      'newTickets',
      String(plan.key),
      String(n),
      quote(plan.instance),
      ticket.status,
      json(specs[n]),
      quote(`{${after.rules[n].deps.join(',')}}`),
      text(ticket.agent),
      String(ticket.fence),
      String(ticket.attempt),
      String(ticket.deadline),
      number(ticket.startedAt),
      number(ticket.endedAt),
      json(ticket.note),
    );
  }

  #ticketChange({ plan, results }: DraftPlan, n: number, before: TicketState, after: TicketState): void {
    const result = results.get(n);
    this.#row(
      'ticketChanges',
      String(plan.key),
      String(n),
      before.status,
      String(before.fence),
      after.status,
      text(after.agent),
      String(after.fence),
      String(after.attempt),
      number(after.due),
      String(after.deadline),
      number(after.startedAt),
      number(after.endedAt),
      json(after.note),
      result === undefined ? 'NULL' : quoteJson(result),
    );
  }

  #row(group: Group, ...cells: string[]): void {
    const columns = this.#groups[group];
    for (let i = 0; i < cells.length; i++) columns[i].push(cells[i]);
  }
}

/** `waits` is derived and not kept. */
function isKeptDifferently(a: TicketState, b: TicketState): boolean {
  return (
    a.status !== b.status ||
    a.fence !== b.fence ||
    a.note !== b.note ||
    a.deadline !== b.deadline ||
    a.attempt !== b.attempt
  );
}

function lastEnd(tickets: readonly TicketState[], createdAt: number): number {
  return tickets.reduce((last, ticket) => Math.max(last, ticket.endedAt ?? 0), createdAt);
}
