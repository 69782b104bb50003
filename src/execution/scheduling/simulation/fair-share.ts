/**
 * Weighted max-min shares of a capacity: nobody gets more than he demands, and what is left goes to the others by weight
 * (water-filling). Same unit for `capacity` and `demands`. O(n log n).
 */
export function waterFill(capacity: number, demands: readonly number[], weights: readonly number[]): number[] {
  const shares = demands.map(() => 0);
  const order = demands.map((_, i) => i).sort((a, b) => demands[a]! / weights[a]! - demands[b]! / weights[b]!);
  let left = capacity;
  let weight = weights.reduce((sum, one) => sum + one, 0);
  for (const i of order) {
    shares[i] = Math.min(demands[i]!, (left * weights[i]!) / weight);
    left -= shares[i]!;
    weight -= weights[i]!;
  }
  return shares;
}

/** Jain's index of fairness, (Σx)² ÷ (n Σx²): 1 = all alike, 1/n = one has all. 1 when there is nothing to compare. */
export function jainIndex(values: readonly number[]): number {
  let sum = 0;
  let squares = 0;
  for (const value of values) {
    sum += value;
    squares += value * value;
  }
  return squares === 0 ? 1 : (sum * sum) / (values.length * squares);
}
