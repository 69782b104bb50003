import { createHash } from 'node:crypto';
import type { ExecutionTicket } from '../../platform/contracts/generated/records.ts';
import { UNVOTED } from '../plans/unvoted-decision.ts';

/** One control plane that a ticket came through on its way, the first one first. */
type Hop = { company: string; plan_id: string; ticket_id: string; created_at: number };

export type Diverted = {
  planId: string;
  /** Company there. */
  instance: string;
  decision: Record<string, unknown>;
};

/** Metadata of a diverted task: its hops as JSON. */
const HOPS = 'diverted_through';
/** How a refusal by the loop guard begins, so that the cluster the ticket came from knows that it may still run at home. */
export const LOOP_REFUSED = 'diverted too often:';

/** The clusters a ticket was diverted through before it came here. Metadata that says nothing useful counts as none. */
export function hopsOf({ metadata }: ExecutionTicket): Hop[] {
  let value: unknown;
  try {
    value = JSON.parse(metadata[HOPS] ?? '[]');
  } catch {
    return [];
  }
  return Array.isArray(value) ? value.filter(isHop) : [];
}

function isHop(value: unknown): value is Hop {
  const { company, plan_id, ticket_id, created_at } = (value ?? {}) as Partial<Hop>;
  return [company, plan_id, ticket_id].every((text) => typeof text === 'string') && typeof created_at === 'number';
}

/**
 * A ticket as a decision of one approved task for another cluster. The same run of a ticket is always the same decision,
 * so that it may be sent again: all its attempts and copies share one plan there. A ticket that a person had start over
 * has a deadline of its own, and after it was undone names what undid it: that is a plan of its own. `instance`: company
 * there; null = that of the same name.
 */
export function divertedDecision(ticket: ExecutionTicket, instance: string | null): Diverted {
  const company = ticket.metadata.instance ?? '';
  const { ticket_id, plan_id, created_at, compensation_ticket_id } = ticket;
  const target = instance ?? company;
  const run = [company, plan_id, ticket_id, created_at, ticket.sla.deadline, compensation_ticket_id];
  const digest = createHash('sha256').update(JSON.stringify(run)).digest('hex');
  const planId = `diverted-${ticket_id}-${digest.slice(0, 16)}`;
  const hops = [...hopsOf(ticket), { company, plan_id, ticket_id, created_at } satisfies Hop];
  const origin = { origin_instance: company, origin_plan_id: plan_id, origin_ticket_id: ticket_id };
  const plan = planOf(ticket, planId, { ...origin, [HOPS]: JSON.stringify(hops) });
  return {
    planId,
    instance: target,
    decision: {
      ...UNVOTED,
      decision_id: planId,
      plan_id: planId,
      intent_id: ticket.intent_id,
      correlation_id: ticket.correlation_id ?? planId,
      trace_id: ticket.trace_id,
      span_id: ticket.span_id,
      aggregated_risk: 0,
      explainability_token: '',
      reasoning_summary: `diverted: ticket ${ticket_id} of plan ${plan_id} of ${company}`,
      cognitive_plan: plan,
      created_at,
      metadata: { ...origin, instance: target },
    },
  };
}

/** Without `valid_until`: an attempt after the deadline must find its plan, not be refused as expired. */
function planOf(ticket: ExecutionTicket, planId: string, origin: Record<string, string>): Record<string, unknown> {
  const { instance: _company, task_type: ownType, compensation: _undo, [HOPS]: _hops, ...metadata } = ticket.metadata;
  const task = {
    task_id: ticket.task_id,
    task_type: ownType ?? ticket.task_type,
    description: ticket.description,
    dependencies: [],
    estimated_duration_ms: ticket.estimated_duration_ms,
    required_capabilities: ticket.required_capabilities,
    parameters: ticket.parameters,
    metadata: {
      ...metadata,
      ...origin,
      origin_deadline: String(ticket.sla.deadline),
      origin_timeout_ms: String(ticket.sla.timeout_ms),
    },
  };
  return {
    plan_id: planId,
    version: '1.0.0',
    intent_id: ticket.intent_id,
    correlation_id: ticket.correlation_id,
    trace_id: ticket.trace_id,
    span_id: ticket.span_id,
    tasks: [task],
    execution_order: [ticket.task_id],
    risk_score: 0,
    risk_band: ticket.risk_band,
    risk_factors: {},
    explainability_token: '',
    reasoning_summary: '',
    status: 'approved',
    created_at: ticket.created_at,
    valid_until: null,
    estimated_total_duration_ms: ticket.estimated_duration_ms,
    complexity_score: 0,
    original_domain: 'OPERATIONAL',
    original_priority: ticket.priority,
    original_security_level: ticket.security_level,
    metadata: origin,
    approval_status: 'approved',
  };
}
