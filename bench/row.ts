/** What `npm run bench -- --json <file>` writes, one for each figure. */
export type Row = {
  bench: string;
  work: string;
  value: number;
  unit: string;
  /** As `>= 12000` or `<= 4`; null = a figure without a target. */
  target: string | null;
  /** What the comparison reached in the same run, in the same unit; what it is stands in `work` or in the bench. */
  baseline?: number;
  /** value / baseline. */
  ratio?: number;
};

/** What a bench gets: a place for its rows, and lines for whoever watches. */
export type BenchContext = {
  say: (text: string) => void;
  add: (row: Omit<Row, 'bench' | 'ratio'>) => void;
  /** Profile the measured part; see profile.ts. */
  profile: boolean;
};

export function ratioOf(value: number, baseline: number): number {
  return Number((value / baseline).toPrecision(3));
}

/** null = there is no target. */
export function isReached({ value, target }: Pick<Row, 'value' | 'target'>): boolean | null {
  if (target === null) return null;
  const limit = Number(target.slice(2));
  return target.startsWith('>=') ? value >= limit : value <= limit;
}
