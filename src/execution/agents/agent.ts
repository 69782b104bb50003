import { SYSTEM_INSTANCE } from '../../trust/identity/principal.ts';

export const AGENT_KINDS = ['service', 'pipeline', 'llm', 'person', 'process', 'http'] as const;

/** What people want of it. `draining`: no more leases, and it leaves; registering makes it active. `cordoned`: no more leases until it is uncordoned. */
export type AgentState = 'active' | 'draining' | 'cordoned';

/** What an agent says of itself when it registers. Source: contracts.md, agent protocol. */
export type AgentSpec = {
  agent_id: string;
  kind: (typeof AGENT_KINDS)[number];
  task_types: string[];
  capabilities: string[];
  /** Tickets it takes at once. Default 1; of a person 10. */
  concurrency: number;
  labels: Record<string, string>;
  region: string | null;
  version: string | null;
};

/** Within the process an agent is known by its company and its id; null = it serves every company. */
export const agentKeyOf = (instance: string | null, agentId: string): string =>
  `${instance ?? SYSTEM_INSTANCE}/${agentId}`;
export const agentIdOf = (agentKey: string): string => agentKey.slice(agentKey.indexOf('/') + 1);

/** The right to run one attempt of one ticket until a time. Soft state: what counts is the ticket's fencing token. */
export type Lease = {
  leaseId: string;
  plan: number;
  n: number;
  fence: number;
  attempt: number;
  /** Key of the agent (agentKeyOf). */
  agent: string;
  /** Epoch ms; heartbeats move it. A person's lease lasts as long as the attempt may. */
  expiresAt: number;
  /** The attempt should stop. */
  stop: boolean;
  progress: number | null;
  logs: string[];
};
