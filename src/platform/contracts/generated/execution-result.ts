// Generated from schemas/*.avsc by `npm run generate`. Do not edit.
// As long as the record has fields: its type, schema, reader and writer stand together, as nobody edits them apart.
import type { JsonSchema } from '../json-schema.ts';
import { isObject, pathTo, takeList, takeMap, type UnknownFields } from '../take-fields.ts';
import type { ExecutionStatus } from './enums.ts';

/** Outcome of a run. */
export type ExecutionResultPayload = {
  /** True when the work succeeded. */
  success: boolean;
  /** Output of the work. Default: {}. */
  output: { [key: string]: string };
  /** Anything else about the run. Default: {}. */
  metadata: { [key: string]: string };
  /** Log lines, oldest first. Default: []. */
  logs: string[];
};

/** What an agent reports about a ticket. Topic execution.results. */
export type ExecutionResult = {
  /** Id of the ticket. */
  ticket_id: string;
  /** Where the run stands. */
  status: ExecutionStatus;
  /** The outcome. */
  result: ExecutionResultPayload;
  /** Why it failed; null = it did not. */
  error_message: string | null;
  /** Actual duration in milliseconds; null = unknown. */
  actual_duration_ms: number | null;
  /** Agent that ran it. */
  agent_id: string;
  /** When it was reported, in epoch milliseconds. */
  timestamp: number;
  /** Version of this schema. Default: 1. */
  schema_version: number;
};

/** {@link ExecutionResult} as JSON Schema, for validation and OpenAPI 3.1. */
export const EXECUTION_RESULT_SCHEMA: JsonSchema = {
  "$id": "ExecutionResult",
  "title": "ExecutionResult",
  "type": "object",
  "description": "What an agent reports about a ticket. Topic execution.results.",
  "properties": {
    "ticket_id": {
      "type": "string",
      "description": "Id of the ticket."
    },
    "status": {
      "type": "string",
      "enum": [
        "COMPLETED",
        "FAILED",
        "RUNNING"
      ],
      "description": "Where the run stands."
    },
    "result": {
      "type": "object",
      "description": "The outcome.",
      "properties": {
        "success": {
          "type": "boolean",
          "description": "True when the work succeeded."
        },
        "output": {
          "type": "object",
          "additionalProperties": {
            "type": "string"
          },
          "description": "Output of the work.",
          "default": {}
        },
        "metadata": {
          "type": "object",
          "additionalProperties": {
            "type": "string"
          },
          "description": "Anything else about the run.",
          "default": {}
        },
        "logs": {
          "type": "array",
          "items": {
            "type": "string"
          },
          "description": "Log lines, oldest first.",
          "default": []
        }
      },
      "required": [
        "success"
      ]
    },
    "error_message": {
      "type": [
        "string",
        "null"
      ],
      "description": "Why it failed; null = it did not.",
      "default": null
    },
    "actual_duration_ms": {
      "type": [
        "integer",
        "null"
      ],
      "minimum": -9007199254740990,
      "maximum": 9007199254740990,
      "description": "Actual duration in milliseconds; null = unknown.",
      "default": null
    },
    "agent_id": {
      "type": "string",
      "description": "Agent that ran it."
    },
    "timestamp": {
      "type": "integer",
      "minimum": -9007199254740990,
      "maximum": 9007199254740990,
      "description": "When it was reported, in epoch milliseconds."
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
    "status",
    "result",
    "agent_id",
    "timestamp"
  ]
};

/** {@link ExecutionResult} as Avro, without its comments. */
export const EXECUTION_RESULT_AVRO: unknown = {
  "type": "record",
  "name": "ExecutionResult",
  "namespace": "neural.hive.execution",
  "fields": [
    {
      "name": "ticket_id",
      "type": "string"
    },
    {
      "name": "status",
      "type": {
        "type": "enum",
        "name": "ExecutionStatus",
        "symbols": [
          "COMPLETED",
          "FAILED",
          "RUNNING"
        ]
      }
    },
    {
      "name": "result",
      "type": {
        "type": "record",
        "name": "ExecutionResultPayload",
        "fields": [
          {
            "name": "success",
            "type": "boolean"
          },
          {
            "name": "output",
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
          },
          {
            "name": "logs",
            "type": {
              "type": "array",
              "items": "string"
            },
            "default": []
          }
        ]
      }
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
      "name": "actual_duration_ms",
      "type": [
        "null",
        "long"
      ],
      "default": null
    },
    {
      "name": "agent_id",
      "type": "string"
    },
    {
      "name": "timestamp",
      "type": "long"
    },
    {
      "name": "schema_version",
      "type": "int",
      "default": 1
    }
  ]
};

const EXECUTION_RESULT_PAYLOAD_FIELDS = new Set(['success', 'output', 'metadata', 'logs']);

function takeExecutionResultPayload(value: unknown, unknown: UnknownFields, at: string, index: number): unknown {
  if (!isObject(value)) return value;
  for (const key in value) if (!EXECUTION_RESULT_PAYLOAD_FIELDS.has(key)) unknown.add(at, index, key);
  return {
    success: value.success,
    output: value.output === undefined ? {} : takeMap(value.output, unknown, at, index, 'output'),
    metadata: value.metadata === undefined ? {} : takeMap(value.metadata, unknown, at, index, 'metadata'),
    logs: value.logs === undefined ? [] : takeList(value.logs),
  };
}

const EXECUTION_RESULT_FIELDS = new Set(['ticket_id', 'status', 'result', 'error_message', 'actual_duration_ms', 'agent_id', 'timestamp', 'schema_version']);

/** Copies the fields of a {@link ExecutionResult}, with defaults; unknown ones go to `unknown`. */
export function takeExecutionResult(value: unknown, unknown: UnknownFields, at: string, index: number): unknown {
  if (!isObject(value)) return value;
  for (const key in value) if (!EXECUTION_RESULT_FIELDS.has(key)) unknown.add(at, index, key);
  return {
    ticket_id: value.ticket_id,
    status: value.status,
    result: takeExecutionResultPayload(value.result, unknown, pathTo(at, index, 'result'), -1),
    error_message: value.error_message ?? null,
    actual_duration_ms: value.actual_duration_ms ?? null,
    agent_id: value.agent_id,
    timestamp: value.timestamp,
    schema_version: value.schema_version === undefined ? 1 : value.schema_version,
  };
}
