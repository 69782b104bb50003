// Generated from schemas/*.avsc by `npm run generate`. Do not edit.
// As long as the record has fields: its type, schema, reader and writer stand together, as nobody edits them apart.
import type { JsonSchema } from '../json-schema.ts';
import { isObject, takeList, takeMap, type UnknownFields } from '../take-fields.ts';
import type { FlowCEventType } from './enums.ts';

/** One step in the life of a plan, for dashboards and audits. Topic telemetry.orchestration. */
export type FlowCTelemetryEvent = {
  /** What happened. */
  event_type: FlowCEventType;
  /** When, in epoch milliseconds. */
  timestamp: number;
  /** Id of the intent. */
  intent_id: string | null;
  /** Id of the plan. */
  plan_id: string | null;
  /** Id of the decision. */
  decision_id: string | null;
  /** Id of the workflow. */
  workflow_id: string | null;
  /** Ties together everything that one request caused. */
  correlation_id: string | null;
  /** W3C trace id. */
  trace_id: string | null;
  /** W3C span id of the sender. */
  span_id: string | null;
  /** Name of the step, C1 to C6. */
  step: string | null;
  /** Id of the ticket. */
  ticket_id: string | null;
  /** Kind of work. */
  task_type: string | null;
  /** Agent that does it. */
  worker_id: string | null;
  /** Duration in milliseconds. */
  duration_ms: number | null;
  /** Where the subject of the event stands. */
  status: string | null;
  /** True when it succeeded. */
  success: boolean | null;
  /** True when its deadline was kept. */
  sla_compliant: boolean | null;
  /** Ids of the tickets concerned. Default: []. */
  ticket_ids: string[];
  /** What went wrong. */
  error: string | null;
  /** Class of what went wrong. */
  error_type: string | null;
  /** Outcome. */
  result: { [key: string]: string } | null;
  /** Anything else; `instance` names the company. Default: {}. */
  metadata: { [key: string]: string | number | boolean | null };
  /** Version of this schema. Default: 1. */
  schema_version: number;
};

/** {@link FlowCTelemetryEvent} as JSON Schema, for validation and OpenAPI 3.1. */
export const FLOW_C_TELEMETRY_EVENT_SCHEMA: JsonSchema = {
  "$id": "FlowCTelemetryEvent",
  "title": "FlowCTelemetryEvent",
  "type": "object",
  "description": "One step in the life of a plan, for dashboards and audits. Topic telemetry.orchestration.",
  "properties": {
    "event_type": {
      "type": "string",
      "enum": [
        "FLOW_C_STARTED",
        "STEP_STARTED",
        "STEP_COMPLETED",
        "STEP_FAILED",
        "TICKET_ASSIGNED",
        "TICKET_COMPLETED",
        "TICKET_FAILED",
        "FLOW_C_COMPLETED",
        "SLA_VIOLATION"
      ],
      "description": "What happened."
    },
    "timestamp": {
      "type": "integer",
      "minimum": -9007199254740990,
      "maximum": 9007199254740990,
      "description": "When, in epoch milliseconds."
    },
    "intent_id": {
      "type": [
        "string",
        "null"
      ],
      "description": "Id of the intent.",
      "default": null
    },
    "plan_id": {
      "type": [
        "string",
        "null"
      ],
      "description": "Id of the plan.",
      "default": null
    },
    "decision_id": {
      "type": [
        "string",
        "null"
      ],
      "description": "Id of the decision.",
      "default": null
    },
    "workflow_id": {
      "type": [
        "string",
        "null"
      ],
      "description": "Id of the workflow.",
      "default": null
    },
    "correlation_id": {
      "type": [
        "string",
        "null"
      ],
      "description": "Ties together everything that one request caused.",
      "default": null
    },
    "trace_id": {
      "type": [
        "string",
        "null"
      ],
      "description": "W3C trace id.",
      "default": null
    },
    "span_id": {
      "type": [
        "string",
        "null"
      ],
      "description": "W3C span id of the sender.",
      "default": null
    },
    "step": {
      "type": [
        "string",
        "null"
      ],
      "description": "Name of the step, C1 to C6.",
      "default": null
    },
    "ticket_id": {
      "type": [
        "string",
        "null"
      ],
      "description": "Id of the ticket.",
      "default": null
    },
    "task_type": {
      "type": [
        "string",
        "null"
      ],
      "description": "Kind of work.",
      "default": null
    },
    "worker_id": {
      "type": [
        "string",
        "null"
      ],
      "description": "Agent that does it.",
      "default": null
    },
    "duration_ms": {
      "type": [
        "integer",
        "null"
      ],
      "minimum": -9007199254740990,
      "maximum": 9007199254740990,
      "description": "Duration in milliseconds.",
      "default": null
    },
    "status": {
      "type": [
        "string",
        "null"
      ],
      "description": "Where the subject of the event stands.",
      "default": null
    },
    "success": {
      "type": [
        "boolean",
        "null"
      ],
      "description": "True when it succeeded.",
      "default": null
    },
    "sla_compliant": {
      "type": [
        "boolean",
        "null"
      ],
      "description": "True when its deadline was kept.",
      "default": null
    },
    "ticket_ids": {
      "type": "array",
      "items": {
        "type": "string"
      },
      "description": "Ids of the tickets concerned.",
      "default": []
    },
    "error": {
      "type": [
        "string",
        "null"
      ],
      "description": "What went wrong.",
      "default": null
    },
    "error_type": {
      "type": [
        "string",
        "null"
      ],
      "description": "Class of what went wrong.",
      "default": null
    },
    "result": {
      "type": [
        "object",
        "null"
      ],
      "additionalProperties": {
        "type": "string"
      },
      "description": "Outcome.",
      "default": null
    },
    "metadata": {
      "type": "object",
      "additionalProperties": {
        "type": [
          "string",
          "integer",
          "boolean",
          "null"
        ],
        "minimum": -9007199254740990,
        "maximum": 9007199254740990
      },
      "description": "Anything else; `instance` names the company.",
      "default": {}
    },
    "schema_version": {
      "type": "integer",
      "minimum": -2147483648,
      "maximum": 2147483647,
      "description": "Version of this schema.",
      "default": 1
    }
  },
  "required": [
    "event_type",
    "timestamp"
  ]
};

