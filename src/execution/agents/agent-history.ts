import type { JournalEvent } from '../../trust/audit/journal.ts';
import { SYSTEM_INSTANCE } from '../../trust/identity/principal.ts';
import type { ErrorClass } from '../flow/flow-state.ts';

/** An attempt that ended at the agent. */
export type RecentAttempt = {
  /** Epoch ms. */
  at: number;
  instance: string;
  plan_id: string;
  task_id: string;
  result: 'completed' | 'failed';
  duration_ms: number;
  /** null = it completed. */
  error_class: ErrorClass | null;
};

/** What an agent did as this process saw it. Memory only; the journal has all of it. */
export type AgentHistory = { since: number; completed: number; failed: number; recent: RecentAttempt[] };

const RECENT = 16;

export const newHistory = (since: number): AgentHistory => ({ since, completed: 0, failed: 0, recent: [] });

type Row = { instance: string; at: Date; events: readonly JournalEvent[] };

/** Writes committed attempts down with the agents that made them; of two agents of one id, the company's own. */
export function noteAttempts(
  registry: { get(key: string): { history: AgentHistory } | undefined },
  rows: readonly Row[],
): void {
  for (const { instance, at, events } of rows) {
    for (const { type, plan, data } of events) {
      if (type !== 'ticket.completed' && type !== 'ticket.failed' && type !== 'ticket.retrying') continue;
      if (typeof data?.agent !== 'string' || typeof data.duration_ms !== 'number') continue;
      const agent = registry.get(`${instance}/${data.agent}`) ?? registry.get(`${SYSTEM_INSTANCE}/${data.agent}`);
      if (agent === undefined) continue;
      const result = type === 'ticket.completed' ? 'completed' : 'failed';
      const { history } = agent;
      history[result]++;
      history.recent.push({
        at: at.getTime(),
        instance,
        plan_id: plan ?? '',
        task_id: String(data.task),
        result,
        duration_ms: data.duration_ms,
        error_class: (data.error_class as ErrorClass | undefined) ?? null,
      });
      if (history.recent.length > RECENT) history.recent.shift();
    }
  }
}
