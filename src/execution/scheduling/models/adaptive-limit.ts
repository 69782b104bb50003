import type { SettingsOf, SettingTable } from '../setting.ts';

export const ADAPTIVE_LIMIT_SETTINGS = {
  limit_tolerance: {
    default: 1.7,
    min: 1.05,
    max: 10,
    what: 'How many times as long as with little to do an agent may take before it counts as overloaded',
  },
  limit_smoothing: { default: 0.2, min: 0.01, max: 1, what: 'Share of each change of the limit that takes effect' },
  limit_growth: {
    default: 1,
    min: 0.01,
    max: 100,
    what: 'Slots by which a limit grows, before smoothing, times the square root of the limit',
  },
  limit_timeout_backoff: { default: 0.8, min: 0.1, max: 1, what: 'What a timeout leaves of the limit' },
} as const satisfies SettingTable;
export type AdaptiveLimitSettings = SettingsOf<typeof ADAPTIVE_LIMIT_SETTINGS>;

/** How many tickets an agent can really do at once. Plain data; log-ratios are ln(duration ÷ expected). */
export type AdaptiveLimit = {
  /** Slots, a fraction; at least 1. */
  limit: number;
  /** Mean log-ratio of the last few attempts. */
  recent: number;
  /** The same when it has little to do: what it is compared to. */
  calm: number;
  /** Mean distance of a log-ratio from `recent`. */
  spread: number;
};

const RECENT_SHARE = 0.25;
/** An attempt that ran alone tells most of what is calm; any other only that it is less. */
const ALONE_SHARE = 0.25;
const CALM_SHARE = 0.02;
const SPREAD_SHARE = 0.05;
/** Of the spread: what chance alone does to `recent`. */
const CHANCE = 0.5;
const LEAST_GRADIENT = 0.5;

export function newAdaptiveLimit(concurrency: number): AdaptiveLimit {
  return { limit: Math.max(1, concurrency), recent: 0, calm: 0, spread: 0.3 };
}

/**
 * One completed attempt. `inflight` = how many ran at its end, with it; `concurrency` = what the agent says it can do.
 * Gradient2 (Netflix, concurrency-limits): the limit follows calm ÷ recent duration, grows by a constant, and is left alone
 * while the agent has too little to do to tell. Unlike there, overload never becomes what is calm: a limit that falls to 1
 * makes attempts run alone, and these show what the agent takes without overload.
 */
export function learnCompleted(
  state: AdaptiveLimit,
  { logRatio, inflight, concurrency }: { logRatio: number; inflight: number; concurrency: number },
  settings: AdaptiveLimitSettings,
): void {
  state.spread += SPREAD_SHARE * (Math.abs(logRatio - state.recent) - state.spread);
  state.recent += RECENT_SHARE * (logRatio - state.recent);
  if (inflight <= 1) state.calm += ALONE_SHARE * (logRatio - state.calm);
  else if (state.recent < state.calm) state.calm += CALM_SHARE * (state.recent - state.calm);
  if (inflight < state.limit / 2) return;
  const tolerance = Math.log(settings.limit_tolerance) + CHANCE * state.spread;
  const gradient = Math.max(LEAST_GRADIENT, Math.min(1, Math.exp(tolerance + state.calm - state.recent)));
  const growth = gradient === 1 ? settings.limit_growth * Math.sqrt(state.limit) : 0;
  const wanted = state.limit * gradient + growth;
  state.limit = bounded(state.limit + settings.limit_smoothing * (wanted - state.limit), concurrency);
}

/** The agent did not answer in time: the clearest sign of overload. */
export function learnTimeout(state: AdaptiveLimit, concurrency: number, settings: AdaptiveLimitSettings): void {
  state.limit = bounded(state.limit * settings.limit_timeout_backoff, concurrency);
}

/** Whole slots, never below 1. */
export function slotsOf(state: AdaptiveLimit, concurrency: number): number {
  return Math.floor(bounded(state.limit, concurrency) + 1e-9);
}

function bounded(limit: number, concurrency: number): number {
  return Math.max(1, Math.min(concurrency, limit));
}
