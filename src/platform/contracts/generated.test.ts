import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { GENERATED_FOLDER, generateContracts } from '../../../scripts/generate-contracts.ts';
import { RECORDS, type RecordName } from './generated/records.ts';

test('the generated files are those of the schemas; `npm run generate` rewrites them', () => {
  const fresh = generateContracts();
  assert.deepEqual(readdirSync(GENERATED_FOLDER).sort(), [...fresh.keys()].sort());
  for (const [name, text] of fresh) assert.equal(readFileSync(join(GENERATED_FOLDER, name), 'utf8'), text, name);
});

const FIELDS: Record<RecordName, [namespace: string, count: number, order: string]> = {
  CognitivePlan: [
    'com.neuralhivemind.cognitiva',
    30,
    'plan_id version intent_id correlation_id trace_id span_id tasks execution_order risk_score risk_band risk_factors explainability_token reasoning_summary status created_at valid_until estimated_total_duration_ms complexity_score original_domain original_priority original_security_level metadata requires_approval approval_status approved_by approved_at is_destructive destructive_tasks risk_matrix schema_version',
  ],
  ConsolidatedDecision: [
    'com.neuralhivemind.consensus',
    23,
    'decision_id plan_id intent_id correlation_id trace_id span_id final_decision consensus_method aggregated_confidence aggregated_risk specialist_votes consensus_metrics explainability_token reasoning_summary compliance_checks guardrails_triggered cognitive_plan requires_human_review created_at valid_until metadata hash schema_version',
  ],
  ExecutionTicket: [
    'com.neuralhivemind.orchestration',
    29,
    'ticket_id plan_id intent_id decision_id correlation_id trace_id span_id task_id task_type description dependencies status priority risk_band sla qos parameters required_capabilities security_level created_at started_at completed_at estimated_duration_ms actual_duration_ms retry_count error_message compensation_ticket_id metadata schema_version',
  ],
  ExecutionResult: [
    'neural.hive.execution',
    8,
    'ticket_id status result error_message actual_duration_ms agent_id timestamp schema_version',
  ],
  FlowCTelemetryEvent: [
    'io.neuralhive.telemetry',
    23,
    'event_type timestamp intent_id plan_id decision_id workflow_id correlation_id trace_id span_id step ticket_id task_type worker_id duration_ms status success sla_compliant ticket_ids error error_type result metadata schema_version',
  ],
  OrchestrationIncident: [
    'io.neuralhive.orchestration',
    13,
    'incident_id workflow_id incident_type severity details affected_tickets correlation_id trace_id recommended_playbook auto_remediation_enabled escalation_required created_at hash',
  ],
};

test('every record has the namespace, the number and the order of fields of the contract, in Avro and in JSON Schema', () => {
  for (const [name, [namespace, count, order]] of Object.entries(FIELDS)) {
    const { avro, schema } = RECORDS[name as RecordName];
    const record = avro as { name: string; namespace: string; fields: { name: string }[] };
    const names = record.fields.map((field) => field.name);
    assert.deepEqual([record.name, record.namespace, names.length], [name, namespace, count]);
    assert.equal(names.join(' '), order);
    assert.deepEqual(Object.keys(schema.properties!), names);
  }
});
