import type { AgentView, InboxItem, KeyView, PlanSummary, TicketView } from '../../colmeia.ts';
import type {
  CompanyFault,
  ExportView,
  InstanceSummary,
  OperationPlan,
  OperationView,
  StepView,
} from '../../coordination/instances/instance-views.ts';
import type { RecordedEvent } from '../../trust/audit/journal.ts';
import type { SecretView } from '../../trust/secrets/secret-operations.ts';
import { type Column, formatBytes, formatDuration, formatTime } from './table.ts';

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

export const INSTANCE_COLUMNS: Column<InstanceSummary>[] = [
  { title: 'COMPANY', value: (company) => company.name, shrinks: true },
  { title: 'STATE', value: (company) => (company.initialized ? company.state : `${company.state} (no init)`) },
  { title: 'HEALTH', value: (company) => company.health },
  { title: 'STRATEGY', value: (company) => company.strategy },
  { title: 'TIER', value: (company) => company.tier },
  { title: 'OPEN', value: ({ statistics }) => statistics.plans_open, align: 'right' },
  { title: 'DONE', value: ({ statistics }) => statistics.plans_completed, align: 'right' },
  { title: 'FAILED', value: ({ statistics }) => statistics.plans_failed, align: 'right' },
  { title: 'USD/MONTH', value: ({ statistics }) => statistics.month_cost_usd.toFixed(2), align: 'right' },
  { title: 'CREATED', value: (company) => formatTime(company.created_at) },
];

export const FAULT_COLUMNS: Column<CompanyFault>[] = [
  { title: 'SEVERITY', value: (fault) => fault.severity },
  { title: 'CODE', value: (fault) => fault.code },
  { title: 'PLACE', value: (fault) => fault.place },
  { title: 'MESSAGE', value: (fault) => fault.message, shrinks: true },
  { title: 'REMEDY', value: (fault) => fault.remedy, shrinks: true },
];

export const OPERATION_COLUMNS: Column<OperationView>[] = [
  { title: 'OPERATION', value: (operation) => operation.id },
  { title: 'COMPANY', value: (operation) => operation.instance, shrinks: true },
  { title: 'KIND', value: (operation) => operation.kind },
  { title: 'STATE', value: (operation) => operation.state },
  { title: 'STEPS', value: ({ steps }) => `${steps.filter(({ state }) => state === 'done').length}/${steps.length}` },
  { title: 'STARTED', value: (operation) => formatTime(operation.started_at) },
  { title: 'TOOK', value: (operation) => tookOf(operation), align: 'right' },
  { title: 'BY', value: (operation) => operation.by, shrinks: true },
];

export const STEP_COLUMNS: Column<StepView>[] = [
  { title: 'STEP', value: (step) => step.name },
  { title: 'STATE', value: (step) => step.state },
  { title: 'TOOK', value: (step) => tookOf(step), align: 'right' },
  { title: 'WHAT', value: (step) => step.detail, shrinks: true },
];

export const PLAN_STEP_COLUMNS: Column<OperationPlan['steps'][number]>[] = [
  { title: 'STEP', value: (step) => step.name },
  { title: 'ROWS', value: (step) => step.rows, align: 'right' },
  { title: 'SIZE', value: (step) => (step.bytes === undefined ? null : formatBytes(step.bytes)), align: 'right' },
  { title: 'CALLS', value: (step) => step.calls, align: 'right' },
  { title: 'WHAT', value: (step) => step.detail, shrinks: true },
];

export const EXPORT_COLUMNS: Column<ExportView>[] = [
  { title: 'FILE', value: (one) => one.file },
  { title: 'COMPANY', value: (one) => one.instance, shrinks: true },
  { title: 'SIZE', value: (one) => formatBytes(one.bytes), align: 'right' },
  { title: 'WRITTEN', value: (one) => formatTime(one.created_at) },
  { title: 'FAULT', value: (one) => one.fault, shrinks: true },
];

const tookOf = ({ started_at: from, ended_at: to }: { started_at: string | null; ended_at: string | null }) =>
  from === null || to === null ? null : formatDuration(Date.parse(to) - Date.parse(from));

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
