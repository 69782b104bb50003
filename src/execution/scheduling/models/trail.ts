import type { TrailLevelSnapshot } from './trail-level.ts';

/** One attempt as trails see it. */
export type TrailObservation = {
  /** Epoch ms of its end. */
  at: number;
  type: string;
  agent: string;
  ok: boolean;
  /** ln(duration ÷ what an agent of ordinary speed would have taken); null = not known. Learned from successes only. */
  logRatio: number | null;
  /** Variance that the log-ratio has by the task alone; absent = as usual. The wider, the less it says of the agent. */
  variance?: number;
};

/** What is believed of an agent for a type, for people. */
export type Trail = {
  type: string;
  agent: string;
  /** Decayed counts. */
  successes: number;
  failures: number;
  /** Multiple of the ordinary duration: below 1 = faster. */
  factor: number;
  /** Probability that an attempt succeeds. */
  success: number;
  /** Epoch ms of the last outcome. */
  lastSeen: number;
  /** True while it counts as having got worse. */
  degraded: boolean;
};

export type PairSnapshot = [agent: string, type: string, ...numbers: number[]];
/** Plain JSON; at most about 220 bytes for each of `max_pairs` pairs. */
export type TrailsSnapshot = {
  version: 1;
  noise: [weight: number, squares: number];
  all: TrailLevelSnapshot;
  types: [type: string, clock: number, ...level: TrailLevelSnapshot][];
  agents: [agent: string, ...level: TrailLevelSnapshot][];
  /** The one observed longest ago first. */
  pairs: PairSnapshot[];
};
