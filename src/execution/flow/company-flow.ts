import type { Authenticator } from '../../trust/identity/authenticate.ts';
import type { Store } from '../../platform/store/store.ts';
import type { CompanyWriters } from './company-writer.ts';
import type { CompanyChange } from './flow-store.ts';

/** What the rooms above ask of the flow about whole companies, at whichever replica each is at home. */
export function companyFlow(options: {
  writers: CompanyWriters;
  store: Store;
  authenticator: Pick<Authenticator, 'forget'>;
  /** A company was made or has another name: its owner learns of it. */
  found: (name: string) => Promise<void>;
}) {
  const { writers, store, authenticator, found } = options;
  return {
    found,
    async cancelPlan(instance: string, key: number, by: string, why: string): Promise<void> {
      const action = { type: 'cancelled', undo: false, why } as const;
      await writers.at(instance, (writer) => writer.act({ instance, key, action, who: { by, why } }));
    },
    change: (change: CompanyChange): Promise<Record<string, number>> =>
      writers.at(change.instance, (writer) => writer.changeCompany(change)),
    async forgetKeys(keyIds: readonly string[]): Promise<void> {
      for (const keyId of keyIds) {
        authenticator.forget(keyId);
        if (store.tier === 'server') await store.notify('colmeia_key', keyId).catch(() => {}); // soon forgotten anyway
      }
    },
  };
}
