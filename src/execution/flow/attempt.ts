import type { Attempt, TicketNote, TicketState } from './flow-state.ts';

type Kept = Omit<TicketState, 'waits'>;

/** Token of the attempt that a ticket's agent and start speak of; `fence` is the last token that was given. */
export const tokenOf = ({ fence, note }: Pick<TicketState, 'fence' | 'note'>): number => note?.token ?? fence;

/** True while an attempt with this token runs. */
export const isHeld = (ticket: Kept, fence: number): boolean =>
  ticket.status === 'running' && (tokenOf(ticket) === fence || ticket.note?.copy?.fence === fence);

/** The running attempt with this token; null = none has it. */
export function attemptOf(ticket: Kept, fence: number): Attempt | null {
  if (!isHeld(ticket, fence)) return null;
  const { agent, startedAt, note } = ticket;
  return note?.copy?.fence === fence ? note.copy : { fence, agent: agent!, startedAt: startedAt! };
}

/** Attempts that run: none, one, or two while a copy runs; the earlier one first. */
export function attemptsOf(ticket: Kept): Attempt[] {
  const { status, agent, startedAt, note } = ticket;
  if (status !== 'running') return [];
  const first = { fence: tokenOf(ticket), agent: agent!, startedAt: startedAt! };
  return note?.copy === undefined ? [first] : [first, note.copy];
}

/** The attempt that runs beside the one with this token; null = none. */
export function otherAttempt(ticket: Kept, fence: number): Attempt | null {
  if (ticket.note?.copy === undefined) return null;
  return attemptsOf(ticket).find((attempt) => attempt.fence !== fence) ?? null;
}

/** What changes of a ticket when `attempt` is the only one left, or the one that counts. */
export function narrowedTo(ticket: TicketState, attempt: Attempt): Pick<TicketState, 'agent' | 'startedAt' | 'note'> {
  const { agent, startedAt } = attempt;
  if (ticket.note?.copy === undefined) return { agent, startedAt, note: ticket.note };
  const { copy: _copy, token: _token, ...rest } = ticket.note;
  return { agent, startedAt, note: attempt.fence === ticket.fence ? rest : { ...rest, token: attempt.fence } };
}

/** States a ticket can be in after a failed attempt, while its token is still the last one. */
export const hasFailed = (status: string): boolean =>
  status === 'backoff' || status === 'ready' || status === 'failed' || status === 'cancelled';

export function without(note: TicketNote | null, ...keys: (keyof TicketNote)[]): TicketNote | null {
  if (note === null) return null;
  const rest = { ...note };
  for (const key of keys) delete rest[key];
  return Object.keys(rest).length === 0 ? null : rest;
}
