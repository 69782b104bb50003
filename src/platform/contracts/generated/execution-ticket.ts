// Generated from schemas/*.avsc by `npm run generate`. Do not edit.
// As long as the record has fields: its type, schema, reader and writer stand together, as nobody edits them apart.
import type { JsonSchema } from '../json-schema.ts';
import { isObject, pathTo, takeList, takeMap, type UnknownFields } from '../take-fields.ts';
import type { Consistency, DeliveryMode, Durability, Priority, RiskBand, SecurityLevel, TaskType, TicketStatus } from './enums.ts';

/** What a ticket must keep to. */
export type SLA = {
  /** Latest end, in epoch milliseconds. */
  deadline: number;
  /** Longest run of one attempt, in milliseconds. */
  timeout_ms: number;
  /** Attempts after the first. */
  max_retries: number;
};

/** Guarantees of delivery. */
export type QoS = {
  /** How often the effect may happen. */
  delivery_mode: DeliveryMode;
  /** Consistency of what is read. */
  consistency: Consistency;
  /** Whether the result outlives the process. */
  durability: Durability;
};

/** One task, ready to be run by an agent. Topic execution.tickets. */
export type ExecutionTicket = {
  /** Id of the ticket. */
  ticket_id: string;
  /** Id of the plan. */
  plan_id: string;
  /** Id of the intent. */
  intent_id: string;
  /** Id of the decision that approved the plan. */
  decision_id: string;
  /** Ties together everything that one request caused. */
  correlation_id: string | null;
  /** W3C trace id. */
  trace_id: string | null;
  /** W3C span id of the sender. */
  span_id: string | null;
  /** Id of the task within the plan. */
  task_id: string;
  /** Kind of work. */
  task_type: TaskType;
  /** What is to be done, for people. */
  description: string;
  /** Ticket ids that must be completed first. Default: []. */
  dependencies: string[];
  /** Where the ticket stands. Default: "PENDING". */
  status: TicketStatus;
  /** Priority. */
  priority: Priority;
  /** Band of the risk. */
  risk_band: RiskBand;
  /** What the ticket must keep to. */
  sla: SLA;
  /** Guarantees of delivery. */
  qos: QoS;
  /** Input of the task. Default: {}. */
  parameters: { [key: string]: string };
  /** Capabilities that an agent must have, all of them. Default: []. */
  required_capabilities: string[];
  /** Who may see the work. */
  security_level: SecurityLevel;
  /** When it was made, in epoch milliseconds. */
  created_at: number;
  /** When its first attempt began, in epoch milliseconds; null = not yet. */
  started_at: number | null;
  /** When it ended, in epoch milliseconds; null = not yet. */
  completed_at: number | null;
  /** Estimated duration in milliseconds; null = unknown. */
  estimated_duration_ms: number | null;
  /** Actual duration in milliseconds; null = not ended. */
  actual_duration_ms: number | null;
  /** Attempts after the first, so far. Default: 0. */
  retry_count: number;
  /** Why it failed; null = it did not. */
  error_message: string | null;
  /** Ticket that undoes this one; null = none. */
  compensation_ticket_id: string | null;
  /** Anything else; `instance` names the company. Default: {}. */
  metadata: { [key: string]: string };
  /** Version of this schema. Default: 1. */
  schema_version: number;
};

