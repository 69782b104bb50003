import type { LeftBehind } from '../outside-accounts.ts';

/** One part of a company and of its copy, as they were compared. */
export type ProofPart = {
  part: 'database' | 'jira' | 'confluence' | 'files' | 'configuration' | 'secrets' | 'separation';
  /** `none`: neither has it. */
  state: 'equal' | 'differs' | 'none';
  /** What was looked at, in a sentence. */
  compared: string;
  /** The first of them, a sentence each. */
  differences: string[];
  differing: number;
  /** What the target's site has no place for; it is no difference of the copy. */
  left_behind?: LeftBehind[];
};

/** That a copy is equal to what it was made from, but for what must differ, and shares nothing with it. */
export type CloneProof = {
  format: 1;
  operation: string;
  source: string;
  target: string;
  /** The moment whose state of the source's database the target has. */
  frozen_at: string;
  /** How long writes to the source's database waited, ms. */
  freeze_ms: number;
  proved_at: string;
  holds: boolean;
  parts: ProofPart[];
  tables: Record<string, { rows: number; checksum: string }>;
  /** Closed: nothing else may differ. */
  must_differ: { what: string; source: unknown; target: unknown }[];
  /** Names that the target's files refer to and that have no value yet: none is ever copied. */
  secrets_to_set: string[];
};

const MOST_SHOWN = 50;

export function proofPart(
  part: ProofPart['part'],
  compared: string,
  differences: readonly string[],
  left: readonly LeftBehind[] = [],
): ProofPart {
  return {
    part,
    state: differences.length === 0 ? 'equal' : 'differs',
    compared,
    differences: differences.slice(0, MOST_SHOWN),
    differing: differences.length,
    ...(left.length === 0 ? {} : { left_behind: [...left] }),
  };
}

export const nothingThere = (part: ProofPart['part'], why: string): ProofPart => ({
  part,
  state: 'none',
  compared: why,
  differences: [],
  differing: 0,
});
