import type { SettingsOf, SettingTable } from '../setting.ts';

export const CIRCUIT_BREAKER_SETTINGS = {
  breaker_consecutive: { default: 5, min: 1, max: 1_000, what: 'Failures in a row that open a circuit' },
  breaker_share: { default: 0.6, min: 0.05, max: 1, what: 'Share of failures that opens a circuit' },
  breaker_volume: { default: 15, min: 1, max: 19, what: 'Recent attempts (of about 20) that this share needs' },
  breaker_open_ms: { default: 10_000, min: 100, max: 3_600_000, what: 'How long a circuit is open at first, ms' },
  breaker_open_max_ms: {
    default: 300_000,
    min: 100,
    max: 86_400_000,
    what: 'How long at most, ms: each failed probe doubles the time',
  },
  breaker_probe_ms: {
    default: 600_000,
    min: 1_000,
    max: 86_400_000,
    what: 'After this time without an answer another probe is sent, ms',
  },
  breaker_quota_ms: {
    default: 30_000,
    min: 100,
    max: 86_400_000,
    what: 'How long a used-up quota keeps a circuit open when nothing says until when, ms',
  },
} as const satisfies SettingTable;
export type CircuitBreakerSettings = SettingsOf<typeof CIRCUIT_BREAKER_SETTINGS>;

/** What stands between the scheduler and an agent or endpoint that fails. Plain data. */
export type CircuitBreaker = {
  /** Epoch ms until which nothing passes; 0 = closed. After it: one probe. */
  openUntil: number;
  /** Epoch ms of its opening. */
  openedAt: number;
  /** Length of the last opening, ms; 0 = none since it was well. */
  openMs: number;
  /** It is open because a quota is used up. */
  quota: boolean;
  /** Epoch ms of the start of a probe that is under way; 0 = none. */
  probeAt: number;
  consecutive: number;
  /** Recent attempts and failures, each weighing less with every new one. */
  attempts: number;
  failures: number;
};

export type BreakerState = 'closed' | 'open' | 'half-open' | 'probing';

/** About the last twenty attempts. */
const KEEP = 0.95;

export function newCircuitBreaker(): CircuitBreaker {
  return { openUntil: 0, openedAt: 0, openMs: 0, quota: false, probeAt: 0, consecutive: 0, attempts: 0, failures: 0 };
}

export function breakerState(breaker: CircuitBreaker, now: number, settings: CircuitBreakerSettings): BreakerState {
  if (breaker.openUntil === 0) return 'closed';
  // A clock that was put back must make neither an opening nor a probe long.
  if (now < breaker.openUntil && now >= breaker.openedAt) return 'open';
  const probing = breaker.probeAt > 0 && Math.abs(now - breaker.probeAt) < settings.breaker_probe_ms;
  return probing ? 'probing' : 'half-open';
}

/** An attempt starts; in a half-open circuit it is the probe. */
export function breakerBegan(breaker: CircuitBreaker, at: number, settings: CircuitBreakerSettings): void {
  if (breaker.openUntil > 0 && breakerState(breaker, at, settings) === 'half-open') breaker.probeAt = at;
}

/** An attempt ended without telling anything (given back, cancelled): another may be the probe. */
export function breakerReleased(breaker: CircuitBreaker): void {
  breaker.probeAt = 0;
}

/** A success closes the circuit, except that one from before a quota was used up does not bring the quota back. */
export function breakerSucceeded(breaker: CircuitBreaker, at: number): void {
  breaker.probeAt = 0; // whatever came of it, another may be the probe
  if (at < breaker.openUntil && breaker.quota) return;
  if (breaker.openUntil > 0) Object.assign(breaker, newCircuitBreaker());
  breaker.consecutive = 0;
  breaker.attempts = breaker.attempts * KEEP + 1;
  breaker.failures *= KEEP;
}

export function breakerFailed(breaker: CircuitBreaker, at: number, settings: CircuitBreakerSettings): void {
  breaker.consecutive++;
  breaker.attempts = breaker.attempts * KEEP + 1;
  breaker.failures = breaker.failures * KEEP + 1;
  breaker.probeAt = 0;
  if (at < breaker.openUntil) return; // of attempts from before it opened
  const { breaker_consecutive, breaker_share, breaker_volume } = settings;
  const share = breaker.attempts >= breaker_volume && breaker.failures >= breaker_share * breaker.attempts;
  if (breaker.openUntil === 0 && breaker.consecutive < breaker_consecutive && !share) return;
  const longer = breaker.openMs === 0 ? settings.breaker_open_ms : breaker.openMs * 2;
  open(breaker, at, Math.min(longer, settings.breaker_open_max_ms), false);
}

/** The quota is used up. `retryAfterMs` null = nobody knows until when. */
export function breakerQuota(
  breaker: CircuitBreaker,
  at: number,
  retryAfterMs: number | null,
  settings: CircuitBreakerSettings,
): void {
  const ms = retryAfterMs ?? settings.breaker_quota_ms;
  breaker.probeAt = 0;
  if (at + ms > breaker.openUntil) open(breaker, at, ms, true);
}

function open(breaker: CircuitBreaker, at: number, ms: number, quota: boolean): void {
  breaker.openUntil = at + ms;
  breaker.openedAt = at;
  if (!quota) breaker.openMs = ms;
  breaker.quota = quota;
  breaker.probeAt = 0;
}
