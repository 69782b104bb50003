/** Weight, mean and spread of numbers of which the recent count more. Plain data, so that it is its own snapshot. */
export type DecayedMoments = {
  /** Observations, each weighing less the older it is. */
  n: number;
  mean: number;
  /** Sum of weighted squares around the mean. */
  squares: number;
  /** Epoch ms of the last observation; 0 = none. */
  at: number;
};

export const noMoments = (): DecayedMoments => ({ n: 0, mean: 0, squares: 0, at: 0 });

/** What is there weighs `keep` (0 … 1) of what it did, then `value` is added with `weight`. */
export function learn(moments: DecayedMoments, value: number, at: number, keep: number, weight = 1): void {
  const kept = moments.n * keep;
  moments.n = kept + weight;
  const off = value - moments.mean;
  moments.mean += (off * weight) / moments.n;
  moments.squares = moments.squares * keep + weight * off * (value - moments.mean);
  moments.at = Math.max(moments.at, at);
}

/** Variance shrunk to `prior`, which weighs as much as `priorWeight` observations. */
export function variance({ n, squares }: DecayedMoments, prior: number, priorWeight: number): number {
  return (squares + prior * priorWeight) / (n + priorWeight);
}

/** What remains of the weight after a step of `elapsedMs`, with half-lives in observations and in ms. */
export function keepAfter(elapsedMs: number, halfLife: number, halfLifeMs: number): number {
  return 2 ** -(1 / halfLife + Math.max(0, elapsedMs) / halfLifeMs);
}

/** What is there weighs `by` times less. */
export function weaken(moments: DecayedMoments, by: number): void {
  moments.n /= by;
  moments.squares /= by;
}
