import type { Colmeia } from '../../src/colmeia.ts';
import type { ColmeiaOptions } from '../../src/index.ts';

/** An empty database. `kept`: it outlives the Colmeia that opened it. */
export type Place = { options: ColmeiaOptions; remove(): Promise<void> };
export type OpenPlace = (kept: boolean) => Promise<Place>;
/** The Colmeia of a group of tests; there once the group runs. */
export type Open = () => Colmeia;

/** Short waits, so that tests of time need little of it. */
export const QUICK: ColmeiaOptions = {
  policy: {
    backoff: { baseMs: 40, maxMs: 200, quotaMs: 120 },
    tickets: {
      minTimeoutMs: 60_000,
      timeoutFactor: 3,
      defaultTimeoutMs: 3_600_000,
      maxRetries: { critical: 5, high: 3, medium: 2, low: 1 },
    },
    stopGraceMs: 2_000,
  },
};
