import crypto from 'node:crypto';

/**
 * One thing that happened in one company. The journal row of a commit holds one line per event; that row is at once
 * the event log, the link of the audit chain and the outbox message.
 */
export type JournalEvent = {
  /** Dotted, in the past tense of the thing: `plan.completed`, `ticket.leased`, `key.created`. */
  type: string;
  /** Who made it happen (see actorOf), or `engine`. */
  by: string;
  /** Plan id, when it is about a plan. */
  plan?: string;
  /** Number of the ticket in its plan, when it is about a ticket. */
  ticket?: number;
  /** Why, when a person gave a reason. */
  why?: string;
  data?: Record<string, unknown>;
};

/** An event as read back: with its place. `n` counts the company's events from 1 without gaps. */
export type RecordedEvent = JournalEvent & { instance: string; seq: number; n: number; at: Date };

/** Where a company's chain stands. `plans` is the number of plan keys given out. */
export type JournalHead = { seq: number; events: number; plans: number; hash: string };

export const EMPTY_HEAD: JournalHead = { seq: 0, events: 0, plans: 0, hash: '' };

/** Body of a journal row: one JSON line per event, numbered on from `events`. */
export function journalBody(events: readonly JournalEvent[], eventsBefore: number): string {
  let n = eventsBefore;
  return events.map((event) => JSON.stringify({ n: ++n, ...event })).join('\n');
}

/** sha-256 (hex) over what the row says and the hash before it. `at` is ISO 8601 in milliseconds, `plans` the keys it names. */
export function journalHash(
  previous: string,
  instance: string,
  seq: number,
  at: string,
  plans: readonly number[],
  body: string,
): string {
  return crypto.hash('sha256', `${previous}\n${instance}\n${seq}\n${at}\n${plans.join(',')}\n${body}`, 'hex');
}

export function parseJournalBody(row: { instance: string; seq: number; at: Date; body: string }): RecordedEvent[] {
  return row.body
    .split('\n')
    .map((line) => ({ ...JSON.parse(line), instance: row.instance, seq: row.seq, at: row.at }));
}

/**
 * How a capability other than the flow makes a change: its statements and its events become true in one transaction,
 * through the company's writer, on whichever replica owns the company. Resolves after the commit.
 */
export type JournalWriter = {
  append(
    instance: string,
    events: readonly JournalEvent[],
    statements?: readonly { text: string; values: readonly unknown[] }[],
  ): Promise<void>;
};
