import type { CognitivePlan, ExecutionTicket } from '../../platform/contracts/generated/records.ts';
import type { TicketRules } from '../flow/flow-state.ts';
import type { TicketSpec } from './ticket.ts';

/** What an operator can set about C2. Times in ms. */
export type TicketPolicy = {
  /** Shortest timeout of an attempt. Default 60,000. */
  minTimeoutMs: number;
  /** Timeout as a multiple of the estimate. Default 3. */
  timeoutFactor: number;
  /** Timeout of a task without an estimate. SLA_DEFAULT_TIMEOUT_MS, default 3,600,000. */
  defaultTimeoutMs: number;
  maxRetries: Record<CognitivePlan['risk_band'], number>;
};

export const TICKET_POLICY: TicketPolicy = {
  minTimeoutMs: 60_000,
  timeoutFactor: 3,
  defaultTimeoutMs: 3_600_000,
  maxRetries: { critical: 5, high: 3, medium: 2, low: 1 },
};

export type GeneratedTickets = { specs: TicketSpec[]; rules: TicketRules[]; deadlines: number[] };

const TASK_TYPES = new Set(['BUILD', 'DEPLOY', 'TEST', 'VALIDATE', 'EXECUTE', 'COMPENSATE', 'QUERY', 'TRANSFORM']);
const PRIORITY_OF_RISK = { critical: 'CRITICAL', high: 'HIGH', medium: 'NORMAL', low: 'LOW' } as const;
const SECURITY_LEVELS = new Set(['PUBLIC', 'INTERNAL', 'CONFIDENTIAL', 'RESTRICTED']);

/** C2: one ticket per task, numbered as the tasks stand. Source: contracts.md, ticket rules. */
export function generateTickets(plan: CognitivePlan, now: number, policy: TicketPolicy): GeneratedTickets {
  const numberOf = new Map(plan.tasks.map((task, n) => [task.task_id, n]));
  const destructive = new Set(plan.destructive_tasks);
  const shared = sharedBySpecs(plan, policy);
  const made: GeneratedTickets = { specs: [], rules: [], deadlines: [] };
  for (const task of plan.tasks) {
    const { type, metadata } = taskType(task.task_type, task.metadata);
    const timeout_ms = timeoutOf(task.estimated_duration_ms, policy);
    const spec: TicketSpec = {
      task_id: task.task_id,
      task_type: type,
      description: task.description,
      ...shared,
      parameters: task.parameters,
      required_capabilities: task.required_capabilities,
      estimated_duration_ms: task.estimated_duration_ms,
      metadata,
      timeout_ms,
      gated: destructive.has(task.task_id),
      compensation: task.metadata.compensation || null,
      undoes: null,
    };
    made.specs.push(spec);
    made.rules.push(
      rulesOf(
        spec,
        task.dependencies.map((id) => numberOf.get(id)!),
      ),
    );
    made.deadlines.push(Math.min(now + timeout_ms, plan.valid_until ?? Infinity));
  }
  return made;
}

/** The rules decide() needs, from the spec that is kept. */
export function rulesOf(spec: TicketSpec, deps: readonly number[]): TicketRules {
  return {
    deps,
    timeoutMs: spec.timeout_ms,
    maxRetries: spec.max_retries,
    gated: spec.gated,
    compensable: spec.compensation !== null,
    copyable: spec.qos.delivery_mode === 'AT_LEAST_ONCE' && !spec.gated && spec.undoes === null,
    undoes: spec.undoes,
  };
}

/** The ticket that undoes another: same capabilities and parameters, plus what to do and for which ticket. */
export function compensationOf(spec: TicketSpec, n: number, ticketId: string): TicketSpec {
  const action = spec.compensation ?? 'undo';
  return {
    ...spec,
    task_id: `${spec.task_id}~undo`,
    task_type: 'COMPENSATE',
    description: `Undo: ${spec.description}`,
    parameters: { ...spec.parameters, compensates: ticketId, action },
    metadata: {},
    gated: false,
    compensation: null,
    undoes: n,
  };
}

function sharedBySpecs(plan: CognitivePlan, policy: TicketPolicy) {
  const careful = plan.risk_band === 'critical' || plan.risk_band === 'high';
  const priority = plan.original_priority.toUpperCase();
  const level = plan.original_security_level.toUpperCase();
  return {
    priority: (priority in { LOW: 1, NORMAL: 1, HIGH: 1, CRITICAL: 1 }
      ? priority
      : PRIORITY_OF_RISK[plan.risk_band]) as ExecutionTicket['priority'],
    risk_band: plan.risk_band,
    qos: careful
      ? ({ delivery_mode: 'EXACTLY_ONCE', consistency: 'STRONG', durability: 'PERSISTENT' } as const)
      : ({ delivery_mode: 'AT_LEAST_ONCE', consistency: 'EVENTUAL', durability: 'PERSISTENT' } as const),
    security_level: (SECURITY_LEVELS.has(level) ? level : 'INTERNAL') as ExecutionTicket['security_level'],
    max_retries: policy.maxRetries[plan.risk_band],
  };
}

/** The record knows eight types; any other is EXECUTE, and its own name stays in the metadata, where agents may ask for it. */
function taskType(
  name: string,
  metadata: Record<string, string>,
): { type: ExecutionTicket['task_type']; metadata: Record<string, string> } {
  const type = name.toUpperCase();
  if (TASK_TYPES.has(type)) return { type: type as ExecutionTicket['task_type'], metadata };
  return { type: 'EXECUTE', metadata: { ...metadata, task_type: name } };
}

function timeoutOf(estimate: number | null, policy: TicketPolicy): number {
  return estimate === null
    ? policy.defaultTimeoutMs
    : Math.max(policy.minTimeoutMs, Math.ceil(policy.timeoutFactor * estimate));
}
