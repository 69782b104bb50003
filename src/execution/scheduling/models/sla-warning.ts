import type { SettingsOf, SettingTable } from '../setting.ts';
import type { ForecastRange } from './forecast-error.ts';

export const SLA_WARNING_SETTINGS = {
  sla_warning_score: {
    default: 0.9,
    min: 0.1,
    max: 10,
    what: 'Forecast time left ÷ time left to the deadline above which a deadline is announced as in danger.',
  },
  sla_certain_share: {
    default: 0.75,
    min: 0.1,
    max: 1,
    what: 'Share of the time that even an empty queue would take above which a missed deadline is taken as certain.',
  },
} satisfies SettingTable;

/** `certain`: even the optimistic bound misses the deadline. */
export type SlaWarning = { level: 'warning' | 'certain'; score: number; leftMs: number; forecastMs: number };

/**
 * When to look at a plan or ticket: at half of the time between its start and its deadline, then at half of what is left
 * and so on. Epoch ms; null = no more, as the rest is under a second or the deadline has passed.
 */
export function nextSlaCheck(startedAt: number, deadline: number, now: number): number | null {
  let left = (deadline - startedAt) / 2;
  while (left >= 1_000 && deadline - left <= now) left /= 2;
  return left >= 1_000 ? deadline - left : null;
}

/**
 * Whether a deadline is in danger, by the fluid forecast of what is left; null = it is not. What nobody can do (a forecast of
 * Infinity) is in danger, not certain to miss: an agent may come.
 * @param forecastMs time to its end from now (forecastPlan), not calibrated
 * @param range the same with what was learned of the company's forecasts
 * @param soonestMs what even an empty queue would take
 */
export function slaWarning(
  {
    deadline,
    now,
    forecastMs,
    range,
    soonestMs,
  }: {
    deadline: number;
    now: number;
    forecastMs: number;
    range: ForecastRange;
    soonestMs: number;
  },
  settings: SettingsOf<typeof SLA_WARNING_SETTINGS>,
): SlaWarning | null {
  const leftMs = deadline - now;
  const score = leftMs > 0 ? forecastMs / leftMs : Infinity;
  if (forecastMs === Infinity) return { level: 'warning', score, leftMs, forecastMs };
  const optimisticMs = Math.max(range.p5, soonestMs * settings.sla_certain_share);
  if (optimisticMs > leftMs) return { level: 'certain', score, leftMs, forecastMs };
  return score > settings.sla_warning_score ? { level: 'warning', score, leftMs, forecastMs } : null;
}
