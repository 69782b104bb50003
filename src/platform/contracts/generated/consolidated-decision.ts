// Generated from schemas/*.avsc by `npm run generate`. Do not edit.
// As long as the record has fields: its type, schema, reader and writer stand together, as nobody edits them apart.
import type { JsonSchema } from '../json-schema.ts';
import { isObject, pathTo, takeList, takeMap, takeRecords, type UnknownFields } from '../take-fields.ts';
import type { ConsensusMethod, DecisionType } from './enums.ts';

/** The vote of one specialist. */
export type SpecialistVote = {
  /** Which specialist voted. */
  specialist_type: string;
  /** Id of the opinion behind the vote. */
  opinion_id: string;
  /** Confidence, from 0 to 1. */
  confidence_score: number;
  /** Risk, from 0 to 1. */
  risk_score: number;
  /** What the specialist recommends. */
  recommendation: string;
  /** Weight of the vote. */
  weight: number;
  /** Time the specialist took, in milliseconds. */
  processing_time_ms: number;
};

/** How a consensus came about. */
export type ConsensusMetrics = {
  /** How far the votes were apart, from 0 to 1. */
  divergence_score: number;
  /** Time to the consensus, in milliseconds. */
  convergence_time_ms: number;
  /** True when all votes agreed. */
  unanimous: boolean;
  /** True when the fallback decided. */
  fallback_used: boolean;
  /** Strength of the trail of earlier successes, from 0 to 1. */
  pheromone_strength: number;
  /** Confidence of the Bayesian method, from 0 to 1. */
  bayesian_confidence: number;
  /** Confidence of the voting method, from 0 to 1. */
  voting_confidence: number;
};

/** What the specialists decided about a plan, with the plan. Topic plans.consensus. */
export type ConsolidatedDecision = {
  /** Id of the decision. */
  decision_id: string;
  /** Id of the plan that was decided on. */
  plan_id: string;
  /** Id of the intent that the plan serves. */
  intent_id: string;
  /** Ties together everything that one request caused. */
  correlation_id: string | null;
  /** W3C trace id. */
  trace_id: string | null;
  /** W3C span id of the sender. */
  span_id: string | null;
  /** The outcome. */
  final_decision: DecisionType;
  /** How the outcome was reached. */
  consensus_method: ConsensusMethod;
  /** Confidence of all votes together, from 0 to 1. */
  aggregated_confidence: number;
  /** Risk of all votes together, from 0 to 1. */
  aggregated_risk: number;
  /** The votes. */
  specialist_votes: SpecialistVote[];
  /** How the consensus came about. */
  consensus_metrics: ConsensusMetrics;
  /** Key to the full explanation. */
  explainability_token: string;
  /** Why it was decided so, for people. */
  reasoning_summary: string;
  /** Outcome of each compliance check. */
  compliance_checks: { [key: string]: boolean };
  /** Names of the guardrails that were triggered. */
  guardrails_triggered: string[];
  /** The plan as JSON text; null = none. */
  cognitive_plan: string | null;
  /** True when a person must look at it first. */
  requires_human_review: boolean;
  /** When it was decided. Epoch milliseconds. */
  created_at: number;
  /** The decision holds until then; null = no limit. Epoch milliseconds. */
  valid_until: number | null;
  /** Anything else; `instance` names the company. */
  metadata: { [key: string]: string };
  /** Hash of the decision, made by the sender. */
  hash: string;
  /** Version of this schema. Default: 1. */
  schema_version: number;
};

