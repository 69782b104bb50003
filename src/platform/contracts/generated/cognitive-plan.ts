// Generated from schemas/*.avsc by `npm run generate`. Do not edit.
// As long as the record has fields: its type, schema, reader and writer stand together, as nobody edits them apart.
import type { JsonSchema } from '../json-schema.ts';
import { isObject, pathTo, takeList, takeMap, takeRecords, type UnknownFields } from '../take-fields.ts';
import type { ApprovalStatus, CognitiveDomain, PlanStatus, RiskBand } from './enums.ts';

/** One task of a plan. */
export type TaskNode = {
  /** Id, unique within the plan. */
  task_id: string;
  /** What kind of work it is; it selects the agents. */
  task_type: string;
  /** What is to be done, for people. */
  description: string;
  /** Task ids that must be completed first. Default: []. */
  dependencies: string[];
  /** Estimated duration in milliseconds; null = unknown. */
  estimated_duration_ms: number | null;
  /** Capabilities that an agent must have, all of them. Default: []. */
  required_capabilities: string[];
  /** Input of the task. Default: {}. */
  parameters: { [key: string]: string };
  /** Anything else about the task. Default: {}. */
  metadata: { [key: string]: string };
};

/** A plan: tasks with dependencies, the order to run them in, and what is known of their risk. */
export type CognitivePlan = {
  /** Id of the plan; a decision names the plan by it. */
  plan_id: string;
  /** Version of the plan. Default: "1.0.0". */
  version: string;
  /** Id of the intent that the plan serves. */
  intent_id: string;
  /** Ties together everything that one request caused. */
  correlation_id: string | null;
  /** W3C trace id. */
  trace_id: string | null;
  /** W3C span id of the sender. */
  span_id: string | null;
  /** The tasks. */
  tasks: TaskNode[];
  /** Task ids in an order that respects the dependencies. */
  execution_order: string[];
  /** Risk, from 0 to 1. */
  risk_score: number;
  /** Band of the risk. */
  risk_band: RiskBand;
  /** Weight of each factor behind the risk. */
  risk_factors: { [key: string]: number };
  /** Key to the full explanation. */
  explainability_token: string;
  /** Why the plan is as it is, for people. */
  reasoning_summary: string;
  /** Where the plan stands with its author. Default: "draft". */
  status: PlanStatus;
  /** When the plan was made. Epoch milliseconds. */
  created_at: number;
  /** The plan must be done by then; null = no limit. Epoch milliseconds. */
  valid_until: number | null;
  /** Estimated duration of the whole plan in milliseconds; null = unknown. */
  estimated_total_duration_ms: number | null;
  /** Complexity, from 0 to 1. */
  complexity_score: number;
  /** Domain of the intent. */
  original_domain: CognitiveDomain;
  /** Priority that the intent came with. */
  original_priority: string;
  /** Security level that the intent came with. */
  original_security_level: string;
  /** Anything else about the plan. Default: {}. */
  metadata: { [key: string]: string };
  /** True when a person must approve the plan first. Default: false. */
  requires_approval: boolean;
  /** Where the approval stands; null = none was asked for. */
  approval_status: ApprovalStatus | null;
  /** Who approved or rejected it. */
  approved_by: string | null;
  /** When it was approved or rejected. Epoch milliseconds. */
  approved_at: number | null;
  /** True when some task destroys something. Default: false. */
  is_destructive: boolean;
  /** Task ids that destroy something. Default: []. */
  destructive_tasks: string[];
  /** Risk per dimension; null = not assessed. */
  risk_matrix: { [key: string]: number } | null;
  /** Version of this schema. Default: 1. */
  schema_version: number;
};

