import { without } from './attempt.ts';
import { beginCompensation, hasSomethingToUndo } from './compensate.ts';
import { copy } from './copy-attempt.ts';
import { complete, endOverdue, fail, failTicket, lose, noteLate, release, stop } from './end-attempt.ts';
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
  type FlowEvent,
  type PlanState,
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
    case 'copied':
      return copy(draft, event);
    case 'completed':
      return complete(draft, event);
    case 'failed':
      return fail(draft, event);
    case 'lost':
      return lose(draft, event);
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
    const note = without(ticket.note, 'copied', 'token');
    setTicket(draft, n, { status: 'running', fence, attempt, agent, startedAt: at, endedAt: null, note });
    publish(draft, 'ticket.leased', n, { agent, fence, attempt });
    wakeAt(draft, at + state.rules[n].timeoutMs);
  }
  return null;
}

function wake(draft: Draft, { jitter }: Of<'due'>): null {
  const { state, at } = draft;
  const { validUntil } = state.control;
  state.timerAt = null;
  if (state.status === 'waiting_approval' && validUntil !== null && at >= validUntil) {
    refusePlan(draft, 'nobody approved it before valid_until');
  }
  for (let n = 0; n < draft.tickets.length; n++) {
    if (!isOpen(draft.tickets[n].status)) continue;
    if (state.status !== 'waiting_approval' && at >= draft.tickets[n].deadline) noteLate(draft, n);
    const { status, due } = draft.tickets[n];
    if (status === 'backoff' && at >= due! && state.status !== 'waiting_approval') {
      publish(draft, 'ticket.ready', n);
      arrive(draft, n);
    } else if (status === 'running') endOverdue(draft, n, jitter);
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
