import { createHash } from 'node:crypto';

import type { Span } from '../../platform/observability/tracing.ts';
import { agentIdOf } from '../agents/agent.ts';
import { ticketIdOf, workflowIdOf } from '../plans/plan.ts';

/** A plan that came to an end, with what its spans need. Times are epoch ms. */
export type TracedPlan = {
  key: number;
  instance: string;
  plan_id: string;
  intent_id: string | null;
  correlation_id: string | null;
  trace_id: string | null;
  span_id: string | null;
  status: string;
  rev: number;
  created_at: number;
  ended_at: number | null;
  /** Of the consolidation; null = it never ran. */
  duration_ms: number | null;
  tickets: TracedTicket[];
};

export type TracedTicket = {
  n: number;
  task_id: string;
  task_type: string;
  status: string;
  agent: string | null;
  attempt: number;
  fence: number;
  started_at: number | null;
  ended_at: number | null;
  error: string | null;
};

/** An attempt that failed and was followed by another. */
export type TracedRetry = {
  n: number;
  fence: number;
  attempt: number;
  agent: string | null;
  at: number;
  duration_ms: number;
  error: string | null;
};

type Attributes = Span['attributes'];

/**
 * The spans of a plan: the plan, its steps C1–C6, its tickets under C4 and their failed attempts. Pure, and the same for
 * the same plan and revision, so that exporting twice never shows a span twice. The plan's own trace_id and span_id are
 * its parent when they are W3C ids; else the trace id is derived from the plan.
 */
export function spansOf(plan: TracedPlan, retries: readonly TracedRetry[] = []): Span[] {
  const isW3c = isId(plan.trace_id, 32);
  const traceId = isW3c ? plan.trace_id!.toLowerCase() : idOf(32, plan.instance, plan.plan_id);
  const spanId = (what: string): string => idOf(16, plan.instance, String(plan.key), String(plan.rev), what);
  const common = attributesOf(plan);
  const span = (
    what: string,
    parentId: string | null,
    name: string,
    startMs: number,
    endMs: number,
    more: Attributes,
    error: string | null,
  ): Span => ({
    traceId,
    spanId: spanId(what),
    parentId,
    name,
    startMs,
    endMs,
    attributes: { ...common, ...more },
    error,
  });

  const endMs = plan.duration_ms === null ? (plan.ended_at ?? plan.created_at) : plan.created_at + plan.duration_ms;
  const isGood = plan.status === 'completed';
  const parentId = isW3c && isId(plan.span_id, 16) ? plan.span_id!.toLowerCase() : null;
  const root = span('plan', parentId, 'orchestration.flow_c', plan.created_at, endMs, {}, isGood ? null : plan.status);
  const spans = [root];
  for (const { step, name, startMs, endMs: stepEndMs, error } of stepsOf(plan, endMs)) {
    spans.push(span(step, root.spanId, name, startMs, stepEndMs, { step }, error));
  }
  for (const ticket of plan.tickets) {
    if (ticket.started_at === null) continue;
    const { n, task_type, status } = ticket;
    const firstTry = retries.find((retry) => retry.n === n);
    const startMs =
      firstTry === undefined ? ticket.started_at : Math.min(ticket.started_at, firstTry.at - firstTry.duration_ms);
    const error = status === 'failed' || status === 'cancelled' ? (ticket.error ?? status) : null;
    spans.push(
      span(
        `ticket ${n}`,
        spanId('C4'),
        `ticket ${task_type}`,
        startMs,
        ticket.ended_at ?? endMs,
        ticketAttributes(plan, ticket),
        error,
      ),
    );
  }
  for (const { n, fence, attempt, agent, at, duration_ms, error } of retries) {
    const more: Attributes = {
      ticket_id: ticketIdOf(plan.key, n),
      attempt,
      status: 'retrying',
      ...agentAttribute(agent),
    };
    spans.push(
      span(
        `ticket ${n} fence ${fence}`,
        spanId(`ticket ${n}`),
        `attempt ${attempt}`,
        at - duration_ms,
        at,
        more,
        error ?? 'failed',
      ),
    );
  }
  return spans;
}

/** C1 and C2 take one commit; C3 is from then to the last lease, C4 from the first lease to the last result. */
function stepsOf(
  plan: TracedPlan,
  endMs: number,
): { step: string; name: string; startMs: number; endMs: number; error: string | null }[] {
  const { created_at: begin, status } = plan;
  const instant = { startMs: begin, endMs: begin, error: null };
  if (plan.duration_ms === null) return [{ step: 'C1', name: 'C1 validate', ...instant, error: status }];
  const started = plan.tickets.flatMap((ticket) => ticket.started_at ?? []);
  const ended = plan.tickets.flatMap((ticket) => ticket.ended_at ?? []);
  const latest = (times: number[]): number => times.reduce((last, time) => Math.max(last, time), begin);
  const firstStart = started.reduce((first, time) => Math.min(first, time), started[0] ?? begin);
  const done = Math.min(endMs, latest(ended));
  return [
    { step: 'C1', name: 'C1 validate', ...instant },
    { step: 'C2', name: 'C2 tickets', ...instant },
    { step: 'C3', name: 'C3 schedule', startMs: begin, endMs: latest(started), error: null },
    {
      step: 'C4',
      name: 'C4 execute',
      startMs: firstStart,
      endMs: Math.max(firstStart, done),
      error: status === 'completed' ? null : status,
    },
    { step: 'C5', name: 'C5 consolidate', startMs: done, endMs, error: null },
    { step: 'C6', name: 'C6 telemetry', startMs: endMs, endMs, error: null },
  ];
}

function attributesOf(plan: TracedPlan): Attributes {
  const attributes: Attributes = {
    instance: plan.instance,
    plan_id: plan.plan_id,
    workflow_id: workflowIdOf(plan.plan_id),
    status: plan.status,
    revision: plan.rev,
  };
  if (plan.intent_id !== null) attributes.intent_id = plan.intent_id;
  if (plan.correlation_id !== null) attributes.correlation_id = plan.correlation_id;
  return attributes;
}

function ticketAttributes(
  plan: TracedPlan,
  { n, task_id, task_type, status, agent, attempt }: TracedTicket,
): Attributes {
  return { ticket_id: ticketIdOf(plan.key, n), task_id, task_type, status, attempt, ...agentAttribute(agent) };
}

/** The row holds the key of the agent, events its id. */
function agentAttribute(agent: string | null): Attributes {
  if (agent === null) return {};
  return { agent_id: agent.includes('/') ? agentIdOf(agent) : agent };
}

/** All zeros is no id. Source: W3C Trace Context. */
function isId(id: string | null, digits: number): boolean {
  return id !== null && id.length === digits && /^[0-9a-f]+$/i.test(id) && !/^0+$/.test(id);
}

const idOf = (digits: number, ...parts: string[]): string =>
  createHash('sha256')
    .update(parts.join('\n'))
    .digest('hex')
    .slice(0, digits)
    .replace(/^0+$/, '1'.padStart(digits, '0'));
