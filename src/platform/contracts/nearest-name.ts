const LONGEST = 64;
const MOST_CANDIDATES = 100;

/**
 * The candidate that was most likely meant by `name`, or null when none is near. Case, `_` and `-` do not count;
 * beyond that one letter in three may differ.
 */
export function nearestName(name: string, candidates: readonly string[]): string | null {
  const wanted = bare(name);
  let best: string | null = null;
  let least = Math.max(1, Math.floor(wanted.length / 3)) + 1;
  for (const candidate of candidates.slice(0, MOST_CANDIDATES)) {
    if (candidate.length > LONGEST) continue;
    const distance = editDistance(wanted, bare(candidate));
    if (distance < least) [best, least] = [candidate, distance];
  }
  return best;
}

function bare(name: string): string {
  return name.toLowerCase().replaceAll(/[_\-\s]/g, '');
}

/** Levenshtein. */
function editDistance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, i) => i);
  for (let i = 1; i <= from.length; i++) {
    const next = [i];
    for (let j = 1; j <= to.length; j++) {
      const swap = row[j - 1]! + (from[i - 1] === to[j - 1] ? 0 : 1);
      next.push(Math.min(swap, row[j]! + 1, next[j - 1]! + 1));
    }
    row = next;
  }
  return row[to.length]!;
}
