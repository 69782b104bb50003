import type { Consolidation, PlanState } from './flow-state.ts';
import type { Correlation } from '../plans/ticket-record.ts';
import type { TicketSpec } from '../plans/ticket.ts';

/** An open plan in the memory of the process that owns its company. `state` is what the database holds, never ahead of it. */
export type LivePlan = Correlation & {
  digest: string;
  rev: number;
  state: PlanState;
  /** By ticket number. */
  specs: readonly TicketSpec[];
};

/** The content of a plan's row that changes only when it is replanned or sent again after a rejection. */
export type PlanContent = {
  digest: string;
  /** The decision without the plan, as JSON text. */
  decision: string;
  /** The plan without its tasks, as JSON text. */
  header: string;
};

/** A plan as a batch changes it: what it was, what it becomes, what goes to its rows. */
export type DraftPlan = {
  plan: LivePlan;
  /** null = the plan is made by this batch. */
  before: PlanState | null;
  after: PlanState;
  specs: TicketSpec[];
  /** Set when the content is new or changed. */
  content: PlanContent | null;
  /** Result of tickets that completed, as JSON text, by number. */
  results: Map<number, string>;
  consolidation: Consolidation | null;
};

/** True when the row of an existing plan changes, and its `rev` with it. */
export function isPlanChanged({ before, after, content }: DraftPlan): boolean {
  return before !== null && (content !== null || before.status !== after.status || before.control !== after.control);
}
