import { monitorEventLoopDelay } from 'node:perf_hooks';
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';

/** What gauges show; read when somebody asks for the metrics. What is not bound yet is left out. */
export type GaugeSources = {
  /** Changes that wait for a commit. */
  queueDepth: () => number;
  readyTickets: () => number;
  openPlans: () => number;
  agents: () => number;
  silentAgents: () => number;
  leases: () => number;
  /** Readers of the live events. */
  readers: () => number;
  /** The fastest burn of an error budget over an hour, and the least that is left of one, %. */
  budget: () => { burn: number; remainingPercent: number };
  /** What waits by class of tickets. */
  backlog: () => readonly { class: string; backlogSeconds: number; capacity: number }[];
  /** Highest step of the order of degradation that is in force. */
  degradation: () => number;
  /** By the name of the consumer. */
  consumers: () => readonly { name: string; lag(): { rows: number; ageMs: number } }[];
};

/** The measure of delays cannot be finer than this; it costs a timer. */
const DELAY_RESOLUTION_MS = 100;

const SECONDS = [0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600, 14_400];
const MILLISECONDS = SECONDS.map((seconds) => Math.round(seconds * 1_000));
const SHORT_SECONDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5];

export type Metrics = ReturnType<typeof createMetrics>;

/**
 * Everything that is measured, under the names that existing dashboards read (contracts.md) and our own `colmeia_*`.
 * No label has a value that callers choose: none names a company, a plan or an agent.
 */
