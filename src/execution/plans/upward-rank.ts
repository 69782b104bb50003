/**
 * Upward rank of every ticket: expected ms from its start to the end of the plan along the longest path, its own time
 * included. `dependents[n]`: who waits for n; `expectedMs[n]`: how long n takes, 0 = it counts no more. O(tickets and
 * dependencies), no recursion. What lies on a cycle has rank 0; a checked plan has none.
 * Source: HEFT, Topcuoglu, Hariri and Wu 2002, without communication costs.
 */
export function upwardRanks(
  dependents: readonly (readonly number[])[],
  expectedMs: ArrayLike<number>,
): Float64Array<ArrayBuffer> {
  const size = dependents.length;
  const ranks = new Float64Array(size);
  const left = new Int32Array(size);
  const before: number[][] = Array.from({ length: size }, () => []);
  const turns: number[] = [];
  for (let n = 0; n < size; n++) {
    left[n] = dependents[n].length;
    if (left[n] === 0) turns.push(n);
    for (const dependent of dependents[n]) before[dependent].push(n);
  }
  while (turns.length > 0) {
    const n = turns.pop()!;
    let longest = 0;
    for (const dependent of dependents[n]) longest = Math.max(longest, ranks[dependent]);
    ranks[n] = longest + Math.max(0, expectedMs[n]);
    for (const dep of before[n]) if (--left[dep] === 0) turns.push(dep);
  }
  return ranks;
}
