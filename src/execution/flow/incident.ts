import { randomUUID } from 'node:crypto';
import { digestOf } from '../../platform/contracts/canonical-json.ts';
import type { OrchestrationIncident } from '../../platform/contracts/generated/records.ts';
import { ticketIdOf, workflowIdOf } from '../plans/plan.ts';
import type { Consolidation, PlanState } from './flow-state.ts';
import type { LivePlan } from './live-plan.ts';

/** What does not add up at the end of a plan, as the record that healing and people read. Source: contracts.md, OrchestrationIncident. */
export function incidentOf(
  plan: LivePlan,
  state: PlanState,
  { inconsistencies }: Consolidation,
  at: number,
): OrchestrationIncident {
  const affected = state.tickets.flatMap((ticket, n) => (ticket.note?.undoFailed ? [ticketIdOf(plan.key, n)] : []));
  const incident = {
    incident_id: randomUUID(),
    workflow_id: workflowIdOf(plan.plan_id),
    incident_type: 'INCONSISTENCY' as const,
    severity: 'high',
    details: inconsistencies,
    affected_tickets: affected,
    correlation_id: plan.correlation_id ?? '',
    trace_id: plan.trace_id ?? '',
    recommended_playbook: null,
    auto_remediation_enabled: null,
    escalation_required: true,
    created_at: at,
  };
  return { ...incident, hash: digestOf(incident) };
}