export function createMetrics() {
  const registry = new Registry();
  const counter = (name: string, help: string): Counter => new Counter({ name, help, registers: [registry] });
  const histogram = (name: string, help: string, buckets: number[]): Histogram =>
    new Histogram({ name, help, buckets, registers: [registry] });
  const labelled = <L extends string>(name: string, help: string, labelNames: L[]): Counter<L> =>
    new Counter({ name, help, labelNames, registers: [registry] });
  const sources: Partial<GaugeSources> = {};
  collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: DELAY_RESOLUTION_MS });
  addGauges(registry, sources);
  return {
    registry,
    bind: (more: Partial<GaugeSources>): void => void Object.assign(sources, more),
    text: async (): Promise<{ contentType: string; text: string }> => ({
      contentType: registry.contentType,
      text: await registry.metrics(),
    }),

    workflowsStarted: counter('orchestration_workflows_started_total', 'Plans accepted.'),
    workflowsCompleted: counter('orchestration_workflows_completed_total', 'Plans that completed.'),
    workflowsFailed: counter('orchestration_workflows_failed_total', 'Plans that failed, their work undone or not.'),
    workflowsCancelled: counter('colmeia_workflows_cancelled_total', 'Plans that were cancelled.'),
    workflowSeconds: histogram(
      'orchestration_workflow_duration_seconds',
      'From acceptance to the end of a plan.',
      SECONDS,
    ),
    workflowMs: histogram(
      'orchestration_workflow_duration_ms',
      'From acceptance to the end of a plan, in ms.',
      MILLISECONDS,
    ),
    activityMs: new Histogram({
      name: 'orchestration_activity_duration_ms',
      help: 'Attempts at tickets, in ms.',
      labelNames: ['activity_name'],
      buckets: MILLISECONDS,
      registers: [registry],
    }),
    activityRetries: labelled('orchestration_activity_retries_total', 'Attempts that failed and are tried again.', [
      'activity_name',
    ]),

    ticketsGenerated: labelled('orchestration_tickets_generated_total', 'Tickets made.', ['task_type', 'risk_band']),
    ticketsPublished: labelled(
      'orchestration_tickets_published_total',
      'Tickets handed to agents (success), or given back unstarted (returned).',
      ['status'],
    ),
    ticketsCompleted: counter('orchestration_tickets_completed_total', 'Tickets that completed.'),
    ticketsFailed: counter('colmeia_tickets_failed_total', 'Tickets that failed for good.'),
    ticketGenerationSeconds: histogram(
      'orchestration_ticket_generation_duration_seconds',
      'Checking a decision and making the tickets of its plan.',
      SHORT_SECONDS,
    ),

    slaViolations: labelled('orchestration_sla_violations_total', 'Tickets that passed their deadline.', ['risk_band']),
    slaRemainingSeconds: new Gauge({
      name: 'orchestration_sla_remaining_seconds',
      help: 'Time that the last completed ticket had left.',
      registers: [registry],
    }),
    slaRemainingMs: histogram(
      'orchestration_sla_remaining_ms',
      'Time that completed tickets had left, in ms.',
      MILLISECONDS,
    ),

    llmTokens: labelled('colmeia_llm_tokens_total', 'Tokens of language models, as results said.', ['direction']),
    llmCostUsd: counter('colmeia_llm_cost_usd_total', 'Cost of language models in US dollars, as results said.'),
    deadlineApproaching: counter(
      'orchestration_deadline_approaching_total',
      'Plans whose deadline was announced as in danger.',
    ),
    burstActivations: counter(
      'orchestration_burst_capacity_activations_total',
      'Times that the burst pool joined a class of tickets.',
    ),
    modeChanges: labelled(
      'colmeia_budget_mode_changes_total',
      'Changes of the mode of a company by its error budget.',
      ['mode'],
    ),
    retries: counter('orchestration_retries_total', 'Attempts that failed and are tried again.'),
    compensationsTriggered: counter(
      'orchestration_compensations_triggered_total',
      'Plans whose work began to be undone.',
    ),
    compensationsExecuted: counter('orchestration_compensations_executed_total', 'Tickets that were undone.'),
    incidents: counter('colmeia_incidents_total', 'Incidents raised.'),

    planValidations: labelled(
      'orchestration_plan_validations_total',
      'Decisions checked: valid, invalid, or refused by whoever decided.',
      ['result'],
    ),
    dagCycles: counter(
      'orchestration_dag_cycles_detected_total',
      'Plans refused because their dependencies form a cycle.',
    ),
    resultsConsolidated: counter('orchestration_results_consolidated_total', 'Plans whose results were consolidated.'),
    telemetryPublished: counter('orchestration_telemetry_published_total', 'Telemetry records that the receiver took.'),
    telemetryBuffered: counter(
      'orchestration_telemetry_buffered_total',
      'Telemetry records that had to wait in the journal for the receiver.',
    ),

    resourceAllocations: counter('orchestration_resource_allocations_total', 'Tickets given to an agent.'),
    schedulerSeconds: histogram(
      'orchestration_scheduler_allocation_duration_seconds',
      'One pass of the scheduler.',
      SHORT_SECONDS,
    ),
    priorityScore: histogram(
      'orchestration_scheduler_priority_score',
      'Reference priority score of tickets when they are given to an agent.',
      [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1],
    ),
    schedulerRejections: counter(
      'orchestration_scheduler_rejections_total',
      'Decisions refused because a queue was full, and tickets that agents gave back.',
    ),

    flushSeconds: histogram('colmeia_flush_duration_seconds', 'One commit of the flow.', SHORT_SECONDS),
    flushEvents: histogram(
      'colmeia_flush_events',
      'Events in one commit of the flow.',
      [1, 2, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500],
    ),
    outsideCalls: labelled(
      'colmeia_outside_calls_total',
      'Calls to sites outside, each attempt: its HTTP status, or timeout, unreachable or broken.',
      ['site', 'status'],
    ),
    outsideSeconds: new Histogram({
      name: 'colmeia_outside_call_duration_seconds',
      help: 'One attempt at a call to a site outside.',
      labelNames: ['site'],
      buckets: SECONDS,
      registers: [registry],
    }),
    events: counter('colmeia_journal_events_total', 'Events committed to the journal by this process.'),
  };
}

