import type { BusLine } from '../../platform/bus/journal-reader.ts';
import { agentKeyOf } from '../agents/agent.ts';
import type { ErrorClass } from '../flow/flow-state.ts';
import type { TicketSpec } from '../plans/ticket.ts';
import { typeOf, type Outcome } from '../scheduling/outcome.ts';

/** The tickets of a plan, by number. */
export type PlanSpecs = { key: number; specs: readonly TicketSpec[] };

/** Events at which an attempt ends with a result. One that was told to stop says nothing about its agent. */
const ENDS: Readonly<Record<string, Outcome['result']>> = {
  'ticket.completed': 'completed',
  'ticket.retrying': 'failed',
  'ticket.failed': 'failed',
  'ticket.copy_failed': 'failed',
};

/** The attempts that a journal row ends. Plans that `plan` does not know are left out. */
export function outcomesOf(
  row: { instance: string; at: Date; events: readonly BusLine[] },
  plan: (planId: string) => PlanSpecs | undefined,
): Outcome[] {
  const outcomes: Outcome[] = [];
  for (const { type, plan: planId, ticket: n, data } of row.events) {
    const result = ENDS[type];
    if (result === undefined || planId === undefined || n === undefined || typeof data?.agent !== 'string') continue;
    const known = plan(planId);
    const spec = known?.specs[n];
    if (known === undefined || spec === undefined) continue;
    outcomes.push({
      at: row.at.getTime(),
      instance: row.instance,
      plan: known.key,
      n,
      type: typeOf(spec),
      spec,
      agent: agentKeyOf(data.own === true ? row.instance : null, data.agent),
      durationMs: Math.max(0, Number(data.duration_ms) || 0),
      result,
      errorClass: result === 'completed' ? null : ((data.error_class as ErrorClass | undefined) ?? 'transient'),
      isLost: data.lost !== undefined,
      retryAfterMs: data.error_class === 'quota' && typeof data.delay_ms === 'number' ? data.delay_ms : null,
      slackMs: typeof data.slack_ms === 'number' ? data.slack_ms : null,
    });
  }
  return outcomes;
}

/** Task types of plans with an incident that was no forecast: what was learned of them is to be doubted. */
export function doubtsOf(
  row: { events: readonly BusLine[] },
  plan: (planId: string) => PlanSpecs | undefined,
): Set<string> {
  const types = new Set<string>();
  for (const { type, plan: planId, data } of row.events) {
    if (type !== 'incident.raised' || planId === undefined) continue;
    if ((data?.incident as { incident_type?: string } | undefined)?.incident_type === 'SLA_VIOLATION') continue;
    for (const spec of plan(planId)?.specs ?? []) types.add(typeOf(spec));
  }
  return types;
}

/** True when the models learn something of the row; cheap, for rows whose plans would have to be read first. */
export const teaches = ({ events }: { events: readonly BusLine[] }): boolean =>
  events.some(({ type }) => type in ENDS || type === 'incident.raised');
