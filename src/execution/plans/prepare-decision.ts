import { hash } from 'node:crypto';
import { digestOf } from '../../platform/contracts/canonical-json.ts';
import type { CognitivePlan, ConsolidatedDecision } from '../../platform/contracts/generated/records.ts';
import { parseDecision, type DecisionCaps } from '../../platform/contracts/parse-decision.ts';
import { ColmeiaError, type Fault } from '../../platform/errors.ts';
import type { Backoff, PlanControl } from '../flow/flow-state.ts';
import type { PlanContent } from '../flow/live-plan.ts';
import type { Submission } from '../flow/submission.ts';
import { checkDecision, faultOfId } from './check-plan.ts';
import { generateTickets, type TicketPolicy } from './generate-tickets.ts';
import { UNVOTED } from './unvoted-decision.ts';

export type FlowPolicy = { tickets: TicketPolicy; backoff: Backoff; stopGraceMs: number; caps: DecisionCaps };

export type PreparedDecision = {
  submission: Omit<Submission, 'instance'> & Submission;
  /** The company the decision names; null = none is named. */
  asked: string | null;
  warnings: string[];
  code: 'INVALID_DECISION' | 'TOO_LARGE' | null;
};

/**
 * C1 and C2 of one decision: what came in becomes a submission for the company's writer, good or bad. Never throws for
 * bad input: an invalid decision becomes a submission that is stored as rejected. `companyOf` turns the company that the
 * decision names into the one it goes to, and may throw.
 */
export function prepareDecision(
  value: unknown,
  by: string,
  now: number,
  policy: FlowPolicy,
  companyOf: (asked: string | undefined) => string,
): PreparedDecision {
  const { decision, plan, warnings, faults: contract, code } = parseDecision(value, policy.caps);
  const asked = decision?.metadata.instance ?? textAt(value, 'metadata', 'instance');
  const instance = companyOf(asked);
  const faults = [...contract, ...(decision === null ? [] : checkDecision(decision, plan, now))];
  const correlation = correlationOf(decision, plan, value);
  if (decision === null || faults.length > 0) {
    const planId =
      usableId(decision?.plan_id ?? textAt(value, 'plan_id')) ?? `invalid-${safeDigest(value).slice(0, 16)}`;
    const content = {
      digest: safeDigest(value),
      decision: JSON.stringify({ decision_id: correlation.decision_id }),
      header: '{}',
    };
    const submission = { kind: 'invalid' as const, instance, planId, by, content, correlation, faults };
    return { submission, asked: asked ?? null, warnings, code: code ?? 'INVALID_DECISION' };
  }
  const content = contentOf(decision, plan, 1);
  const base = { instance, planId: decision.plan_id, by, content, correlation };
  if (decision.final_decision === 'reject' || plan === null) {
    return {
      submission: { ...base, kind: 'refused', why: decision.reasoning_summary || 'the decision is "reject"' },
      asked: asked ?? null,
      warnings,
      code: null,
    };
  }
  const submission = {
    ...base,
    kind: 'run' as const,
    tickets: generateTickets(plan, now, policy.tickets),
    gate: needsGate(decision, plan),
    control: controlOf(plan, decision.valid_until, policy),
  };
  return { submission, asked: asked ?? null, warnings, code: null };
}

/** A whole plan that waits for a person before it starts. */
function needsGate(
  decision: Pick<ConsolidatedDecision, 'final_decision' | 'requires_human_review'>,
  plan: CognitivePlan,
): boolean {
  if (
    decision.final_decision === 'conditional' ||
    decision.final_decision === 'review_required' ||
    decision.requires_human_review
  )
    return true;
  return planNeedsGate(plan);
}

export function planNeedsGate(plan: CognitivePlan): boolean {
  if (plan.requires_approval) return plan.approval_status !== 'approved';
  return plan.is_destructive && plan.destructive_tasks.length === 0;
}

export function controlOf(
  plan: CognitivePlan,
  decisionValidUntil: number | null,
  { backoff, stopGraceMs }: FlowPolicy,
): PlanControl {
  const ends = [plan.valid_until, decisionValidUntil].filter((at) => at !== null);
  return {
    paused: false,
    stopping: null,
    undo: false,
    validUntil: ends.length === 0 ? null : Math.min(...ends),
    backoff,
    stopGraceMs,
  };
}

/** What is kept of a decision and its plan, and the digest that tells whether another is the same: parsed records of equal content have equal JSON. */
export function contentOf(decision: ConsolidatedDecision, plan: CognitivePlan | null, revision: number): PlanContent {
  const { cognitive_plan: _text, ...rest } = decision;
  const { tasks, ...header } = plan ?? { tasks: [] };
  const kept = { decision: JSON.stringify(rest), header: JSON.stringify({ ...header, revision }) };
  return { digest: hash('sha256', `${kept.decision}\n${kept.header}\n${JSON.stringify(tasks)}`), ...kept };
}

function correlationOf(
  decision: ConsolidatedDecision | null,
  plan: CognitivePlan | null,
  value: unknown,
): Submission['correlation'] {
  return {
    intent_id: decision?.intent_id ?? textAt(value, 'intent_id') ?? '',
    decision_id: decision?.decision_id ?? textAt(value, 'decision_id') ?? '',
    correlation_id: plan?.correlation_id ?? decision?.correlation_id ?? null,
    trace_id: plan?.trace_id ?? decision?.trace_id ?? null,
    span_id: plan?.span_id ?? decision?.span_id ?? null,
  };
}

function textAt(value: unknown, ...path: string[]): string | undefined {
  for (const name of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return undefined;
    value = (value as Record<string, unknown>)[name];
  }
  return typeof value === 'string' ? value : undefined;
}

const usableId = (id: string | undefined): string | null => (id === undefined || faultOfId(id) !== null ? null : id);

/** Of anything that came in as JSON, however odd. */
function safeDigest(value: unknown): string {
  try {
    return digestOf(value ?? null);
  } catch {
    return digestOf(String(value));
  }
}

/** What POST /api/v1/workflows/start asks for, as the approved decision it stands for. */
export function decisionOfStart(
  plan: Record<string, unknown>,
  correlationId: string,
  now: number,
): Record<string, unknown> {
  const metadata = (plan.metadata ?? {}) as Record<string, string>;
  const text = (name: string): string => (typeof plan[name] === 'string' ? (plan[name] as string) : '');
  return {
    ...UNVOTED,
    decision_id: metadata.decision_id ?? correlationId,
    plan_id: plan.plan_id,
    intent_id: text('intent_id'),
    correlation_id: correlationId,
    trace_id: plan.trace_id ?? null,
    span_id: plan.span_id ?? null,
    aggregated_risk: typeof plan.risk_score === 'number' ? plan.risk_score : 0,
    explainability_token: text('explainability_token'),
    reasoning_summary: 'started through /api/v1/workflows/start',
    cognitive_plan: { ...plan, correlation_id: plan.correlation_id ?? correlationId },
    created_at: typeof plan.created_at === 'number' ? plan.created_at : now,
    metadata: typeof metadata.instance === 'string' ? { instance: metadata.instance } : {},
  };
}

export function invalidDecision(code: 'INVALID_DECISION' | 'TOO_LARGE', faults: readonly Fault[]): ColmeiaError {
  const more = faults.length > 1 ? ` (and ${faults.length - 1} more)` : '';
  const first = faults[0] ?? { path: '', message: 'it is not a decision' };
  return new ColmeiaError(
    code,
    `the decision is invalid: ${first.path ? `${first.path}: ` : ''}${first.message}${more}`,
    { faults: [...faults] },
  );
}
