import { narrowedTo, otherAttempt, tokenOf, without } from './attempt.ts';
import { publish, setTicket, type Draft, type Refusal } from './flow-draft.ts';
import type { Attempt, Of } from './flow-state.ts';

/**
 * A second attempt beside the one that runs, for work that may be done twice: the first result counts and the other
 * attempt is fenced. One copy for each attempt that counts, so that failures come to an end as they do without copies.
 */
export function copy(draft: Draft, { n, agent }: Of<'copied'>): Refusal | null {
  const { state, at } = draft;
  const ticket = draft.tickets[n];
  const goesOn = state.status === 'running' && state.control.stopping === null && !state.control.paused;
  if (!goesOn || ticket?.status !== 'running' || !state.rules[n].copyable || ticket.agent === agent) return noCopy(n);
  if (ticket.note?.copied || ticket.note?.stopAt !== undefined) return noCopy(n);
  const fence = ticket.fence + 1;
  const second: Attempt = { fence, agent, startedAt: at };
  setTicket(draft, n, { fence, note: { ...ticket.note, token: tokenOf(ticket), copied: true, copy: second } });
  publish(draft, 'ticket.copied', n, { agent, fence, attempt: ticket.attempt });
  return null;
}

const noCopy = (n: number): Refusal => ({ code: 'PLAN_STATE', message: `ticket ${n} cannot be copied now` });

/** One of two attempts has ended and the other goes on; no retry is used up. False = it was the only one. */
export function leaveToOther(draft: Draft, n: number, fence: number, event: string, said: Said): boolean {
  const ticket = draft.tickets[n];
  const other = otherAttempt(ticket, fence);
  if (other === null) return false;
  setTicket(draft, n, narrowedTo(ticket, other));
  publish(draft, event, n, said);
  return true;
}

type Said = Record<string, unknown>;

/** Nobody took the lease up: another copy may be begun. */
export function forgetCopy(draft: Draft, n: number): void {
  setTicket(draft, n, { note: without(draft.tickets[n].note, 'copied') });
}

/** What the attempt beside the one that counted came to. */
export function sayLost(draft: Draft, n: number, { agent, fence, startedAt }: Attempt): void {
  const { attempt } = draft.tickets[n];
  publish(draft, 'ticket.copy_lost', n, { agent, fence, attempt, duration_ms: draft.at - startedAt });
}
