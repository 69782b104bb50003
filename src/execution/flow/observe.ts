import type { Metrics } from '../../platform/observability/metrics.ts';
import type { Clock } from '../../platform/clock.ts';
import type { TokenUsage } from '../agents/token-usage.ts';
import { priorityScore } from '../plans/priority-score.ts';
import type { CommittedRow, FlowEngineOptions } from './flow-engine.ts';

/** What the engine says of its own work, as metrics. */
export function engineObservers(
  metrics: Metrics,
  clock: Clock,
): Pick<FlowEngineOptions, 'onFlushed' | 'onScheduled' | 'onQueueFull'> {
  return {
    onFlushed(ms, events) {
      metrics.flushSeconds.observe(ms / 1_000);
      metrics.flushEvents.observe(events);
    },
    onScheduled(ms, assignments) {
      metrics.schedulerSeconds.observe(ms / 1_000);
      const now = clock.now();
      for (const { ticket } of assignments) {
        metrics.priorityScore.observe(priorityScore(ticket.spec, ticket.createdAt, ticket.deadline, now));
      }
    },
    onQueueFull: () => metrics.schedulerRejections.inc(),
  };
}

/** The one activity of existing dashboards that agents do; its name is bounded, unlike task ids. */
const ACTIVITY = 'execute_ticket';
const TASK_TYPES = new Set(['BUILD', 'DEPLOY', 'TEST', 'VALIDATE', 'EXECUTE', 'COMPENSATE', 'QUERY', 'TRANSFORM']);
const MODES = new Set(['normal', 'tight', 'critical']);
const RISK_BANDS = new Set(['low', 'medium', 'high', 'critical']);

type Data = Record<string, unknown>;

/**
 * Committed events as metrics; every one is counted here and nowhere else. Cheap: what happens per ticket is tallied in
 * numbers first. Labels `task_type` and `risk_band` are `unknown` unless the event names them (`types`, `risk_band`), and
 * the time left of an SLA is known only of events that say it (`slack_ms`).
 */
export function observeCommitted(metrics: Metrics, rows: readonly CommittedRow[]): void {
  let events = 0;
  let leased = 0;
  let completed = 0;
  let failed = 0;
  let released = 0;
  let retried = 0;
  let received = 0;
  let validated = 0;
  let consolidated = 0;
  for (const row of rows) {
    events += row.events.length;
    for (const { type, data } of row.events) {
      switch (type) {
        case 'ticket.leased':
        case 'ticket.copied':
          leased++;
          break;
        case 'ticket.completed':
          completed++;
          observeAttempt(metrics, data);
          if (data?.usage !== undefined) observeUsage(metrics, data.usage as TokenUsage);
          break;
        case 'plan.received':
          received++;
          break;
        case 'plan.validated':
          validated++;
          break;
        case 'plan.ticketed':
          observeTickets(metrics, data);
          break;
        case 'plan.consolidating':
          consolidated++;
          break;
        case 'plan.completed':
          observeEnd(metrics, metrics.workflowsCompleted, data);
          break;
        case 'ticket.retrying':
          retried++;
          observeAttempt(metrics, data);
          break;
        case 'ticket.failed':
          failed++;
          observeAttempt(metrics, data);
          break;
        case 'ticket.released':
        case 'ticket.copy_released':
          released++;
          break;
        default:
          observeSeldom(metrics, type, data);
      }
    }
  }
  metrics.events.inc(events);
  if (leased > 0) metrics.ticketsPublished.inc({ status: 'success' }, leased);
  if (leased > 0) metrics.resourceAllocations.inc(leased);
  if (completed > 0) metrics.ticketsCompleted.inc(completed);
  if (failed > 0) metrics.ticketsFailed.inc(failed);
  if (received > 0) metrics.workflowsStarted.inc(received);
  if (validated > 0) metrics.planValidations.inc({ result: 'valid' }, validated);
  if (consolidated > 0) metrics.resultsConsolidated.inc(consolidated);
  if (released > 0) metrics.ticketsPublished.inc({ status: 'returned' }, released);
  if (released > 0) metrics.schedulerRejections.inc(released);
  if (retried > 0) metrics.retries.inc(retried);
  if (retried > 0) metrics.activityRetries.inc({ activity_name: ACTIVITY }, retried);
}

function observeSeldom(metrics: Metrics, type: string, data: Data | undefined): void {
  switch (type) {
    case 'plan.failed':
    case 'plan.compensated':
      return observeEnd(metrics, metrics.workflowsFailed, data);
    case 'plan.cancelled':
      return observeEnd(metrics, metrics.workflowsCancelled, data);
    case 'plan.rejected':
      return metrics.planValidations.inc({ result: 'refused' });
    case 'decision.rejected':
      metrics.planValidations.inc({ result: 'invalid' });
      if (isCycle(data?.faults)) metrics.dagCycles.inc();
      return;
    case 'plan.compensating':
      return metrics.compensationsTriggered.inc();
    case 'ticket.compensated':
      return metrics.compensationsExecuted.inc();
    case 'ticket.late':
      return metrics.slaViolations.inc({ risk_band: known(RISK_BANDS, data?.risk_band) });
    case 'incident.raised':
      return metrics.incidents.inc();
    case 'plan.at_risk':
      if (data?.first === true) metrics.deadlineApproaching.inc();
      return;
    case 'burst.activated':
      return metrics.burstActivations.inc();
    case 'budget.mode_changed':
      return metrics.modeChanges.inc({ mode: known(MODES, data?.to) });
  }
}

const LABELS = { activity_name: ACTIVITY };

function observeAttempt(metrics: Metrics, data: Data | undefined): void {
  const duration = data?.duration_ms;
  if (typeof duration === 'number') metrics.activityMs.observe(LABELS, duration);
  const slack = data?.slack_ms;
  if (typeof slack !== 'number') return;
  metrics.slaRemainingMs.observe(Math.max(0, slack));
  metrics.slaRemainingSeconds.set(slack / 1_000);
}

function observeUsage(metrics: Metrics, { input_tokens, output_tokens, cost_usd }: TokenUsage): void {
  metrics.llmTokens.inc({ direction: 'input' }, input_tokens);
  metrics.llmTokens.inc({ direction: 'output' }, output_tokens);
  metrics.llmCostUsd.inc(cost_usd);
}

function observeEnd(metrics: Metrics, ended: { inc(): void }, data: Data | undefined): void {
  ended.inc();
  const duration = data?.duration_ms;
  if (typeof duration !== 'number') return;
  metrics.workflowMs.observe(duration);
  metrics.workflowSeconds.observe(duration / 1_000);
}

function observeTickets(metrics: Metrics, data: Data | undefined): void {
  const risk_band = known(RISK_BANDS, data?.risk_band);
  const types = data?.types as Record<string, number> | undefined;
  if (types === undefined)
    return metrics.ticketsGenerated.inc({ task_type: 'unknown', risk_band }, Number(data?.tickets ?? 0));
  for (const type in types)
    metrics.ticketsGenerated.inc({ task_type: known(TASK_TYPES, type), risk_band }, types[type]);
}

const known = (names: ReadonlySet<string>, value: unknown): string =>
  typeof value === 'string' && names.has(value) ? value : 'unknown';

/** Source: check-plan.ts, the fault of a cycle. */
function isCycle(faults: unknown): boolean {
  return (
    Array.isArray(faults) && faults.some(({ message }: { message?: string }) => message?.includes('cycle') ?? false)
  );
}
