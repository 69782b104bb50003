import type { Store } from '../../platform/store/store.ts';
import type { InstanceDirectory } from '../identity/instance-directory.ts';
import { filterOf, mustDirect, mustHave, noInstance, scopeOf } from '../identity/may.ts';
import type { Principal } from '../identity/principal.ts';
import { listEvents, type AuditQuery } from './list-events.ts';
import { verifyJournal, type AuditVerdict } from './verify-journal.ts';

/** Who did what, when and why; and the proof that nobody changed it afterwards. */
export function auditOperations(store: Store, instances: InstanceDirectory) {
  return {
    async list(who: Principal, query: AuditQuery) {
      mustHave(who, 'read');
      mustDirect(who);
      const instance = filterOf(who, query.instance);
      return listEvents(store, scopeOf(who), { ...query, ...(instance === null ? {} : { instance }) });
    },
    /** A company's own chain, one that an operator names, or all of them in the order they were made. */
    async verify(who: Principal, query: { instance?: string }): Promise<AuditVerdict[]> {
      mustHave(who, 'read');
      mustDirect(who);
      const one = filterOf(who, query.instance);
      if (one !== null && (await instances.byName(one)) === null) throw noInstance(one);
      const names = one === null ? (await instances.all()).map(({ name }) => name) : [one];
      const verdicts: AuditVerdict[] = [];
      for (const name of names) verdicts.push(await verifyJournal(store, { as: 'coordinator' }, name));
      return verdicts;
    },
  };
}
