import { attemptsOf, narrowedTo } from './attempt.ts';
import { sayLost } from './copy-attempt.ts';
import { newTicket, publish, refuse, setTicket, start, type Draft, type Refusal } from './flow-draft.ts';
import { dependentsOf, isEnded, isOpen, waitsOf, type Of, type TicketNote, type TicketState } from './flow-state.ts';

/** An ended plan goes on from what did not come to be. */
export function retry(draft: Draft): Refusal | null {
  const { state, at } = draft;
  if (state.status === 'completed' || state.status === 'rejected' || !isEnded(state.status))
    return refuse(draft, 'retried');
  const again = draft.tickets.flatMap(({ status, note }, n) =>
    state.rules[n].undoes === null && !note?.superseded && isUndone(status) ? [n] : [],
  );
  const isReplaced = (dep: number): boolean =>
    draft.tickets[dep].note?.superseded === true && draft.tickets[dep].status !== 'completed';
  if (again.some((n) => state.rules[n].deps.some(isReplaced))) {
    return {
      code: 'PLAN_STATE',
      message: 'what would be done again builds on tickets that a revision replaced and that were undone; replan it',
    };
  }
  const { validUntil } = state.control;
  const latest = validUntil !== null && validUntil > at ? validUntil : Infinity;
  for (const n of again) beginAgain(draft, n, Math.min(at + state.rules[n].timeoutMs, latest));
  countWaits(draft);
  state.control = { ...state.control, stopping: null, undo: false, paused: false };
  publish(draft, 'plan.retried', null, { tickets: again.length });
  start(draft, state.control.unapproved === true);
  return null;
}

/** Ended, and nothing of it stands. */
const isUndone = (status: TicketState['status']): boolean =>
  status === 'failed' || status === 'cancelled' || status === 'compensated';

function beginAgain(draft: Draft, n: number, deadline: number): void {
  const { status, note: was } = draft.tickets[n];
  const note: TicketNote = {};
  if (was?.approved) note.approved = true;
  // Who is given it again sees that this is not the work that was undone.
  if (was?.undoneBy !== undefined) note.undoneBy = was.undoneBy;
  if (was?.redone || status === 'compensated') note.redone = true;
  setTicket(draft, n, {
    status: 'waiting',
    attempt: 0,
    agent: null,
    due: null,
    deadline,
    startedAt: null,
    endedAt: null,
    note: Object.keys(note).length === 0 ? null : note,
  });
}

function countWaits(draft: Draft): void {
  draft.tickets.forEach((ticket, n) => {
    const waits = waitsOf(draft.state.rules[n], draft.tickets);
    if (waits !== ticket.waits) setTicket(draft, n, { waits });
  });
}

/** What a ticket waits for never changes, so that one is kept only when it waits for no other ticket any more. */
function canBeKept(draft: Draft, n: number): boolean {
  const ticket = draft.tickets[n];
  if (ticket === undefined || ticket.note?.superseded || draft.state.rules[n].undoes !== null) return false;
  return ticket.status === 'completed' || (isOpen(ticket.status) && ticket.status !== 'waiting');
}

/** A new revision: what is done or under way is kept as the event says, the rest is replaced. */
export function replan(draft: Draft, event: Of<'replanned'>): Refusal | null {
  const { state, at } = draft;
  const startable =
    state.status === 'waiting_approval' || (state.status === 'running' && state.control.stopping === null);
  const ended = state.status === 'failed' || state.status === 'cancelled' || state.status === 'compensated';
  if (!startable && !ended) return refuse(draft, 'replanned');
  const kept = new Set(event.keep);
  const unfit = event.keep.find((n, task) => n !== null && !(canBeKept(draft, n) && event.keep.indexOf(n) === task));
  if (unfit !== undefined) return { code: 'PLAN_STATE', message: `ticket ${unfit} cannot be kept in the new revision` };
  for (let n = 0; n < draft.tickets.length; n++) {
    const { status, attempt, note } = draft.tickets[n];
    if (kept.has(n) || state.rules[n].undoes !== null || note?.superseded) continue;
    const [first, second] = attemptsOf(draft.tickets[n]);
    if (first !== undefined) {
      draft.commands.push({ type: 'ticket.stop', n });
      setTicket(draft, n, narrowedTo(draft.tickets[n], first));
      publish(draft, 'ticket.cancelled', n, { agent: first.agent, fence: first.fence, attempt });
      if (second !== undefined) sayLost(draft, n, second);
    }
    const end = isOpen(status) ? ({ status: 'cancelled', endedAt: at, due: null } as const) : {};
    setTicket(draft, n, { ...end, note: { ...draft.tickets[n].note, superseded: true } });
  }
  let next = draft.tickets.length;
  const numbers = event.keep.map((n) => n ?? next++);
  const rules = state.rules.slice();
  event.keep.forEach((keep, task) => {
    if (keep !== null) return;
    const rule = { ...event.rules[task], deps: event.rules[task].deps.map((dep) => numbers[dep]) };
    rules.push(rule);
    draft.tickets.push(newTicket(rule, event.deadlines[task]));
    state.open++;
  });
  state.rules = rules;
  state.dependents = dependentsOf(rules);
  countWaits(draft);
  state.control = { ...event.control, paused: state.control.paused };
  const kept_tickets = event.keep.filter((n) => n !== null).length;
  publish(draft, 'plan.replanned', null, { tickets: numbers.length - kept_tickets, kept: kept_tickets });
  start(draft, event.gate);
  return null;
}
