import { ColmeiaError } from '../../platform/errors.ts';
import type { Scope, Store } from '../../platform/store/store.ts';
import type { JournalWriter } from '../audit/journal.ts';
import type { InstanceDirectory } from './instance-directory.ts';
import { companyOf, mustDirect, mustHave, noInstance, scopeOf } from './may.ts';
import { listOwners, deleteOwner, insertOwner } from './owner-store.ts';
import { actorOf, SYSTEM_INSTANCE, type Principal } from './principal.ts';
import { isSubject, SUBJECT_RULE } from './subject.ts';

export type OwnerView = { principal: string; added_by: string; added_at: string };
export type OwnerDependencies = { store: Store; instances: InstanceDirectory; append: JournalWriter['append'] };

const OWNERS_LIMIT = 100;

/** Who owns a company: subjects of keys, who may later grant on its behalf. */
export function ownerOperations({ store, instances, append }: OwnerDependencies) {
  const find = async (who: Principal, name: string): Promise<string> => {
    mustDirect(who);
    const instance = companyOf(who, name, name);
    const isCompany = instance !== SYSTEM_INSTANCE && !instance.includes('\u0000');
    if (!isCompany || (await instances.byName(instance)) === null) throw noInstance(name);
    return instance;
  };

  return {
    async list(who: Principal, name: string): Promise<OwnerView[]> {
      mustHave(who, 'read');
      const rows = await listOwners(store, scopeOf(who), await find(who, name), OWNERS_LIMIT);
      return rows.map(({ added_at, ...row }) => ({ ...row, added_at: added_at.toISOString() }));
    },
    /** Adding an owner again changes nothing. */
    async add(who: Principal, name: string, principal: string): Promise<void> {
      mustHave(who, 'administer');
      const instance = await find(who, name);
      if (!isSubject(principal)) throw wrongPrincipal(SUBJECT_RULE);
      const owners = await ownersOf(store, instance);
      if (owners.includes(principal)) return;
      if (owners.length >= OWNERS_LIMIT) throw wrongPrincipal(`is one too many: a company has at most ${OWNERS_LIMIT}`);
      const by = actorOf(who);
      await append(
        instance,
        [{ type: 'owner.added', by, data: { principal } }],
        [insertOwner(instance, principal, by)],
      );
    },
    /** Removing who is no owner changes nothing. The last owner goes only by an operator's hand. */
    async remove(who: Principal, name: string, principal: string): Promise<void> {
      mustHave(who, 'administer');
      const instance = await find(who, name);
      const owners = await ownersOf(store, instance);
      if (!owners.includes(principal)) return;
      const mayEmpty = who.kind === 'operator';
      if (owners.length === 1 && !mayEmpty) throw lastOwner(instance);
      const event = { type: 'owner.removed', by: actorOf(who), data: { principal } };
      // Of two who remove the last two at once, one is refused by the database.
      await append(instance, [event], deleteOwner(instance, principal, mayEmpty)).catch((error: { code?: string }) => {
        throw error.code === '22012' ? lastOwner(instance) : error;
      });
    },
  };
}

/** Whether the key is held by an owner of the company. */
export async function isOwner(store: Store, who: Principal, instance: string): Promise<boolean> {
  if (who.subject === null || (who.instance !== null && who.instance !== instance)) return false;
  return (await ownersOf(store, instance)).includes(who.subject);
}

async function ownersOf(store: Store, instance: string): Promise<string[]> {
  const scope: Scope = { as: 'coordinator' };
  return (await listOwners(store, scope, instance, OWNERS_LIMIT)).map(({ principal }) => principal);
}

const wrongPrincipal = (message: string): ColmeiaError =>
  new ColmeiaError('INVALID_REQUEST', `principal ${message}`, { faults: [{ path: 'principal', message }] });

const lastOwner = (instance: string): ColmeiaError =>
  new ColmeiaError('FORBIDDEN', `it is the last owner of "${instance}"; only an operator may remove it`);
