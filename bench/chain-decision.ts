import { randomUUID } from 'node:crypto';

export type ChainOptions = {
  company?: string;
  tasks?: number;
  /** True: no task waits for another. Default: each waits for the one before. */
  parallel?: boolean;
  taskType?: string;
  /** More bytes for the parameters of each task. */
  parameters?: Record<string, string>;
};

/** An approved ConsolidatedDecision with one plan of `tasks` (default 5) steps. */
export function chainDecision(planId: string, options: ChainOptions = {}): Record<string, unknown> {
  const { company = 'default', tasks = 5, parallel = false, taskType = 'QUERY', parameters = {} } = options;
  const now = Date.now();
  const common = { plan_id: planId, intent_id: `intent-${planId}`, correlation_id: `correlation-${planId}` };
  return {
    ...common,
    decision_id: `decision-${planId}`,
    final_decision: 'approve',
    consensus_method: 'bayesian',
    aggregated_confidence: 0.9,
    aggregated_risk: 0.2,
    specialist_votes: [],
    consensus_metrics: {
      divergence_score: 0,
      convergence_time_ms: 10,
      unanimous: true,
      fallback_used: false,
      pheromone_strength: 0,
      bayesian_confidence: 0.9,
      voting_confidence: 0.9,
    },
    explainability_token: `explain-${planId}`,
    reasoning_summary: 'bench',
    compliance_checks: {},
    guardrails_triggered: [],
    requires_human_review: false,
    created_at: now,
    valid_until: null,
    metadata: { instance: company },
    hash: '',
    cognitive_plan: {
      ...common,
      version: '1.0.0',
      tasks: Array.from({ length: tasks }, (_, n) => ({
        task_id: `step-${n}`,
        task_type: taskType,
        description: `Step ${n} of a chain`,
        dependencies: parallel || n === 0 ? [] : [`step-${n - 1}`],
        estimated_duration_ms: 1_000,
        required_capabilities: [],
        parameters: { step: `${n}`, ...parameters },
        metadata: {},
      })),
      execution_order: [],
      risk_score: 0.2,
      risk_band: 'medium',
      risk_factors: {},
      explainability_token: `explain-${planId}`,
      reasoning_summary: 'bench',
      status: 'approved',
      created_at: now,
      valid_until: null,
      complexity_score: 0.1,
      original_domain: 'TECHNICAL',
      original_priority: 'normal',
      original_security_level: 'internal',
    },
  };
}

const RUN = randomUUID().slice(0, 8);
let count = 0;
/** Unique over all runs. */
export const nextPlanId = (): string => `bench-${RUN}-${++count}`;