/** {@link ConsolidatedDecision} as JSON Schema, for validation and OpenAPI 3.1. */
export const CONSOLIDATED_DECISION_SCHEMA: JsonSchema = {
  "$id": "ConsolidatedDecision",
  "title": "ConsolidatedDecision",
  "type": "object",
  "description": "What the specialists decided about a plan, with the plan. Topic plans.consensus.",
  "properties": {
    "decision_id": {
      "type": "string",
      "description": "Id of the decision."
    },
    "plan_id": {
      "type": "string",
      "description": "Id of the plan that was decided on."
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
    "final_decision": {
      "type": "string",
      "enum": [
        "approve",
        "reject",
        "review_required",
        "conditional"
      ],
      "description": "The outcome."
    },
    "consensus_method": {
      "type": "string",
      "enum": [
        "bayesian",
        "voting",
        "unanimous",
        "fallback"
      ],
      "description": "How the outcome was reached."
    },
    "aggregated_confidence": {
      "type": "number",
      "description": "Confidence of all votes together, from 0 to 1."
    },
    "aggregated_risk": {
      "type": "number",
      "description": "Risk of all votes together, from 0 to 1."
    },
    "specialist_votes": {
      "type": "array",
      "items": {
        "type": "object",
        "description": "The vote of one specialist.",
        "properties": {
          "specialist_type": {
            "type": "string",
            "description": "Which specialist voted."
          },
          "opinion_id": {
            "type": "string",
            "description": "Id of the opinion behind the vote."
          },
          "confidence_score": {
            "type": "number",
            "description": "Confidence, from 0 to 1."
          },
          "risk_score": {
            "type": "number",
            "description": "Risk, from 0 to 1."
          },
          "recommendation": {
            "type": "string",
            "description": "What the specialist recommends."
          },
          "weight": {
            "type": "number",
            "description": "Weight of the vote."
          },
          "processing_time_ms": {
            "type": "integer",
            "minimum": -9007199254740990,
            "maximum": 9007199254740990,
            "description": "Time the specialist took, in milliseconds."
          }
        },
        "required": [
          "specialist_type",
          "opinion_id",
          "confidence_score",
          "risk_score",
          "recommendation",
          "weight",
          "processing_time_ms"
        ]
      },
      "description": "The votes."
    },
    "consensus_metrics": {
      "type": "object",
      "description": "How the consensus came about.",
      "properties": {
        "divergence_score": {
          "type": "number",
          "description": "How far the votes were apart, from 0 to 1."
        },
        "convergence_time_ms": {
          "type": "integer",
          "minimum": -9007199254740990,
          "maximum": 9007199254740990,
          "description": "Time to the consensus, in milliseconds."
        },
        "unanimous": {
          "type": "boolean",
          "description": "True when all votes agreed."
        },
        "fallback_used": {
          "type": "boolean",
          "description": "True when the fallback decided."
        },
        "pheromone_strength": {
          "type": "number",
          "description": "Strength of the trail of earlier successes, from 0 to 1."
        },
        "bayesian_confidence": {
          "type": "number",
          "description": "Confidence of the Bayesian method, from 0 to 1."
        },
        "voting_confidence": {
          "type": "number",
          "description": "Confidence of the voting method, from 0 to 1."
        }
      },
      "required": [
        "divergence_score",
        "convergence_time_ms",
        "unanimous",
        "fallback_used",
        "pheromone_strength",
        "bayesian_confidence",
        "voting_confidence"
      ]
    },
    "explainability_token": {
      "type": "string",
      "description": "Key to the full explanation."
    },
    "reasoning_summary": {
      "type": "string",
      "description": "Why it was decided so, for people."
    },
    "compliance_checks": {
      "type": "object",
      "additionalProperties": {
        "type": "boolean"
      },
      "description": "Outcome of each compliance check."
    },
    "guardrails_triggered": {
      "type": "array",
      "items": {
        "type": "string"
      },
      "description": "Names of the guardrails that were triggered."
    },
    "cognitive_plan": {
      "type": [
        "string",
        "null"
      ],
      "description": "The plan as JSON text; null = none.",
      "default": null
    },
    "requires_human_review": {
      "type": "boolean",
      "description": "True when a person must look at it first."
    },
    "created_at": {
      "type": "integer",
      "minimum": -9007199254740990,
      "maximum": 9007199254740990,
      "description": "When it was decided."
    },
    "valid_until": {
      "type": [
        "integer",
        "null"
      ],
      "minimum": -9007199254740990,
      "maximum": 9007199254740990,
      "description": "The decision holds until then; null = no limit.",
      "default": null
    },
    "metadata": {
      "type": "object",
      "additionalProperties": {
        "type": "string"
      },
      "description": "Anything else; `instance` names the company."
    },
    "hash": {
      "type": "string",
      "description": "Hash of the decision, made by the sender."
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
    "decision_id",
    "plan_id",
    "intent_id",
    "final_decision",
    "consensus_method",
    "aggregated_confidence",
    "aggregated_risk",
    "specialist_votes",
    "consensus_metrics",
    "explainability_token",
    "reasoning_summary",
    "compliance_checks",
    "guardrails_triggered",
    "requires_human_review",
    "created_at",
    "metadata",
    "hash"
  ]
};

/** {@link ConsolidatedDecision} as Avro, without its comments. */
export const CONSOLIDATED_DECISION_AVRO: unknown = {
  "type": "record",
  "name": "ConsolidatedDecision",
  "namespace": "com.neuralhivemind.consensus",
  "fields": [
    {
      "name": "decision_id",
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
      "name": "final_decision",
      "type": {
        "type": "enum",
        "name": "DecisionType",
        "symbols": [
          "approve",
          "reject",
          "review_required",
          "conditional"
        ]
      }
    },
    {
      "name": "consensus_method",
      "type": {
        "type": "enum",
        "name": "ConsensusMethod",
        "symbols": [
          "bayesian",
          "voting",
          "unanimous",
          "fallback"
        ]
      }
    },
    {
      "name": "aggregated_confidence",
      "type": "double"
    },
    {
      "name": "aggregated_risk",
      "type": "double"
    },
    {
      "name": "specialist_votes",
      "type": {
        "type": "array",
        "items": {
          "type": "record",
          "name": "SpecialistVote",
          "fields": [
            {
              "name": "specialist_type",
              "type": "string"
            },
            {
              "name": "opinion_id",
              "type": "string"
            },
            {
              "name": "confidence_score",
              "type": "double"
            },
            {
              "name": "risk_score",
              "type": "double"
            },
            {
              "name": "recommendation",
              "type": "string"
            },
            {
              "name": "weight",
              "type": "double"
            },
            {
              "name": "processing_time_ms",
              "type": "long"
            }
          ]
        }
      }
    },
    {
      "name": "consensus_metrics",
      "type": {
        "type": "record",
        "name": "ConsensusMetrics",
        "fields": [
          {
            "name": "divergence_score",
            "type": "double"
          },
          {
            "name": "convergence_time_ms",
            "type": "long"
          },
          {
            "name": "unanimous",
            "type": "boolean"
          },
          {
            "name": "fallback_used",
            "type": "boolean"
          },
          {
            "name": "pheromone_strength",
            "type": "double"
          },
          {
            "name": "bayesian_confidence",
            "type": "double"
          },
          {
            "name": "voting_confidence",
            "type": "double"
          }
        ]
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
      "name": "compliance_checks",
      "type": {
        "type": "map",
        "values": "boolean"
      }
    },
    {
      "name": "guardrails_triggered",
      "type": {
        "type": "array",
        "items": "string"
      }
    },
    {
      "name": "cognitive_plan",
      "type": [
        "null",
        "string"
      ],
      "default": null
    },
    {
      "name": "requires_human_review",
      "type": "boolean"
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
      "name": "metadata",
      "type": {
        "type": "map",
        "values": "string"
      }
    },
    {
      "name": "hash",
      "type": "string"
    },
    {
      "name": "schema_version",
      "type": "int",
      "default": 1
    }
  ]
};

const SPECIALIST_VOTE_FIELDS = new Set(['specialist_type', 'opinion_id', 'confidence_score', 'risk_score', 'recommendation', 'weight', 'processing_time_ms']);

function takeSpecialistVote(value: unknown, unknown: UnknownFields, at: string, index: number): unknown {
  if (!isObject(value)) return value;
  for (const key in value) if (!SPECIALIST_VOTE_FIELDS.has(key)) unknown.add(at, index, key);
  return {
    specialist_type: value.specialist_type,
    opinion_id: value.opinion_id,
    confidence_score: value.confidence_score,
    risk_score: value.risk_score,
    recommendation: value.recommendation,
    weight: value.weight,
    processing_time_ms: value.processing_time_ms,
  };
}

const CONSENSUS_METRICS_FIELDS = new Set(['divergence_score', 'convergence_time_ms', 'unanimous', 'fallback_used', 'pheromone_strength', 'bayesian_confidence', 'voting_confidence']);

function takeConsensusMetrics(value: unknown, unknown: UnknownFields, at: string, index: number): unknown {
  if (!isObject(value)) return value;
  for (const key in value) if (!CONSENSUS_METRICS_FIELDS.has(key)) unknown.add(at, index, key);
  return {
    divergence_score: value.divergence_score,
    convergence_time_ms: value.convergence_time_ms,
    unanimous: value.unanimous,
    fallback_used: value.fallback_used,
    pheromone_strength: value.pheromone_strength,
    bayesian_confidence: value.bayesian_confidence,
    voting_confidence: value.voting_confidence,
  };
}

const CONSOLIDATED_DECISION_FIELDS = new Set(['decision_id', 'plan_id', 'intent_id', 'correlation_id', 'trace_id', 'span_id', 'final_decision', 'consensus_method', 'aggregated_confidence', 'aggregated_risk', 'specialist_votes', 'consensus_metrics', 'explainability_token', 'reasoning_summary', 'compliance_checks', 'guardrails_triggered', 'cognitive_plan', 'requires_human_review', 'created_at', 'valid_until', 'metadata', 'hash', 'schema_version']);

/** Copies the fields of a {@link ConsolidatedDecision}, with defaults; unknown ones go to `unknown`. */
export function takeConsolidatedDecision(value: unknown, unknown: UnknownFields, at: string, index: number): unknown {
  if (!isObject(value)) return value;
  for (const key in value) if (!CONSOLIDATED_DECISION_FIELDS.has(key)) unknown.add(at, index, key);
  return {
    decision_id: value.decision_id,
    plan_id: value.plan_id,
    intent_id: value.intent_id,
    correlation_id: value.correlation_id ?? null,
    trace_id: value.trace_id ?? null,
    span_id: value.span_id ?? null,
    final_decision: value.final_decision,
    consensus_method: value.consensus_method,
    aggregated_confidence: value.aggregated_confidence,
    aggregated_risk: value.aggregated_risk,
    specialist_votes: takeRecords(value.specialist_votes, unknown, pathTo(at, index, 'specialist_votes'), takeSpecialistVote),
    consensus_metrics: takeConsensusMetrics(value.consensus_metrics, unknown, pathTo(at, index, 'consensus_metrics'), -1),
    explainability_token: value.explainability_token,
    reasoning_summary: value.reasoning_summary,
    compliance_checks: takeMap(value.compliance_checks, unknown, at, index, 'compliance_checks'),
    guardrails_triggered: takeList(value.guardrails_triggered),
    cognitive_plan: value.cognitive_plan ?? null,
    requires_human_review: value.requires_human_review,
    created_at: value.created_at,
    valid_until: value.valid_until ?? null,
    metadata: takeMap(value.metadata, unknown, at, index, 'metadata'),
    hash: value.hash,
    schema_version: value.schema_version === undefined ? 1 : value.schema_version,
  };
}
