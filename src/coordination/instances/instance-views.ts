import type { Page, PageQuery } from '../../colmeia.ts';
import type { InstanceContext } from './folder/instance-contexts.ts';
import type { Principal } from '../../trust/identity/principal.ts';

/**
 * How isolated a company's own data is. `full`: own database and own Atlassian site. `schema`: own schema and role in a
 * common database. `hybrid`: own database, own project and space on a common Atlassian site.
 */
export const STRATEGIES = ['full', 'schema', 'hybrid'] as const;
export type Strategy = (typeof STRATEGIES)[number];
export const TIERS = ['gold', 'silver', 'bronze'] as const;
export type Tier = (typeof TIERS)[number];

export type Health = 'unknown' | 'healthy' | 'degraded' | 'unhealthy';
/** `deleting`: it takes no work and will not come back. */
export type InstanceState = 'active' | 'paused' | 'deleting';

export type InstanceView = {
  name: string;
  tier: Tier;
  strategy: Strategy;
  template: string;
  state: InstanceState;
  /** false: its database and accounts are not made yet. */
  initialized: boolean;
  health: Health;
  /** Of language models, for a calendar month (UTC); null = no limit is set. */
  budget_usd: number | null;
  created_at: string;
};
/** A row of the list. */
export type InstanceSummary = InstanceView & { statistics: InstanceStatistics };
export type InstanceDetail = InstanceSummary & {
  /** Where its files are on the machine of the server; null to everybody but operators. */
  folder: string | null;
  validated_at: string | null;
  faults: CompanyFault[];
  owners: string[];
  resources: ResourceView[];
  /** The operation under way; null = none. */
  operation: OperationView | null;
};

/** Since it was founded; open plans and running tickets as of now. Costs are of language models. */
export type InstanceStatistics = {
  plans_received: number;
  plans_open: number;
  plans_completed: number;
  plans_failed: number;
  plans_cancelled: number;
  tickets_completed: number;
  tickets_failed: number;
  cost_usd: number;
  month_cost_usd: number;
  last_event_at: string | null;
};
/** `getInstanceStats`: the figures, and what its own data takes up; null = not initialized or not reachable. */
export type InstanceStats = InstanceStatistics & {
  name: string;
  agents: number;
  keys: number;
  secrets: number;
  components: number;
  database: { tables: number; rows: number; bytes: number } | null;
  files: { count: number; bytes: number } | null;
};

/** Something wrong in a company, where, and what to do about it. `error` makes it unhealthy, `warning` degraded. */
export type CompanyFault = {
  /** Stable, as `FILE_MISSING`, `RLS_NOT_FORCED`. */
  code: string;
  severity: 'error' | 'warning' | 'info';
  /** File and path in it, table, or account: `config.json: tier`, `table customer`, `jira`. */
  place: string;
  message: string;
  remedy: string;
};
export type ValidationReport = {
  name: string;
  health: Health;
  faults: CompanyFault[];
  /** What was looked at, and what was left out (an integration that is off): `detail` says why. */
  checks: { name: string; state: 'ok' | 'failed' | 'off'; ms: number; detail?: string }[];
  validated_at: string;
};

/** What was made for a company outside of Colmeia's own tables. `site` '' = this machine, or this database. */
export type ResourceView = { kind: string; id: string; site: string };

export type OperationKind = 'create' | 'init' | 'clone' | 'delete' | 'rename' | 'export' | 'import';
export type OperationState = 'running' | 'completed' | 'failed' | 'undoing' | 'undone';
export type StepView = {
  name: string;
  state: 'pending' | 'running' | 'done' | 'failed' | 'undone';
  /** What it is at, or what it did; '' = nothing to say. */
  detail: string;
  /** 0 to 1; null = not known. */
  share: number | null;
  started_at: string | null;
  ended_at: string | null;
};
export type OperationView = {
  id: string;
  instance: string;
  kind: OperationKind;
  state: OperationState;
  steps: StepView[];
  /** What it came to: removed objects, the proof of a clone, the file of an export; null until it ends. */
  result: Record<string, unknown> | null;
  error: { code: string; message: string } | null;
  by: string;
  /** Counts changes: what a caller that waits for the next one names. */
  rev: number;
  started_at: string;
  ended_at: string | null;
};
/** `--dry-run`: what would be done, with sizes and outside calls, and what stands in the way. Nothing is changed. */
export type OperationPlan = {
  kind: OperationKind;
  instance: string;
  steps: { name: string; detail: string; rows?: number; bytes?: number; calls?: number }[];
  obstacles: CompanyFault[];
};

