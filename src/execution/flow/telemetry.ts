import type { FlowCTelemetryEvent } from '../../platform/contracts/generated/records.ts';
import type { RecordedEvent } from '../../trust/audit/journal.ts';
import { ticketIdOf, workflowIdOf } from '../plans/plan.ts';
import type { PlanCorrelation } from './correlation-store.ts';

type Data = Record<string, unknown>;
type Said = { event_type: FlowCTelemetryEvent['event_type'] } & Partial<FlowCTelemetryEvent>;

/**
 * What an event of the journal says to dashboards, in order; empty = nothing. Pure. Scheduling (C3) and execution (C4)
 * run side by side, so both begin with the tickets; C4 has failed as soon as the plan cannot finish. `metadata.event_id`
 * is the same when an event comes twice. `correlation` null: the plan's row is not there. Source: contracts.md.
 */
export function telemetryOf(event: RecordedEvent, correlation: PlanCorrelation | null): FlowCTelemetryEvent[] {
  if (event.plan === undefined) return [];
  const said = event.ticket === undefined ? ofPlan(event, correlation) : ofTicket(event, correlation);
  return said.map((one, k) => recordOf(event, correlation, one, k));
}

function ofPlan(event: RecordedEvent, correlation: PlanCorrelation | null): Said[] {
  const data = event.data ?? {};
  switch (event.type) {
    case 'plan.received':
      return [{ event_type: 'FLOW_C_STARTED', status: 'RECEIVED' }, started('C1')];
    case 'plan.validated':
      return [completed('C1'), started('C2')];
    case 'plan.ticketed': {
      const ticket_ids =
        correlation === null
          ? []
          : Array.from({ length: Number(data.tickets) }, (_, n) => ticketIdOf(correlation.key, n));
      return [{ ...completed('C2'), ticket_ids }, started('C3'), started('C4')];
    }
    case 'plan.retried':
    case 'plan.replanned':
      return [started('C3'), started('C4')];
    case 'plan.failing':
      return [{ ...failed('C4', data.error, 'ticket'), ticket_ids: causeOf(data, correlation) }];
    case 'plan.cancelling':
      return [failed('C4', data.why, 'cancelled')];
    case 'decision.rejected':
      return [failed('C1', faultsOf(data), 'invalid')];
    case 'plan.rejected':
      return [failed('C1', data.why, 'rejected'), ended('REJECTED', false, data)];
    case 'plan.at_risk':
      // The record knows no warning: a violation that has not happened, and says so.
      return [
        {
          event_type: 'SLA_VIOLATION',
          step: 'C4',
          status: data.level === 'certain' ? 'WILL_MISS' : 'AT_RISK',
          sla_compliant: null,
        },
      ];
    case 'plan.consolidating':
      return [completed('C3'), started('C5')];
    case 'plan.completed':
      return [completed('C4'), ...lastSteps(data), ended('COMPLETED', true, data)];
    case 'plan.failed':
    case 'plan.compensated':
    case 'plan.cancelled':
      return [...lastSteps(data), ended(event.type.slice(5).toUpperCase(), false, data)];
    default:
      return [];
  }
}

function ofTicket(event: RecordedEvent, correlation: PlanCorrelation | null): Said[] {
  const data = event.data ?? {};
  const about = {
    ticket_id: correlation === null ? null : ticketIdOf(correlation.key, event.ticket!),
    task_type: taskTypeOf(event, correlation),
    worker_id: text(data.agent),
    duration_ms: number(data.duration_ms),
  };
  switch (event.type) {
    case 'ticket.leased':
    case 'ticket.copied':
      return [{ event_type: 'TICKET_ASSIGNED', step: 'C3', ...about, status: 'RUNNING' }];
    case 'ticket.completed':
      return [{ event_type: 'TICKET_COMPLETED', step: 'C4', ...about, status: 'COMPLETED', success: true }];
    case 'ticket.failed':
    case 'ticket.cancelled': {
      const status = event.type === 'ticket.failed' ? 'FAILED' : 'CANCELLED';
      return [
        {
          event_type: 'TICKET_FAILED',
          step: 'C4',
          ...about,
          status,
          success: false,
          error: text(data.error),
          error_type: text(data.error_class),
        },
      ];
    }
    case 'ticket.late':
      return [{ event_type: 'SLA_VIOLATION', step: 'C4', ...about, sla_compliant: false, status: 'LATE' }];
    default:
      return [];
  }
}

