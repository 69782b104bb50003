import type { CognitivePlan, ConsolidatedDecision } from '../../platform/contracts/generated/records.ts';
import { nearestName } from '../../platform/contracts/nearest-name.ts';
import type { Fault } from '../../platform/errors.ts';

const MAX_ID = 256;

/**
 * C1, what the contract cannot say: versions, expiry, ids, dependencies, cycles. Every fault at once, with its path.
 * `now` in epoch ms.
 */
export function checkDecision(decision: ConsolidatedDecision, plan: CognitivePlan | null, now: number): Fault[] {
  const faults: Fault[] = [];
  checkId(faults, 'plan_id', decision.plan_id);
  checkId(faults, 'decision_id', decision.decision_id);
  if (decision.valid_until !== null && decision.valid_until <= now) {
    faults.push({
      path: 'valid_until',
      message: `the decision expired at ${new Date(decision.valid_until).toISOString()}`,
    });
  }
  if (decision.schema_version !== 1)
    faults.push({ path: 'schema_version', message: `version ${decision.schema_version} is not known; 1 is` });
  if (plan === null) return faults;
  if (plan.plan_id !== decision.plan_id) {
    faults.push({
      path: 'cognitive_plan.plan_id',
      message: `is "${plan.plan_id}", the decision is about "${decision.plan_id}"`,
    });
  }
  for (const fault of checkPlan(plan, now))
    faults.push({ path: `cognitive_plan.${fault.path}`, message: fault.message });
  return faults;
}

export function checkPlan(plan: CognitivePlan, now: number): Fault[] {
  const faults: Fault[] = [];
  if (!/^1(\.|$)/.test(plan.version))
    faults.push({ path: 'version', message: `version "${plan.version}" is not known; 1.x is` });
  if (plan.schema_version !== 1)
    faults.push({ path: 'schema_version', message: `version ${plan.schema_version} is not known; 1 is` });
  if (plan.valid_until !== null && plan.valid_until <= now) {
    faults.push({ path: 'valid_until', message: `the plan expired at ${new Date(plan.valid_until).toISOString()}` });
  }
  if (plan.tasks.length === 0) faults.push({ path: 'tasks', message: 'a plan needs at least one task' });
  const numberOf = checkTaskIds(plan, faults);
  const isWhole = checkDependencies(plan, numberOf, faults);
  checkNames(plan.execution_order, 'execution_order', numberOf, faults);
  checkNames(plan.destructive_tasks, 'destructive_tasks', numberOf, faults);
  if (isWhole) {
    const cycle = findCycle(plan, numberOf);
    if (cycle !== null) faults.push({ path: 'tasks', message: `the dependencies form a cycle: ${cycle.join(' → ')}` });
  }
  return faults;
}

// oxlint-disable-next-line no-control-regex -- control characters are what is looked for
const CONTROL_CHARACTER = /[\u0000-\u001f\u007f]/;

/** What is wrong with an id of a caller; null = nothing. */
export function faultOfId(id: string): string | null {
  if (id.length === 0) return 'must not be empty';
  if (id.length > MAX_ID) return `has ${id.length} characters; at most ${MAX_ID} are allowed`;
  return CONTROL_CHARACTER.test(id) || !id.isWellFormed() ? 'must not contain control characters' : null;
}

function checkId(faults: Fault[], path: string, id: string): void {
  const message = faultOfId(id);
  if (message !== null) faults.push({ path, message });
}

function checkTaskIds(plan: CognitivePlan, faults: Fault[]): Map<string, number> {
  const numberOf = new Map<string, number>();
  plan.tasks.forEach(({ task_id, estimated_duration_ms }, n) => {
    checkId(faults, `tasks[${n}].task_id`, task_id);
    const first = numberOf.get(task_id);
    if (first === undefined) numberOf.set(task_id, n);
    else faults.push({ path: `tasks[${n}].task_id`, message: `"${task_id}" is the id of tasks[${first}] already` });
    if (estimated_duration_ms !== null && estimated_duration_ms < 0) {
      faults.push({ path: `tasks[${n}].estimated_duration_ms`, message: 'must not be negative' });
    }
  });
  return numberOf;
}

/** True when every dependency names another task, so that a search for cycles makes sense. */
function checkDependencies(plan: CognitivePlan, numberOf: ReadonlyMap<string, number>, faults: Fault[]): boolean {
  let isWhole = true;
  plan.tasks.forEach((task, n) => {
    const seen = new Set<string>();
    task.dependencies.forEach((id, i) => {
      const path = `tasks[${n}].dependencies[${i}]`;
      if (id === task.task_id) faults.push({ path, message: `"${id}" depends on itself` });
      else if (!numberOf.has(id)) faults.push({ path, message: unknownTask(id, numberOf) });
      else if (seen.has(id)) faults.push({ path, message: `"${id}" is named twice` });
      if (id === task.task_id || !numberOf.has(id)) isWhole = false;
      seen.add(id);
    });
  });
  return isWhole;
}

function checkNames(
  names: readonly string[],
  path: string,
  numberOf: ReadonlyMap<string, number>,
  faults: Fault[],
): void {
  names.forEach((id, i) => {
    if (!numberOf.has(id)) faults.push({ path: `${path}[${i}]`, message: unknownTask(id, numberOf) });
  });
}

function unknownTask(id: string, numberOf: ReadonlyMap<string, number>): string {
  const near = numberOf.size > 1_000 ? null : nearestName(id, [...numberOf.keys()]);
  return near === null ? `unknown task "${id}"` : `unknown task "${id}"; did you mean "${near}"?`;
}

/** The first cycle as a path that ends where it began; null = there is none. Depth-first without recursion. */
function findCycle(plan: CognitivePlan, numberOf: ReadonlyMap<string, number>): string[] | null {
  const done = new Uint8Array(plan.tasks.length); // 1 = on the path, 2 = leads to no cycle
  for (let start = 0; start < plan.tasks.length; start++) {
    if (done[start] !== 0) continue;
    const path: { n: number; next: number }[] = [{ n: start, next: 0 }];
    done[start] = 1;
    while (path.length > 0) {
      const top = path[path.length - 1];
      const dependency = plan.tasks[top.n].dependencies[top.next++];
      if (dependency === undefined) {
        done[top.n] = 2;
        path.pop();
        continue;
      }
      const n = numberOf.get(dependency)!;
      if (done[n] === 1) {
        const from = path.findIndex((step) => step.n === n);
        return [...path.slice(from).map((step) => plan.tasks[step.n].task_id), dependency];
      }
      if (done[n] === 0) {
        done[n] = 1;
        path.push({ n, next: 0 });
      }
    }
  }
  return null;
}
