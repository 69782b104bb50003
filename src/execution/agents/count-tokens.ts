import { startConsumer, type Consumer, type ConsumerOptions } from '../../platform/bus/consumer.ts';
import type { BusEvent, BusLine } from '../../platform/bus/journal-reader.ts';
import type { TokenUsage } from './token-usage.ts';
import { addUsage, readCounted, type AddedUsage } from './token-usage-store.ts';

/** Adds up what agents used of language models, per company and agent, each result once. Source: events `ticket.completed`. */
export function startTokenCount(options: Omit<ConsumerOptions, 'name' | 'deliver' | 'from'>): Consumer {
  const { store } = options;
  return startConsumer({
    ...options,
    name: 'token-usage',
    from: 'now',
    wants: hasUsage,
    deliver: async (events) => {
      const used = events.filter(hasUsage);
      const counted = await readCounted(store, [...new Set(used.map(({ instance }) => instance))]);
      const added = addedUsage(used, counted);
      if (added.length > 0) await addUsage(store, added);
    },
  });
}

type UsageEvent = BusEvent & { data: { usage: TokenUsage & { agent: string } } };
const hasUsage = <E extends BusLine>(event: E): event is E & UsageEvent =>
  event.type === 'ticket.completed' && event.data?.usage !== undefined;

/** Sums by company and agent of what is not counted yet. A consumer may get events again; their numbers never go back. */
export function addedUsage(events: readonly UsageEvent[], counted: ReadonlyMap<string, number>): AddedUsage[] {
  const sums = new Map<string, AddedUsage>();
  for (const { instance, n, at, data } of events) {
    const { agent, input_tokens, output_tokens, cost_usd } = data.usage;
    const key = `${instance}\n${agent}`;
    if (n <= (counted.get(key) ?? 0)) continue;
    let sum = sums.get(key);
    if (sum === undefined) {
      sum = { instance, agent, results: 0, input_tokens: 0, output_tokens: 0, cost_usd: 0, event: n, at };
      sums.set(key, sum);
    }
    sum.results++;
    sum.input_tokens += input_tokens;
    sum.output_tokens += output_tokens;
    sum.cost_usd += cost_usd;
    sum.event = n;
  }
  return [...sums.values()];
}
