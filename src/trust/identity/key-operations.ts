import { ColmeiaError, type Fault } from '../../platform/errors.ts';
import { decodeCursor, isTexts, pageLimit, pageOf } from '../../platform/page.ts';
import type { Store } from '../../platform/store/store.ts';
import type { JournalEvent } from '../audit/journal.ts';
import type { Authenticator } from './authenticate.ts';
import type { InstanceDirectory } from './instance-directory.ts';
import { makeKey } from './key.ts';
import { findKey, insertKey, listKeys, markRevoked, type KeptKey } from './key-store.ts';
import { companyOf, filterOf, mustDirect, mustOperate, noInstance, scopeOf } from './may.ts';
import { actorOf, SYSTEM_INSTANCE, type Principal } from './principal.ts';

type Statement = { text: string; values: readonly unknown[] };
export type KeyDependencies = {
  store: Store;
  instances: InstanceDirectory;
  authenticator: Authenticator;
  append: (instance: string, events: readonly JournalEvent[], statements: readonly Statement[]) => Promise<void>;
};

const KINDS = ['operator', 'company', 'agent'];

export function keyOperations({ store, instances, authenticator, append }: KeyDependencies) {
  return {
    async create(
      who: Principal,
      request: { kind: Principal['kind']; instance?: string; agent_id?: string; expires_at?: string },
    ) {
      mustDirect(who);
      const expiresAt = checkRequest(request);
      if (request.kind === 'operator') mustOperate(who);
      const isFleet = who.instance === null && request.instance === undefined && request.kind !== 'company';
      const instance = isFleet ? null : companyOf(who, request.instance, '');
      if (instance === SYSTEM_INSTANCE || (instance !== null && (await instances.byName(instance)) === null))
        throw noInstance(instance);
      const { keyId, key, hash } = makeKey();
      const kept = {
        keyId,
        kind: request.kind,
        instance,
        agentId: request.agent_id ?? null,
        hash,
        createdBy: actorOf(who),
        expiresAt,
      };
      const event = {
        type: 'key.created',
        by: actorOf(who),
        data: { key_id: keyId, kind: request.kind, ...(request.agent_id ? { agent: request.agent_id } : {}) },
      };
      await append(instance ?? SYSTEM_INSTANCE, [event], [insertKey(kept)]);
      return { ...viewOf({ ...kept, createdAt: new Date(), revokedAt: null }), key };
    },
    async revoke(who: Principal, keyId: string): Promise<void> {
      mustDirect(who);
      const notFound = new ColmeiaError('KEY_NOT_FOUND', `key "${keyId}" not found`);
      if (!/^[0-9a-f]{16}$/.test(keyId)) throw notFound;
      const kept = await findKey(store, scopeOf(who), keyId);
      if (kept === null) throw notFound;
      if (kept.revokedAt !== null) return;
      const event = { type: 'key.revoked', by: actorOf(who), data: { key_id: keyId } };
      await append(kept.instance ?? SYSTEM_INSTANCE, [event], [markRevoked(keyId, new Date())]);
      authenticator.forget(keyId);
      await store.notify('colmeia_key', keyId).catch(() => {}); // the memory of other replicas ends by itself in seconds
    },
    async list(who: Principal, query: { limit?: number; after?: string; instance?: string }) {
      mustDirect(who);
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

function checkRequest(request: {
  kind?: unknown;
  instance?: unknown;
  agent_id?: unknown;
  expires_at?: unknown;
}): Date | null {
  const faults: Fault[] = [];
  if (!KINDS.includes(request.kind as string))
    faults.push({ path: 'kind', message: `must be one of ${KINDS.join(', ')}` });
  if (request.kind === 'operator' && request.instance !== undefined)
    faults.push({ path: 'instance', message: 'an operator’s key is for all companies' });
  if (request.kind === 'company' && request.instance === undefined)
    faults.push({ path: 'instance', message: 'is required for the key of a company' });
  if (request.kind !== 'agent' && request.agent_id !== undefined)
    faults.push({ path: 'agent_id', message: 'is only for the key of an agent' });
  for (const path of ['instance', 'agent_id'] as const) {
    const value = request[path];
    if (
      value !== undefined &&
      (typeof value !== 'string' || value === '' || value.length > 128 || value.includes('\u0000'))
    )
      faults.push({ path, message: 'must be a text of 1 to 128 characters' });
  }
  const expiresAt =
    request.expires_at === undefined || request.expires_at === null ? null : new Date(String(request.expires_at));
  if (expiresAt !== null && !(expiresAt.getTime() > Date.now()))
    faults.push({ path: 'expires_at', message: 'must be a time to come, as 2027-01-31T12:00:00Z' });
  if (faults.length > 0)
    throw new ColmeiaError('INVALID_REQUEST', `the request is invalid: ${faults[0].path} ${faults[0].message}`, {
      faults,
    });
  return expiresAt;
}

function viewOf(key: KeptKey) {
  return {
    key_id: key.keyId,
    kind: key.kind,
    instance: key.instance,
    agent_id: key.agentId,
    created_at: key.createdAt.toISOString(),
    expires_at: key.expiresAt?.toISOString() ?? null,
    revoked_at: key.revokedAt?.toISOString() ?? null,
  };
}
