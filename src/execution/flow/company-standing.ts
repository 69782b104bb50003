import { ColmeiaError } from '../../platform/errors.ts';
import type { JournalEvent } from '../../trust/audit/journal.ts';

/** What the writer of a company lets happen: `paused` starts no ticket, `deleting` takes no work either. */
export type CompanyStanding = 'active' | 'paused' | 'deleting';

const BY_EVENT: Readonly<Record<string, CompanyStanding>> = {
  'instance.paused': 'paused',
  'instance.resumed': 'active',
  'instance.deleting': 'deleting',
};

/** What the events of a company make of its standing; null = nothing. */
export function standingAfter(events: readonly JournalEvent[]): CompanyStanding | null {
  let standing: CompanyStanding | null = null;
  for (const { type } of events) standing = BY_EVENT[type] ?? standing;
  return standing;
}

export const beingDeleted = (instance: string): ColmeiaError =>
  new ColmeiaError('INSTANCE_STATE', `company "${instance}" is being deleted`);
