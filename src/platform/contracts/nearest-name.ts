const LONGEST = 64;
const MOST_CANDIDATES = 100;

/**
 * The candidate that was most likely meant by `name`, or null when none is near. Case, `_` and `-` do not count;
 * beyond that one letter in three may differ.
 */
export function nearestName(name: string, candidates: readonly string[]): string | null {
  if (name.length > LONGEST) return null;
  const wanted = bare(name);
  let best: string | null = null;
  let least = Math.max(1, Math.floor(wanted.length / 3)) + 1;
  for (const candidate of candidates.slice(0, MOST_CANDIDATES)) {
    if (candidate.length > LONGEST) continue;
    const other = bare(candidate);
    if (Math.abs(other.length - wanted.length) >= least) continue;
    const distance = editDistance(wanted, other, least);
    if (distance < least) [best, least] = [candidate, distance];
  }
  return best;
}

const bareNames = new Map<string, string>();

/** Remembered, within bounds: the names of the contract come again and again. */
function bare(name: string): string {
  let result = bareNames.get(name);
  if (result === undefined) {
    result = name.toLowerCase().replaceAll(/[_\-\s]/g, '');
    if (bareNames.size < 1_000) bareNames.set(name, result);
  }
  return result;
}

/** Levenshtein; `enough` or more when the distance is at least that. */
function editDistance(from: string, to: string, enough: number): number {
  let row = Array.from({ length: to.length + 1 }, (_, i) => i);
  for (let i = 1; i <= from.length; i++) {
    const next = [i];
    let least = i;
    for (let j = 1; j <= to.length; j++) {
      const swap = row[j - 1]! + (from[i - 1] === to[j - 1] ? 0 : 1);
      const cost = Math.min(swap, row[j]! + 1, next[j - 1]! + 1);
      next.push(cost);
      if (cost < least) least = cost;
    }
    if (least >= enough) return enough;
    row = next;
  }
  return row[to.length]!;
}
