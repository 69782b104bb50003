import { newTicket, publish, setTicket, wakeAt, type Draft } from './flow-draft.ts';
import type { PlanState, TicketRules, TicketState } from './flow-state.ts';

const needsUndo = (rules: TicketRules, ticket: TicketState): boolean =>
  rules.undoes === null && rules.compensable && ticket.status === 'completed' && !ticket.note?.undoFailed;

export function hasSomethingToUndo(state: PlanState): boolean {
  return state.tickets.some((ticket, n) => needsUndo(state.rules[n], ticket));
}

/**
 * Undoes what is done in reverse topological order: a ticket's turn comes when everything that depended on it is undone.
 * Tickets that need no undoing pass at once.
 */
export function beginCompensation(draft: Draft): void {
  const { state } = draft;
  state.status = 'compensating';
  publish(draft, 'plan.compensating');
  const waits = state.dependents.map((dependents) => dependents.length);
  state.undoWaits = waits;
  const first: number[] = [];
  for (let n = 0; n < waits.length; n++) if (waits[n] === 0 && state.rules[n].undoes === null) first.push(n);
  takeTurns(draft, waits, first);
}

/** The compensation of ticket n came to an end, well or not: on to what n depended on. */
export function undone(draft: Draft, n: number): void {
  const waits = draft.state.undoWaits!.slice();
  draft.state.undoWaits = waits;
  takeTurns(draft, waits, passOn(draft, waits, n));
}

function passOn(draft: Draft, waits: number[], n: number): number[] {
  return draft.state.rules[n].deps.filter((dep) => --waits[dep] === 0);
}

function takeTurns(draft: Draft, waits: number[], turns: number[]): void {
  const { state } = draft;
  while (turns.length > 0) {
    const n = turns.pop()!;
    if (!needsUndo(state.rules[n], draft.tickets[n])) turns.push(...passOn(draft, waits, n));
    else makeCompensation(draft, waits, n);
  }
}

function makeCompensation(draft: Draft, waits: number[], of: number): void {
  const { state } = draft;
  const n = draft.tickets.length;
  const { timeoutMs, maxRetries } = state.rules[of];
  const deadline = draft.at + timeoutMs;
  const rules: TicketRules = {
    deps: [],
    timeoutMs,
    maxRetries,
    gated: false,
    compensable: false,
    copyable: false,
    undoes: of,
  };
  state.rules = [...state.rules, rules];
  state.dependents = [...state.dependents, []];
  waits.push(0);
  draft.tickets.push({ ...newTicket(rules, deadline), status: 'ready' });
  state.open++;
  setTicket(draft, of, { status: 'compensating', note: { ...draft.tickets[of].note, undoneBy: n } });
  draft.commands.push({ type: 'compensate', n, of });
  publish(draft, 'ticket.compensating', of, { by: n });
  if (!state.control.paused) draft.commands.push({ type: 'ticket.ready', n });
  wakeAt(draft, deadline);
}

/**
 * The undo counts of a plan that was read back in the middle of its compensation: the same fixpoint, from what the tickets say.
 * Source: beginCompensation and undone above.
 */
export function restoreUndoWaits(state: PlanState): number[] {
  const waits = state.dependents.map((dependents) => dependents.length);
  const turns: number[] = [];
  for (let n = 0; n < waits.length; n++) if (waits[n] === 0 && state.rules[n].undoes === null) turns.push(n);
  while (turns.length > 0) {
    const n = turns.pop()!;
    if (state.tickets[n].status === 'compensating') continue;
    for (const dep of state.rules[n].deps) if (--waits[dep] === 0) turns.push(dep);
  }
  return waits;
}
