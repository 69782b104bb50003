import { Knowledge } from '../models/knowledge.ts';
import type { Policy } from '../policy.ts';
import { Scheduler } from '../scheduler.ts';
import { drawPlans } from './draw-plans.ts';
import type { PlanTemplate } from './parse-plans.ts';
import { meanReport, reportOf, type SimulationReport } from './report.ts';
import type { Dispatcher, SimulatedAgent, SimulatedPlan } from './scenario.ts';
import { seededRandom } from './seeded-random.ts';
import { simulate } from './simulate.ts';

export type NamedPolicy = { name: string; policy: Policy };

export type Comparison = {
  fleet: readonly SimulatedAgent[];
  templates: readonly PlanTemplate[];
  policies: readonly NamedPolicy[];
  seed: number;
  /** The mean of so many seeds from `seed` on. */
  seeds: number;
  /** Spread of durations that are only estimated. */
  noise: number;
  /** Plans come at random, so many a minute; null = when they say. */
  ratePerMinute: number | null;
};

/** The same plans at the same times, once for each policy: what an operator looks at before a change of policy. */
export function comparePolicies(comparison: Comparison): ({ policy: string } & SimulationReport)[] {
  const { fleet, templates, policies, seed, seeds, noise, ratePerMinute } = comparison;
  const courses = Array.from({ length: seeds }, (_, i) =>
    drawPlans(templates, { random: seededRandom(seed + i), noise, ratePerMinute }),
  );
  return policies.map(({ name, policy }) => ({
    policy: name,
    ...meanReport(courses.map((plans, i) => simulatePolicy(fleet, plans, policy, seed + i))),
  }));
}

/** One course of events with the scheduler and the models of production, which begin with nothing learned. */
function simulatePolicy(
  fleet: readonly SimulatedAgent[],
  plans: readonly SimulatedPlan[],
  policy: Policy,
  seed: number,
): SimulationReport {
  const random = seededRandom(seed);
  const tiers = new Map(plans.map(({ instance, tier }) => [instance, tier]));
  const { dispatcher, knowledge } = learningScheduler(policy, random, (instance) => tiers.get(instance)!);
  const result = simulate({
    fleet,
    plans,
    dispatcher,
    estimates: knowledge,
    random,
    observe: (outcome) => knowledge.observe(outcome),
  });
  const slots = fleet.reduce((sum, { slots, says }) => sum + (slots ?? says.concurrency), 0);
  return reportOf(result, { slots, weightOf: (instance) => policy.tiers[tiers.get(instance)!] ?? 1 });
}

/** The scheduler joined with what it learns, as it is in production. */
export function learningScheduler(
  policy: Policy,
  random: () => number,
  tierOf: (instance: string) => string,
): { dispatcher: Dispatcher; knowledge: Knowledge } {
  const knowledge = new Knowledge(random);
  const { guards } = knowledge;
  const scheduler = new Scheduler({
    policy,
    estimates: knowledge,
    random,
    tierOf,
    guard: (agent, type, now) => guards.guardOf(agent, type, now),
  });
  const dispatcher: Dispatcher = {
    get wakeAt() {
      return scheduler.wakeAt;
    },
    add: (ticket, now) => scheduler.add(ticket, now),
    removePlan: (plan) => scheduler.removePlan(plan),
    ended: (plan, n, agent, at) => scheduler.ended(plan, n, agent, at),
    setAgent: (agent) => {
      knowledge.setAgent(agent);
      scheduler.setAgent(agent);
    },
    removeAgent: (key) => {
      knowledge.removeAgent(key);
      scheduler.removeAgent(key);
    },
    schedule: (agents, now, limit) => {
      const assignments = scheduler.schedule(agents, now, limit);
      for (const { agent } of assignments) guards.began(agent, now);
      return assignments;
    },
  };
  return { dispatcher, knowledge };
}
