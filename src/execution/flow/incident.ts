import { randomUUID } from 'node:crypto';
import { digestOf } from '../../platform/contracts/canonical-json.ts';
import type { OrchestrationIncident } from '../../platform/contracts/generated/records.ts';
import { ticketIdOf, workflowIdOf } from '../plans/plan.ts';
import type { Consolidation, PlanState } from './flow-state.ts';
import type { LivePlan } from './live-plan.ts';

type Said = Pick<OrchestrationIncident, 'incident_type' | 'severity' | 'details' | 'affected_tickets'> & {
  recommended_playbook?: string;
};

/** Something that healing or a person should look at. Source: contracts.md, OrchestrationIncident. */
export function incidentOf(plan: LivePlan, said: Said, at: number): OrchestrationIncident {
  const incident = {
    incident_id: randomUUID(),
    workflow_id: workflowIdOf(plan.plan_id),
    ...said,
    correlation_id: plan.correlation_id ?? '',
    trace_id: plan.trace_id ?? '',
    recommended_playbook: said.recommended_playbook ?? null,
    auto_remediation_enabled: null,
    escalation_required: true,
    created_at: at,
  };
  return { ...incident, hash: digestOf(incident) };
}

/** What does not add up at the end of a plan. */
export function inconsistency(
  plan: LivePlan,
  state: PlanState,
  { inconsistencies }: Consolidation,
  at: number,
): OrchestrationIncident {
  const affected_tickets = state.tickets.flatMap((ticket, n) =>
    ticket.note?.undoFailed ? [ticketIdOf(plan.key, n)] : [],
  );
  const severity = 'high';
  return incidentOf(plan, { incident_type: 'INCONSISTENCY', severity, details: inconsistencies, affected_tickets }, at);
}
