import type { Fault } from '../../platform/errors.ts';

/** What an attempt at a language model used. */
export type TokenUsage = { input_tokens: number; output_tokens: number; cost_usd: number };

/** As an agent reported it; null = it did not say. */
export type ReportedUsage = { [K in keyof TokenUsage]: number | null };

const NAMES = ['input_tokens', 'output_tokens', 'cost_usd'] as const;
/** More than any attempt uses: a slip of the unit, not a count. */
const MOST = { input_tokens: 1e12, output_tokens: 1e12, cost_usd: 1e6 };

/** Labels of an agent with its prices in US dollars per million tokens. */
const PRICE_LABELS = { input: 'cost_per_million_input', output: 'cost_per_million_output' } as const;

/**
 * The usage in a result's metadata, as numbers or as texts; null = it names none. A value that is no amount is left out and
 * named in a warning: the result it came with is worth more than its bill.
 */
export function readUsage(metadata: Readonly<Record<string, unknown>>): {
  usage: ReportedUsage | null;
  warnings: string[];
} {
  const usage: ReportedUsage = { input_tokens: null, output_tokens: null, cost_usd: null };
  const warnings: string[] = [];
  let isThere = false;
  for (const name of NAMES) {
    if (!Object.hasOwn(metadata, name)) continue;
    const amount = amountOf(metadata[name], MOST[name]);
    if (amount === null || (name !== 'cost_usd' && !Number.isInteger(amount)))
      warnings.push(`metadata.${name} is no ${name === 'cost_usd' ? 'amount' : 'whole number'} and is not counted`);
    else {
      usage[name] = amount;
      isThere = true;
    }
  }
  return { usage: isThere ? usage : null, warnings };
}

/** The usage with its cost: as reported, else by the agent's prices, else 0. */
export function pricedUsage(usage: ReportedUsage, labels: Readonly<Record<string, string>>): TokenUsage {
  const input_tokens = usage.input_tokens ?? 0;
  const output_tokens = usage.output_tokens ?? 0;
  const priceOf = (label: string): number => amountOf(labels[label], MOST.cost_usd) ?? 0;
  const cost_usd =
    usage.cost_usd ??
    (input_tokens * priceOf(PRICE_LABELS.input) + output_tokens * priceOf(PRICE_LABELS.output)) / 1_000_000;
  return { input_tokens, output_tokens, cost_usd };
}

/** Prices that are none are refused when the agent registers. */
export function checkPrices(labels: Readonly<Record<string, string>>, faults: Fault[]): void {
  for (const label of Object.values(PRICE_LABELS)) {
    if (Object.hasOwn(labels, label) && amountOf(labels[label], MOST.cost_usd) === null)
      faults.push({ path: `labels.${label}`, message: 'must be a price in US dollars, as "2.50"' });
  }
}

/** null = it is no amount from 0 to `most`. */
function amountOf(value: unknown, most: number): number | null {
  const amount = typeof value === 'string' && value.trim() !== '' ? Number(value) : value;
  return typeof amount === 'number' && amount >= 0 && amount <= most ? amount : null;
}
