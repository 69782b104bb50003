import { readFiles } from '../company-files.ts';
import type { InstanceParts } from '../instance-parts.ts';
import { findInstance } from '../instance-store.ts';

const COORDINATOR = { as: 'coordinator' } as const;

/**
 * The accounts by which a copy is made: those of the source, which see both projects. The target gets credentials of its own
 * later; a source that is gone lends none.
 */
export function accountsOfClone(parts: InstanceParts, source: string): InstanceParts['accounts'] {
  return async (kept, folder) => {
    const own = await parts.accounts(kept, folder);
    const lender = await findInstance(parts.store, COORDINATOR, source);
    if (lender === null) return own;
    const lent = await parts.accounts(lender, await readFiles(parts, lender));
    return {
      jira: typeof lent.jira === 'string' ? own.jira : lent.jira,
      confluence: typeof lent.confluence === 'string' ? own.confluence : lent.confluence,
      supabase: typeof own.supabase === 'string' ? lent.supabase : own.supabase,
      keys: own.keys,
    };
  };
}
