import type { ErrorBudget } from '../scheduling/models/error-budget.ts';

/** Seconds of the windows whose burn rates are shown. */
const WINDOWS = { '300': '5m', '1800': '30m', '3600': '1h', '21600': '6h', '2419200': '28d' } as const;

/** Burn rates by window in seconds. `type` null = of all that the company did. */
export function burnOf(
  budget: ErrorBudget,
  instance: string,
  now: number,
  type: string | null,
): Record<string, number> {
  return Object.fromEntries(
    Object.entries(WINDOWS).map(([seconds, window]) => {
      const burn = budget.burnRate(instance, window, now, type);
      return [seconds, Math.round(burn * 1_000) / 1_000];
    }),
  );
}
