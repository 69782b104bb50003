/**
 * What an agent does over all types, or all agents do of one type, or all of all: decayed. For an agent `expected` are the
 * successes that its types made likely; else it is the number of outcomes.
 */
export type TrailLevel = {
  /** Epoch ms of the last outcome. */
  at: number;
  successes: number;
  expected: number;
  /** Of the log-ratios, and their sum. */
  weight: number;
  logs: number;
};

export type TrailLevelSnapshot = [at: number, successes: number, expected: number, weight: number, logs: number];

export const newLevel = (): TrailLevel => ({ at: 0, successes: 0, expected: 0, weight: 0, logs: 0 });

/** `log` null = nothing is learned of speed; else it counts as `weight` observations. */
export function learnLevel(
  level: TrailLevel,
  keep: number,
  { at, ok, expected, log, weight }: { at: number; ok: boolean; expected: number; log: number | null; weight: number },
): void {
  level.at = Math.max(level.at, at);
  level.successes = level.successes * keep + Number(ok);
  level.expected = level.expected * keep + expected;
  if (log === null) return;
  level.weight = level.weight * keep + weight;
  level.logs = level.logs * keep + weight * log;
}

export const levelSnapshot = (level: TrailLevel): TrailLevelSnapshot => [
  rounded(level.at),
  rounded(level.successes),
  rounded(level.expected),
  rounded(level.weight),
  rounded(level.logs),
];

/** null = it is not a snapshot of a level. */
export function levelOf(values: readonly unknown[]): TrailLevel | null {
  if (values.length < 5 || !values.every(Number.isFinite)) return null;
  const [at, successes, expected, weight, logs] = values as TrailLevelSnapshot;
  return { at, successes, expected, weight, logs };
}

/** Seven significant digits, integers whole: a snapshot must not grow by digits that mean nothing. */
export function rounded(value: number): number {
  return Number.isInteger(value) ? value : Number(value.toPrecision(7));
}
