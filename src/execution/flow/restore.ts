import { restoreUndoWaits } from './compensate.ts';
import { nextWake } from './flow-draft.ts';
import {
  dependentsOf,
  isEnded,
  isOpen,
  waitsOf,
  type PlanControl,
  type PlanState,
  type PlanStatus,
  type TicketRules,
  type TicketState,
} from './flow-state.ts';

/** What is kept of a plan: its columns, and its tickets in the order of their numbers. */
export type KeptPlan = {
  flow: number;
  status: PlanStatus;
  control: PlanControl;
  rules: readonly TicketRules[];
  tickets: readonly Omit<TicketState, 'waits'>[];
};

/** The state decide() had before it was kept: everything derived is derived again. */
export function restorePlan({ flow, status, control, rules, tickets: kept }: KeptPlan): PlanState {
  const tickets = kept.map((ticket, n) => ({ ...ticket, waits: waitsOf(rules[n], kept) }));
  const state: PlanState = {
    flow,
    status,
    control,
    rules,
    tickets,
    dependents: dependentsOf(rules),
    open: tickets.filter((ticket) => isOpen(ticket.status)).length,
    running: tickets.filter((ticket) => ticket.status === 'running').length,
    undoWaits: null,
    timerAt: null,
  };
  if (status === 'compensating') state.undoWaits = restoreUndoWaits(state);
  if (!isEnded(status)) state.timerAt = nextWake(state);
  return state;
}
