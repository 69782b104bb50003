import { isEnded, isOpen, type FlowCommand, type PlanState, type TicketRules, type TicketState } from './flow-state.ts';

/** A state in the making: copied on first write, so that the state that came in stays as it was. */
export type Draft = {
  state: PlanState;
  tickets: TicketState[];
  commands: FlowCommand[];
  at: number;
};

export function openDraft(state: PlanState, at: number): Draft {
  const tickets = state.tickets.slice();
  return { state: { ...state, tickets }, tickets, commands: [], at };
}

export function publish(
  draft: Draft,
  event: string,
  n: number | null = null,
  data: Record<string, unknown> = {},
): void {
  draft.commands.push({ type: 'publish', event, n, data });
}

/** Changes ticket n; keeps the counts of open and running tickets true. */
export function setTicket(draft: Draft, n: number, patch: Partial<TicketState>): void {
  const before = draft.tickets[n];
  const after = { ...before, ...patch };
  draft.tickets[n] = after;
  if (after.status === before.status) return;
  draft.state.open += Number(isOpen(after.status)) - Number(isOpen(before.status));
  draft.state.running += Number(after.status === 'running') - Number(before.status === 'running');
  if (before.status === 'ready' && after.status !== 'running' && !draft.state.control.paused)
    draft.commands.push({ type: 'ticket.withdraw', n });
}

export function wakeAt(draft: Draft, at: number): void {
  if (draft.state.timerAt !== null && draft.state.timerAt <= at) return;
  draft.state.timerAt = at;
  draft.commands.push({ type: 'timer.set', at });
}

/**
 * Its dependencies are done and its time has come: on to an agent, by way of a person when it is destructive.
 * While the whole plan waits for a person it stays where it is; arriveAll comes with the approval.
 */
export function arrive(draft: Draft, n: number): void {
  if (draft.state.status === 'waiting_approval') return;
  const ticket = draft.tickets[n];
  if (draft.state.rules[n].gated && !ticket.note?.approved) {
    setTicket(draft, n, { status: 'approval', due: null });
    publish(draft, 'ticket.waiting_approval', n);
    return;
  }
  setTicket(draft, n, { status: 'ready', due: null });
  if (!draft.state.control.paused) draft.commands.push({ type: 'ticket.ready', n });
}

/** Every ticket whose dependencies are done arrives. */
function arriveAll(draft: Draft): void {
  for (let n = 0; n < draft.tickets.length; n++) {
    const ticket = draft.tickets[n];
    if (ticket.status === 'waiting' && ticket.waits === 0) arrive(draft, n);
  }
}

/** When the plan next has to be woken, from all its tickets; null = never. */
export function nextWake(state: PlanState): number | null {
  const held = state.status === 'waiting_approval'; // attempts kept by a replan go on meanwhile
  let at = (held ? state.control.validUntil : null) ?? Infinity;
  for (let n = 0; n < state.tickets.length; n++) {
    const ticket = state.tickets[n];
    if (!isOpen(ticket.status)) continue;
    if (!held && !ticket.note?.late) at = Math.min(at, ticket.deadline);
    if (!held && ticket.status === 'backoff') at = Math.min(at, ticket.due!);
    if (ticket.status !== 'running') continue;
    at = Math.min(at, ticket.startedAt! + state.rules[n].timeoutMs); // a copy began later
    if (ticket.note?.stopAt !== undefined) at = Math.min(at, ticket.note.stopAt + state.control.stopGraceMs);
  }
  return at === Infinity ? null : at;
}

/** The plan runs, or waits for a person first. */
export function start(draft: Draft, gate: boolean): void {
  const { state } = draft;
  state.status = gate ? 'waiting_approval' : 'running';
  if (gate || state.control.unapproved) state.control = { ...state.control, unapproved: gate };
  if (gate) {
    publish(draft, 'plan.waiting_approval');
    draft.tickets.forEach(({ status }, n) => {
      if (status === 'ready' || status === 'approval') setTicket(draft, n, { status: 'waiting' });
    });
  } else arriveAll(draft);
  setTimer(draft);
}

export function setTimer(draft: Draft): void {
  const at = isEnded(draft.state.status) ? null : nextWake(draft.state);
  if (at !== null) wakeAt(draft, at);
}

export function newTicket(rules: TicketRules, deadline: number): TicketState {
  return {
    status: 'waiting',
    waits: rules.deps.length,
    attempt: 0,
    fence: 0,
    agent: null,
    due: null,
    deadline,
    startedAt: null,
    endedAt: null,
    note: null,
  };
}

/** Why an event does not fit; nothing is changed then. */
export type Refusal = { code: 'LEASE_FENCED' | 'PLAN_STATE'; message: string };

export const refuse = (draft: Draft, verb: string): Refusal => ({
  code: 'PLAN_STATE',
  message: `a plan that is ${draft.state.control.paused ? 'paused and ' : ''}${draft.state.status} cannot be ${verb}`,
});
