import type { ErrorClass, PlanState } from './flow-state.ts';

/** Failures that another attempt may mend. */
export const RETRYABLE: ReadonlySet<ErrorClass> = new Set(['transient', 'quota', 'timeout']);

/** Exponential with equal jitter: between half and the whole of base × 2^(attempt − 1), capped. Source: AWS, "Exponential backoff and jitter". */
export function backoffMs(
  state: PlanState,
  attempt: number,
  errorClass: ErrorClass,
  retryAfterMs: number | null,
  jitter: number,
): number {
  const { baseMs, maxMs, quotaMs } = state.control.backoff;
  if (retryAfterMs !== null) return Math.max(0, Math.ceil(retryAfterMs));
  const base = errorClass === 'quota' ? Math.max(quotaMs, baseMs) : baseMs;
  const ceiling = Math.min(Math.max(maxMs, base), base * 2 ** Math.min(attempt - 1, 30));
  return Math.round(ceiling * (0.5 + jitter / 2));
}
