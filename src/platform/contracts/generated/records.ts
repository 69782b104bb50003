// Generated from schemas/*.avsc by `npm run generate`. Do not edit.
// As long as the record has fields: its type, schema, reader and writer stand together, as nobody edits them apart.
import type { JsonSchema } from '../json-schema.ts';
import type { UnknownFields } from '../take-fields.ts';
import { COGNITIVE_PLAN_AVRO, COGNITIVE_PLAN_SCHEMA, type CognitivePlan, takeCognitivePlan } from './cognitive-plan.ts';
import { CONSOLIDATED_DECISION_AVRO, CONSOLIDATED_DECISION_SCHEMA, type ConsolidatedDecision, takeConsolidatedDecision } from './consolidated-decision.ts';
import { EXECUTION_RESULT_AVRO, EXECUTION_RESULT_SCHEMA, type ExecutionResult, takeExecutionResult } from './execution-result.ts';
import { EXECUTION_TICKET_AVRO, EXECUTION_TICKET_SCHEMA, type ExecutionTicket, takeExecutionTicket } from './execution-ticket.ts';
import { FLOW_C_TELEMETRY_EVENT_AVRO, FLOW_C_TELEMETRY_EVENT_SCHEMA, type FlowCTelemetryEvent, takeFlowCTelemetryEvent } from './flow-c-telemetry-event.ts';
import { ORCHESTRATION_INCIDENT_AVRO, ORCHESTRATION_INCIDENT_SCHEMA, type OrchestrationIncident, takeOrchestrationIncident } from './orchestration-incident.ts';

/** The records of the wire, by name. */
export type Records = {
  CognitivePlan: CognitivePlan;
  ConsolidatedDecision: ConsolidatedDecision;
  ExecutionResult: ExecutionResult;
  ExecutionTicket: ExecutionTicket;
  FlowCTelemetryEvent: FlowCTelemetryEvent;
  OrchestrationIncident: OrchestrationIncident;
};
export type RecordName = keyof Records;

export type RecordContract = {
  readonly schema: JsonSchema;
  readonly avro: unknown;
  /** Copies the known fields, fills left-out ones with their defaults and names the unknown ones. */
  readonly take: (value: unknown, unknown: UnknownFields, at: string, index: number) => unknown;
};

export const RECORDS: { readonly [Name in RecordName]: RecordContract } = {
  CognitivePlan: { schema: COGNITIVE_PLAN_SCHEMA, avro: COGNITIVE_PLAN_AVRO, take: takeCognitivePlan },
  ConsolidatedDecision: { schema: CONSOLIDATED_DECISION_SCHEMA, avro: CONSOLIDATED_DECISION_AVRO, take: takeConsolidatedDecision },
  ExecutionResult: { schema: EXECUTION_RESULT_SCHEMA, avro: EXECUTION_RESULT_AVRO, take: takeExecutionResult },
  ExecutionTicket: { schema: EXECUTION_TICKET_SCHEMA, avro: EXECUTION_TICKET_AVRO, take: takeExecutionTicket },
  FlowCTelemetryEvent: { schema: FLOW_C_TELEMETRY_EVENT_SCHEMA, avro: FLOW_C_TELEMETRY_EVENT_AVRO, take: takeFlowCTelemetryEvent },
  OrchestrationIncident: { schema: ORCHESTRATION_INCIDENT_SCHEMA, avro: ORCHESTRATION_INCIDENT_AVRO, take: takeOrchestrationIncident },
};

export type * from './cognitive-plan.ts';
export type * from './consolidated-decision.ts';
export type * from './execution-result.ts';
export type * from './execution-ticket.ts';
export type * from './flow-c-telemetry-event.ts';
export type * from './orchestration-incident.ts';
export * from './enums.ts';
