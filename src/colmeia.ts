import type { Instances } from './coordination/instances/instance-views.ts';
import type {
  AgentDetail,
  AgentView,
  InboxItem,
  InboxQuery,
  LeaseView,
  UsageView,
} from './execution/agents/agent-views.ts';
import type { ErrorClass } from './execution/flow/flow-state.ts';
import type { ExplainView, Scheduling, WhyView } from './execution/swarm/scheduling-views.ts';
import type { ExecutionTicket, FlowCTelemetryEvent } from './platform/contracts/generated/records.ts';
import type { Fault } from './platform/errors.ts';
import type { Secret } from './platform/secret.ts';
import type { RecordedEvent } from './trust/audit/journal.ts';
import type { KeyRequest } from './trust/identity/parse-key-request.ts';
import type { KeyScope, Principal } from './trust/identity/principal.ts';
import type { SecretRef, SecretsOf, SecretView } from './trust/secrets/secret-operations.ts';

export type * from './coordination/instances/instance-views.ts';
export type * from './execution/agents/agent-views.ts';

/** A keyset page: at most `limit` (default 50, at most 100) items; `next` goes into the next call's `after`; null = the end. */
export type Page<T> = { items: T[]; next: string | null };
export type PageQuery = { limit?: number; after?: string };

/** Names a plan of a caller. `instance` narrows what an operator asks; a company's key always means its own. */
export type PlanRef = { planId: string; instance?: string };

export type Submission = {
  plan_id: string;
  workflow_id: string;
  /** A PlanStatus; `rejected` when the decision itself was no, or (in a batch) when it is invalid. */
  status: string;
  instance: string;
  /** The same decision was here before; it runs once. */
  duplicate: boolean;
  warnings: string[];
  /** Only in a batch: why this decision was refused. */
  error?: { code: string; detail: string; faults: Fault[] };
};

export type PlanSummary = {
  plan_id: string;
  workflow_id: string;
  instance: string;
  intent_id: string;
  decision_id: string;
  correlation_id: string | null;
  trace_id: string | null;
  status: string;
  paused: boolean;
  risk_band: string;
  revision: number;
  tickets: number;
  created_at: number;
  ended_at: number | null;
};
export type PlanDetail = PlanSummary & {
  /** How many tickets are in each state (waiting, approval, ready, backoff, running, completed, failed, …). */
  progress: Record<string, number>;
  /** Task ids that wait for a person; ['*'] = the whole plan. */
  waits_for_approval: string[];
  /** Consolidation at its end, or { faults } / { why } of a rejected one; null while it runs. */
  result: Record<string, unknown> | null;
};

/** The record plus what only Colmeia knows. */
export type TicketView = ExecutionTicket & {
  cached: boolean;
  instance: string;
  priority_score: number;
  /** waiting, approval, ready, backoff, running, completed, failed, cancelled, compensating, compensated. */
  state: string;
  agent_id: string | null;
  attempt: number;
  fencing_token: number;
  /** Epoch ms of the next attempt; null = none is waiting. */
  next_attempt_at: number | null;
  progress: number | null;
  /** { output, metadata, logs } of the attempt that counted; null before. */
  result: { output: Record<string, string>; metadata: Record<string, string>; logs: string[] } | null;
};

export type WorkflowView = {
  workflow_id: string;
  status: 'RUNNING' | 'COMPLETED' | 'FAILED' | 'CANCELED' | 'TERMINATED' | 'CONTINUED_AS_NEW' | 'TIMED_OUT';
  cached: boolean;
  start_time: number;
  close_time: number | null;
  /** ms; null while it runs. */
  execution_time: number | null;
  workflow_type: 'OrchestrationWorkflow';
  task_queue: string;
};

