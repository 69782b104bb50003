/** Sorts in place. `share` 0.5 = the median. NaN when there is nothing. */
export function quantile(values: number[], share: number): number {
  if (values.length === 0) return Number.NaN;
  values.sort((a, b) => a - b);
  return values[Math.min(values.length - 1, Math.floor(values.length * share))]!;
}

export const median = (values: readonly number[]): number => quantile([...values], 0.5);

/** Three or four digits say all that a bench knows. */
export function rounded(value: number): number {
  if (!Number.isFinite(value)) return value;
  const size = Math.abs(value);
  return Number(value.toFixed(size >= 100 ? 0 : size >= 10 ? 1 : 2));
}
