/**
 * Probability that a variable of Student's t distribution with `df` (whole, ≥ 1) degrees of freedom lies within ±t.
 * Source: Abramowitz and Stegun, 26.7.3 and 26.7.4.
 */
export function within(t: number, df: number): number {
  const theta = Math.atan(t / Math.sqrt(df));
  const cos = Math.cos(theta);
  const odd = df % 2 === 1;
  let term = odd ? cos : 1;
  let sum = df === 1 ? 0 : term;
  for (let k = odd ? 3 : 2; k < df; k += 2) {
    term *= ((k - 1) / k) * cos * cos;
    sum += term;
  }
  return odd ? (2 / Math.PI) * (theta + Math.sin(theta) * sum) : Math.sin(theta) * sum;
}

/** The t within ± of which the variable lies with probability `confidence`, in (0, 1). */
export function quantile(confidence: number, df: number): number {
  let low = 0;
  let high = Math.PI / 2;
  for (let n = 0; n < 60; n++) {
    const middle = (low + high) / 2;
    if (within(Math.sqrt(df) * Math.tan(middle), df) < confidence) low = middle;
    else high = middle;
  }
  return Math.sqrt(df) * Math.tan(low);
}

export type Interval = { mean: number; low: number; high: number };

/** Confidence interval of the mean of independent values; null = fewer than two. */
export function meanInterval(values: readonly number[], confidence: number): Interval | null {
  const n = values.length;
  if (n < 2) return null;
  const mean = values.reduce((sum, value) => sum + value, 0) / n;
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (n - 1);
  const half = quantile(confidence, n - 1) * Math.sqrt(variance / n);
  return { mean, low: mean - half, high: mean + half };
}