/** {@link FlowCTelemetryEvent} as Avro, without its comments. */
export const FLOW_C_TELEMETRY_EVENT_AVRO: unknown = {
  "type": "record",
  "name": "FlowCTelemetryEvent",
  "namespace": "io.neuralhive.telemetry",
  "fields": [
    {
      "name": "event_type",
      "type": {
        "type": "enum",
        "name": "FlowCEventType",
        "symbols": [
          "FLOW_C_STARTED",
          "STEP_STARTED",
          "STEP_COMPLETED",
          "STEP_FAILED",
          "TICKET_ASSIGNED",
          "TICKET_COMPLETED",
          "TICKET_FAILED",
          "FLOW_C_COMPLETED",
          "SLA_VIOLATION"
        ]
      }
    },
    {
      "name": "timestamp",
      "type": "long"
    },
    {
      "name": "intent_id",
      "type": [
        "null",
        "string"
      ],
      "default": null
    },
    {
      "name": "plan_id",
      "type": [
        "null",
        "string"
      ],
      "default": null
    },
    {
      "name": "decision_id",
      "type": [
        "null",
        "string"
      ],
      "default": null
    },
    {
      "name": "workflow_id",
      "type": [
        "null",
        "string"
      ],
      "default": null
    },
    {
      "name": "correlation_id",
      "type": [
        "null",
        "string"
      ],
      "default": null
    },
    {
      "name": "trace_id",
      "type": [
        "null",
        "string"
      ],
      "default": null
    },
    {
      "name": "span_id",
      "type": [
        "null",
        "string"
      ],
      "default": null
    },
    {
      "name": "step",
      "type": [
        "null",
        "string"
      ],
      "default": null
    },
    {
      "name": "ticket_id",
      "type": [
        "null",
        "string"
      ],
      "default": null
    },
    {
      "name": "task_type",
      "type": [
        "null",
        "string"
      ],
      "default": null
    },
    {
      "name": "worker_id",
      "type": [
        "null",
        "string"
      ],
      "default": null
    },
    {
      "name": "duration_ms",
      "type": [
        "null",
        "long"
      ],
      "default": null
    },
    {
      "name": "status",
      "type": [
        "null",
        "string"
      ],
      "default": null
    },
    {
      "name": "success",
      "type": [
        "null",
        "boolean"
      ],
      "default": null
    },
    {
      "name": "sla_compliant",
      "type": [
        "null",
        "boolean"
      ],
      "default": null
    },
    {
      "name": "ticket_ids",
      "type": {
        "type": "array",
        "items": "string"
      },
      "default": []
    },
    {
      "name": "error",
      "type": [
        "null",
        "string"
      ],
      "default": null
    },
    {
      "name": "error_type",
      "type": [
        "null",
        "string"
      ],
      "default": null
    },
    {
      "name": "result",
      "type": [
        "null",
        {
          "type": "map",
          "values": "string"
        }
      ],
      "default": null
    },
    {
      "name": "metadata",
      "type": {
        "type": "map",
        "values": [
          "null",
          "string",
          "int",
          "long",
          "boolean"
        ]
      },
      "default": {}
    },
    {
      "name": "schema_version",
      "type": "int",
      "default": 1
    }
  ]
};

const FLOW_C_TELEMETRY_EVENT_FIELDS = new Set(['event_type', 'timestamp', 'intent_id', 'plan_id', 'decision_id', 'workflow_id', 'correlation_id', 'trace_id', 'span_id', 'step', 'ticket_id', 'task_type', 'worker_id', 'duration_ms', 'status', 'success', 'sla_compliant', 'ticket_ids', 'error', 'error_type', 'result', 'metadata', 'schema_version']);

/** Copies the fields of a {@link FlowCTelemetryEvent}, with defaults; unknown ones go to `unknown`. */
export function takeFlowCTelemetryEvent(value: unknown, unknown: UnknownFields, at: string, index: number): unknown {
  if (!isObject(value)) return value;
  for (const key in value) if (!FLOW_C_TELEMETRY_EVENT_FIELDS.has(key)) unknown.add(at, index, key);
  return {
    event_type: value.event_type,
    timestamp: value.timestamp,
    intent_id: value.intent_id ?? null,
    plan_id: value.plan_id ?? null,
    decision_id: value.decision_id ?? null,
    workflow_id: value.workflow_id ?? null,
    correlation_id: value.correlation_id ?? null,
    trace_id: value.trace_id ?? null,
    span_id: value.span_id ?? null,
    step: value.step ?? null,
    ticket_id: value.ticket_id ?? null,
    task_type: value.task_type ?? null,
    worker_id: value.worker_id ?? null,
    duration_ms: value.duration_ms ?? null,
    status: value.status ?? null,
    success: value.success ?? null,
    sla_compliant: value.sla_compliant ?? null,
    ticket_ids: value.ticket_ids === undefined ? [] : takeList(value.ticket_ids),
    error: value.error ?? null,
    error_type: value.error_type ?? null,
    result: value.result === undefined ? null : takeMap(value.result, unknown, at, index, 'result'),
    metadata: value.metadata === undefined ? {} : takeMap(value.metadata, unknown, at, index, 'metadata'),
    schema_version: value.schema_version === undefined ? 1 : value.schema_version,
  };
}
