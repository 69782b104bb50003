import { ColmeiaError } from '../../platform/errors.ts';
import { decodeCursor, isTexts, pageLimit, pageOf } from '../../platform/page.ts';
import { Secret } from '../../platform/secret.ts';
import type { InstanceDirectory } from '../identity/instance-directory.ts';
import { companyOf, mustDirect, mustHave, mustOperate, noInstance, scopeOf } from '../identity/may.ts';
import { actorOf, SYSTEM_INSTANCE, type Principal } from '../identity/principal.ts';
import type { SecretRow } from './sealed-secret-store.ts';
import type { SecretStore } from './secret-store.ts';

/** Never the value: nobody gets it back. */
export type SecretView = { name: string; version: number; created_by: string; created_at: string };
/** `instance` left out: the fleet's own secrets, for operators only. */
export type SecretsOf = { instance?: string };
export type SecretRef = SecretsOf & { secret: string };

export function secretOperations(secrets: SecretStore, instances: InstanceDirectory) {
  /** The company whose secrets a caller means. Throws FORBIDDEN, INSTANCE_NOT_FOUND. */
  const placeOf = async (who: Principal, { instance }: SecretsOf): Promise<string> => {
    mustHave(who, 'administer');
    mustDirect(who);
    if (instance === undefined) {
      mustOperate(who);
      return SYSTEM_INSTANCE;
    }
    const name = companyOf(who, instance, instance);
    const isCompany = name !== SYSTEM_INSTANCE && !name.includes('\u0000') && (await instances.byName(name)) !== null;
    if (!isCompany) throw noInstance(name);
    return name;
  };
  const get = async (who: Principal, place: string, name: string): Promise<SecretView> => {
    const row = name.includes('\u0000') ? null : await secrets.find(scopeOf(who), place, name);
    if (row === null) throw notFound(name);
    return viewOf(row);
  };

  return {
    async list(who: Principal, query: SecretsOf & { limit?: number; after?: string }) {
      const instance = await placeOf(who, query);
      const limit = pageLimit(query.limit);
      const after = decodeCursor(query.after, isTexts(1))?.[0] ?? '';
      const rows = await secrets.list(scopeOf(who), { instance, after, limit: limit + 1 });
      return pageOf(rows, limit, (row) => [row.name], viewOf);
    },
    async get(who: Principal, ref: SecretRef): Promise<SecretView> {
      return get(who, await placeOf(who, ref), ref.secret);
    },
    async set(who: Principal, ref: SecretRef, request: { value: string | Secret }): Promise<SecretView> {
      const place = await placeOf(who, ref);
      await secrets.put(place, ref.secret, secretOf(request.value), actorOf(who));
      return get(who, place, ref.secret);
    },
    async remove(who: Principal, ref: SecretRef): Promise<void> {
      const place = await placeOf(who, ref);
      const isName = !ref.secret.includes('\u0000');
      if (!isName || !(await secrets.remove(place, ref.secret, actorOf(who)))) throw notFound(ref.secret);
    },
    /** A new data key; answers how many secrets were sealed anew. */
    async rotate(who: Principal, of: SecretsOf): Promise<{ secrets: number }> {
      return { secrets: await secrets.rotateDataKey(await placeOf(who, of), actorOf(who)) };
    },
    /** Everything under the master key in force; of operators only. */
    async rotateMaster(who: Principal): Promise<{ master: string; keys: number }> {
      mustHave(who, 'administer');
      mustOperate(who);
      return secrets.rotateMaster(actorOf(who));
    },
  };
}

function secretOf(value: unknown): Secret {
  if (value instanceof Secret) return value;
  if (typeof value === 'string') return new Secret(value);
  throw new ColmeiaError('INVALID_REQUEST', 'value must be a text', {
    faults: [{ path: 'value', message: 'must be a text' }],
  });
}

const notFound = (name: string): ColmeiaError => new ColmeiaError('SECRET_NOT_FOUND', `secret "${name}" not found`);

const viewOf = ({ created_at, ...row }: SecretRow): SecretView => ({ ...row, created_at: created_at.toISOString() });
