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

export type ExperimentView = Record<string, unknown> & { state: string };

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
  startExperiment(who: Principal, settings: unknown): Promise<ExperimentView>;
  stopExperiment(who: Principal, request: { reason?: string }): Promise<ExperimentView>;
};
