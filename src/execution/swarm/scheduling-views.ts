import type { Page, PageQuery } from '../../colmeia.ts';
import type { Principal } from '../../trust/identity/principal.ts';

/** The policy in force. `document` is what was asked for, `policy` all of it with every default. */
export type PolicyView = {
  preset: string;
  document: Record<string, unknown>;
  policy: Record<string, unknown>;
  /** Epoch ms; null = as the process was started. */
  changed_at: number | null;
  changed_by: string | null;
};

/** Tickets of one class that wait, and what could do them. */
export type BacklogView = {
  /** Task type, capabilities and whatever else tells the class from others. */
  class: string;
  task_type: string;
  capabilities: string[];
  tickets: number;
  /** Expected work that waits. */
  backlog_seconds: number;
  /** Tickets of ordinary speed that its agents do at once. */
  capacity: number;
  /** backlog ÷ capacity; null = nobody can do it. */
  drain_seconds: number | null;
  agents: number;
};

export type TrailView = {
  task_type: string;
  agent_id: string;
  /** null = it serves every company. */
  instance: string | null;
  /** Decayed counts. */
  successes: number;
  failures: number;
  /** Probability that an attempt succeeds, shrunk to its agent, its type and all. */
  success: number;
  /** Multiple of the ordinary duration; below 1 = faster. */
  factor: number;
  last_at: number;
};

export type BudgetView = {
  instance: string;
  task_type: string;
  /** Share within the deadline that is promised. */
  target: number;
  /** Rates by window in seconds; 1 = the budget is used up exactly at its end. */
  burn: Record<string, number>;
  remaining_percent: number;
  mode: string;
};

export type DegradationView = {
  /** The highest step in force; 0 = none. */
  step: number;
  steps: { step: number; name: string; what: string; active: boolean; since: number | null; why: string | null }[];
  /** What is never given up. */
  never: string[];
};

/** An experiment: what is compared, what is known of it so far and, when it has ended, what came of it. */
export type ExperimentView = {
  state: 'running' | 'ended';
  /** Presets. */
  a: string;
  b: string;
  metric: string;
  /** Its numbers, named as in the call that began it. */
  settings: Record<string, number>;
  /** Epoch ms. */
  started_at: number;
  ended_at: number | null;
  /** The preset in force; null = it has ended. */
  current: string | null;
  /** Pairs of blocks that count. */
  pairs: number;
  /** B against A, in the unit of the metric or (latencies) as a share of A; null = fewer than two pairs count. */
  difference: number | null;
  /** At `settings.confidence`. */
  interval: [number, number] | null;
  /** That count. */
  results: { a: number; b: number };
  on_time: { a: number | null; b: number | null };
  /** null = it goes on, or no difference was found. */
  winner: string | null;
  /** Why it ended. */
  stopped: string | null;
  /** The preset that did harm, when that is why it ended. */
  harmful: string | null;
};

/** What the scheduler does and knows, and how to change it. */
export type Scheduling = {
  policy(who: Principal): Promise<PolicyView>;
  /** The whole document, `{preset, …}`; audited. Throws INVALID_POLICY with every fault, and nothing changes. */
  setPolicy(who: Principal, document: unknown): Promise<PolicyView>;
  backlog(who: Principal): Promise<{ at: number; classes: BacklogView[] }>;
  trails(who: Principal, query: PageQuery & { task_type?: string; agent_id?: string }): Promise<Page<TrailView>>;
  /** Forgets trails; audited. Without a filter: all. */
  resetTrails(who: Principal, query: { task_type?: string; agent_id?: string }): Promise<{ removed: number }>;
  budgets(who: Principal, query: PageQuery & { instance?: string }): Promise<Page<BudgetView>>;
  degradation(who: Principal): Promise<DegradationView>;
  /** The experiment under way or the last one; null = there was none. */
  experiment(who: Principal): Promise<ExperimentView | null>;
  /** Throws INVALID_POLICY with every fault, EXPERIMENT_RUNNING. */
  startExperiment(who: Principal, settings: unknown): Promise<ExperimentView>;
  /** Nothing happens when it has ended. Throws EXPERIMENT_NOT_FOUND when there was none. */
  stopExperiment(who: Principal, request: { reason?: string }): Promise<ExperimentView>;
};

/** What a ticket can wait for; `company` = its company is paused, `result` = it runs, `nothing` = it has ended. */
export const WAITS_FOR = [
  'agent',
  'dependencies',
  'approval',
  'company',
  'resume',
  'backoff',
  'result',
  'nothing',
] as const;

