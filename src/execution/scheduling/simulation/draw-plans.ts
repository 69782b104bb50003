import type { Random } from '../../../platform/clock.ts';
import type { PlanTemplate } from './parse-plans.ts';
import type { SimulatedPlan } from './scenario.ts';
import { gauss } from './seeded-random.ts';

export type DrawOptions = {
  random: Random;
  /** Spread of durations that are only estimated: × exp(noise × N(0, 1)). Default 0.3. */
  noise?: number;
  /** Plans come at random times, so many a minute on average, in random order; null = when they say. */
  ratePerMinute?: number | null;
};

const UNKNOWN_MS = 60_000;

/** One course of events: durations that are not recorded are drawn, and arrivals when a rate is asked for. */
export function drawPlans(templates: readonly PlanTemplate[], options: DrawOptions): SimulatedPlan[] {
  const { random, noise = 0.3, ratePerMinute = null } = options;
  const plans = templates.map((template) => ({
    ...template,
    tasks: template.tasks.map((task) => ({
      ...task,
      durationMs: task.durationMs ?? (task.spec.estimated_duration_ms ?? UNKNOWN_MS) * Math.exp(noise * gauss(random)),
    })),
  }));
  if (ratePerMinute === null) return plans;
  for (let i = plans.length - 1; i > 0; i--) {
    const other = Math.floor(random() * (i + 1));
    [plans[i], plans[other]] = [plans[other]!, plans[i]!];
  }
  let at = 0;
  return plans.map((plan) => {
    at -= (60_000 / ratePerMinute) * Math.log(1 - random());
    return { ...plan, arrivesAt: at, deadlineAt: plan.deadlineAt - plan.arrivesAt + at };
  });
}
