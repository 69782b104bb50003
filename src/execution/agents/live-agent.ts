import type { SchedulerAgent } from '../scheduling/scheduler-agent.ts';
import { agentKeyOf, type AgentSpec, type AgentState, type Lease } from './agent.ts';
import { newHistory, type AgentHistory } from './agent-history.ts';
import { newLife, type LifeState } from './agent-life.ts';
import type { Telemetry } from './agent-telemetry.ts';

export type Poll = { max: number; give: (leases: Lease[]) => void };

export type LiveAgent = {
  key: string;
  instance: string | null;
  spec: AgentSpec;
  state: AgentState;
  life: LifeState;
  /** null = it sent none. */
  telemetry: Telemetry | null;
  history: AgentHistory;
  leases: ReadonlySet<Lease>;
  polls: Set<Poll>;
  /** Tickets it would take, as far as its leases are known here; a commit under way may change that. */
  free: number;
  scheduler: SchedulerAgent;
};

/** A sign of life as one replica tells the others. */
export type SignOfLife = { key: string; agoMs: number; beat: boolean };

/** What is to be written down of agents that went away or came back. */
export type LifeReport = { type: 'agent.gone' | 'agent.returned'; agent: LiveAgent; leases: number; silentMs: number };

export function newLiveAgent(
  instance: string | null,
  spec: AgentSpec,
  now: number,
  leases: ReadonlySet<Lease>,
): LiveAgent {
  const key = agentKeyOf(instance, spec.agent_id);
  return {
    key,
    instance,
    spec,
    state: 'active',
    life: newLife(now),
    telemetry: null,
    history: newHistory(now),
    leases,
    polls: new Set(),
    free: 0,
    scheduler: schedulerAgentOf(key, instance, spec),
  };
}

export function schedulerAgentOf(key: string, instance: string | null, spec: AgentSpec): SchedulerAgent {
  return {
    key,
    instance,
    kind: spec.kind,
    taskTypes: new Set(spec.task_types),
    capabilities: new Set(spec.capabilities),
    labels: spec.labels,
    region: spec.region,
    concurrency: spec.concurrency,
    free: 0,
    open: true,
  };
}

export const reportOf = (type: LifeReport['type'], agent: LiveAgent, now: number): LifeReport => ({
  type,
  agent,
  leases: agent.leases.size,
  silentMs: now - agent.life.lastSeenAt,
});
