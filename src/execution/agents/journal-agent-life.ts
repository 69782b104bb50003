import { isColmeiaError } from '../../platform/errors.ts';
import type { JournalEvent } from '../../trust/audit/journal.ts';
import { SYSTEM_INSTANCE } from '../../trust/identity/principal.ts';
import type { FlowEngine } from '../flow/flow-engine.ts';
import type { AgentRegistry } from './agent-registry.ts';

/** Events of one append at most, and of one company that wait for the database at most; the oldest go first. */
const AT_ONCE = 500;
const WAITING_LIMIT = 10_000;
const RETRY_MS = 1_000;

/**
 * Writes agents that went away or came back into the journal of their company, or of the fleet. Of several replicas the one
 * that owns the company does. While the database is away they wait in memory.
 */
export function journalAgentLife({
  registry,
  engine,
  log,
}: {
  registry: AgentRegistry;
  engine: Pick<FlowEngine, 'owns' | 'append'>;
  log: (level: 'warn', data: Record<string, unknown>, message: string) => void;
}): { stop(): void } {
  const waiting = new Map<string, JournalEvent[]>();
  let isWriting = false;
  let isStopped = false;
  let timer: NodeJS.Timeout | undefined;

  const write = async (): Promise<void> => {
    if (isWriting) return;
    isWriting = true;
    try {
      for (let next = waiting.entries().next(); !isStopped && !next.done; next = waiting.entries().next()) {
        const [instance, events] = next.value;
        const some = events.slice(0, AT_ONCE);
        await engine.append(instance, some).catch((error: unknown) => {
          if (!isColmeiaError(error, 'NOT_OWNER')) throw error; // its owner sees the same agents
        });
        const written = new Set(some);
        const left = (waiting.get(instance) ?? []).filter((event) => !written.has(event));
        if (left.length > 0) waiting.set(instance, left);
        else waiting.delete(instance);
      }
    } catch (error) {
      log('warn', { err: error }, 'agents that went away or came back could not be written down yet');
      if (!isStopped) timer = setTimeout(() => void write(), RETRY_MS).unref();
    } finally {
      isWriting = false;
    }
  };

  registry.onLife = (reports) => {
    for (const { type, agent, leases, silentMs } of reports) {
      const instance = agent.instance ?? SYSTEM_INSTANCE;
      if (!engine.owns(instance)) continue;
      const events = waiting.get(instance) ?? [];
      const data = { agent: agent.spec.agent_id, ...(type === 'agent.gone' ? { leases, silent_ms: silentMs } : {}) };
      events.push({ type, by: 'engine', data });
      if (events.length > WAITING_LIMIT) events.shift();
      waiting.set(instance, events);
    }
    void write();
  };
  return {
    stop() {
      isStopped = true;
      clearTimeout(timer);
    },
  };
}
