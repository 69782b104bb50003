import type { CircuitBreakerSettings } from '../../../platform/circuit-breaker.ts';
import type { Setting } from '../setting.ts';

export const CIRCUIT_BREAKER_SETTINGS = {
  breaker_consecutive: { default: 5, min: 1, max: 1_000, what: 'Failures in a row that open a circuit' },
  breaker_share: { default: 0.6, min: 0.05, max: 1, what: 'Share of failures that opens a circuit' },
  breaker_volume: { default: 15, min: 1, max: 19, what: 'Recent attempts (of about 20) that this share needs' },
  breaker_open_ms: { default: 10_000, min: 100, max: 3_600_000, what: 'How long a circuit is open at first, ms' },
  breaker_open_max_ms: {
    default: 300_000,
    min: 100,
    max: 86_400_000,
    what: 'How long at most, ms: each failed probe doubles the time, but not of an agent that nobody stands in for',
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
} as const satisfies Readonly<Record<keyof CircuitBreakerSettings, Setting>>;
