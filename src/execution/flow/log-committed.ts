import { workflowIdOf } from '../plans/plan.ts';
import type { CommittedRow } from './flow-engine.ts';

type Level = 'debug' | 'info' | 'warn' | 'error';
type LogLine = (level: Level, data: Record<string, unknown>, message: string) => void;

/** What an operator wants to read in the log; everything else is in the journal. Ends of plans that went well are for debugging. */
const LEVELS: Record<string, Level> = {
  'plan.received': 'debug',
  'plan.completed': 'debug',
  'plan.waiting_approval': 'info',
  'plan.cancelled': 'info',
  'plan.compensated': 'warn',
  'plan.failed': 'warn',
  'plan.rejected': 'info',
  'decision.rejected': 'info',
  'ticket.leased': 'debug',
  'ticket.copied': 'debug',
  'ticket.copy_failed': 'info',
  'ticket.retrying': 'info',
  'ticket.failed': 'warn',
  'ticket.late': 'warn',
  'plan.at_risk': 'warn',
  'incident.raised': 'error',
};

/** Committed events as log lines with the standard ids. `isDebug` false keeps the common ones from being made at all. */
export function logCommitted(log: LogLine, rows: readonly CommittedRow[], isDebug: boolean): void {
  for (const { instance, events, planOf } of rows) {
    for (const { type, plan, data } of events) {
      const level = LEVELS[type];
      if (level === undefined || plan === undefined || (level === 'debug' && !isDebug)) continue;
      const of = planOf(plan);
      const { agent, ...said } = data ?? {};
      const ids = {
        instance,
        plan_id: plan,
        workflow_id: workflowIdOf(plan),
        intent_id: of?.intent_id,
        trace_id: of?.trace_id ?? undefined,
        agent_id: agent,
      };
      log(level, { ...ids, ...said }, type.replace('.', ' '));
    }
  }
}
