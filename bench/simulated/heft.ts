import { upwardRanks } from '../../src/execution/plans/upward-rank.ts';
import type { SimulatedPlan } from '../../src/execution/scheduling/simulation/scenario.ts';
import { typeOf } from '../../src/execution/scheduling/outcome.ts';

type Slot = { from: number; to: number };

/**
 * Makespan in ms of the static schedule that knows every duration: tasks by upward rank (mean over the agents that can), each
 * into the gap where it ends first. Agents with one slot. Source: HEFT, Topcuoglu et al. 2002, without communication.
 */
export function heftMakespan(plan: SimulatedPlan, factors: (type: string) => Float64Array): number {
  const dependents: number[][] = plan.tasks.map(() => []);
  plan.tasks.forEach(({ deps }, n) => deps.forEach((dep) => dependents[dep]!.push(n)));
  const rows = plan.tasks.map(({ spec }) => factors(typeOf(spec)));
  const ranks = upwardRanks(
    dependents,
    plan.tasks.map(({ durationMs }, n) => {
      const able = [...rows[n]!].filter((factor) => factor < Infinity);
      return (durationMs * able.reduce((sum, factor) => sum + factor, 0)) / able.length;
    }),
  );
  const depth = upwardRanks(dependents, new Float64Array(plan.tasks.length).fill(1)); // a task of no time still goes first
  const order = plan.tasks.map((_, n) => n).sort((a, b) => ranks[b]! - ranks[a]! || depth[b]! - depth[a]!);
  const busy: Slot[][] = Array.from({ length: rows[0]!.length }, () => []);
  const ends = new Float64Array(plan.tasks.length);
  for (const n of order) {
    const { deps, durationMs } = plan.tasks[n]!;
    const readyAt = deps.reduce((most, dep) => Math.max(most, ends[dep]!), 0);
    let best = { agent: 0, from: 0, to: Infinity };
    rows[n]!.forEach((factor, agent) => {
      if (factor === Infinity) return;
      const takes = durationMs * factor;
      const from = gapIn(busy[agent]!, readyAt, takes);
      if (from + takes < best.to) best = { agent, from, to: from + takes };
    });
    ends[n] = best.to;
    const slots = busy[best.agent]!;
    const at = slots.findLastIndex((slot) => slot.from <= best.from) + 1;
    slots.splice(at, 0, { from: best.from, to: best.to });
  }
  return ends.reduce((most, end) => Math.max(most, end), 0);
}

/** The earliest time from `readyAt` on at which the agent has `takes` ms free. */
function gapIn(slots: readonly Slot[], readyAt: number, takes: number): number {
  let from = readyAt;
  for (const slot of slots) {
    if (slot.from - from >= takes) return from;
    if (slot.to > from) from = slot.to;
  }
  return from;
}
