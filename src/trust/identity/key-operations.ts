import type { Clock } from '../../platform/clock.ts';
import { ColmeiaError } from '../../platform/errors.ts';
import { decodeCursor, isTexts, pageLimit, pageOf } from '../../platform/page.ts';
import type { Store } from '../../platform/store/store.ts';
import type { JournalWriter } from '../audit/journal.ts';
import type { Authenticator } from './authenticate.ts';
import type { InstanceDirectory } from './instance-directory.ts';
import { makeKey } from './key.ts';
import { endKey, findKey, insertKey, listKeys, markRevoked, type KeptKey } from './key-store.ts';
import { companyOf, filterOf, mustDirect, mustHave, mustOperate, noInstance, scopeOf } from './may.ts';
import { parseKeyRequest, parseOverlap, type KeyRequest } from './parse-key-request.ts';
import { actorOf, SCOPES, SYSTEM_INSTANCE, type KeyScope, type Principal } from './principal.ts';

export type KeyDependencies = {
  store: Store;
  clock: Clock;
  instances: InstanceDirectory;
  authenticator: Authenticator;
  append: JournalWriter['append'];
};

export function keyOperations({ store, clock, instances, authenticator, append }: KeyDependencies) {
  const administer = (who: Principal): void => {
    mustHave(who, 'administer');
    mustDirect(who);
  };
  const find = async (who: Principal, keyId: string): Promise<KeptKey> => {
    const kept = /^[0-9a-f]{16}$/.test(keyId) ? await findKey(store, scopeOf(who), keyId) : null;
    if (kept === null) throw new ColmeiaError('KEY_NOT_FOUND', `key "${keyId}" not found`);
    return kept;
  };
  /** Every replica asks the database the next time. The news may be lost: what is remembered ends by itself in seconds. */
  const changed = async (keyId: string): Promise<void> => {
    authenticator.forget(keyId);
    await store.notify('colmeia_key', keyId).catch(() => {});
  };
  const viewOf = (key: KeptKey) => {
    const used = Math.max(key.lastUsedAt?.getTime() ?? 0, authenticator.uses.lastUseOf(key.keyId) ?? 0);
    return {
      key_id: key.keyId,
      kind: key.kind,
      instance: key.instance,
      agent_id: key.agentId,
      scopes: [...key.scopes],
      subject: key.subject,
      replaces: key.replaces,
      created_at: key.createdAt.toISOString(),
      expires_at: key.expiresAt?.toISOString() ?? null,
      revoked_at: key.revokedAt?.toISOString() ?? null,
      last_used_at: used === 0 ? null : new Date(used).toISOString(),
    };
  };
  /** `ends`: what the new key takes the place of, and when that one ends. */
  const make = async (
    who: Principal,
    of: Pick<KeptKey, 'kind' | 'instance' | 'agentId' | 'scopes' | 'subject' | 'expiresAt'>,
    ends: { keyId: string; at: Date } | null,
  ) => {
    const { keyId, key, hash } = makeKey();
    const createdAt = new Date(clock.now());
    const kept = { ...of, keyId, hash, replaces: ends?.keyId ?? null, createdBy: actorOf(who), createdAt };
    const data = { key_id: keyId, kind: of.kind, ...(of.agentId === null ? {} : { agent: of.agentId }) };
    const event =
      ends === null
        ? { type: 'key.created', by: actorOf(who), data: { ...data, scopes: of.scopes } }
        : { type: 'key.rotated', by: actorOf(who), data: { ...data, replaces: ends.keyId, ends_at: ends.at } };
    const statements = [insertKey(kept), ...(ends === null ? [] : [endKey(ends.keyId, ends.at)])];
    await append(of.instance ?? SYSTEM_INSTANCE, [event], statements);
    const view = viewOf({ ...kept, revokedAt: null, lastUsedAt: null });
    return { ...view, key };
  };

  return {
    async create(who: Principal, request: KeyRequest) {
      administer(who);
      const { scopes, subject, expiresAt } = parseKeyRequest(request, clock.now());
      if (request.kind === 'operator') mustOperate(who);
      const isFleet = who.instance === null && request.instance === undefined && request.kind !== 'company';
      const instance = isFleet ? null : companyOf(who, request.instance, '');
      if (instance === SYSTEM_INSTANCE || (instance !== null && (await instances.byName(instance)) === null))
        throw noInstance(instance);
      const { kind, agent_id: agentId = null } = request;
      const granted = scopes === null ? usualScopes(who, kind) : noMoreThan(who, scopes);
      return make(who, { kind, instance, agentId, scopes: granted, subject, expiresAt }, null);
    },
    /** A new key with the same rights and the same length of life; the old one ends after the overlap. */
    async rotate(who: Principal, keyId: string, request: { overlap_seconds?: number }) {
      administer(who);
      const overlapMs = parseOverlap(request.overlap_seconds) * 1_000;
      const kept = await find(who, keyId);
      const now = clock.now();
      if (kept.revokedAt !== null || (kept.expiresAt !== null && kept.expiresAt.getTime() <= now))
        throw new ColmeiaError('INVALID_REQUEST', `key "${keyId}" counts no more; create another one`, {
          faults: [{ path: 'key_id', message: 'counts no more' }],
        });
      noMoreThan(who, kept.scopes);
      const lifeMs = kept.expiresAt === null ? null : kept.expiresAt.getTime() - kept.createdAt.getTime();
      const expiresAt = lifeMs === null ? null : new Date(now + lifeMs);
      const made = await make(who, { ...kept, expiresAt }, { keyId, at: new Date(now + overlapMs) });
      await changed(keyId);
      return made;
    },
    async revoke(who: Principal, keyId: string): Promise<void> {
      administer(who);
      const kept = await find(who, keyId);
      if (kept.revokedAt !== null) return;
      const event = { type: 'key.revoked', by: actorOf(who), data: { key_id: keyId } };
      await append(kept.instance ?? SYSTEM_INSTANCE, [event], [markRevoked(keyId, new Date(clock.now()))]);
      await changed(keyId);
    },
    async list(who: Principal, query: { limit?: number; after?: string; instance?: string }) {
      administer(who);
      const limit = pageLimit(query.limit);
      const after = decodeCursor(query.after, isTexts(1))?.[0] ?? '';
      const rows = await listKeys(store, scopeOf(who), {
        instance: filterOf(who, query.instance),
        after,
        limit: limit + 1,
      });
      return pageOf(rows, limit, (key) => [key.keyId], viewOf);
    },
    authenticate: (key: string): Promise<Principal | null> => authenticator.authenticate(key),
  };
}

/** What a new key gets when nothing is said: all that its kind may have and its maker has. */
function usualScopes(maker: Principal, kind: Principal['kind']): readonly KeyScope[] {
  const usual: readonly KeyScope[] = kind === 'agent' ? ['read', 'run'] : SCOPES;
  return usual.filter((scope) => maker.scopes.includes(scope));
}

/** Nobody hands on what he does not have. */
function noMoreThan(maker: Principal, scopes: readonly KeyScope[]): readonly KeyScope[] {
  const missing = scopes.filter((scope) => !maker.scopes.includes(scope));
  if (missing.length > 0)
    throw new ColmeiaError('FORBIDDEN', `the key has no scope "${missing[0]}", and so cannot give it to another`);
  return scopes;
}
