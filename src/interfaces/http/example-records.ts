import type {
  CognitivePlan,
  ConsolidatedDecision,
  ExecutionResult,
} from '../../platform/contracts/generated/records.ts';

/** A plan of two tasks, one after the other. Shown in the document, and sent by the tests. */
export const EXAMPLE_PLAN = {
  plan_id: 'plan-7f3a',
  intent_id: 'intent-42',
  tasks: [
    {
      task_id: 'build',
      task_type: 'BUILD',
      description: 'Build the billing service',
      required_capabilities: ['node'],
      estimated_duration_ms: 60_000,
      parameters: { repository: 'billing' },
    },
    { task_id: 'test', task_type: 'TEST', description: 'Run its tests', dependencies: ['build'] },
  ],
  execution_order: ['build', 'test'],
  risk_score: 0.2,
  risk_band: 'low',
  risk_factors: { change_size: 0.2 },
  explainability_token: 'exp-7f3a',
  reasoning_summary: 'A small change, covered by tests.',
  created_at: 1_780_000_000_000,
  complexity_score: 0.1,
  original_domain: 'TECHNICAL',
  original_priority: 'NORMAL',
  original_security_level: 'INTERNAL',
} as const satisfies Loose<CognitivePlan>;

export const EXAMPLE_DECISION = {
  decision_id: 'decision-7f3a',
  plan_id: 'plan-7f3a',
  intent_id: 'intent-42',
  final_decision: 'approve',
  consensus_method: 'bayesian',
  aggregated_confidence: 0.92,
  aggregated_risk: 0.2,
  specialist_votes: [
    {
      specialist_type: 'technical',
      opinion_id: 'opinion-1',
      confidence_score: 0.92,
      risk_score: 0.2,
      recommendation: 'approve',
      weight: 1,
      processing_time_ms: 120,
    },
  ],
  consensus_metrics: {
    divergence_score: 0.04,
    convergence_time_ms: 150,
    unanimous: true,
    fallback_used: false,
    pheromone_strength: 0.5,
    bayesian_confidence: 0.92,
    voting_confidence: 1,
  },
  explainability_token: 'exp-7f3a',
  reasoning_summary: 'Every specialist agrees.',
  compliance_checks: { licences: true },
  guardrails_triggered: [],
  cognitive_plan: EXAMPLE_PLAN,
  requires_human_review: false,
  created_at: 1_780_000_000_000,
  metadata: {},
  hash: '6d1f6f6c',
} as const satisfies Loose<Omit<ConsolidatedDecision, 'cognitive_plan'>> & { cognitive_plan: unknown };

export const EXAMPLE_RESULT = {
  ticket_id: 'ticket-1',
  status: 'COMPLETED',
  result: { success: true, output: { image: 'billing:1.4.2' }, metadata: {}, logs: [] },
  actual_duration_ms: 41_000,
  agent_id: 'builder-1',
  timestamp: 1_780_000_060_000,
} as const satisfies Loose<ExecutionResult>;

/** A record before its defaults are filled. */
type Loose<Record> = { readonly [Field in keyof Record]?: unknown };
