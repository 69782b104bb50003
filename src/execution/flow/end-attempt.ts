import { attemptOf, attemptsOf, narrowedTo, otherAttempt, without } from './attempt.ts';
import { backoffMs, RETRYABLE } from './backoff.ts';
import { undone } from './compensate.ts';
import { forgetCopy, leaveToOther, sayLost } from './copy-attempt.ts';
import { arrive, publish, setTicket, setTimer, wakeAt, type Draft, type Refusal } from './flow-draft.ts';
import { isOpen, type Attempt, type ErrorClass, type Of } from './flow-state.ts';

/** Lost attempts of a ticket that use up no retry; further ones do, as a ticket may be what brings its agents down. */
const MOST_LOST = 3;

/** The running attempt with this token, or why there is none. */
function held(draft: Draft, n: number, fence: number): Attempt | Refusal {
  const ticket = draft.tickets[n];
  const attempt = ticket === undefined ? null : attemptOf(ticket, fence);
  if (attempt !== null) return attempt;
  const why =
    ticket === undefined ? 'there is no such ticket' : `the ticket is ${ticket.status} under token ${ticket.fence}`;
  return { code: 'LEASE_FENCED', message: `fencing token ${fence} is stale: ${why}` };
}

export function complete(draft: Draft, { n, fence }: Of<'completed'>): Refusal | null {
  const winner = held(draft, n, fence);
  if ('code' in winner) return winner;
  const { state, at } = draft;
  const loser = otherAttempt(draft.tickets[n], fence);
  if (at > draft.tickets[n].deadline) noteLate(draft, n);
  const { agent, startedAt, note } = narrowedTo(draft.tickets[n], winner);
  setTicket(draft, n, {
    status: 'completed',
    agent,
    startedAt,
    endedAt: at,
    note: without(note, 'error', 'errorClass', 'stopAt', 'copied'),
  });
  const { attempt } = draft.tickets[n];
  publish(draft, 'ticket.completed', n, { agent, fence, attempt, duration_ms: at - winner.startedAt });
  if (loser !== null) sayLost(draft, n, loser);
  const { undoes } = state.rules[n];
  if (undoes !== null) {
    setTicket(draft, undoes, { status: 'compensated' });
    publish(draft, 'ticket.compensated', undoes);
    undone(draft, undoes);
    return null;
  }
  for (const dependent of state.dependents[n]) {
    const waits = draft.tickets[dependent].waits - 1;
    setTicket(draft, dependent, { waits });
    if (waits === 0 && draft.tickets[dependent].status === 'waiting') arrive(draft, dependent);
  }
  return null;
}

export function fail(draft: Draft, event: Of<'failed'>): Refusal | null {
  const attempt = held(draft, event.n, event.fence);
  if ('code' in attempt) return attempt;
  endAttempt(draft, event.n, attempt, event);
  return null;
}

/** Nobody answers for the attempt any more: its agent is gone, or what stood between it and us. */
export function lose(draft: Draft, event: Of<'lost'>): Refusal | null {
  const attempt = held(draft, event.n, event.fence);
  if ('code' in attempt) return attempt;
  endAttempt(draft, event.n, attempt, { ...event, errorClass: 'timeout', isLost: true });
  return null;
}

type Failure = Pick<Of<'failed'>, 'errorClass' | 'error' | 'retryAfterMs' | 'jitter'> & { isLost?: boolean };

function endAttempt(draft: Draft, n: number, { agent, fence, startedAt }: Attempt, failure: Failure): void {
  const { state, at } = draft;
  const { errorClass, error } = failure;
  const { attempt, note } = draft.tickets[n];
  const said = { agent, fence, attempt, error_class: errorClass, error, duration_ms: at - startedAt };
  if (leaveToOther(draft, n, fence, 'ticket.copy_failed', said)) return;
  const undoing = state.rules[n].undoes !== null;
  if (note?.stopAt !== undefined) {
    setTicket(draft, n, { status: 'cancelled', endedAt: at, note: { ...note, error, errorClass } });
    publish(draft, 'ticket.cancelled', n, said);
  } else if (undoing || state.control.stopping === null) retryOrFail(draft, n, failure, said);
  else failTicket(draft, n, errorClass, error, said);
}

