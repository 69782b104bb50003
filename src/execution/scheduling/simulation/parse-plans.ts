import type { CognitivePlan, TaskNode } from '../../../platform/contracts/generated/records.ts';
import { parseDecision } from '../../../platform/contracts/parse-decision.ts';
import { parseRecord } from '../../../platform/contracts/parse-record.ts';
import { isObject } from '../../../platform/contracts/take-fields.ts';
import type { Fault } from '../../../platform/errors.ts';
import { checkDecision, checkPlan } from '../../plans/check-plan.ts';
import { generateTickets, TICKET_POLICY } from '../../plans/generate-tickets.ts';
import { upwardRanks } from '../../plans/upward-rank.ts';
import type { SimulatedPlan } from './scenario.ts';

/** A plan before chance has been at work: when it comes is fixed, how long its tasks take may not be. */
export type PlanTemplate = Omit<SimulatedPlan, 'tasks'> & {
  /** `durationMs` null = the estimate (or a minute), times noise. */
  readonly tasks: readonly (Omit<SimulatedPlan['tasks'][number], 'durationMs'> & {
    readonly durationMs: number | null;
  })[];
};

/**
 * A file of plans: a ConsolidatedDecision or a CognitivePlan as the API takes it, `{arrive_ms?, instance?, tier?, deadline_ms?,
 * plan}` around one of them, or a list of these. Every fault is added to `faults`.
 *
 * A task takes `metadata.duration_ms`. A plan is due `deadline_ms` after its arrival, else at its `valid_until` (counted from
 * `created_at`), else after the timeouts of its tickets along the longest path.
 */
export function parsePlans(value: unknown, path: string, faults: Fault[]): PlanTemplate[] {
  if (!Array.isArray(value)) return parsePlan(value, path, faults);
  return value.flatMap((one, i) => parsePlan(one, `${path}[${i}]`, faults));
}

function parsePlan(value: unknown, path: string, faults: Fault[]): PlanTemplate[] {
  const at = (field: string): string =>
    `${path}${path === '' || field === '' || field.startsWith('[') ? '' : '.'}${field}`;
  if (!isObject(value)) {
    faults.push({ path, message: 'must be a plan or a decision, an object' });
    return [];
  }
  const before = faults.length;
  const wrapped = 'plan' in value;
  const read = readPlan(wrapped ? value.plan : value);
  for (const fault of read.faults)
    faults.push({ path: at(wrapped ? `plan.${fault.path}` : fault.path), message: fault.message });
  const number = (name: string): number | null => {
    const given = wrapped ? value[name] : undefined;
    if (given === undefined || given === null) return null;
    if (typeof given === 'number' && given >= 0 && given <= 1e15) return given;
    faults.push({ path: at(name), message: 'must be a number of milliseconds from 0 to 1e15' });
    return null;
  };
  const text = (name: string): string | null => {
    const given = wrapped ? value[name] : undefined;
    if (given === undefined || given === null || typeof given === 'string') return given ?? null;
    faults.push({ path: at(name), message: 'must be a text' });
    return null;
  };
  const [arrivesAt, dueIn, instance, tier] = [
    number('arrive_ms'),
    number('deadline_ms'),
    text('instance'),
    text('tier'),
  ];
  const { plan, metadata } = read;
  if (plan !== null) checkDurations(plan, at(read.tasksAt), faults);
  if (plan === null || faults.length > before) return [];
  return [
    templateOf(plan, {
      arrivesAt: arrivesAt ?? 0,
      dueIn,
      instance: instance ?? metadata.instance ?? plan.metadata.instance ?? 'default',
      tier: tier ?? metadata.customer_tier ?? plan.metadata.customer_tier ?? 'standard',
    }),
  ];
}

type Read = { plan: CognitivePlan | null; metadata: Record<string, string>; faults: Fault[]; tasksAt: string };

/** Nothing counts as expired here: files of plans are kept for long. */
function readPlan(value: unknown): Read {
  if (isObject(value) && 'cognitive_plan' in value) {
    const { decision, plan, faults } = parseDecision(value);
    const more = decision === null ? [] : checkDecision(decision, plan, 0);
    return { plan, metadata: decision?.metadata ?? {}, faults: [...faults, ...more], tasksAt: 'cognitive_plan.tasks' };
  }
  const parsed = parseRecord('CognitivePlan', value);
  if (!parsed.ok) return { plan: null, metadata: {}, faults: parsed.faults, tasksAt: 'tasks' };
  return { plan: parsed.record, metadata: {}, faults: checkPlan(parsed.record, 0), tasksAt: 'tasks' };
}

function checkDurations({ tasks }: CognitivePlan, path: string, faults: Fault[]): void {
  tasks.forEach(({ metadata }, i) => {
    const given = metadata.duration_ms;
    if (given !== undefined && !(Number(given) >= 0 && Number(given) <= 1e15 && given.trim() !== ''))
      faults.push({
        path: `${path}[${i}].metadata.duration_ms`,
        message: 'must be a number from 0 to 1e15, as a text',
      });
  });
}

function templateOf(
  plan: CognitivePlan,
  where: { arrivesAt: number; dueIn: number | null; instance: string; tier: string },
): PlanTemplate {
  const { specs, rules } = generateTickets(plan, 0, TICKET_POLICY);
  const dependents: number[][] = specs.map(() => []);
  rules.forEach(({ deps }, n) => deps.forEach((dep) => dependents[dep]!.push(n)));
  const patience = upwardRanks(
    dependents,
    specs.map((spec) => spec.timeout_ms),
  );
  const validFor = plan.valid_until === null ? null : plan.valid_until - plan.created_at;
  const dueIn = where.dueIn ?? validFor ?? patience.reduce((most, one) => Math.max(most, one), 0);
  return {
    name: plan.plan_id,
    instance: where.instance,
    tier: where.tier,
    arrivesAt: where.arrivesAt,
    deadlineAt: where.arrivesAt + dueIn,
    tasks: plan.tasks.map((task, n) => ({ spec: specs[n]!, deps: rules[n]!.deps, durationMs: durationOf(task) })),
  };
}

const durationOf = ({ metadata }: TaskNode): number | null =>
  metadata.duration_ms === undefined ? null : Number(metadata.duration_ms);
