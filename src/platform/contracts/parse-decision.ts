import type { Fault } from '../errors.ts';
import { type FoundFaults, listFaults } from './find-faults.ts';
import type { CognitivePlan, ConsolidatedDecision } from './generated/records.ts';
import { checkRecord, warningsOf } from './parse-record.ts';
import { isObject } from './take-fields.ts';

/** A decision and its plan as far as they could be read, with everything that is wrong with either. */
export type ParsedDecision = {
  /** Null when the decision itself breaks its contract. Its `cognitive_plan` is the text that came, or the text of the object. */
  decision: ConsolidatedDecision | null;
  /** Null when there is none, which only a rejection allows, or when it breaks its contract. */
  plan: CognitivePlan | null;
  warnings: string[];
  /** Empty when everything is right; at most 100. Those of the plan begin with `cognitive_plan`. */
  faults: Fault[];
  /** What the caller should be told; null when there are no faults. */
  code: 'INVALID_DECISION' | 'TOO_LARGE' | null;
};

export type DecisionCaps = {
  /** Most tasks of a plan; default 10 000. */
  maxTasks?: number;
  /** Most bytes of the plan as JSON text (UTF-8); default 8 000 000. */
  maxBytes?: number;
};

type FoundPlan = FoundFaults & { plan: CognitivePlan | null; warnings: string[]; tooLarge: boolean };

/**
 * Checks a ConsolidatedDecision together with the plan inside it, which may be JSON text or an object.
 * A plan above a cap is not looked into: `code` is then TOO_LARGE. Never throws; the caller's value is not changed.
 */
export function parseDecision(
  value: unknown,
  { maxTasks = 10_000, maxBytes = 8_000_000 }: DecisionCaps = {},
): ParsedDecision {
  const given = isObject(value) ? value.cognitive_plan : undefined;
  const asText = isObject(given) ? textOf(given) : { text: given, fault: null };
  const checked = checkRecord(
    'ConsolidatedDecision',
    isObject(given) ? { ...(value as object), cognitive_plan: asText.text } : value,
  );
  const mayLack = !isObject(value) || value.final_decision === 'reject';
  const found =
    asText.fault === null
      ? findPlan(asText.text, isObject(given) ? given : null, mayLack, { maxTasks, maxBytes })
      : unusable(asText.fault);
  const faults = listFaults({
    faults: [...checked.faults, ...found.faults],
    count: checked.count + found.count,
  });
  return {
    decision: checked.record,
    plan: found.plan,
    warnings: [...warningsOf('ConsolidatedDecision', value, checked.unknown), ...found.warnings],
    faults,
    code: found.tooLarge ? 'TOO_LARGE' : faults.length > 0 ? 'INVALID_DECISION' : null,
  };
}

/** A cyclic or absurdly deep object, or one with a bigint, has no JSON text. */
function textOf(plan: object): { text: unknown; fault: string | null } {
  try {
    return { text: JSON.stringify(plan), fault: null };
  } catch {
    return {
      text: null,
      fault: 'cannot be written as JSON: it is nested too deeply, or holds what JSON has no form for',
    };
  }
}

function findPlan(text: unknown, object: object | null, mayLack: boolean, caps: Required<DecisionCaps>): FoundPlan {
  if (text === undefined || text === null || text === '' || text === 'null') {
    return mayLack ? withoutPlan() : unusable('is missing; only a rejection may come without a plan');
  }
  // The check of the decision has found the wrong type already.
  if (typeof text !== 'string') return withoutPlan();
  const bytes = Buffer.byteLength(text);
  if (bytes > caps.maxBytes) return tooLarge('', `has ${bytes} bytes; at most ${caps.maxBytes} are allowed`);
  let plan: unknown = object;
  try {
    plan ??= JSON.parse(text);
  } catch (error) {
    return unusable(`is not JSON: ${(error as Error).message.slice(0, 160)}`);
  }
  const tasks = isObject(plan) ? plan.tasks : undefined;
  if (Array.isArray(tasks) && tasks.length > caps.maxTasks) {
    return tooLarge('.tasks', `has ${tasks.length} tasks; at most ${caps.maxTasks} are allowed`);
  }
  return checkPlan(plan);
}

function checkPlan(value: unknown): FoundPlan {
  const { record, faults, count, unknown } = checkRecord('CognitivePlan', value);
  return {
    plan: record,
    warnings: warningsOf('CognitivePlan', value, unknown, 'cognitive_plan.'),
    faults: faults.map(({ path, message }) => ({ path: `cognitive_plan${dotted(path)}`, message })),
    count,
    tooLarge: false,
  };
}

function dotted(path: string): string {
  return path === '' || path.startsWith('[') ? path : `.${path}`;
}

function withoutPlan(): FoundPlan {
  return { plan: null, warnings: [], faults: [], count: 0, tooLarge: false };
}

function unusable(message: string): FoundPlan {
  return { ...withoutPlan(), faults: [{ path: 'cognitive_plan', message }], count: 1 };
}

function tooLarge(path: string, message: string): FoundPlan {
  return { ...unusable(message), faults: [{ path: `cognitive_plan${path}`, message }], tooLarge: true };
}
