import { backoffMs, RETRYABLE } from './backoff.ts';
import { beginCompensation, hasSomethingToUndo, undone } from './compensate.ts';
import {
  arrive,
  newTicket,
  openDraft,
  publish,
  refuse,
  setTicket,
  setTimer,
  start,
  wakeAt,
  type Draft,
  type Refusal,
} from './flow-draft.ts';
import {
  dependentsOf,
  FLOW_VERSION,
  isEnded,
  isOpen,
  type Decision,
  type ErrorClass,
  type FlowEvent,
  type PlanState,
  type TicketNote,
  type Of,
} from './flow-state.ts';
import { replan, retry } from './replan.ts';

/**
 * The whole flow C1–C6 of one plan as a pure function: same state and event, same answer; no clock, no chance, no I/O.
 * `state` null = the plan does not exist yet (only `submitted` fits). What does not fit is answered with one `refuse`
 * command and the state as it was. An interpreter carries out the commands after it has made the state durable.
 */
export function decide(state: PlanState | null, event: FlowEvent): Decision {
  if (event.type === 'submitted') return submit(event);
  if (state === null) throw new Error(`a plan begins with "submitted", not "${event.type}"`);
  const draft = openDraft(state, event.at);
  const refusal = apply(draft, event);
  if (refusal !== null) return { state, commands: [{ type: 'refuse', ...refusal }] };
  settle(draft);
  return { state: draft.state, commands: draft.commands };
}

function apply(draft: Draft, event: Exclude<FlowEvent, { type: 'submitted' }>): Refusal | null {
  switch (event.type) {
    case 'leased':
      return lease(draft, event);
    case 'completed':
      return complete(draft, event);
    case 'failed':
      return fail(draft, event);
    case 'released':
      return release(draft, event);
    case 'due':
      return wake(draft, event);
    case 'approved':
      return approve(draft, event);
    case 'declined':
      return decline(draft, event);
    case 'paused':
      return pause(draft);
    case 'resumed':
      return resume(draft);
    case 'cancelled':
      return cancel(draft, event);
    case 'retried':
      return retry(draft);
    case 'replanned':
      return replan(draft, event);
    case 'consolidated':
      return finish(draft, event);
  }
}

function submit({ at, rules, deadlines, gate, control }: Of<'submitted'>): Decision {
  const tickets = rules.map((rule, n) => newTicket(rule, deadlines[n]));
  const draft: Draft = {
    at,
    tickets,
    commands: [],
    state: {
      flow: FLOW_VERSION,
      status: 'running',
      control,
      rules,
      dependents: dependentsOf(rules),
      tickets,
      open: tickets.length,
      running: 0,
      undoWaits: null,
      timerAt: null,
    },
  };
  publish(draft, 'plan.received');
  publish(draft, 'plan.validated');
  publish(draft, 'plan.ticketed', null, { tickets: tickets.length });
  start(draft, gate);
  settle(draft);
  return { state: draft.state, commands: draft.commands };
}

function lease(draft: Draft, event: Of<'leased'>): null {
  const { state, at } = draft;
  for (const { n, agent } of event.leases) {
    const ticket = draft.tickets[n];
    if (ticket.status !== 'ready' || state.control.paused) continue;
    const fence = ticket.fence + 1;
    const attempt = ticket.attempt + 1;
    setTicket(draft, n, { status: 'running', fence, attempt, agent, startedAt: at, endedAt: null });
    publish(draft, 'ticket.leased', n, { agent, fence, attempt });
    wakeAt(draft, at + state.rules[n].timeoutMs);
  }
  return null;
}

function holds(draft: Draft, n: number, fence: number): Refusal | null {
  const ticket = draft.tickets[n];
  if (ticket?.status === 'running' && ticket.fence === fence) return null;
  const why =
    ticket === undefined ? 'there is no such ticket' : `the ticket is ${ticket.status} under token ${ticket.fence}`;
  return { code: 'LEASE_FENCED', message: `fencing token ${fence} is stale: ${why}` };
}

