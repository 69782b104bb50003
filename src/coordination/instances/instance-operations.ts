import { ColmeiaError, type Fault } from '../../platform/errors.ts';
import { decodeCursor, isTexts, pageLimit, pageOf } from '../../platform/page.ts';
import type { JournalEvent } from '../../trust/audit/journal.ts';
import { insertInstance, type Instance, type InstanceDirectory } from '../../trust/identity/instance-directory.ts';
import { companyOf, mustDirect, mustHave, mustOperate, noInstance, scopeOf } from '../../trust/identity/may.ts';
import { actorOf, SYSTEM_INSTANCE, type Principal } from '../../trust/identity/principal.ts';

type Statement = { text: string; values: readonly unknown[] };
export type InstanceDependencies = {
  instances: InstanceDirectory;
  append: (instance: string, events: readonly JournalEvent[], statements: readonly Statement[]) => Promise<void>;
  /** A company was made: somebody has to become its writer. */
  onCreated: (name: string) => Promise<void>;
};

const TIERS = ['gold', 'silver', 'bronze'];
const NAME = /^[a-z][a-z0-9-]{0,62}$/;
const RESERVED = new Set([
  'public',
  'postgres',
  'template0',
  'template1',
  'information-schema',
  'pg-catalog',
  'system',
  'con',
  'nul',
  'aux',
  'prn',
]);

export function instanceOperations({ instances, append, onCreated }: InstanceDependencies) {
  return {
    async create(who: Principal, request: { name: string; tier?: string }) {
      mustHave(who, 'administer');
      mustOperate(who);
      const { name, tier } = checkRequest(request);
      if ((await instances.byName(name)) !== null) throw exists(name);
      const event = { type: 'instance.created', by: actorOf(who), data: { name, tier } };
      await append(SYSTEM_INSTANCE, [event], insertInstance(name, tier)).catch((error: { code?: string }) => {
        throw error.code === '23505' ? exists(name) : error;
      });
      await onCreated(name);
      return viewOf((await instances.byName(name))!);
    },
    async get(who: Principal, name: string) {
      mustHave(who, 'read');
      mustDirect(who);
      const instance = await instances.byName(companyOf(who, name, name).replaceAll('\u0000', ''));
      if (instance === null || instance.name === SYSTEM_INSTANCE) throw noInstance(name);
      return viewOf(instance);
    },
    async list(who: Principal, query: { limit?: number; after?: string }) {
      mustHave(who, 'read');
      mustDirect(who);
      const limit = pageLimit(query.limit);
      const after = decodeCursor(query.after, isTexts(1))?.[0] ?? '';
      const rows = await instances.list(scopeOf(who), { after, limit: limit + 1 });
      return pageOf(rows, limit, (instance) => [instance.name], viewOf);
    },
  };
}

const exists = (name: string): ColmeiaError => new ColmeiaError('INSTANCE_EXISTS', `instance "${name}" exists already`);

function checkRequest({ name, tier = 'bronze' }: { name: unknown; tier?: unknown }): { name: string; tier: string } {
  const faults: Fault[] = [];
  if (typeof name !== 'string' || !NAME.test(name))
    faults.push({
      path: 'name',
      message: 'must be 1 to 63 lower-case letters, digits or hyphens, beginning with a letter',
    });
  else if (RESERVED.has(name)) faults.push({ path: 'name', message: `"${name}" is a reserved word` });
  if (!TIERS.includes(tier as string)) faults.push({ path: 'tier', message: `must be one of ${TIERS.join(', ')}` });
  if (faults.length > 0)
    throw new ColmeiaError('INVALID_REQUEST', `the request is invalid: ${faults[0].path} ${faults[0].message}`, {
      faults,
    });
  return { name: name as string, tier: tier as string };
}

const viewOf = (instance: Instance) => ({
  name: instance.name,
  tier: instance.tier,
  state: instance.state,
  created_at: instance.createdAt.toISOString(),
});
