// Generated from schemas/*.avsc by `npm run generate`. Do not edit.
// As long as the record has fields: its type, schema, reader and writer stand together, as nobody edits them apart.
import type { JsonSchema } from '../json-schema.ts';
import { isObject, takeList, type UnknownFields } from '../take-fields.ts';
import type { IncidentType } from './enums.ts';

/** Something went wrong that a healer or a person should know of. Topic orchestration.incidents. */
export type OrchestrationIncident = {
  /** Id of the incident. */
  incident_id: string;
  /** Id of the workflow. */
  workflow_id: string;
  /** Kind of incident. */
  incident_type: IncidentType;
  /** How bad it is. */
  severity: string;
  /** What was seen, one sentence each. */
  details: string[];
  /** Ids of the tickets concerned. */
  affected_tickets: string[];
  /** Ties together everything that one request caused. */
  correlation_id: string;
  /** W3C trace id. */
  trace_id: string;
  /** Playbook that may heal it; null = none. */
  recommended_playbook: string | null;
  /** True when it may be healed without a person; null = not said. */
  auto_remediation_enabled: boolean | null;
  /** True when a person must act; null = not said. */
  escalation_required: boolean | null;
  /** When it was found. Epoch milliseconds. */
  created_at: number;
  /** sha-256 of the canonical JSON without `hash`. */
  hash: string;
};

/** {@link OrchestrationIncident} as JSON Schema, for validation and OpenAPI 3.1. */
export const ORCHESTRATION_INCIDENT_SCHEMA: JsonSchema = {
  "$id": "OrchestrationIncident",
  "title": "OrchestrationIncident",
  "type": "object",
  "description": "Something went wrong that a healer or a person should know of. Topic orchestration.incidents.",
  "properties": {
    "incident_id": {
      "type": "string",
      "description": "Id of the incident."
    },
    "workflow_id": {
      "type": "string",
      "description": "Id of the workflow."
    },
    "incident_type": {
      "type": "string",
      "enum": [
        "INCONSISTENCY",
        "SLA_VIOLATION",
        "TICKET_TIMEOUT",
        "WORKER_FAILURE"
      ],
      "description": "Kind of incident."
    },
    "severity": {
      "type": "string",
      "description": "How bad it is."
    },
    "details": {
      "type": "array",
      "items": {
        "type": "string"
      },
      "description": "What was seen, one sentence each."
    },
    "affected_tickets": {
      "type": "array",
      "items": {
        "type": "string"
      },
      "description": "Ids of the tickets concerned."
    },
    "correlation_id": {
      "type": "string",
      "description": "Ties together everything that one request caused."
    },
    "trace_id": {
      "type": "string",
      "description": "W3C trace id."
    },
    "recommended_playbook": {
      "type": [
        "string",
        "null"
      ],
      "description": "Playbook that may heal it; null = none.",
      "default": null
    },
    "auto_remediation_enabled": {
      "type": [
        "boolean",
        "null"
      ],
      "description": "True when it may be healed without a person; null = not said.",
      "default": null
    },
    "escalation_required": {
      "type": [
        "boolean",
        "null"
      ],
      "description": "True when a person must act; null = not said.",
      "default": null
    },
    "created_at": {
      "type": "integer",
      "minimum": -9007199254740990,
      "maximum": 9007199254740990,
      "description": "When it was found."
    },
    "hash": {
      "type": "string",
      "description": "sha-256 of the canonical JSON without `hash`."
    }
  },
  "required": [
    "incident_id",
    "workflow_id",
    "incident_type",
    "severity",
    "details",
    "affected_tickets",
    "correlation_id",
    "trace_id",
    "created_at",
    "hash"
  ]
};

/** {@link OrchestrationIncident} as Avro, without its comments. */
export const ORCHESTRATION_INCIDENT_AVRO: unknown = {
  "type": "record",
  "name": "OrchestrationIncident",
  "namespace": "io.neuralhive.orchestration",
  "fields": [
    {
      "name": "incident_id",
      "type": "string"
    },
    {
      "name": "workflow_id",
      "type": "string"
    },
    {
      "name": "incident_type",
      "type": {
        "type": "enum",
        "name": "IncidentType",
        "symbols": [
          "INCONSISTENCY",
          "SLA_VIOLATION",
          "TICKET_TIMEOUT",
          "WORKER_FAILURE"
        ]
      }
    },
    {
      "name": "severity",
      "type": "string"
    },
    {
      "name": "details",
      "type": {
        "type": "array",
        "items": "string"
      }
    },
    {
      "name": "affected_tickets",
      "type": {
        "type": "array",
        "items": "string"
      }
    },
    {
      "name": "correlation_id",
      "type": "string"
    },
    {
      "name": "trace_id",
      "type": "string"
    },
    {
      "name": "recommended_playbook",
      "type": [
        "null",
        "string"
      ],
      "default": null
    },
    {
      "name": "auto_remediation_enabled",
      "type": [
        "null",
        "boolean"
      ],
      "default": null
    },
    {
      "name": "escalation_required",
      "type": [
        "null",
        "boolean"
      ],
      "default": null
    },
    {
      "name": "created_at",
      "type": {
        "type": "long",
        "logicalType": "timestamp-millis"
      }
    },
    {
      "name": "hash",
      "type": "string"
    }
  ]
};

const ORCHESTRATION_INCIDENT_FIELDS = new Set(['incident_id', 'workflow_id', 'incident_type', 'severity', 'details', 'affected_tickets', 'correlation_id', 'trace_id', 'recommended_playbook', 'auto_remediation_enabled', 'escalation_required', 'created_at', 'hash']);

/** Copies the fields of a {@link OrchestrationIncident}, with defaults; unknown ones go to `unknown`. */
export function takeOrchestrationIncident(value: unknown, unknown: UnknownFields, at: string, index: number): unknown {
  if (!isObject(value)) return value;
  for (const key in value) if (!ORCHESTRATION_INCIDENT_FIELDS.has(key)) unknown.add(at, index, key);
  return {
    incident_id: value.incident_id,
    workflow_id: value.workflow_id,
    incident_type: value.incident_type,
    severity: value.severity,
    details: takeList(value.details),
    affected_tickets: takeList(value.affected_tickets),
    correlation_id: value.correlation_id,
    trace_id: value.trace_id,
    recommended_playbook: value.recommended_playbook ?? null,
    auto_remediation_enabled: value.auto_remediation_enabled ?? null,
    escalation_required: value.escalation_required ?? null,
    created_at: value.created_at,
    hash: value.hash,
  };
}