function retryOrFail(draft: Draft, n: number, failure: Failure, said: Record<string, unknown>): void {
  const { state, at } = draft;
  const { errorClass, error, retryAfterMs, jitter, isLost = false } = failure;
  const { attempt, note } = draft.tickets[n];
  const { maxRetries } = state.rules[n];
  const lostBefore = note?.lost ?? 0;
  const isFree = isLost && lostBefore < MOST_LOST && maxRetries > 0; // none: what may have begun is not begun again
  const lost = lostBefore + Number(isFree);
  const failures = attempt - lost;
  if (!RETRYABLE.has(errorClass) || failures > maxRetries) return failTicket(draft, n, errorClass, error, said);
  const delay_ms = backoffMs(state, isFree ? lost : failures, errorClass, retryAfterMs, jitter);
  const kept = lost === 0 ? note : { ...note, lost };
  setTicket(draft, n, { status: 'backoff', due: at + delay_ms, note: { ...kept, error, errorClass } });
  publish(draft, 'ticket.retrying', n, { ...said, delay_ms, ...(isFree ? { lost } : {}) });
  wakeAt(draft, at + delay_ms);
}

/** The ticket has failed for good: the plan cannot finish. */
export function failTicket(
  draft: Draft,
  n: number,
  errorClass: ErrorClass | 'declined',
  error: string,
  said: Record<string, unknown>,
): void {
  setTicket(draft, n, { status: 'failed', endedAt: draft.at, note: { ...draft.tickets[n].note, error, errorClass } });
  publish(draft, 'ticket.failed', n, said);
  const { undoes } = draft.state.rules[n];
  if (undoes === null) {
    if (draft.state.control.stopping === null) stop(draft, 'failed', true, { cause: n, error });
    return;
  }
  setTicket(draft, undoes, { status: 'completed', note: { ...draft.tickets[undoes].note, undoFailed: true } });
  undone(draft, undoes);
}

/** No further ticket starts; running attempts are told to stop. */
export function stop(draft: Draft, reason: 'failed' | 'cancelled', undo: boolean, said: Record<string, unknown>): void {
  const { state, at } = draft;
  state.status = 'running'; // also when the plan waited for approval of a replan
  state.control = { ...state.control, stopping: reason, undo };
  let cancelled = 0;
  for (let n = 0; n < draft.tickets.length; n++) {
    const ticket = draft.tickets[n];
    if (ticket.status === 'running') stopAttempt(draft, n);
    else if (isOpen(ticket.status)) {
      setTicket(draft, n, { status: 'cancelled', endedAt: at, due: null });
      cancelled++;
    }
  }
  publish(draft, reason === 'failed' ? 'plan.failing' : 'plan.cancelling', null, {
    ...said,
    cancelled,
    running: state.running,
  });
  setTimer(draft);
}

/** Its grace begins once. */
function stopAttempt(draft: Draft, n: number): void {
  if (draft.tickets[n].note?.stopAt !== undefined) return;
  setTicket(draft, n, { note: { ...draft.tickets[n].note, stopAt: draft.at } });
  draft.commands.push({ type: 'ticket.stop', n });
  wakeAt(draft, draft.at + draft.state.control.stopGraceMs);
}

export function release(draft: Draft, { n, fence }: Of<'released'>): Refusal | null {
  const given = held(draft, n, fence);
  if ('code' in given) return given;
  const { agent } = given;
  if (leaveToOther(draft, n, fence, 'ticket.copy_released', { agent, fence })) {
    forgetCopy(draft, n);
    return null;
  }
  const { attempt, note } = draft.tickets[n];
  publish(draft, 'ticket.released', n, { agent, fence });
  if (note?.stopAt !== undefined) setTicket(draft, n, { status: 'cancelled', endedAt: draft.at });
  else {
    setTicket(draft, n, { status: 'waiting', attempt: attempt - 1, agent: null, startedAt: null });
    arrive(draft, n);
  }
  return null;
}

export function noteLate(draft: Draft, n: number): void {
  const { deadline, note } = draft.tickets[n];
  if (note?.late) return;
  setTicket(draft, n, { note: { ...note, late: true } });
  publish(draft, 'ticket.late', n, { deadline });
}

/** Attempts that did not stop in their grace, or took longer than one may. */
export function endOverdue(draft: Draft, n: number, jitter: number): void {
  const { state, at } = draft;
  const { timeoutMs } = state.rules[n];
  const { stopAt } = draft.tickets[n].note ?? {};
  const timeout = (error: string): Failure => ({ errorClass: 'timeout', error, retryAfterMs: null, jitter });
  for (const attempt of attemptsOf(draft.tickets[n])) {
    if (stopAt !== undefined && at >= stopAt + state.control.stopGraceMs) {
      endAttempt(draft, n, attempt, timeout('did not stop in time and was fenced'));
    } else if (at >= attempt.startedAt + timeoutMs) {
      draft.commands.push({ type: 'ticket.stop', n });
      endAttempt(draft, n, attempt, timeout(`took longer than ${timeoutMs} ms`));
    }
  }
}