function complete(draft: Draft, { n, fence }: Of<'completed'>): Refusal | null {
  const refusal = holds(draft, n, fence);
  if (refusal) return refusal;
  const { state, at } = draft;
  const { agent, attempt, startedAt } = draft.tickets[n];
  if (at > draft.tickets[n].deadline) noteLate(draft, n);
  setTicket(draft, n, {
    status: 'completed',
    endedAt: at,
    note: without(draft.tickets[n].note, 'error', 'errorClass', 'stopAt'),
  });
  publish(draft, 'ticket.completed', n, { agent, fence, attempt, duration_ms: at - startedAt! });
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

function fail(draft: Draft, event: Of<'failed'>): Refusal | null {
  const refusal = holds(draft, event.n, event.fence);
  if (refusal) return refusal;
  endAttempt(draft, event.n, event.errorClass, event.error, event.retryAfterMs, event.jitter);
  return null;
}

function endAttempt(
  draft: Draft,
  n: number,
  errorClass: ErrorClass,
  error: string,
  retryAfterMs: number | null,
  jitter: number,
): void {
  const { state, at } = draft;
  const { agent, attempt, fence, startedAt, note } = draft.tickets[n];
  const said = { agent, fence, attempt, error_class: errorClass, error, duration_ms: at - startedAt! };
  const undoing = state.rules[n].undoes !== null;
  if (note?.stopAt !== undefined) {
    setTicket(draft, n, { status: 'cancelled', endedAt: at, note: { ...note, error, errorClass } });
    publish(draft, 'ticket.cancelled', n, said);
  } else if (
    RETRYABLE.has(errorClass) &&
    attempt <= state.rules[n].maxRetries &&
    (undoing || state.control.stopping === null)
  ) {
    const delay_ms = backoffMs(state, attempt, errorClass, retryAfterMs, jitter);
    setTicket(draft, n, { status: 'backoff', due: at + delay_ms, note: { ...note, error, errorClass } });
    publish(draft, 'ticket.retrying', n, { ...said, delay_ms });
    wakeAt(draft, at + delay_ms);
  } else failTicket(draft, n, errorClass, error, said);
}

/** The ticket has failed for good: the plan cannot finish. */
function failTicket(
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
function stop(draft: Draft, reason: 'failed' | 'cancelled', undo: boolean, said: Record<string, unknown>): void {
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

function release(draft: Draft, { n, fence }: Of<'released'>): Refusal | null {
  const refusal = holds(draft, n, fence);
  if (refusal) return refusal;
  const { agent, attempt, note } = draft.tickets[n];
  publish(draft, 'ticket.released', n, { agent, fence });
  if (note?.stopAt !== undefined) setTicket(draft, n, { status: 'cancelled', endedAt: draft.at });
  else {
    setTicket(draft, n, { status: 'waiting', attempt: attempt - 1, agent: null, startedAt: null });
    arrive(draft, n);
  }
  return null;
}

function noteLate(draft: Draft, n: number): void {
  const { deadline, note } = draft.tickets[n];
  if (note?.late) return;
  setTicket(draft, n, { note: { ...note, late: true } });
  publish(draft, 'ticket.late', n, { deadline });
}

function wake(draft: Draft, { jitter }: Of<'due'>): null {
  const { state, at } = draft;
  const { validUntil, stopGraceMs } = state.control;
  state.timerAt = null;
  if (state.status === 'waiting_approval' && validUntil !== null && at >= validUntil) {
    refusePlan(draft, 'nobody approved it before valid_until');
  }
  for (let n = 0; n < draft.tickets.length; n++) {
    if (!isOpen(draft.tickets[n].status)) continue;
    if (state.status !== 'waiting_approval' && at >= draft.tickets[n].deadline) noteLate(draft, n);
    const { status, due, startedAt, note } = draft.tickets[n];
    if (status === 'backoff' && at >= due! && state.status !== 'waiting_approval') {
      publish(draft, 'ticket.ready', n);
      arrive(draft, n);
    } else if (status !== 'running') continue;
    else if (note?.stopAt !== undefined && at >= note.stopAt + stopGraceMs) {
      endAttempt(draft, n, 'timeout', 'did not stop in time and was fenced', null, jitter);
    } else if (at >= startedAt! + state.rules[n].timeoutMs) {
      draft.commands.push({ type: 'ticket.stop', n });
      endAttempt(draft, n, 'timeout', `took longer than ${state.rules[n].timeoutMs} ms`, null, jitter);
    }
  }
  setTimer(draft);
  return null;
}

function approve(draft: Draft, { n }: Of<'approved'>): Refusal | null {
  const { state } = draft;
  if (state.status !== 'waiting_approval' && state.status !== 'running') return refuse(draft, 'approved');
  if (n === null) {
    const waits = state.status === 'waiting_approval' || draft.tickets.some((ticket) => ticket.status === 'approval');
    if (!waits) return { code: 'PLAN_STATE', message: 'nothing in this plan waits for approval' };
    publish(draft, 'plan.approved');
    for (let i = 0; i < draft.tickets.length; i++) if (state.rules[i].gated) approveTicket(draft, i);
    if (state.status === 'waiting_approval') start(draft, false);
    return null;
  }
  const ticket = draft.tickets[n];
  if (ticket === undefined || !state.rules[n].gated || !isOpen(ticket.status) || ticket.note?.approved) {
    return { code: 'PLAN_STATE', message: `task ${n} does not wait for approval` };
  }
  publish(draft, 'ticket.approved', n);
  approveTicket(draft, n);
  return null;
}

function approveTicket(draft: Draft, n: number): void {
  setTicket(draft, n, { note: { ...draft.tickets[n].note, approved: true } });
  if (draft.tickets[n].status === 'approval') arrive(draft, n);
}

function decline(draft: Draft, { n, why }: Of<'declined'>): Refusal | null {
  const { state } = draft;
  if (state.status === 'waiting_approval') {
    refusePlan(draft, why);
    return null;
  }
  if (state.status !== 'running') return refuse(draft, 'rejected');
  const declined = n ?? draft.tickets.findIndex((ticket) => ticket.status === 'approval');
  const ticket = draft.tickets[declined];
  if (ticket === undefined || !state.rules[declined].gated || !isOpen(ticket.status) || ticket.status === 'running') {
    return { code: 'PLAN_STATE', message: 'nothing in this plan waits for approval' };
  }
  publish(draft, 'ticket.declined', declined, { why });
  failTicket(draft, declined, 'declined', `declined: ${why}`, { error_class: 'declined', error: why });
  return null;
}

/** A plan that never ran is rejected; one that was replanned keeps what it did, and is cancelled. */
function refusePlan(draft: Draft, why: string): void {
  if (draft.tickets.some((ticket) => ticket.fence > 0)) return stop(draft, 'cancelled', false, { why });
  for (let n = 0; n < draft.tickets.length; n++) {
    if (isOpen(draft.tickets[n].status)) setTicket(draft, n, { status: 'cancelled', endedAt: draft.at, due: null });
  }
  draft.state.status = 'rejected';
  draft.state.timerAt = null;
  publish(draft, 'plan.rejected', null, { why });
  draft.commands.push({ type: 'finish', status: 'rejected' });
}

function pause(draft: Draft): Refusal | null {
  const { state } = draft;
  if (isEnded(state.status) || state.status === 'consolidating') return refuse(draft, 'paused');
  if (state.control.paused) return null;
  draft.tickets.forEach((ticket, n) => {
    if (ticket.status === 'ready') draft.commands.push({ type: 'ticket.withdraw', n });
  });
  state.control = { ...state.control, paused: true };
  publish(draft, 'plan.paused');
  return null;
}

function resume(draft: Draft): Refusal | null {
  const { state } = draft;
  if (isEnded(state.status)) return refuse(draft, 'resumed');
  if (!state.control.paused) return null;
  state.control = { ...state.control, paused: false };
  publish(draft, 'plan.resumed');
  draft.tickets.forEach((ticket, n) => {
    if (ticket.status === 'ready') draft.commands.push({ type: 'ticket.ready', n });
  });
  return null;
}

function cancel(draft: Draft, { undo, why }: Of<'cancelled'>): Refusal | null {
  const { state } = draft;
  if (state.control.stopping === 'cancelled') return null;
  if (state.status !== 'running' && state.status !== 'waiting_approval') return refuse(draft, 'cancelled');
  state.control = { ...state.control, paused: false }; // else what is undone would wait for a resume
  stop(draft, 'cancelled', undo, { why });
  return null;
}

function finish(draft: Draft, { result }: Of<'consolidated'>): Refusal | null {
  const { state } = draft;
  if (state.status !== 'consolidating') return refuse(draft, 'consolidated');
  state.status = outcome(state);
  state.undoWaits = null;
  state.timerAt = null;
  publish(draft, `plan.${state.status}`, null, { ...result });
  draft.commands.push({ type: 'finish', status: state.status });
  return null;
}

function outcome(state: PlanState): 'completed' | 'failed' | 'cancelled' | 'compensated' {
  const { stopping } = state.control;
  if (stopping === null) return 'completed';
  const undoing = state.undoWaits !== null;
  if (!undoing) return stopping;
  return state.tickets.some((ticket) => ticket.note?.undoFailed) ? 'failed' : 'compensated';
}

/** After every event: does the plan stand still? Then on to compensation, or to consolidation. */
function settle(draft: Draft): void {
  const { state } = draft;
  if (state.open > 0 || (state.status !== 'running' && state.status !== 'compensating')) return;
  if (state.status === 'running' && state.control.undo && hasSomethingToUndo(state)) {
    beginCompensation(draft);
    if (state.open > 0) return;
  }
  state.status = 'consolidating';
  publish(draft, 'plan.consolidating');
  draft.commands.push({ type: 'consolidate' });
}

function without(note: TicketNote | null, ...keys: (keyof TicketNote)[]): TicketNote | null {
  if (note === null) return null;
  const rest = { ...note };
  for (const key of keys) delete rest[key];
  return Object.keys(rest).length === 0 ? null : rest;
}
