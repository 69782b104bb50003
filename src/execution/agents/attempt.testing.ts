import assert from 'node:assert/strict';
import type { ExecutionTicket } from '../../platform/contracts/generated/records.ts';
import { AgentError } from './agent-error.ts';
import type { AttemptContext } from './agent-loop.ts';

/** A whole running ticket; `more` replaces its fields. */
export function sampleTicket(more: Partial<ExecutionTicket> = {}): ExecutionTicket {
  return {
    ticket_id: 't-1',
    plan_id: 'p-1',
    intent_id: 'i',
    decision_id: 'd',
    correlation_id: null,
    trace_id: null,
    span_id: null,
    task_id: 'task',
    task_type: 'EXECUTE',
    description: '',
    dependencies: [],
    status: 'RUNNING',
    priority: 'NORMAL',
    risk_band: 'low',
    sla: { deadline: 0, timeout_ms: 60_000, max_retries: 1 },
    qos: { delivery_mode: 'AT_LEAST_ONCE', consistency: 'EVENTUAL', durability: 'PERSISTENT' },
    parameters: {},
    required_capabilities: [],
    security_level: 'INTERNAL',
    created_at: 0,
    started_at: null,
    completed_at: null,
    estimated_duration_ms: null,
    actual_duration_ms: null,
    retry_count: 0,
    error_message: null,
    compensation_ticket_id: null,
    metadata: { instance: 'acme' },
    schema_version: 1,
    ...more,
  };
}

/** A first attempt that nobody stops and whose reports go nowhere; `more` replaces what it knows. */
export function attemptContext(more: Partial<AttemptContext> = {}): AttemptContext {
  return {
    signal: new AbortController().signal,
    attempt: 1,
    leaseId: 'lease-9',
    fencingToken: 1,
    progress: () => {},
    log: () => {},
    metadata: () => {},
    ...more,
  };
}

/** What an attempt that must fail fails with. */
export async function failureOf(result: Promise<unknown>): Promise<AgentError> {
  const error = await result.then(
    () => assert.fail('it should have failed'),
    (thrown: unknown) => thrown,
  );
  assert.ok(error instanceof AgentError, String(error));
  return error;
}
