import type { TicketSpec } from '../plans/ticket.ts';
import { underLabelCaps } from './caps.ts';
import type { Estimates } from './estimates.ts';
import type { FilterMoment } from './filter-plugins.ts';
import type { Fleet } from './fleet.ts';
import { typeOf } from './outcome.ts';
import type { Caps } from './policy.ts';
import type { SchedulerAgent } from './scheduler-agent.ts';
import { wantedOf } from './waiting.ts';

/** A ticket that runs and is to be tried elsewhere too; `not`: the agent that runs it. */
export type Copy = { spec: TicketSpec; instance: string; not: string };

type Moment = { fleet: Fleet; estimates: Estimates; caps: Caps; moment: FilterMoment; now: number };

/**
 * The agent out of those with room that should end a second attempt first; null = none can. Agents of the burst pool, of
 * last resort and people are left alone.
 */
export function placeCopy(
  { spec, instance, not }: Copy,
  free: readonly SchedulerAgent[],
  { fleet, estimates, caps, moment, now }: Moment,
): string | null {
  const wanted = wantedOf(spec);
  const type = typeOf(spec);
  let best: string | null = null;
  let least = Infinity;
  for (const { key } of free) {
    const state = fleet.get(key);
    if (state === undefined || key === not || state.burst || state.lastResort) continue;
    const { agent } = state;
    if (!agent.open || agent.kind === 'person' || (agent.instance ?? instance) !== instance) continue;
    if (!fleet.canDo(wanted, agent) || !underLabelCaps(caps, fleet, state)) continue;
    const { allows, limit } = moment.guard(key, type, now);
    if (!allows || state.runs.size >= limit) continue;
    const cost = estimates.factor(type, key, now) / Math.max(1e-3, estimates.success(type, key, now));
    if (cost < least) [best, least] = [key, cost];
  }
  return best;
}