export type KeyView = {
  key_id: string;
  kind: Principal['kind'];
  instance: string | null;
  agent_id: string | null;
  scopes: KeyScope[];
  subject: string | null;
  /** Key that it was rotated from. */
  replaces: string | null;
  created_at: string;
  expires_at: string | null;
  revoked_at: string | null;
  /** To the minute, when other replicas took it; null = never. */
  last_used_at: string | null;
};

export type AuditQuery = PageQuery & {
  instance?: string;
  plan_id?: string;
  /** Prefix of `by`, as `operator:` or `agent:builder-1`. */
  actor?: string;
  /** Prefix of the type, as `plan.` or `ticket.failed`. */
  type?: string;
  /** Epoch ms. */
  from?: number;
  to?: number;
};
/** `ok` false: `fault` says where the chain breaks and how. */
export type AuditVerdict = { instance: string; ok: boolean; rows: number; events: number; fault: string | null };

export type HealthView = {
  status: 'healthy' | 'unhealthy';
  service: 'colmeia';
  version: string;
  timestamp: number;
  checks: Record<string, { status: string; detail?: string }>;
};
export type ReadyView = {
  status: 'ready' | 'not_ready';
  mode: 'full' | 'degraded';
  checks: Record<string, { status: string; detail?: string }>;
};

/** Live events: `on` gets them in the order of each company's journal; call the returned function to stop. */
export type EventQuery = {
  instance?: string;
  planId?: string;
  /** Id of the last event the reader has (RecordedEventWithId.id); absent = from now on. */
  after?: string;
};
export type StreamedEvent = RecordedEvent & { id: string };

/**
 * The control plane in a process: everything the HTTP API and the CLI can do, with the same checks, for the caller `who`.
 * Every method throws ColmeiaError with a stable code. What a caller may not see answers exactly like what is not there.
 */
