import type { ContingencyEvent } from '../scheduling/contingency/contingency.ts';
import type { ModeChange } from '../scheduling/models/error-budget.ts';
import { classNameOf } from './class-name.ts';

/** What the swarm wants written down; the company whose journal it belongs to, null = the fleet's. */
export type SwarmEvent = { instance: string | null; type: string; data: Record<string, unknown> };

export function contingencyEvent(event: ContingencyEvent): SwarmEvent {
  if (event.type === 'degradation') {
    const { from, to, level } = event;
    return { instance: null, type: 'scheduler.degraded', data: { from, to, level } };
  }
  const { class: key, kind, why, seconds } = event;
  return { instance: null, type: `burst.${kind}`, data: { class: classNameOf(key), why, seconds } };
}

export const modeEvent = ({ instance, type, from, to, burn }: ModeChange): SwarmEvent => ({
  instance,
  type: 'budget.mode_changed',
  data: { task_type: type, from, to, burn },
});
