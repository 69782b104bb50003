import { rounded } from './statistics.ts';

/** Of how many in a row the worst is looked for. */
export const BLOCK = 1_000;

/** Share that is true, %. */
export const percent = (kept: readonly boolean[]): number => rounded((100 * kept.filter(Boolean).length) / kept.length);

/** Least share of any thousand in a row, %. */
export function worstBlock(kept: readonly boolean[]): number {
  let inside = 0;
  let least = Infinity;
  for (let i = 0; i < kept.length; i++) {
    inside += Number(kept[i]) - Number(i >= BLOCK && kept[i - BLOCK]);
    if (i >= BLOCK - 1) least = Math.min(least, inside);
  }
  return rounded((100 * least) / BLOCK);
}

/** A p90 is to cover 88 to 92 %: the target is the nearer end. */
export function p90Row(kept: readonly boolean[]): { value: number; unit: string; target: string } {
  const value = percent(kept);
  return { value, unit: '%', target: value < 90 ? '>= 88' : '<= 92' };
}
