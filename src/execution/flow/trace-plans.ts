import { startConsumer, type Consumer, type ConsumerOptions } from '../../platform/bus/consumer.ts';
import type { TraceExporter } from '../../platform/observability/tracing.ts';
import type { Row, Sql, Store } from '../../platform/store/store.ts';
import type { RecordedEvent } from '../../trust/audit/journal.ts';
import { keyOf, type PlanName } from './correlation-store.ts';
import { spansOf, type TracedPlan, type TracedRetry, type TracedTicket } from './trace-spans.ts';

const ENDS = new Set(['plan.completed', 'plan.failed', 'plan.compensated', 'plan.cancelled', 'plan.rejected']);
/** Plans read at once; each may have thousands of tickets. */
const AT_ONCE = 20;
/** Failed attempts of one plan that get a span. */
const MOST_RETRIES = 500;

const PLANS = `select p.key, p.instance, p.id as plan_id, p.status, p.rev, p.created_at, p.ended_at,
    (p.result ->> 'duration_ms')::float8 as duration_ms, p.header ->> 'intent_id' as intent_id,
    p.header ->> 'correlation_id' as correlation_id, p.header ->> 'trace_id' as trace_id, p.header ->> 'span_id' as span_id
  from plan p join unnest($1::text[], $2::text[]) v(instance, id) on p.id = v.id and p.instance = v.instance
  where p.status in ('completed', 'failed', 'compensated', 'cancelled', 'rejected')`;
const TICKETS = `select plan, n, spec ->> 'task_id' as task_id, spec ->> 'task_type' as task_type, status, agent, attempt, fence,
    started_at, ended_at, note ->> 'error' as error
  from ticket where plan = any($1) order by plan, n`;
const RETRIES = `select j.at, line from journal j, regexp_split_to_table(j.body, E'\\n') line
  where j.plans && $1::int8[] and strpos(line, '"type":"ticket.retrying"') > 0 limit ${AT_ONCE * MOST_RETRIES}`;

export type TracePlansOptions = Omit<ConsumerOptions, 'name' | 'deliver' | 'from'> & { exporter: TraceExporter };

/** Exports the spans of each plan when it ends, at least once. Begins with the plans that end from its first start on. */
export function startTracing({ exporter, ...options }: TracePlansOptions): Consumer {
  return startConsumer({
    ...options,
    name: 'traces',
    from: 'now',
    deliver: async (events) => {
      const ended = endedPlans(events);
      for (let from = 0; from < ended.length; from += AT_ONCE) {
        const { plans, retries } = await readTraced(options.store, ended.slice(from, from + AT_ONCE));
        await exporter.export(plans.flatMap((plan) => spansOf(plan, retries.get(plan.key) ?? [])));
      }
    },
  });
}

function endedPlans(events: readonly RecordedEvent[]): PlanName[] {
  const plans = new Map<string, PlanName>();
  for (const { type, instance, plan } of events) {
    if (plan !== undefined && ENDS.has(type)) plans.set(keyOf({ instance, planId: plan }), { instance, planId: plan });
  }
  return [...plans.values()];
}

/** Plans that are at their end now: one that was opened again gets its spans when it ends again. */
async function readTraced(
  store: Store,
  names: readonly PlanName[],
): Promise<{ plans: TracedPlan[]; retries: Map<number, TracedRetry[]> }> {
  return store.read({ as: 'engine' }, async (sql) => {
    const values = [names.map((plan) => plan.instance), names.map((plan) => plan.planId)];
    const plans = await sql.query<Row & Omit<TracedPlan, 'tickets'>>(PLANS, values);
    const tickets = await sql.query<Row & TracedTicket & { plan: number }>(TICKETS, [plans.map((plan) => plan.key)]);
    const byPlan = Map.groupBy(tickets, (ticket) => ticket.plan);
    const traced = plans.map((plan) => ({ ...plan, tickets: byPlan.get(plan.key) ?? [] }));
    return { plans: traced, retries: await readRetries(sql, traced) };
  });
}

/** Only plans in which something was tried again cost a look into the journal. */
async function readRetries(sql: Sql, plans: readonly TracedPlan[]): Promise<Map<number, TracedRetry[]>> {
  const retried = plans.filter((plan) => plan.tickets.some((ticket) => ticket.fence > 1));
  const found = new Map<number, TracedRetry[]>();
  if (retried.length === 0) return found;
  const byName = new Map(retried.map((plan) => [plan.plan_id, plan.key]));
  const rows = await sql.query<Row & { at: Date; line: string }>(RETRIES, [retried.map((plan) => plan.key)]);
  for (const { at, line } of rows) {
    const { plan, ticket, data } = JSON.parse(line) as RecordedEvent & {
      data: { agent: string | null; fence: number; attempt: number; duration_ms: number; error?: string };
    };
    const key = byName.get(plan!);
    if (key === undefined) continue;
    const retries = found.get(key) ?? [];
    found.set(key, retries);
    if (retries.length === MOST_RETRIES) continue;
    const { agent, fence, attempt, duration_ms, error = null } = data;
    retries.push({ n: ticket!, fence, attempt, agent, at: at.getTime(), duration_ms, error });
  }
  return found;
}
