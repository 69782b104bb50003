/** When a circuit opens, and for how long. */
export type CircuitBreakerSettings = {
  /** Failures in a row that open it. */
  breaker_consecutive: number;
  /** Share of failures that opens it; it needs `breaker_volume` recent attempts (of about 20). */
  breaker_share: number;
  breaker_volume: number;
  /** How long it is open at first, and at most: each failed probe doubles the time. */
  breaker_open_ms: number;
  breaker_open_max_ms: number;
  /** After this time without an answer another probe is sent. */
  breaker_probe_ms: number;
  /** How long a used-up quota keeps it open when nothing says until when. */
  breaker_quota_ms: number;
};

/** What stands between a caller and an agent, endpoint or site that fails. Plain data. */
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