function addGauges(registry: Registry, sources: Partial<GaugeSources>): void {
  const gauge = (
    name: string,
    help: string,
    source: keyof Omit<GaugeSources, 'consumers' | 'budget' | 'backlog'>,
  ): void => {
    new Gauge({
      name,
      help,
      registers: [registry],
      collect() {
        this.set(sources[source]?.() ?? 0);
      },
    });
  };
  gauge('orchestration_workflows_active', 'Plans that have not come to an end, in this process.', 'openPlans');
  gauge('colmeia_open_plans', 'Plans that have not come to an end, in this process.', 'openPlans');
  gauge('colmeia_queue_depth', 'Changes that wait for a commit.', 'queueDepth');
  gauge('colmeia_ready_tickets', 'Tickets that wait for an agent.', 'readyTickets');
  gauge('colmeia_agents', 'Agents known to this process.', 'agents');
  gauge('colmeia_agents_silent', 'Agents known to this process that are suspect or gone.', 'silentAgents');
  gauge('colmeia_leases', 'Attempts under way at agents.', 'leases');
  gauge('colmeia_event_readers', 'Readers of the live events.', 'readers');
  gauge('colmeia_degradation_step', 'Step of the order of degradation in force; 0 = none.', 'degradation');
  addSwarmGauges(registry, sources);
  addConsumerGauges(registry, sources);
  addEventLoopDelay(registry);
}

/** Classes are named by what callers require, so that only the longest queues are named. */
const CLASSES = 100;

function addSwarmGauges(registry: Registry, sources: Partial<GaugeSources>): void {
  new Gauge({
    name: 'orchestration_sla_burn_rate',
    help: 'How fast the fastest error budget of a company burns over an hour; 1 = as fast as it lasts.',
    registers: [registry],
    collect() {
      this.set(sources.budget?.().burn ?? 0);
    },
  });
  new Gauge({
    name: 'orchestration_sla_budget_remaining_percent',
    help: 'What is left of the smallest error budget of a company.',
    registers: [registry],
    collect() {
      this.set(sources.budget?.().remainingPercent ?? 100);
    },
  });
  new Gauge({
    name: 'colmeia_backlog_seconds',
    help: 'Expected work that waits, by class of tickets; the longest 100.',
    labelNames: ['class'],
    registers: [registry],
    collect() {
      this.reset();
      const classes = [...(sources.backlog?.() ?? [])].sort((a, b) => b.backlogSeconds - a.backlogSeconds);
      for (const each of classes.slice(0, CLASSES)) this.set({ class: each.class.slice(0, 200) }, each.backlogSeconds);
    },
  });
}

function addConsumerGauges(registry: Registry, sources: Partial<GaugeSources>): void {
  const gauge = (name: string, help: string, value: (lag: { rows: number; ageMs: number }) => number): void => {
    new Gauge({
      name,
      help,
      labelNames: ['consumer'],
      registers: [registry],
      collect() {
        for (const consumer of sources.consumers?.() ?? [])
          this.set({ consumer: consumer.name }, value(consumer.lag()));
      },
    });
  };
  gauge('colmeia_consumer_lag_rows', 'Journal rows that a consumer has not delivered.', ({ rows }) => rows);
  gauge(
    'colmeia_consumer_lag_seconds',
    'Age of the oldest event whose delivery is under way.',
    ({ ageMs }) => ageMs / 1_000,
  );
}

/** Since the last time somebody asked. */
function addEventLoopDelay(registry: Registry): void {
  const delay = monitorEventLoopDelay({ resolution: DELAY_RESOLUTION_MS });
  delay.enable();
  new Gauge({
    name: 'colmeia_event_loop_delay_seconds',
    help: 'How late the event loop was.',
    labelNames: ['quantile'],
    registers: [registry],
    collect() {
      for (const quantile of [0.5, 0.99, 1]) {
        const ms = delay.percentile(quantile * 100) / 1e6 - DELAY_RESOLUTION_MS; // the measure contains its own interval
        this.set({ quantile: String(quantile) }, Math.max(0, ms) / 1_000);
      }
      delay.reset();
    },
  });
}
