import type { PageQuery } from '../../colmeia.ts';
import type { ExecutionTicket } from '../../platform/contracts/generated/records.ts';
import type { AgentSpec, AgentState } from './agent.ts';
import type { AgentHistory } from './agent-history.ts';
import type { Life } from './agent-life.ts';
import type { TelemetrySample } from './agent-telemetry.ts';
import type { TokenUsage } from './token-usage.ts';

export type AgentView = AgentSpec & {
  instance: string | null;
  /** What people want of it; else, when it is silent, `suspect` or `gone`. */
  state: AgentState | 'suspect' | 'gone';
  /** By its signs of life, as this process heard them. A person is always alive. */
  life: Life;
  /** It came back after it had gone away several times, and gets no work before then, epoch ms; null = it does. */
  held_until: number | null;
  last_seen_at: number | null;
  running: number;
  /** null = it sent none. */
  telemetry: { at: number; values: Readonly<Record<string, number>> } | null;
};
export type AgentDetail = AgentView & {
  registered_at: number;
  /** The last ten, oldest first. */
  versions: { version: string | null; at: number }[];
  /** Of the last minutes, oldest first. */
  telemetry_history: TelemetrySample[];
  /** What it did since this process knows it; null = nothing is known. */
  history: AgentHistory | null;
  usage: UsageView;
};
/** What results said of their tokens; `since` null = none did. */
export type UsageView = TokenUsage & { results: number; since: number | null };

/** Something that waits for a person. */
export type InboxItem = {
  /** `ticket`: to be done. `task`: a destructive task to be approved. `plan`: a whole plan to be approved. */
  kind: 'ticket' | 'task' | 'plan';
  instance: string;
  plan_id: string;
  /** null = it is about the whole plan. */
  ticket_id: string | null;
  task_id: string | null;
  description: string;
  required_capabilities: readonly string[];
  /** Epoch ms: a ticket's deadline; until when a plan may be approved, or the first deadline in it. */
  due_at: number;
  /** Since when it waits, epoch ms; null = it is not known. */
  since: number | null;
  /** Only of a ticket: whose inbox it is in, and what a result must name. */
  agent_id: string | null;
  lease_id: string | null;
  fencing_token: number | null;
  /** When the attempt ends by itself, epoch ms. */
  expires_at: number | null;
};
export type InboxQuery = PageQuery & { instance?: string; agent_id?: string; ticket_id?: string };

export type LeaseView = {
  lease_id: string;
  fencing_token: number;
  attempt: number;
  expires_at: number;
  ticket: ExecutionTicket;
};
