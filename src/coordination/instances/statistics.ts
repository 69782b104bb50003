import type { BusEvent, BusLine } from '../../platform/bus/journal-reader.ts';
import { startConsumer, type Consumer, type ConsumerOptions } from '../../platform/bus/consumer.ts';
import { addStatistics, readCounted, type AddedStatistics, type Tally } from './statistics-store.ts';

/** What an event counts for. A plan that is turned down counts as cancelled. */
const COUNTS: ReadonlyMap<string, Tally> = new Map(
  Object.entries({
    'plan.received': 'plans_received',
    'plan.completed': 'plans_completed',
    'plan.failed': 'plans_failed',
    'plan.compensated': 'plans_failed',
    'plan.cancelled': 'plans_cancelled',
    'plan.rejected': 'plans_cancelled',
    'ticket.completed': 'tickets_completed',
    'ticket.failed': 'tickets_failed',
  } as const),
);

/** Keeps the figures of each company, every event counted once. Source: its journal from the first event on. */
export function startStatistics(options: Omit<ConsumerOptions, 'name' | 'deliver' | 'from'>): Consumer {
  const { store } = options;
  return startConsumer({
    ...options,
    name: 'instance-statistics',
    wants: ({ type }) => COUNTS.has(type),
    deliver: async (events) => {
      const counted = await readCounted(store, [...new Set(events.map(({ instance }) => instance))]);
      const added = addedStatistics(events, counted);
      if (added.length > 0) await addStatistics(store, added);
    },
  });
}

/** Sums by company of what is not counted yet; `counted`: the last event that is. Events of a company come in their order. */
export function addedStatistics(events: readonly BusEvent[], counted: ReadonlyMap<string, number>): AddedStatistics[] {
  const sums = new Map<string, AddedStatistics>();
  for (const event of events) {
    const { instance, n, at } = event;
    const tally = COUNTS.get(event.type);
    if (tally === undefined || n <= (counted.get(instance) ?? 0)) continue;
    let sum = sums.get(instance);
    if (sum === undefined) sums.set(instance, (sum = newSum(instance)));
    const month = at.toISOString().slice(0, 7);
    if (month !== sum.month) Object.assign(sum, { month, month_cost_usd: 0 });
    const cost = costOf(event);
    sum[tally]++;
    sum.cost_usd += cost;
    sum.month_cost_usd += cost;
    sum.event = n;
    sum.at = at;
  }
  return [...sums.values()];
}

/** Of the language models of the attempt that counted, US dollars. */
function costOf({ data }: BusLine): number {
  const cost = (data?.usage as { cost_usd?: unknown } | undefined)?.cost_usd;
  return typeof cost === 'number' && cost > 0 ? cost : 0;
}

const newSum = (instance: string): AddedStatistics => ({
  instance,
  event: 0,
  at: new Date(0),
  plans_received: 0,
  plans_completed: 0,
  plans_failed: 0,
  plans_cancelled: 0,
  tickets_completed: 0,
  tickets_failed: 0,
  cost_usd: 0,
  month: '',
  month_cost_usd: 0,
});
