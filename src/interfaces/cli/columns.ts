import type { AgentView, InboxItem, InstanceView, KeyView, PlanSummary, TicketView } from '../../colmeia.ts';
import type { RecordedEvent } from '../../trust/audit/journal.ts';
import type { SecretView } from '../../trust/secrets/secret-operations.ts';
import { type Column, formatDuration, formatTime } from './table.ts';

export const PLAN_COLUMNS: Column<PlanSummary>[] = [
  { title: 'PLAN', value: (plan) => plan.plan_id, shrinks: true },
  { title: 'COMPANY', value: (plan) => plan.instance, shrinks: true },
  { title: 'STATUS', value: (plan) => (plan.paused ? `${plan.status} (paused)` : plan.status) },
  { title: 'RISK', value: (plan) => plan.risk_band },
  { title: 'TICKETS', value: (plan) => plan.tickets, align: 'right' },
  { title: 'CREATED', value: (plan) => formatTime(plan.created_at) },
  {
    title: 'TOOK',
    value: (plan) => formatDuration(plan.ended_at === null ? null : plan.ended_at - plan.created_at),
    align: 'right',
  },
];

export const TICKET_COLUMNS: Column<TicketView>[] = [
  { title: 'TICKET', value: (ticket) => ticket.ticket_id, shrinks: true },
  { title: 'TASK', value: (ticket) => ticket.task_id, shrinks: true },
  { title: 'TYPE', value: (ticket) => ticket.task_type },
  { title: 'STATE', value: (ticket) => ticket.state },
  { title: 'AGENT', value: (ticket) => ticket.agent_id, shrinks: true },
  { title: 'ATTEMPT', value: (ticket) => ticket.attempt, align: 'right' },
  { title: 'TOOK', value: (ticket) => formatDuration(ticket.actual_duration_ms), align: 'right' },
  { title: 'ERROR', value: (ticket) => ticket.error_message, shrinks: true },
];

export const AGENT_COLUMNS: Column<AgentView>[] = [
  { title: 'AGENT', value: (agent) => agent.agent_id, shrinks: true },
  { title: 'COMPANY', value: (agent) => agent.instance ?? 'all', shrinks: true },
  { title: 'KIND', value: (agent) => agent.kind },
  { title: 'STATE', value: (agent) => agent.state },
  { title: 'BUSY', value: (agent) => `${agent.running}/${agent.concurrency}`, align: 'right' },
  { title: 'TAKES', value: (agent) => agent.task_types.join(' '), shrinks: true },
  { title: 'SEEN', value: (agent) => formatTime(agent.last_seen_at) },
];

export const INBOX_COLUMNS: Column<InboxItem>[] = [
  { title: 'DUE', value: (item) => formatTime(item.due_at) },
  { title: 'WHAT', value: (item) => (item.kind === 'ticket' ? 'do' : 'approve') },
  { title: 'TICKET', value: (item) => item.ticket_id, shrinks: true },
  { title: 'PLAN', value: (item) => item.plan_id, shrinks: true },
  { title: 'TASK', value: (item) => item.task_id, shrinks: true },
  { title: 'WHO', value: (item) => item.agent_id, shrinks: true },
  { title: 'COMPANY', value: (item) => item.instance, shrinks: true },
  { title: 'SINCE', value: (item) => formatTime(item.since) },
  { title: 'ABOUT', value: (item) => item.description, shrinks: true },
];

export const INSTANCE_COLUMNS: Column<InstanceView>[] = [
  { title: 'COMPANY', value: (instance) => instance.name, shrinks: true },
  { title: 'TIER', value: (instance) => instance.tier },
  { title: 'STATE', value: (instance) => instance.state },
  { title: 'CREATED', value: (instance) => formatTime(instance.created_at) },
];

export const KEY_COLUMNS: Column<KeyView>[] = [
  { title: 'KEY', value: (key) => key.key_id },
  { title: 'KIND', value: (key) => key.kind },
  { title: 'COMPANY', value: (key) => key.instance ?? 'all', shrinks: true },
  { title: 'AGENT', value: (key) => key.agent_id, shrinks: true },
  { title: 'SCOPES', value: (key) => key.scopes.join(','), shrinks: true },
  { title: 'SUBJECT', value: (key) => key.subject, shrinks: true },
  { title: 'CREATED', value: (key) => formatTime(key.created_at) },
  { title: 'USED', value: (key) => formatTime(key.last_used_at) },
  { title: 'EXPIRES', value: (key) => formatTime(key.expires_at) },
  { title: 'REVOKED', value: (key) => formatTime(key.revoked_at) },
];

export const SECRET_COLUMNS: Column<SecretView>[] = [
  { title: 'SECRET', value: (secret) => secret.name },
  { title: 'VERSION', value: (secret) => secret.version, align: 'right' },
  { title: 'SET', value: (secret) => formatTime(secret.created_at) },
  { title: 'BY', value: (secret) => secret.created_by, shrinks: true },
];

export const AUDIT_COLUMNS: Column<RecordedEvent>[] = [
  { title: 'AT', value: (event) => formatTime(event.at) },
  { title: 'COMPANY', value: (event) => event.instance, shrinks: true },
  { title: 'N', value: (event) => event.n, align: 'right' },
  { title: 'WHAT', value: (event) => event.type },
  { title: 'WHO', value: (event) => event.by, shrinks: true },
  { title: 'PLAN', value: (event) => event.plan, shrinks: true },
  { title: 'TICKET', value: (event) => event.ticket, align: 'right' },
  { title: 'WHY', value: (event) => event.why, shrinks: true },
];
