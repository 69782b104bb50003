import type { ExecutionTicket } from '../../platform/contracts/generated/records.ts';
import type { TicketState } from '../flow/flow-state.ts';
import { ticketIdOf } from './plan.ts';
import { recordStatus, type TicketSpec } from './ticket.ts';

/** What every ticket of a plan says about where it comes from. */
export type Correlation = {
  key: number;
  instance: string;
  plan_id: string;
  intent_id: string;
  decision_id: string;
  correlation_id: string | null;
  trace_id: string | null;
  span_id: string | null;
  created_at: number;
};

export type KeptTicket = Omit<TicketState, 'waits'> & { n: number; deps: readonly number[]; spec: TicketSpec };

/** The ExecutionTicket record of a ticket. Source: contracts.md, ExecutionTicket. */
export function ticketRecord(of: Correlation, { n, deps, spec, ...state }: KeptTicket): ExecutionTicket {
  const undoneBy = state.note?.undoneBy;
  return {
    ticket_id: ticketIdOf(of.key, n),
    plan_id: of.plan_id,
    intent_id: of.intent_id,
    decision_id: of.decision_id,
    correlation_id: of.correlation_id,
    trace_id: of.trace_id,
    span_id: of.span_id,
    task_id: spec.task_id,
    task_type: spec.task_type,
    description: spec.description,
    dependencies: deps.map((dep) => ticketIdOf(of.key, dep)),
    status: recordStatus(state.status),
    priority: spec.priority,
    risk_band: spec.risk_band,
    sla: { deadline: state.deadline, timeout_ms: spec.timeout_ms, max_retries: spec.max_retries },
    qos: spec.qos,
    parameters: spec.parameters,
    required_capabilities: spec.required_capabilities,
    security_level: spec.security_level,
    created_at: of.created_at,
    started_at: state.startedAt,
    completed_at: state.endedAt,
    estimated_duration_ms: spec.estimated_duration_ms,
    actual_duration_ms: state.startedAt !== null && state.endedAt !== null ? state.endedAt - state.startedAt : null,
    retry_count: Math.max(0, state.attempt - 1),
    error_message: state.note?.error ?? (state.status === 'cancelled' ? 'cancelled' : null),
    compensation_ticket_id: undoneBy === undefined ? null : ticketIdOf(of.key, undoneBy),
    metadata: { ...spec.metadata, instance: of.instance },
    schema_version: 1,
  };
}
