import type { Fault } from '../../platform/errors.ts';
import type { PlanControl } from './flow-state.ts';
import type { PlanContent } from './live-plan.ts';
import type { GeneratedTickets } from '../plans/generate-tickets.ts';
import type { Correlation } from '../plans/ticket-record.ts';

/** A decision after C1 and C2, ready for the company's writer. */
export type Submission = {
  instance: string;
  planId: string;
  by: string;
  content: PlanContent;
  correlation: Omit<Correlation, 'key' | 'instance' | 'plan_id' | 'created_at'>;
} & (
  | { kind: 'run'; tickets: GeneratedTickets; gate: boolean; control: PlanControl }
  /** The decision itself was no. */
  | { kind: 'refused'; why: string }
  | { kind: 'invalid'; faults: readonly Fault[] }
);

/** What became of it. `duplicate`: the same decision was here before. */
export type Submitted = { planId: string; status: string; duplicate: boolean; faults: readonly Fault[] };
