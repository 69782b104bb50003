import { ColmeiaError } from '../../../platform/errors.ts';
import { readFiles } from '../company-files.ts';
import { findInstance, readMore } from '../instance-store.ts';
import { NEW_COPY } from '../outside-accounts.ts';
import { ordersOf } from '../portable/issue-orders.ts';
import { accountsOfClone } from './clone-accounts.ts';
import type { AccountCopy, CloneContext, CloneParts, CloneStep } from './clone-parts.ts';
import { digestRecords } from './compare-records.ts';

type Which = 'jira' | 'confluence';
const COORDINATOR = { as: 'coordinator' } as const;

/** Copies issues or pages with everything on them into the target's project or space. */
export function contentStep(parts: CloneParts, which: Which, name: string): CloneStep {
  return {
    name,
    async run(context) {
      const { input, instance, memory, progress, keep, signal, operationId } = context;
      const known = memory[which] ?? null;
      if (known === null) return progress('the source has none');
      const kept = await findInstance(parts.store, COORDINATOR, instance);
      const accounts = await accountsOfClone(parts, input.source)(kept!, await readFiles(parts, kept!));
      const account = accounts[which];
      if (typeof account === 'string') throw new ColmeiaError('OUTSIDE_UNAVAILABLE', account);
      const copy: AccountCopy = { ...known, to: await keyOf(parts, instance, which) };
      const keepCopy = (): Promise<void> => keep({ [which]: copy });
      if (copy.frozen === null) {
        progress(`reads ${copy.from}`);
        const issueOrder = await ordersOf(accounts.jira, memory.jira?.from);
        copy.frozen = await digestRecords(account.records(copy.from, { signal, checksums: true, issueOrder }));
        await keepCopy();
      }
      copy.counts = await account.copy({
        from: copy.from,
        to: copy.to,
        operationId,
        memory: copy.copy,
        keep: (made) => ((copy.copy = made), keepCopy()),
        progress,
        signal,
        issueKey: issueKeys(memory),
      });
      const { items, links, attachments } = copy.counts;
      progress(`${items} with ${links} links and ${attachments} attachments`, 1);
      return { [which]: copy };
    },
  };
}

export const newAccountCopy = (from: string): AccountCopy => {
  return { from, to: '', frozen: null, copy: NEW_COPY, counts: null };
};

/** The copy of an issue of the source, by key. */
function issueKeys({ jira }: CloneContext['memory']): (source: string) => string | null {
  const made = new Map(jira?.copy.made);
  return (source) => made.get(source) ?? null;
}

async function keyOf(parts: CloneParts, instance: string, which: Which): Promise<string> {
  const { resources } = await readMore(parts.store, COORDINATOR, instance);
  const found = resources.find(({ kind }) => kind.startsWith(`${which}-`));
  if (found === undefined) throw new ColmeiaError('INTERNAL', `the copy has no ${which} project`);
  return found.id;
}
