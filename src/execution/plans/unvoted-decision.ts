/** What a decision that no specialist voted on says of its making: somebody else has approved it already. */
export const UNVOTED = {
  final_decision: 'approve',
  consensus_method: 'fallback',
  aggregated_confidence: 1,
  specialist_votes: [],
  consensus_metrics: {
    divergence_score: 0,
    convergence_time_ms: 0,
    unanimous: true,
    fallback_used: true,
    pheromone_strength: 0,
    bayesian_confidence: 1,
    voting_confidence: 1,
  },
  compliance_checks: {},
  guardrails_triggered: [],
  requires_human_review: false,
  valid_until: null,
  hash: '',
} as const;
