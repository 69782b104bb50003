import type { ExecutionTicket } from '../../platform/contracts/generated/records.ts';

/** Why an attempt failed: what the control plane does next depends on it. Source: contracts.md, agent protocol. */
export const ERROR_CLASSES = ['transient', 'quota', 'auth', 'poison', 'timeout'] as const;
export type ErrorClass = (typeof ERROR_CLASSES)[number];

/** Body of the registration; `concurrency` defaults to 1 and `labels` to none. */
export type AgentRegistration = {
  agent_id: string;
  kind: 'service' | 'pipeline' | 'llm' | 'person' | 'process' | 'http';
  task_types: string[];
  capabilities: string[];
  concurrency?: number;
  labels?: Record<string, string>;
  region?: string;
  version?: string;
  /** Leases it still works on; those of an earlier life that are not named end at once. Absent = nothing is said of them. */
  held?: string[];
};

export type AgentTerms = { agent_id: string; heartbeat_interval_ms: number; lease_duration_ms: number };

/** One attempt of one ticket, granted until `expires_at` (epoch ms). */
export type LeaseGrant = {
  lease_id: string;
  fencing_token: number;
  /** 1 = the first. */
  attempt: number;
  expires_at: number;
  ticket: ExecutionTicket;
};

export type LeaseRequest = {
  /** Most leases to take now. */
  max: number;
  /** How long the answer may wait for work. */
  waitMs: number;
  /** The same on a repeat of the same poll, so that leases of a lost answer are answered again. */
  idempotencyKey: string;
  signal: AbortSignal;
};

export type LeaseBeat = { fencingToken: number; progress?: number; logs?: string[] };
export type LeaseState = { expires_at: number; cancel: boolean };
export type Completion = {
  fencingToken: number;
  output: Record<string, string>;
  metadata?: Record<string, string>;
  logs?: string[];
};
export type Failure = { fencingToken: number; errorMessage: string; errorClass: ErrorClass; retryAfterMs?: number };

/**
 * The agent protocol, so that the same agent runs over HTTP and inside the control plane. Answers have the shapes of the wire.
 * Every call may be repeated. A refusal is a ColmeiaError with the code of the wire (LEASE_FENCED when the attempt does not
 * count any more); any other error means that the call may not have arrived. `retryAfterMs` of the error is honoured.
 * Source: contracts.md, agent protocol over HTTP.
 */
export type AgentTransport = {
  register(spec: AgentRegistration): Promise<AgentTerms>;
  heartbeatAgent(agentId: string, telemetry?: Record<string, unknown>): Promise<unknown>;
  /** No more leases; open polls end. */
  drain(agentId: string): Promise<unknown>;
  lease(agentId: string, request: LeaseRequest): Promise<{ leases: LeaseGrant[] }>;
  heartbeatLease(leaseId: string, beat: LeaseBeat): Promise<LeaseState>;
  complete(leaseId: string, completion: Completion): Promise<unknown>;
  fail(leaseId: string, failure: Failure): Promise<unknown>;
  /** Releases connections; absent = there are none. */
  close?(): Promise<void>;
};
