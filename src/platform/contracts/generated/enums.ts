// Generated from schemas/*.avsc by `npm run generate`. Do not edit.
// As long as the record has fields: its type, schema, reader and writer stand together, as nobody edits them apart.

export const APPROVAL_STATUS_VALUES = ['pending', 'approved', 'rejected'] as const;
/** Where an approval stands. */
export type ApprovalStatus = (typeof APPROVAL_STATUS_VALUES)[number];

export const COGNITIVE_DOMAIN_VALUES = ['BUSINESS', 'TECHNICAL', 'SECURITY', 'INFRASTRUCTURE', 'BEHAVIOR', 'OPERATIONAL', 'COMPLIANCE'] as const;
/** Domain of an intent. */
export type CognitiveDomain = (typeof COGNITIVE_DOMAIN_VALUES)[number];

export const CONSENSUS_METHOD_VALUES = ['bayesian', 'voting', 'unanimous', 'fallback'] as const;
/** How an outcome was reached. */
export type ConsensusMethod = (typeof CONSENSUS_METHOD_VALUES)[number];

export const CONSISTENCY_VALUES = ['EVENTUAL', 'STRONG'] as const;
/** Consistency of what is read. */
export type Consistency = (typeof CONSISTENCY_VALUES)[number];

export const DECISION_TYPE_VALUES = ['approve', 'reject', 'review_required', 'conditional'] as const;
/** Outcome of a decision. */
export type DecisionType = (typeof DECISION_TYPE_VALUES)[number];

export const DELIVERY_MODE_VALUES = ['AT_MOST_ONCE', 'AT_LEAST_ONCE', 'EXACTLY_ONCE'] as const;
/** How often an effect may happen. */
export type DeliveryMode = (typeof DELIVERY_MODE_VALUES)[number];

export const DURABILITY_VALUES = ['TRANSIENT', 'PERSISTENT'] as const;
/** Whether a result outlives the process. */
export type Durability = (typeof DURABILITY_VALUES)[number];

export const EXECUTION_STATUS_VALUES = ['COMPLETED', 'FAILED', 'RUNNING'] as const;
/** Where a run stands. */
export type ExecutionStatus = (typeof EXECUTION_STATUS_VALUES)[number];

export const FLOW_C_EVENT_TYPE_VALUES = ['FLOW_C_STARTED', 'STEP_STARTED', 'STEP_COMPLETED', 'STEP_FAILED', 'TICKET_ASSIGNED', 'TICKET_COMPLETED', 'TICKET_FAILED', 'FLOW_C_COMPLETED', 'SLA_VIOLATION'] as const;
/** What happened. */
export type FlowCEventType = (typeof FLOW_C_EVENT_TYPE_VALUES)[number];

export const INCIDENT_TYPE_VALUES = ['INCONSISTENCY', 'SLA_VIOLATION', 'TICKET_TIMEOUT', 'WORKER_FAILURE'] as const;
/** Kind of incident. */
export type IncidentType = (typeof INCIDENT_TYPE_VALUES)[number];

export const PLAN_STATUS_VALUES = ['draft', 'validated', 'approved', 'rejected'] as const;
/** Where the plan stands with its author. */
export type PlanStatus = (typeof PLAN_STATUS_VALUES)[number];

export const PRIORITY_VALUES = ['LOW', 'NORMAL', 'HIGH', 'CRITICAL'] as const;
/** Priority of a ticket. */
export type Priority = (typeof PRIORITY_VALUES)[number];

export const RISK_BAND_VALUES = ['low', 'medium', 'high', 'critical'] as const;
/** How much can go wrong. */
export type RiskBand = (typeof RISK_BAND_VALUES)[number];

export const SECURITY_LEVEL_VALUES = ['PUBLIC', 'INTERNAL', 'CONFIDENTIAL', 'RESTRICTED'] as const;
/** Who may see the work. */
export type SecurityLevel = (typeof SECURITY_LEVEL_VALUES)[number];

export const TASK_TYPE_VALUES = ['BUILD', 'DEPLOY', 'TEST', 'VALIDATE', 'EXECUTE', 'COMPENSATE', 'QUERY', 'TRANSFORM'] as const;
/** Kind of work. */
export type TaskType = (typeof TASK_TYPE_VALUES)[number];

export const TICKET_STATUS_VALUES = ['PENDING', 'RUNNING', 'COMPLETED', 'FAILED', 'COMPENSATING', 'COMPENSATED'] as const;
/** Where a ticket stands. */
export type TicketStatus = (typeof TICKET_STATUS_VALUES)[number];
