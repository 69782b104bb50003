/** A task as a test writes it down; the rest of the record is filled in. */
export type SampleTask = {
  id: string;
  after?: readonly string[];
  /** Default EXECUTE. */
  type?: string;
  /** Default 1,000. */
  estimateMs?: number;
  capabilities?: readonly string[];
  parameters?: Record<string, string>;
  /** What undoes it. */
  undo?: string;
};

export const ALL_TASK_TYPES = ['BUILD', 'DEPLOY', 'TEST', 'VALIDATE', 'EXECUTE', 'COMPENSATE', 'QUERY', 'TRANSFORM'];

/** A whole CognitivePlan as JSON; `more` replaces its fields. */
export function samplePlan(planId: string, tasks: readonly SampleTask[], more: Record<string, unknown> = {}) {
  return {
    plan_id: planId,
    version: '1.0.0',
    intent_id: `intent-${planId}`,
    correlation_id: `correlation-${planId}`,
    tasks: tasks.map(
      ({ id, after = [], type = 'EXECUTE', estimateMs = 1_000, capabilities = [], parameters = {}, undo }) => ({
        task_id: id,
        task_type: type,
        description: `Do ${id}`,
        dependencies: after,
        estimated_duration_ms: estimateMs,
        required_capabilities: capabilities,
        parameters,
        metadata: undo === undefined ? {} : { compensation: undo },
      }),
    ),
    execution_order: tasks.map((task) => task.id),
    risk_score: 0.1,
    risk_band: 'low',
    risk_factors: {},
    explainability_token: 'token',
    reasoning_summary: 'a sample',
    created_at: 1_700_000_000_000,
    complexity_score: 0.2,
    original_domain: 'TECHNICAL',
    original_priority: 'normal',
    original_security_level: 'internal',
    ...more,
  };
}

/** An approved ConsolidatedDecision about such a plan, as JSON; `decision` replaces its fields. */
export function sampleDecision(
  planId: string,
  tasks: readonly SampleTask[],
  more: { plan?: Record<string, unknown>; decision?: Record<string, unknown> } = {},
): Record<string, unknown> {
  return {
    decision_id: `decision-${planId}`,
    plan_id: planId,
    intent_id: `intent-${planId}`,
    correlation_id: `correlation-${planId}`,
    final_decision: 'approve',
    consensus_method: 'bayesian',
    aggregated_confidence: 0.9,
    aggregated_risk: 0.1,
    specialist_votes: [],
    consensus_metrics: {
      divergence_score: 0,
      convergence_time_ms: 1,
      unanimous: true,
      fallback_used: false,
      pheromone_strength: 0,
      bayesian_confidence: 1,
      voting_confidence: 1,
    },
    explainability_token: 'token',
    reasoning_summary: 'a sample',
    compliance_checks: {},
    guardrails_triggered: [],
    cognitive_plan: samplePlan(planId, tasks, more.plan),
    requires_human_review: false,
    created_at: 1_700_000_000_000,
    metadata: {},
    hash: '',
    ...more.decision,
  };
}

/** Each task after the one before it. */
export const chainOf = (...ids: string[]): SampleTask[] =>
  ids.map((id, n) => ({ id, after: n === 0 ? [] : [ids[n - 1]!] }));

export const DIAMOND: readonly SampleTask[] = [
  { id: 'top' },
  { id: 'left', after: ['top'] },
  { id: 'right', after: ['top'] },
  { id: 'bottom', after: ['left', 'right'] },
];
