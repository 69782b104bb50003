import type { TicketSpec } from '../plans/ticket.ts';

/** What the scheduler asks of what was learned; each call O(1) and without effect. Times in ms. */
export type Estimates = {
  /** Expected duration on an agent of ordinary speed. */
  base(spec: TicketSpec, instance: string): number;
  /** Bound that the duration keeps with probability `p` (0.5, 0.9, 0.95), on the agent or (null) on any. */
  upper(spec: TicketSpec, instance: string, agent: string | null, p: number, now: number): number;
  /** Multiple of the base that the agent takes for the type: below 1 = faster. */
  factor(type: string, agent: string, now: number): number;
  /** Probability in (0, 1) that an attempt of the type succeeds there. */
  success(type: string, agent: string, now: number): number;
  /** A draw from what is believed of the agent (Thompson sampling), for low-risk work. */
  sample(type: string, agent: string, now: number): { factor: number; success: number };
};

/** Nothing was learned: the task's own estimate, else a minute; every agent alike. */
export const PLAIN_ESTIMATES: Estimates = {
  base: (spec) => spec.estimated_duration_ms ?? 60_000,
  upper: (spec) => 3 * (spec.estimated_duration_ms ?? 60_000),
  factor: () => 1,
  success: () => 0.95,
  sample: () => ({ factor: 1, success: 0.95 }),
};