/** {@link CognitivePlan} as JSON Schema, for validation and OpenAPI 3.1. */
export const COGNITIVE_PLAN_SCHEMA: JsonSchema = {
  "$id": "CognitivePlan",
  "title": "CognitivePlan",
  "type": "object",
  "description": "A plan: tasks with dependencies, the order to run them in, and what is known of their risk.",
  "properties": {
    "plan_id": {
      "type": "string",
      "description": "Id of the plan; a decision names the plan by it."
    },
    "version": {
      "type": "string",
      "description": "Version of the plan.",
      "default": "1.0.0"
    },
    "intent_id": {
      "type": "string",
      "description": "Id of the intent that the plan serves."
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
    "tasks": {
      "type": "array",
      "items": {
        "type": "object",
        "description": "One task of a plan.",
        "properties": {
          "task_id": {
            "type": "string",
            "description": "Id, unique within the plan."
          },
          "task_type": {
            "type": "string",
            "description": "What kind of work it is; it selects the agents."
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
            "description": "Task ids that must be completed first.",
            "default": []
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
          "required_capabilities": {
            "type": "array",
            "items": {
              "type": "string"
            },
            "description": "Capabilities that an agent must have, all of them.",
            "default": []
          },
          "parameters": {
            "type": "object",
            "additionalProperties": {
              "type": "string"
            },
            "description": "Input of the task.",
            "default": {}
          },
          "metadata": {
            "type": "object",
            "additionalProperties": {
              "type": "string"
            },
            "description": "Anything else about the task.",
            "default": {}
          }
        },
        "required": [
          "task_id",
          "task_type",
          "description"
        ]
      },
      "description": "The tasks."
    },
    "execution_order": {
      "type": "array",
      "items": {
        "type": "string"
      },
      "description": "Task ids in an order that respects the dependencies."
    },
    "risk_score": {
      "type": "number",
      "description": "Risk, from 0 to 1."
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
    "risk_factors": {
      "type": "object",
      "additionalProperties": {
        "type": "number"
      },
      "description": "Weight of each factor behind the risk."
    },
    "explainability_token": {
      "type": "string",
      "description": "Key to the full explanation."
    },
    "reasoning_summary": {
      "type": "string",
      "description": "Why the plan is as it is, for people."
    },
    "status": {
      "type": "string",
      "enum": [
        "draft",
        "validated",
        "approved",
        "rejected"
      ],
      "description": "Where the plan stands with its author.",
      "default": "draft"
    },
    "created_at": {
      "type": "integer",
      "minimum": -9007199254740990,
      "maximum": 9007199254740990,
      "description": "When the plan was made."
    },
    "valid_until": {
      "type": [
        "integer",
        "null"
      ],
      "minimum": -9007199254740990,
      "maximum": 9007199254740990,
      "description": "The plan must be done by then; null = no limit.",
      "default": null
    },
    "estimated_total_duration_ms": {
      "type": [
        "integer",
        "null"
      ],
      "minimum": -9007199254740990,
      "maximum": 9007199254740990,
      "description": "Estimated duration of the whole plan in milliseconds; null = unknown.",
      "default": null
    },
    "complexity_score": {
      "type": "number",
      "description": "Complexity, from 0 to 1."
    },
    "original_domain": {
      "type": "string",
      "enum": [
        "BUSINESS",
        "TECHNICAL",
        "SECURITY",
        "INFRASTRUCTURE",
        "BEHAVIOR",
        "OPERATIONAL",
        "COMPLIANCE"
      ],
      "description": "Domain of the intent."
    },
    "original_priority": {
      "type": "string",
      "description": "Priority that the intent came with."
    },
    "original_security_level": {
      "type": "string",
      "description": "Security level that the intent came with."
    },
    "metadata": {
      "type": "object",
      "additionalProperties": {
        "type": "string"
      },
      "description": "Anything else about the plan.",
      "default": {}
    },
    "requires_approval": {
      "type": "boolean",
      "description": "True when a person must approve the plan first.",
      "default": false
    },
    "approval_status": {
      "type": [
        "string",
        "null"
      ],
      "enum": [
        "pending",
        "approved",
        "rejected",
        null
      ],
      "description": "Where the approval stands; null = none was asked for.",
      "default": null
    },
    "approved_by": {
      "type": [
        "string",
        "null"
      ],
      "description": "Who approved or rejected it.",
      "default": null
    },
    "approved_at": {
      "type": [
        "integer",
        "null"
      ],
      "minimum": -9007199254740990,
      "maximum": 9007199254740990,
      "description": "When it was approved or rejected.",
      "default": null
    },
    "is_destructive": {
      "type": "boolean",
      "description": "True when some task destroys something.",
      "default": false
    },
    "destructive_tasks": {
      "type": "array",
      "items": {
        "type": "string"
      },
      "description": "Task ids that destroy something.",
      "default": []
    },
    "risk_matrix": {
      "type": [
        "object",
        "null"
      ],
      "additionalProperties": {
        "type": "number"
      },
      "description": "Risk per dimension; null = not assessed.",
      "default": null
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
    "plan_id",
    "intent_id",
    "tasks",
    "execution_order",
    "risk_score",
    "risk_band",
    "risk_factors",
    "explainability_token",
    "reasoning_summary",
    "created_at",
    "complexity_score",
    "original_domain",
    "original_priority",
    "original_security_level"
  ]
};

/** {@link CognitivePlan} as Avro, without its comments. */
export const COGNITIVE_PLAN_AVRO: unknown = {
  "type": "record",
  "name": "CognitivePlan",
  "namespace": "com.neuralhivemind.cognitiva",
  "fields": [
    {
      "name": "plan_id",
      "type": "string"
    },
    {
      "name": "version",
      "type": "string",
      "default": "1.0.0"
    },
    {
      "name": "intent_id",
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
      "name": "tasks",
      "type": {
        "type": "array",
        "items": {
          "type": "record",
          "name": "TaskNode",
          "fields": [
            {
              "name": "task_id",
              "type": "string"
            },
            {
              "name": "task_type",
              "type": "string"
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
              "name": "estimated_duration_ms",
              "type": [
                "null",
                "long"
              ],
              "default": null
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
              "name": "parameters",
              "type": {
                "type": "map",
                "values": "string"
              },
              "default": {}
            },
            {
              "name": "metadata",
              "type": {
                "type": "map",
                "values": "string"
              },
              "default": {}
            }
          ]
        }
      }
    },
    {
      "name": "execution_order",
      "type": {
        "type": "array",
        "items": "string"
      }
    },
    {
      "name": "risk_score",
      "type": "double"
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
      "name": "risk_factors",
      "type": {
        "type": "map",
        "values": "double"
      }
    },
    {
      "name": "explainability_token",
      "type": "string"
    },
    {
      "name": "reasoning_summary",
      "type": "string"
    },
    {
      "name": "status",
      "type": {
        "type": "enum",
        "name": "PlanStatus",
        "symbols": [
          "draft",
          "validated",
          "approved",
          "rejected"
        ]
      },
      "default": "draft"
    },
    {
      "name": "created_at",
      "type": {
        "type": "long",
        "logicalType": "timestamp-millis"
      }
    },
    {
      "name": "valid_until",
      "type": [
        "null",
        {
          "type": "long",
          "logicalType": "timestamp-millis"
        }
      ],
      "default": null
    },
    {
      "name": "estimated_total_duration_ms",
      "type": [
        "null",
        "long"
      ],
      "default": null
    },
    {
      "name": "complexity_score",
      "type": "double"
    },
    {
      "name": "original_domain",
      "type": {
        "type": "enum",
        "name": "CognitiveDomain",
        "symbols": [
          "BUSINESS",
          "TECHNICAL",
          "SECURITY",
          "INFRASTRUCTURE",
          "BEHAVIOR",
          "OPERATIONAL",
          "COMPLIANCE"
        ]
      }
    },
    {
      "name": "original_priority",
      "type": "string"
    },
    {
      "name": "original_security_level",
      "type": "string"
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
      "name": "requires_approval",
      "type": "boolean",
      "default": false
    },
    {
      "name": "approval_status",
      "type": [
        "null",
        {
          "type": "enum",
          "name": "ApprovalStatus",
          "symbols": [
            "pending",
            "approved",
            "rejected"
          ]
        }
      ],
      "default": null
    },
    {
      "name": "approved_by",
      "type": [
        "null",
        "string"
      ],
      "default": null
    },
    {
      "name": "approved_at",
      "type": [
        "null",
        {
          "type": "long",
          "logicalType": "timestamp-millis"
        }
      ],
      "default": null
    },
    {
      "name": "is_destructive",
      "type": "boolean",
      "default": false
    },
    {
      "name": "destructive_tasks",
      "type": {
        "type": "array",
        "items": "string"
      },
      "default": []
    },
    {
      "name": "risk_matrix",
      "type": [
        "null",
        {
          "type": "map",
          "values": "double"
        }
      ],
      "default": null
    },
    {
      "name": "schema_version",
      "type": "int",
      "default": 1
    }
  ]
};

const TASK_NODE_FIELDS = new Set(['task_id', 'task_type', 'description', 'dependencies', 'estimated_duration_ms', 'required_capabilities', 'parameters', 'metadata']);

function takeTaskNode(value: unknown, unknown: UnknownFields, at: string, index: number): unknown {
  if (!isObject(value)) return value;
  for (const key in value) if (!TASK_NODE_FIELDS.has(key)) unknown.add(at, index, key);
  return {
    task_id: value.task_id,
    task_type: value.task_type,
    description: value.description,
    dependencies: value.dependencies === undefined ? [] : takeList(value.dependencies),
    estimated_duration_ms: value.estimated_duration_ms ?? null,
    required_capabilities: value.required_capabilities === undefined ? [] : takeList(value.required_capabilities),
    parameters: value.parameters === undefined ? {} : takeMap(value.parameters, unknown, at, index, 'parameters'),
    metadata: value.metadata === undefined ? {} : takeMap(value.metadata, unknown, at, index, 'metadata'),
  };
}

const COGNITIVE_PLAN_FIELDS = new Set(['plan_id', 'version', 'intent_id', 'correlation_id', 'trace_id', 'span_id', 'tasks', 'execution_order', 'risk_score', 'risk_band', 'risk_factors', 'explainability_token', 'reasoning_summary', 'status', 'created_at', 'valid_until', 'estimated_total_duration_ms', 'complexity_score', 'original_domain', 'original_priority', 'original_security_level', 'metadata', 'requires_approval', 'approval_status', 'approved_by', 'approved_at', 'is_destructive', 'destructive_tasks', 'risk_matrix', 'schema_version']);

/** Copies the fields of a {@link CognitivePlan}, with defaults; unknown ones go to `unknown`. */
export function takeCognitivePlan(value: unknown, unknown: UnknownFields, at: string, index: number): unknown {
  if (!isObject(value)) return value;
  for (const key in value) if (!COGNITIVE_PLAN_FIELDS.has(key)) unknown.add(at, index, key);
  return {
    plan_id: value.plan_id,
    version: value.version === undefined ? '1.0.0' : value.version,
    intent_id: value.intent_id,
    correlation_id: value.correlation_id ?? null,
    trace_id: value.trace_id ?? null,
    span_id: value.span_id ?? null,
    tasks: takeRecords(value.tasks, unknown, pathTo(at, index, 'tasks'), takeTaskNode),
    execution_order: takeList(value.execution_order),
    risk_score: value.risk_score,
    risk_band: value.risk_band,
    risk_factors: takeMap(value.risk_factors, unknown, at, index, 'risk_factors'),
    explainability_token: value.explainability_token,
    reasoning_summary: value.reasoning_summary,
    status: value.status === undefined ? 'draft' : value.status,
    created_at: value.created_at,
    valid_until: value.valid_until ?? null,
    estimated_total_duration_ms: value.estimated_total_duration_ms ?? null,
    complexity_score: value.complexity_score,
    original_domain: value.original_domain,
    original_priority: value.original_priority,
    original_security_level: value.original_security_level,
    metadata: value.metadata === undefined ? {} : takeMap(value.metadata, unknown, at, index, 'metadata'),
    requires_approval: value.requires_approval === undefined ? false : value.requires_approval,
    approval_status: value.approval_status ?? null,
    approved_by: value.approved_by ?? null,
    approved_at: value.approved_at ?? null,
    is_destructive: value.is_destructive === undefined ? false : value.is_destructive,
    destructive_tasks: value.destructive_tasks === undefined ? [] : takeList(value.destructive_tasks),
    risk_matrix: value.risk_matrix === undefined ? null : takeMap(value.risk_matrix, unknown, at, index, 'risk_matrix'),
    schema_version: value.schema_version === undefined ? 1 : value.schema_version,
  };
}