/** Why a ticket does not run, and when it will. Reckoned when it is asked for, from the state of the moment. */
export type WhyView = {
  ticket_id: string;
  plan_id: string;
  instance: string;
  task_type: string;
  /** As in TicketView. */
  state: string;
  /** Of when this is, epoch ms. */
  at: number;
  waits_for: {
    what: (typeof WAITS_FOR)[number];
    /** Ids of the tickets (dependencies) that have not ended; at most 20. */
    tickets: string[];
    /** Epoch ms: the end of a backoff, or when the attempt is ended by its time limit; null = neither. */
    until: number | null;
    /** Who works on it; null = nobody. */
    agent_id: string | null;
  };
  /** Its place among those that wait for an agent; null = it is not among them. */
  queue: WhyQueue | null;
  /** null = it does not wait for an agent. */
  company: CompanyStanding | null;
  /** Epoch ms; null = it runs or has ended, or nobody can do it. */
  forecast_start: { p50: number; p90: number } | null;
};

/** Names of companies and agents that the caller may not see are `others`. */
export type WhyQueue = {
  /** As in BacklogView. */
  class: string;
  /** Epoch ms. */
  since: number;
  /** In its class, 1 = the next one. */
  position: number;
  /** How many wait in its class. */
  of: number;
  /** Among all that wait, estimated. */
  overall: number;
  overall_of: number;
  ahead: {
    tickets: number;
    /** Expected work of the tickets ahead. */
    seconds: number;
    /** Most first; at most 10, then `others`. */
    companies: { instance: string; tickets: number }[];
  };
  /** It cannot end before its deadline any more, and stands behind those that can. */
  doomed: boolean;
  /** How many agents there were to choose from. */
  agents: number;
  /** In the order in which they are asked; those that remove nobody too. */
  filters: { name: string; removed: number; what: string }[];
  /** Best first, at most 5; the score is what it would cost in ms, and its parts likewise. `busy_until` in epoch ms; null = it has room. */
  candidates: { agent_id: string; score: number; parts: Record<string, number>; busy_until: number | null }[];
  /** Caps that are reached: `running`, `company`, or a label as `provider=openai`. */
  caps: { name: string; limit: number; running: number }[];
  /** It waits for a busy agent that would end it sooner than a free one; null = it does not. */
  held_for: { agent_id: string; until: number } | null;
};

/** How a company stands to the others. */
export type CompanyStanding = {
  tier: string;
  weight: number;
  running: number;
  waiting: number;
  /** How far it is ahead of the company that had least, in seconds of running time ÷ weight. */
  lag_seconds: number;
  /** It may go ahead so far at most. */
  lag_limit_seconds: number;
  /** Its tickets take part now. */
  eligible: boolean;
  /** State of its error budget: normal, tight or critical. */
  mode: string;
};

/** When a plan ends, and what that is made of. */
export type ExplainView = {
  plan_id: string;
  instance: string;
  status: string;
  /** Of when this is, epoch ms. */
  at: number;
  /** The last deadline of its open tickets, epoch ms; null = it has ended. */
  deadline: number | null;
  /** Epoch ms; null = it has ended, or nobody can do what is left. `start` null = it has begun. */
  forecast: {
    start: { p5: number; p50: number; p90: number } | null;
    finish: { p5: number; p50: number; p90: number };
  } | null;
  /** `certain`: even the optimistic bound misses the deadline. null = it is not in danger. */
  at_risk: 'warning' | 'certain' | null;
  /** What the forecast is made of; null as the forecast. */
  parts: {
    /** Work of the company that goes before. */
    ahead_ms: number;
    /** What is left of the plan, added up. */
    own_ms: number;
    critical_path_ms: number;
    /** The company's share of the agents, in slots of ordinary speed. */
    slots: number;
  } | null;
  /** How right the forecasts of the company were so far. */
  error: {
    /** Decayed number of plans that ended after a forecast. */
    n: number;
    /** Geometric mean of actual ÷ forecast; 1 = right on the whole. */
    bias: number;
    /** Typical factor by which it is off, in either direction; 1 = exact. */
    off: number;
    /** Share that ended by the p90. */
    kept: number;
  };
  mode: string;
  /** Burn rates of the company's worst task type by window in seconds. */
  burn: Record<string, number>;
  /** On the critical path, longest first; at most 5. */
  slowest: {
    ticket_id: string;
    task_id: string;
    task_type: string;
    state: string;
    agent_id: string | null;
    expected_ms: number;
    /** Of its attempt; null = it does not run. */
    elapsed_ms: number | null;
  }[];
};