const started = (step: string): Said => ({ event_type: 'STEP_STARTED', step, status: 'STARTED' });
const completed = (step: string): Said => ({ event_type: 'STEP_COMPLETED', step, status: 'COMPLETED', success: true });
const failed = (step: string, error: unknown, error_type: string): Said => ({
  event_type: 'STEP_FAILED',
  step,
  status: 'FAILED',
  success: false,
  error: text(error),
  error_type,
});

/** Consolidation and telemetry belong to the commit that ends the plan. */
function lastSteps(data: Data): Said[] {
  const faults = Array.isArray(data.inconsistencies) ? data.inconsistencies : [];
  const c5 = faults.length === 0 ? completed('C5') : failed('C5', faults.join('; '), 'inconsistency');
  return [c5, started('C6'), completed('C6')];
}

function ended(status: string, success: boolean, data: Data): Said {
  const { tickets, sla } = data as { tickets?: Data; sla?: Data };
  const counts = Object.entries(tickets ?? {}).map(([name, count]) => [`tickets_${name}`, String(count)]);
  const more = ['work_ms', 'retries'].filter((name) => name in data).map((name) => [name, String(data[name])]);
  return {
    event_type: 'FLOW_C_COMPLETED',
    status,
    success,
    duration_ms: number(data.duration_ms),
    error: text(data.why),
    sla_compliant: typeof sla?.compliant === 'boolean' ? sla.compliant : null,
    result: Object.fromEntries([...counts, ...more, ...(sla ? [['sla_violations', String(sla.violations)]] : [])]),
  };
}

function causeOf({ cause }: Data, correlation: PlanCorrelation | null): string[] {
  return typeof cause === 'number' && correlation !== null ? [ticketIdOf(correlation.key, cause)] : [];
}

function faultsOf({ faults }: Data): string | null {
  if (!Array.isArray(faults)) return null;
  return faults
    .map(({ path, message }: { path: string; message: string }) => `${path}: ${message}`)
    .join('; ')
    .slice(0, 2_000);
}

/** A compensation is made after its plan was read; its task id says what it is. Source: generate-tickets.ts, compensationOf. */
function taskTypeOf(event: RecordedEvent, correlation: PlanCorrelation | null): string | null {
  const known = correlation?.taskTypes[event.ticket!];
  if (known !== undefined) return known;
  return text(event.data?.task)?.endsWith('~undo') ? 'COMPENSATE' : null;
}

function recordOf(
  event: RecordedEvent,
  correlation: PlanCorrelation | null,
  said: Said,
  k: number,
): FlowCTelemetryEvent {
  const metadata: FlowCTelemetryEvent['metadata'] = {
    instance: event.instance,
    event_id: `${event.instance}:${event.n}.${k}`,
    by: event.by,
  };
  for (const name of ['task', 'attempt', 'fence', 'deadline']) {
    const value = event.data?.[name];
    if (event.ticket !== undefined && (typeof value === 'string' || typeof value === 'number')) metadata[name] = value;
  }
  return {
    timestamp: event.at.getTime(),
    intent_id: correlation?.intent_id ?? null,
    plan_id: event.plan!,
    decision_id: correlation?.decision_id ?? null,
    workflow_id: workflowIdOf(event.plan!),
    correlation_id: correlation?.correlation_id ?? null,
    trace_id: correlation?.trace_id ?? null,
    span_id: correlation?.span_id ?? null,
    step: null,
    ticket_id: null,
    task_type: null,
    worker_id: null,
    duration_ms: null,
    status: null,
    success: null,
    sla_compliant: null,
    ticket_ids: [],
    error: null,
    error_type: null,
    result: null,
    ...said,
    metadata,
    schema_version: 1,
  };
}

const text = (value: unknown): string | null => (typeof value === 'string' ? value : null);
const number = (value: unknown): number | null => (typeof value === 'number' ? value : null);