/** A file in the exports folder. */
export type ExportView = {
  file: string;
  bytes: number;
  created_at: string;
  /** The company that is in it, and the version of Colmeia that wrote it; null = see `fault`. */
  instance: string | null;
  colmeia: string | null;
  /** Why it is no export that can be used, as far as its beginning tells; null = nothing is wrong there. */
  fault: string | null;
};

/** A folder and the registry say different things, or one of them says nothing. */
export type InstanceDifference = {
  name: string;
  kind: 'folder-missing' | 'not-registered' | 'setting';
  /** Of a setting: `tier`, `budget_usd`, …; else ''. */
  setting: string;
  registry: unknown;
  folder: unknown;
};

export type NewInstance = {
  name: string;
  tier?: string;
  strategy?: string;
  template?: string;
  budget_usd?: number | null;
};

/** The companies of the fleet. What a caller may not see answers like what is not there. */
export type Instances = {
  /** Registers the company and lays out its folder. Throws INVALID_REQUEST with every fault, INSTANCE_EXISTS; nothing half-made stays. */
  create(who: Principal, request: NewInstance): Promise<InstanceView>;
  get(who: Principal, name: string): Promise<InstanceDetail>;
  list(who: Principal, query: PageQuery & { state?: string; health?: string }): Promise<Page<InstanceSummary>>;
  stats(who: Principal, name: string): Promise<InstanceStats>;
  /** Changes what may change without an operation. */
  update(who: Principal, name: string, request: { tier?: string; budget_usd?: number | null }): Promise<InstanceView>;
  /** A paused company starts no ticket; what runs goes on to its end, what comes waits. */
  pause(who: Principal, name: string, request: { reason?: string }): Promise<InstanceView>;
  resume(who: Principal, name: string, request: { reason?: string }): Promise<InstanceView>;
  /** Provisions database and accounts; each step may be repeated. */
  init(who: Principal, name: string): Promise<OperationView>;
  /** Runs the seeds of its folder in its own database. */
  seed(who: Principal, name: string): Promise<{ applied: string[] }>;
  clone(who: Principal, source: string, request: { target: string }): Promise<OperationView>;
  planClone(who: Principal, source: string, request: { target: string }): Promise<OperationPlan>;
  /**
   * `confirm` must be the name again. Takes an export first, unless told not to. `force`: what cannot be taken away, as its
   * site is away, is left, and said.
   */
  remove(
    who: Principal,
    name: string,
    request: { confirm: string; export?: boolean; force?: boolean },
  ): Promise<OperationView>;
  rename(who: Principal, name: string, request: { to: string }): Promise<OperationView>;
  exportTo(who: Principal, name: string): Promise<OperationView>;
  /** `file`: name of a file in the exports folder of the home. `owners`: those that it names become the company's. Default false. */
  importFrom(who: Principal, request: { file: string; name?: string; owners?: boolean }): Promise<OperationView>;
  /** Files of exports, for operators. Where there are none: INSTANCE_STATE. */
  exports: {
    list(who: Principal, query: PageQuery): Promise<Page<ExportView>>;
    /** Where the file lies on the machine of the server. Throws INVALID_REQUEST when it is not there. */
    path(who: Principal, file: string): Promise<string>;
    remove(who: Principal, file: string): Promise<void>;
  };
  validate(who: Principal, name: string): Promise<ValidationReport>;
  /** Its files and settings as code needs them; secrets are only names. Throws INSTANCE_STATE where companies have no files. */
  context(who: Principal, name: string): Promise<InstanceContext>;
  operation(who: Principal, id: string, query: { after_rev?: number; wait_ms?: number }): Promise<OperationView>;
  operations(who: Principal, query: PageQuery & { instance?: string }): Promise<Page<OperationView>>;
  /** Goes on with an operation that failed. */
  resumeOperation(who: Principal, id: string): Promise<OperationView>;
  /** Takes back, in reverse order, what an operation that failed or completed made. */
  undoOperation(who: Principal, id: string): Promise<OperationView>;
  differences(who: Principal): Promise<InstanceDifference[]>;
  /** Takes settings from the folder into the registry, lays out a folder that is missing, registers one that is not. */
  reconcile(who: Principal, request: { name?: string }): Promise<InstanceDifference[]>;
  owners: {
    list(who: Principal, name: string): Promise<{ principal: string; added_by: string; added_at: string }[]>;
    add(who: Principal, name: string, principal: string): Promise<void>;
    remove(who: Principal, name: string, principal: string): Promise<void>;
  };
};
