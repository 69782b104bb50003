// For tests of the edges only: canned answers of scheduling.
import type {
  BacklogView,
  BudgetView,
  DegradationView,
  ExperimentView,
  ExplainView,
  PolicyView,
  Scheduling,
  TrailView,
  WhyView,
} from '../../execution/swarm/scheduling-views.ts';

const at = 1_780_000_000_000;

const policy: PolicyView = {
  preset: 'adaptive',
  document: { preset: 'adaptive' },
  policy: {
    preset: 'adaptive',
    lag_seconds: 3_000,
    order: ['deadline'],
    caps: { running: null },
    settings: { burn: { tight_burn: 6 } },
  },
  changed_at: null,
  changed_by: null,
};
const backlogClass: BacklogView = {
  class: 'BUILD node',
  task_type: 'BUILD',
  capabilities: ['node'],
  tickets: 12,
  backlog_seconds: 600,
  capacity: 2,
  drain_seconds: 300,
  agents: 2,
};
const trail: TrailView = {
  task_type: 'BUILD',
  agent_id: 'a1',
  instance: null,
  successes: 9.5,
  failures: 0.5,
  success: 0.94,
  factor: 0.8,
  last_at: at,
};
const budget: BudgetView = {
  instance: 'default',
  task_type: 'BUILD',
  target: 0.99,
  burn: { 3600: 2.5, 21600: 1.25 },
  remaining_percent: 62.5,
  mode: 'tight',
};
const degradation: DegradationView = {
  step: 1,
  steps: [
    { step: 1, name: 'no-exploration', what: 'Exploration stops.', active: true, since: at, why: 'The fleet is busy.' },
    { step: 2, name: 'burst-pool', what: 'Burst agents join.', active: false, since: null, why: null },
  ],
  never: ['Results are taken.'],
};
const experiment: ExperimentView = {
  state: 'running',
  a: 'adaptive',
  b: 'fairness',
  metric: 'on_time',
  settings: { pairs: 24, confidence: 0.95 },
  started_at: at,
  ended_at: null,
  current: 'fairness',
  pairs: 3,
  difference: -0.02,
  interval: [-0.05, 0.01],
  results: { a: 120, b: 118 },
  on_time: { a: 0.98, b: 0.96 },
  winner: null,
  stopped: null,
  harmful: null,
};
export const WHY: WhyView = {
  ticket_id: 't1',
  plan_id: 'p1',
  instance: 'default',
  task_type: 'BUILD',
  state: 'ready',
  at,
  waits_for: { what: 'agent', tickets: [], until: null, agent_id: null },
  queue: {
    class: 'BUILD node',
    since: at - 30_000,
    position: 3,
    of: 12,
    overall: 5,
    overall_of: 40,
    ahead: { tickets: 2, seconds: 95, companies: [{ instance: 'others', tickets: 2 }] },
    doomed: false,
    agents: 4,
    filters: [
      { name: 'capability', removed: 1, what: 'It lacks a capability that the ticket requires.' },
      { name: 'breaker', removed: 0, what: 'It fails too much.' },
    ],
    candidates: [{ agent_id: 'a1', score: 61_200, parts: { finish: 60_000, load: 1_200 }, busy_until: at + 20_000 }],
    caps: [{ name: 'provider=openai', limit: 10, running: 10 }],
    held_for: { agent_id: 'a1', until: at + 20_000 },
  },
  company: {
    tier: 'silver',
    weight: 2,
    running: 4,
    waiting: 12,
    lag_seconds: 120,
    lag_limit_seconds: 3_000,
    eligible: true,
    mode: 'normal',
  },
  forecast_start: { p50: at + 60_000, p90: at + 180_000 },
};
export const EXPLANATION: ExplainView = {
  plan_id: 'p1',
  instance: 'default',
  status: 'running',
  at,
  deadline: at + 600_000,
  forecast: { start: null, finish: { p5: at + 300_000, p50: at + 480_000, p90: at + 900_000 } },
  at_risk: 'warning',
  parts: { ahead_ms: 240_000, own_ms: 300_000, critical_path_ms: 180_000, slots: 1.5 },
  error: { n: 40, bias: 1.1, off: 1.4, kept: 0.9 },
  mode: 'normal',
  burn: { 3600: 0.5 },
  slowest: [
    {
      ticket_id: 't1',
      task_id: 'build',
      task_type: 'BUILD',
      state: 'running',
      agent_id: 'a1',
      expected_ms: 120_000,
      elapsed_ms: 30_000,
    },
  ],
};
const page = <T>(...items: T[]): { items: T[]; next: string | null } => ({ items, next: null });

export const SCHEDULING: Scheduling = {
  policy: async () => policy,
  setPolicy: async (_who, document) => ({ ...policy, document: document as Record<string, unknown> }),
  backlog: async () => ({ at, classes: [backlogClass] }),
  trails: async () => page(trail),
  resetTrails: async () => ({ removed: 2 }),
  budgets: async () => page(budget),
  degradation: async () => degradation,
  experiment: async () => experiment,
  startExperiment: async () => experiment,
  stopExperiment: async () => ({ ...experiment, state: 'ended', ended_at: at, current: null }),
};