export type Colmeia = {
  decisions: {
    /** One decision. Throws INVALID_DECISION (422) with every fault after storing it as rejected, PLAN_CONFLICT, INSTANCE_NOT_FOUND, TOO_LARGE. */
    submit(who: Principal, decision: unknown): Promise<Submission>;
    /** Up to 1,000; each is answered on its own, in order. */
    submitAll(who: Principal, decisions: readonly unknown[]): Promise<Submission[]>;
    /** The body of POST /api/v1/workflows/start. */
    start(
      who: Principal,
      request: unknown,
    ): Promise<{ workflow_id: string; status: 'started'; correlation_id: string; warnings: string[] }>;
  };
  plans: {
    get(who: Principal, ref: PlanRef): Promise<PlanDetail>;
    list(who: Principal, query: PageQuery & { instance?: string; status?: string }): Promise<Page<PlanSummary>>;
    workflow(who: Principal, workflowId: string, instance?: string): Promise<WorkflowView>;
    /** Queries get_status and get_tickets. */
    query(
      who: Principal,
      workflowId: string,
      request: { query_name: string; args?: unknown[] },
      instance?: string,
    ): Promise<{ workflow_id: string; query_name: string; result: unknown }>;
    /** Signals cancel_workflow() and ticket_completed(ticket_id, result). */
    signal(
      who: Principal,
      workflowId: string,
      request: { signal_name: string; args?: unknown[] },
      instance?: string,
    ): Promise<{ workflow_id: string; signal_name: string; status: string }>;
    cancel(
      who: Principal,
      ref: PlanRef,
      request: { reason?: string; compensate?: boolean },
    ): Promise<{ plan_id: string; status: string }>;
    pause(who: Principal, ref: PlanRef, request: { reason?: string }): Promise<{ plan_id: string; status: string }>;
    resume(who: Principal, ref: PlanRef, request: { reason?: string }): Promise<{ plan_id: string; status: string }>;
    retry(who: Principal, ref: PlanRef, request: { reason?: string }): Promise<{ plan_id: string; status: string }>;
    /** task_id: only that destructive task; absent: the whole plan and every destructive task in it. */
    approve(
      who: Principal,
      ref: PlanRef,
      request: { reason?: string; task_id?: string },
    ): Promise<{ plan_id: string; status: string }>;
    reject(
      who: Principal,
      ref: PlanRef,
      request: { reason: string; task_id?: string },
    ): Promise<{ plan_id: string; status: string }>;
    /** A new revision of a plan: tasks that are done or running and unchanged are kept. `cognitive_plan` is a whole CognitivePlan with the same plan_id. */
    replan(
      who: Principal,
      ref: PlanRef,
      request: { cognitive_plan: unknown; reason?: string },
    ): Promise<{ plan_id: string; status: string; revision: number; warnings: string[] }>;
    /** When it will end, and what that is made of. */
    explain(who: Principal, ref: PlanRef): Promise<ExplainView>;
  };
  tickets: {
    get(who: Principal, ticketId: string): Promise<TicketView>;
    byPlan(
      who: Principal,
      ref: PlanRef,
      query: { limit?: number; offset?: number },
    ): Promise<{
      tickets: TicketView[];
      total: number;
      cached: boolean;
      limit: number;
      offset: number;
      has_more: boolean;
    }>;
    /** A page may be short or empty with a `next`: each call looks at a bounded number of rows. `status` is a record status or a state. */
    list(
      who: Principal,
      query: PageQuery & { instance?: string; plan_id?: string; status?: string; task_type?: string },
    ): Promise<Page<TicketView>>;
    /** Why it does not run, and when it will. Other companies are not named to a company's key. */
    why(who: Principal, ticketId: string): Promise<WhyView>;
  };
  scheduling: Scheduling;
  agents: {
    register(
      who: Principal,
      spec: unknown,
    ): Promise<{ agent_id: string; heartbeat_interval_ms: number; lease_duration_ms: number }>;
    heartbeat(
      who: Principal,
      agentId: string,
      request: { telemetry?: unknown },
    ): Promise<{ agent_id: string; state: string }>;
    drain(who: Principal, agentId: string): Promise<{ agent_id: string; state: string }>;
    /** No new work, through restarts of the agent too; its polls stay open. Not for keys of agents. */
    cordon(who: Principal, agentId: string): Promise<{ agent_id: string; state: string }>;
    /** Ends a cordon, or a drain. */
    uncordon(who: Principal, agentId: string): Promise<{ agent_id: string; state: string }>;
    remove(who: Principal, agentId: string): Promise<void>;
    get(who: Principal, agentId: string): Promise<AgentDetail>;
    list(who: Principal, query: PageQuery & { instance?: string }): Promise<Page<AgentView>>;
    /** Tokens and cost of language models, by company (default) or by company and agent. */
    usage(
      who: Principal,
      query: PageQuery & { instance?: string; by?: 'company' | 'agent' },
    ): Promise<Page<UsageView & { instance: string; agent_id: string | null }>>;
    /** Long poll. The same idempotencyKey within a minute gives the same leases again. */
    lease(
      who: Principal,
      agentId: string,
      request: { max?: number; wait_ms?: number },
      more?: { idempotencyKey?: string; signal?: AbortSignal },
    ): Promise<{ leases: LeaseView[] }>;
  };
  leases: {
    heartbeat(
      who: Principal,
      leaseId: string,
      request: { fencing_token: number; progress?: number; logs?: string[] },
    ): Promise<{ expires_at: number; cancel: boolean }>;
    complete(
      who: Principal,
      leaseId: string,
      request: {
        fencing_token: number;
        output: Record<string, unknown>;
        metadata?: Record<string, unknown>;
        logs?: string[];
      },
    ): Promise<{ ticket_id: string; status: string; warnings?: string[] }>;
    fail(
      who: Principal,
      leaseId: string,
      request: { fencing_token: number; error_message: string; error_class: ErrorClass; retry_after_ms?: number },
    ): Promise<{ ticket_id: string; status: string }>;
    /** Gives a ticket back unstarted: no attempt is counted. A person gets no other ticket for a minute, so that it goes to somebody else first. */
    release(
      who: Principal,
      leaseId: string,
      request: { fencing_token: number; reason?: string },
    ): Promise<{ ticket_id: string; status: string }>;
    /** An ExecutionResult record of an agent that speaks no leases. metadata.fencing_token, when given, must be the current one. */
    result(who: Principal, record: unknown): Promise<{ ticket_id: string; status: string }>;
  };
  inbox: {
    /** What waits for people, soonest due first. An agent's key sees its own tickets. */
    list(who: Principal, query: InboxQuery): Promise<Page<InboxItem>>;
    /** Puts a ticket that is ready, or in somebody else's inbox, into a person's. Throws PLAN_STATE when an agent that is no person works on it. */
    claim(
      who: Principal,
      ticketId: string,
      request: { agent_id: string },
    ): Promise<{ ticket_id: string; agent_id: string; lease_id: string; fencing_token: number }>;
  };
  instances: Instances;
  keys: {
    /** `key` is shown this once. Throws FORBIDDEN when it would have a scope that its maker has not. */
    create(who: Principal, request: KeyRequest): Promise<KeyView & { key: string }>;
    /** A new key with the same rights; the old one ends after the overlap (default an hour, at most 30 days). */
    rotate(who: Principal, keyId: string, request: { overlap_seconds?: number }): Promise<KeyView & { key: string }>;
    revoke(who: Principal, keyId: string): Promise<void>;
    list(who: Principal, query: PageQuery & { instance?: string }): Promise<Page<KeyView>>;
    /** The principal a key proves; null = none. */
    authenticate(key: string): Promise<Principal | null>;
  };
  /** Secrets of a company, or of the fleet when no `instance` is named. Set and named, never shown. Need the scope `administer`. */
  secrets: {
    list(who: Principal, query: PageQuery & SecretsOf): Promise<Page<SecretView>>;
    get(who: Principal, ref: SecretRef): Promise<SecretView>;
    /** Text up to 64 KiB; takes the place of the version before. */
    set(who: Principal, ref: SecretRef, request: { value: string | Secret }): Promise<SecretView>;
    remove(who: Principal, ref: SecretRef): Promise<void>;
    /** A new data key for the company; answers how many secrets were sealed anew. */
    rotate(who: Principal, of: SecretsOf): Promise<{ secrets: number }>;
    /** A new master key where it is Colmeia's own, and all data keys under it. `master`: its fingerprint. */
    rotateMaster(who: Principal): Promise<{ master: string; keys: number }>;
  };
  audit: {
    list(who: Principal, query: AuditQuery): Promise<Page<RecordedEvent>>;
    /** Walks the whole chain of one company, or of all that the caller sees. */
    verify(who: Principal, query: { instance?: string }): Promise<AuditVerdict[]>;
  };
  events: {
    /** When `on` returns a promise the next event waits for it. `onClosed`: the reader was let go (too slow, or the process stops); it may come back with `after`. */
    subscribe(
      who: Principal,
      query: EventQuery,
      on: (event: StreamedEvent) => unknown,
      onClosed?: () => void,
    ): Promise<() => void>;
    /** Telemetry records of one company after a cursor, for pulling. */
    telemetry(who: Principal, query: PageQuery & { instance?: string }): Promise<Page<FlowCTelemetryEvent>>;
  };
  /** GET /api/v1/flow-c/status, over what the caller sees. */
  status(who: Principal): Promise<{
    total_processed: number;
    success_rate: number;
    average_latency_ms: number;
    p95_latency_ms: number;
    active_executions: number;
    cached: boolean;
  }>;
  health(): HealthView;
  ready(): ReadyView;
  /** Prometheus text. */
  metrics(): Promise<{ contentType: string; text: string }>;
  /** Stops background work, finishes the commit under way, closes the database. Idempotent. */
  close(): Promise<void>;
};