/** {@link ExecutionTicket} as JSON Schema, for validation and OpenAPI 3.1. */
export const EXECUTION_TICKET_SCHEMA: JsonSchema = {
  "$id": "ExecutionTicket",
  "title": "ExecutionTicket",
  "type": "object",
  "description": "One task, ready to be run by an agent. Topic execution.tickets.",
  "properties": {
    "ticket_id": {
      "type": "string",
      "description": "Id of the ticket."
    },
    "plan_id": {
      "type": "string",
      "description": "Id of the plan."
    },
    "intent_id": {
      "type": "string",
      "description": "Id of the intent."
    },
    "decision_id": {
      "type": "string",
      "description": "Id of the decision that approved the plan."
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
    "task_id": {
      "type": "string",
      "description": "Id of the task within the plan."
    },
    "task_type": {
      "type": "string",
      "enum": [
        "BUILD",
        "DEPLOY",
        "TEST",
        "VALIDATE",
        "EXECUTE",
        "COMPENSATE",
        "QUERY",
        "TRANSFORM"
      ],
      "description": "Kind of work."
    },
    "description": {
      "type": "string",
      "description": "What is to be done, for people."
    },
    "dependencies": {
      "type": "array",
      "items": {
        "type": "string"
      },
      "description": "Ticket ids that must be completed first.",
      "default": []
    },
    "status": {
      "type": "string",
      "enum": [
        "PENDING",
        "RUNNING",
        "COMPLETED",
        "FAILED",
        "COMPENSATING",
        "COMPENSATED"
      ],
      "description": "Where the ticket stands.",
      "default": "PENDING"
    },
    "priority": {
      "type": "string",
      "enum": [
        "LOW",
        "NORMAL",
        "HIGH",
        "CRITICAL"
      ],
      "description": "Priority."
    },
    "risk_band": {
      "type": "string",
      "enum": [
        "low",
        "medium",
        "high",
        "critical"
      ],
      "description": "Band of the risk."
    },
    "sla": {
      "type": "object",
      "description": "What the ticket must keep to.",
      "properties": {
        "deadline": {
          "type": "integer",
          "minimum": -9007199254740990,
          "maximum": 9007199254740990,
          "description": "Latest end, in epoch milliseconds."
        },
        "timeout_ms": {
          "type": "integer",
          "minimum": -9007199254740990,
          "maximum": 9007199254740990,
          "description": "Longest run of one attempt, in milliseconds."
        },
        "max_retries": {
          "type": "integer",
          "minimum": -2147483648,
          "maximum": 2147483647,
          "description": "Attempts after the first."
        }
      },
      "required": [
        "deadline",
        "timeout_ms",
        "max_retries"
      ]
    },
    "qos": {
      "type": "object",
      "description": "Guarantees of delivery.",
      "properties": {
        "delivery_mode": {
          "type": "string",
          "enum": [
            "AT_MOST_ONCE",
            "AT_LEAST_ONCE",
            "EXACTLY_ONCE"
          ],
          "description": "How often the effect may happen."
        },
        "consistency": {
          "type": "string",
          "enum": [
            "EVENTUAL",
            "STRONG"
          ],
          "description": "Consistency of what is read."
        },
        "durability": {
          "type": "string",
          "enum": [
            "TRANSIENT",
            "PERSISTENT"
          ],
          "description": "Whether the result outlives the process."
        }
      },
      "required": [
        "delivery_mode",
        "consistency",
        "durability"
      ]
    },
    "parameters": {
      "type": "object",
      "additionalProperties": {
        "type": "string"
      },
      "description": "Input of the task.",
      "default": {}
    },
    "required_capabilities": {
      "type": "array",
      "items": {
        "type": "string"
      },
      "description": "Capabilities that an agent must have, all of them.",
      "default": []
    },
    "security_level": {
      "type": "string",
      "enum": [
        "PUBLIC",
        "INTERNAL",
        "CONFIDENTIAL",
        "RESTRICTED"
      ],
      "description": "Who may see the work."
    },
    "created_at": {
      "type": "integer",
      "minimum": -9007199254740990,
      "maximum": 9007199254740990,
      "description": "When it was made, in epoch milliseconds."
    },
    "started_at": {
      "type": [
        "integer",
        "null"
      ],
      "minimum": -9007199254740990,
      "maximum": 9007199254740990,
      "description": "When its first attempt began, in epoch milliseconds; null = not yet.",
      "default": null
    },
    "completed_at": {
      "type": [
        "integer",
        "null"
      ],
      "minimum": -9007199254740990,
      "maximum": 9007199254740990,
      "description": "When it ended, in epoch milliseconds; null = not yet.",
      "default": null
    },
    "estimated_duration_ms": {
      "type": [
        "integer",
        "null"
      ],
      "minimum": -9007199254740990,
      "maximum": 9007199254740990,
      "description": "Estimated duration in milliseconds; null = unknown.",
      "default": null
    },
    "actual_duration_ms": {
      "type": [
        "integer",
        "null"
      ],
      "minimum": -9007199254740990,
      "maximum": 9007199254740990,
      "description": "Actual duration in milliseconds; null = not ended.",
      "default": null
    },
    "retry_count": {
      "type": "integer",
      "minimum": -2147483648,
      "maximum": 2147483647,
      "description": "Attempts after the first, so far.",
      "default": 0
    },
    "error_message": {
      "type": [
        "string",
        "null"
      ],
      "description": "Why it failed; null = it did not.",
      "default": null
    },
    "compensation_ticket_id": {
      "type": [
        "string",
        "null"
      ],
      "description": "Ticket that undoes this one; null = none.",
      "default": null
    },
    "metadata": {
      "type": "object",
      "additionalProperties": {
        "type": "string"
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
    "ticket_id",
    "plan_id",
    "intent_id",
    "decision_id",
    "task_id",
    "task_type",
    "description",
    "priority",
    "risk_band",
    "sla",
    "qos",
    "security_level",
    "created_at"
  ]
};

/** {@link ExecutionTicket} as Avro, without its comments. */
export const EXECUTION_TICKET_AVRO: unknown = {
  "type": "record",
  "name": "ExecutionTicket",
  "namespace": "com.neuralhivemind.orchestration",
  "fields": [
    {
      "name": "ticket_id",
      "type": "string"
    },
    {
      "name": "plan_id",
      "type": "string"
    },
    {
      "name": "intent_id",
      "type": "string"
    },
    {
      "name": "decision_id",
      "type": "string"
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
      "name": "task_id",
      "type": "string"
    },
    {
      "name": "task_type",
      "type": {
        "type": "enum",
        "name": "TaskType",
        "symbols": [
          "BUILD",
          "DEPLOY",
          "TEST",
          "VALIDATE",
          "EXECUTE",
          "COMPENSATE",
          "QUERY",
          "TRANSFORM"
        ]
      }
    },
    {
      "name": "description",
      "type": "string"
    },
    {
      "name": "dependencies",
      "type": {
        "type": "array",
        "items": "string"
      },
      "default": []
    },
    {
      "name": "status",
      "type": {
        "type": "enum",
        "name": "TicketStatus",
        "symbols": [
          "PENDING",
          "RUNNING",
          "COMPLETED",
          "FAILED",
          "COMPENSATING",
          "COMPENSATED"
        ]
      },
      "default": "PENDING"
    },
    {
      "name": "priority",
      "type": {
        "type": "enum",
        "name": "Priority",
        "symbols": [
          "LOW",
          "NORMAL",
          "HIGH",
          "CRITICAL"
        ]
      }
    },
    {
      "name": "risk_band",
      "type": {
        "type": "enum",
        "name": "RiskBand",
        "symbols": [
          "low",
          "medium",
          "high",
          "critical"
        ]
      }
    },
    {
      "name": "sla",
      "type": {
        "type": "record",
        "name": "SLA",
        "fields": [
          {
            "name": "deadline",
            "type": "long"
          },
          {
            "name": "timeout_ms",
            "type": "long"
          },
          {
            "name": "max_retries",
            "type": "int"
          }
        ]
      }
    },
    {
      "name": "qos",
      "type": {
        "type": "record",
        "name": "QoS",
        "fields": [
          {
            "name": "delivery_mode",
            "type": {
              "type": "enum",
              "name": "DeliveryMode",
              "symbols": [
                "AT_MOST_ONCE",
                "AT_LEAST_ONCE",
                "EXACTLY_ONCE"
              ]
            }
          },
          {
            "name": "consistency",
            "type": {
              "type": "enum",
              "name": "Consistency",
              "symbols": [
                "EVENTUAL",
                "STRONG"
              ]
            }
          },
          {
            "name": "durability",
            "type": {
              "type": "enum",
              "name": "Durability",
              "symbols": [
                "TRANSIENT",
                "PERSISTENT"
              ]
            }
          }
        ]
      }
    },
    {
      "name": "parameters",
      "type": {
        "type": "map",
        "values": "string"
      },
      "default": {}
    },
    {
      "name": "required_capabilities",
      "type": {
        "type": "array",
        "items": "string"
      },
      "default": []
    },
    {
      "name": "security_level",
      "type": {
        "type": "enum",
        "name": "SecurityLevel",
        "symbols": [
          "PUBLIC",
          "INTERNAL",
          "CONFIDENTIAL",
          "RESTRICTED"
        ]
      }
    },
    {
      "name": "created_at",
      "type": "long"
    },
    {
      "name": "started_at",
      "type": [
        "null",
        "long"
      ],
      "default": null
    },
    {
      "name": "completed_at",
      "type": [
        "null",
        "long"
      ],
      "default": null
    },
    {
      "name": "estimated_duration_ms",
      "type": [
        "null",
        "long"
      ],
      "default": null
    },
    {
      "name": "actual_duration_ms",
      "type": [
        "null",
        "long"
      ],
      "default": null
    },
    {
      "name": "retry_count",
      "type": "int",
      "default": 0
    },
    {
      "name": "error_message",
      "type": [
        "null",
        "string"
      ],
      "default": null
    },
    {
      "name": "compensation_ticket_id",
      "type": [
        "null",
        "string"
      ],
      "default": null
    },
    {
      "name": "metadata",
      "type": {
        "type": "map",
        "values": "string"
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

const SLA_FIELDS = new Set(['deadline', 'timeout_ms', 'max_retries']);

function takeSLA(value: unknown, unknown: UnknownFields, at: string, index: number): unknown {
  if (!isObject(value)) return value;
  for (const key in value) if (!SLA_FIELDS.has(key)) unknown.add(at, index, key);
  return {
    deadline: value.deadline,
    timeout_ms: value.timeout_ms,
    max_retries: value.max_retries,
  };
}

const QO_S_FIELDS = new Set(['delivery_mode', 'consistency', 'durability']);

function takeQoS(value: unknown, unknown: UnknownFields, at: string, index: number): unknown {
  if (!isObject(value)) return value;
  for (const key in value) if (!QO_S_FIELDS.has(key)) unknown.add(at, index, key);
  return {
    delivery_mode: value.delivery_mode,
    consistency: value.consistency,
    durability: value.durability,
  };
}

const EXECUTION_TICKET_FIELDS = new Set(['ticket_id', 'plan_id', 'intent_id', 'decision_id', 'correlation_id', 'trace_id', 'span_id', 'task_id', 'task_type', 'description', 'dependencies', 'status', 'priority', 'risk_band', 'sla', 'qos', 'parameters', 'required_capabilities', 'security_level', 'created_at', 'started_at', 'completed_at', 'estimated_duration_ms', 'actual_duration_ms', 'retry_count', 'error_message', 'compensation_ticket_id', 'metadata', 'schema_version']);

/** Copies the fields of a {@link ExecutionTicket}, with defaults; unknown ones go to `unknown`. */
export function takeExecutionTicket(value: unknown, unknown: UnknownFields, at: string, index: number): unknown {
  if (!isObject(value)) return value;
  for (const key in value) if (!EXECUTION_TICKET_FIELDS.has(key)) unknown.add(at, index, key);
  return {
    ticket_id: value.ticket_id,
    plan_id: value.plan_id,
    intent_id: value.intent_id,
    decision_id: value.decision_id,
    correlation_id: value.correlation_id ?? null,
    trace_id: value.trace_id ?? null,
    span_id: value.span_id ?? null,
    task_id: value.task_id,
    task_type: value.task_type,
    description: value.description,
    dependencies: value.dependencies === undefined ? [] : takeList(value.dependencies),
    status: value.status === undefined ? 'PENDING' : value.status,
    priority: value.priority,
    risk_band: value.risk_band,
    sla: takeSLA(value.sla, unknown, pathTo(at, index, 'sla'), -1),
    qos: takeQoS(value.qos, unknown, pathTo(at, index, 'qos'), -1),
    parameters: value.parameters === undefined ? {} : takeMap(value.parameters, unknown, at, index, 'parameters'),
    required_capabilities: value.required_capabilities === undefined ? [] : takeList(value.required_capabilities),
    security_level: value.security_level,
    created_at: value.created_at,
    started_at: value.started_at ?? null,
    completed_at: value.completed_at ?? null,
    estimated_duration_ms: value.estimated_duration_ms ?? null,
    actual_duration_ms: value.actual_duration_ms ?? null,
    retry_count: value.retry_count === undefined ? 0 : value.retry_count,
    error_message: value.error_message ?? null,
    compensation_ticket_id: value.compensation_ticket_id ?? null,
    metadata: value.metadata === undefined ? {} : takeMap(value.metadata, unknown, at, index, 'metadata'),
    schema_version: value.schema_version === undefined ? 1 : value.schema_version,
  };
}
