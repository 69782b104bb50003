import { createHash } from 'node:crypto';
import type { CognitivePlan, TaskNode } from '../../src/platform/contracts/generated/records.ts';
import type { PlanControl } from '../../src/execution/flow/flow-state.ts';
import type { PlanContent } from '../../src/execution/flow/live-plan.ts';
import type { Submission } from '../../src/execution/flow/submission.ts';
import { generateTickets, type TicketPolicy } from '../../src/execution/plans/generate-tickets.ts';

const POLICY: TicketPolicy = {
  minTimeoutMs: 3_000,
  timeoutFactor: 3,
  defaultTimeoutMs: 5_000,
  maxRetries: { critical: 4, high: 2, medium: 1, low: 0 },
};
const BANDS = ['low', 'medium', 'high', 'critical'] as const;

export type SamplePlan = { instance: string; plan: CognitivePlan; gate: boolean };

/** A small plan: up to six tasks in a random DAG, some of them destructive, some of them with a compensation. */
export function samplePlan(instance: string, planId: string, random: () => number, now: number): SamplePlan {
  const size = 1 + Math.floor(random() * 6);
  const tasks: TaskNode[] = [];
  for (let n = 0; n < size; n++)
    tasks.push(
      sampleTask(
        `t${n}`,
        tasks.filter(() => random() < 0.4).map((task) => task.task_id),
        random,
      ),
    );
  const plan: CognitivePlan = {
    plan_id: planId,
    version: '1.0.0',
    intent_id: 'i',
    correlation_id: null,
    trace_id: null,
    span_id: null,
    tasks,
    execution_order: tasks.map((task) => task.task_id),
    risk_score: 0.5,
    risk_band: BANDS[Math.floor(random() * 4)],
    risk_factors: {},
    explainability_token: '',
    reasoning_summary: 'a "quoted", \\escaped\\ {plan}',
    status: 'validated',
    created_at: now,
    valid_until: random() < 0.15 ? now + 5_000 + Math.floor(random() * 20_000) : null,
    estimated_total_duration_ms: null,
    complexity_score: 0,
    original_domain: 'TECHNICAL',
    original_priority: 'normal',
    original_security_level: 'internal',
    metadata: {},
    requires_approval: false,
    approval_status: null,
    approved_by: null,
    approved_at: null,
    is_destructive: false,
    destructive_tasks: tasks.filter(() => random() < 0.08).map((task) => task.task_id),
    risk_matrix: null,
    schema_version: 1,
  };
  return { instance, plan, gate: random() < 0.15 };
}

function sampleTask(id: string, dependencies: string[], random: () => number): TaskNode {
  return {
    task_id: id,
    task_type: random() < 0.8 ? 'BUILD' : 'Paint the "shed"',
    description: `do ${id}`,
    dependencies,
    estimated_duration_ms: random() < 0.5 ? 1_500 : null,
    required_capabilities: [],
    parameters: { of: id },
    metadata: random() < 0.6 ? { compensation: `undo ${id}` } : {},
  };
}

/** A new revision: some task left out, some task changed, one more. */
export function revised({ instance, plan }: SamplePlan, random: () => number, now: number): SamplePlan {
  const left = plan.tasks.filter(() => random() < 0.85);
  const ids = new Set(left.map((task) => task.task_id));
  const tasks = left.map((task) => ({
    ...task,
    description: random() < 0.2 ? `${task.description} otherwise` : task.description,
    dependencies: task.dependencies.filter((id) => ids.has(id) && random() < 0.9),
  }));
  tasks.push(
    sampleTask(
      `r${Math.floor(random() * 1e6)}`,
      [...ids].filter(() => random() < 0.4),
      random,
    ),
  );
  return {
    instance,
    plan: { ...plan, tasks, valid_until: plan.valid_until === null ? null : now + 10_000 },
    gate: random() < 0.3,
  };
}

export const ticketsOf = ({ plan }: SamplePlan, now: number) => generateTickets(plan, now, POLICY);

export const controlOf = ({ plan }: SamplePlan): PlanControl => ({
  paused: false,
  stopping: null,
  undo: false,
  validUntil: plan.valid_until,
  backoff: { baseMs: 100, maxMs: 1_000, quotaMs: 300 },
  stopGraceMs: 500,
});

export function contentOf({ plan }: SamplePlan): PlanContent {
  const { tasks, ...header } = plan;
  const digest = createHash('sha256').update(JSON.stringify(plan)).digest('hex');
  return {
    digest,
    decision: JSON.stringify({ decision_id: 'd', tasks: tasks.length }),
    header: JSON.stringify(header),
  };
}

export function submissionOf(sample: SamplePlan, now: number): Submission {
  return {
    kind: 'run',
    instance: sample.instance,
    planId: sample.plan.plan_id,
    by: 'operator',
    content: contentOf(sample),
    correlation: { intent_id: 'i', decision_id: 'd', correlation_id: null, trace_id: null, span_id: null },
    tickets: ticketsOf(sample, now),
    gate: sample.gate,
    control: controlOf(sample),
  };
}
