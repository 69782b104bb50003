import type { DatabaseFingerprint } from '../databases/fingerprint.ts';
import type { ResourceView } from '../instance-views.ts';
import type { Step, StepContext } from '../operations/step.ts';
import type { CopyCounts, CopyMemory } from '../outside-accounts.ts';
import type { TargetMemory, TargetParts } from '../portable/target-steps.ts';
import type { CloneProof } from './clone-proof.ts';
import type { RecordDigests } from './compare-records.ts';

export type CloneInput = { source: string };

/** The copy of a project or space, as far as it got. */
export type AccountCopy = {
  from: string;
  /** '' until the target has its own. */
  to: string;
  /** Of the source before it was copied; null = not read yet. */
  frozen: RecordDigests | null;
  copy: CopyMemory;
  /** null = not at its end. */
  counts: CopyCounts | null;
};

export type CloneMemory = TargetMemory & {
  /** Names that the source's files refer to. */
  secrets?: string[];
  database?: { frozenAt: string; freezeMs: number; tables: number; rows: number; fingerprint: DatabaseFingerprint };
  /** null = the source has none. */
  jira?: AccountCopy | null;
  confluence?: AccountCopy | null;
  /** As initializing keeps them. */
  made?: ResourceView[];
  off?: string[];
  health?: string;
  proof?: CloneProof;
};

export type CloneStep = Step<CloneInput, CloneMemory>;
export type CloneContext = StepContext<CloneInput, CloneMemory>;
export type CloneParts = TargetParts;
