import { ColmeiaError } from '../../platform/errors.ts';
import { decodeCursor, isTexts, pageLimit, pageOf } from '../../platform/page.ts';
import {
  companyOf,
  filterOf,
  mustDirect,
  mustHave,
  mustOperate,
  noInstance,
  scopeOf,
} from '../../trust/identity/may.ts';
import { actorOf, FIRST_INSTANCE, type KeyScope, type Principal } from '../../trust/identity/principal.ts';
import { FolderSizes } from './folder/folder-sizes.ts';
import type { CompanySettings } from './folder/read-folder.ts';
import { folderOf, readFiles } from './company-files.ts';
import { placeOf } from './company-place.ts';
import {
  checkConfirmation,
  checkFilter,
  checkNewName,
  checkReason,
  parseChange,
  parseNewInstance,
} from './instance-request.ts';
import type { InstanceParts } from './instance-parts.ts';
import type { Health } from './open-health.ts';
import {
  countBelongings,
  findInstance,
  listInstances,
  readMore,
  setState,
  updateInstance,
  type KeptInstance,
} from './instance-store.ts';
import type { Instances, InstanceStats, InstanceSummary, InstanceView, OperationView } from './instance-views.ts';
import { foundInstance, instanceExists } from './life/create-instance.ts';
import { registeredCompany } from './reconcile-instances.ts';

/** What the other rooms of this folder add. */
export type MoreOfInstances = Pick<
  Instances,
  'importFrom' | 'exports' | 'validate' | 'context' | 'differences' | 'reconcile' | 'owners'
>;

const COORDINATOR = { as: 'coordinator' } as const;

export function instanceOperations(
  parts: InstanceParts,
  health: Pick<Health, 'files'>,
  more: MoreOfInstances,
): Instances {
  const { store, append, directory, operations, clock } = parts;
  const sizes = new FolderSizes(clock);

  /** A company that the caller may see; what it may not see answers like what is not there. */
  const find = async (who: Principal, name: string, needs: KeyScope): Promise<KeptInstance> => {
    mustHave(who, needs);
    mustDirect(who);
    const kept = await findInstance(store, scopeOf(who), companyOf(who, name, name));
    if (kept === null) throw noInstance(name);
    return kept;
  };

  const change = async (
    who: Principal,
    name: string,
    from: 'active' | 'paused',
    to: 'active' | 'paused',
    reason?: string,
  ): Promise<InstanceView> => {
    checkReason(reason);
    const kept = await find(who, name, 'administer');
    if (kept.state === to) return viewOf(kept);
    if (kept.state === 'deleting') throw wrongState(`company "${name}" is being deleted`);
    const type = to === 'paused' ? 'instance.paused' : 'instance.resumed';
    const event = { type, by: actorOf(who), ...(reason === undefined ? {} : { why: reason }) };
    try {
      await append(kept.name, [event], [setState(kept.name, [from], to)]);
    } catch (error) {
      const now = await find(who, name, 'administer'); // another call may have been first
      if (now.state !== to) throw error;
    }
    await directory.changed(kept.name);
    return viewOf({ ...kept, state: to });
  };

  const begin = async (who: Principal, name: string, needs: 'operator' | 'company') => {
    if (needs === 'operator') mustOperate(who);
    const kept = await find(who, name, 'administer');
    return { kept, by: actorOf(who) };
  };

  const cloneOf = async (who: Principal, source: string, asked: unknown) => {
    const { kept, by } = await begin(who, source, 'operator');
    const target = checkNewName(asked, 'target');
    mustLive(kept);
    if ((await findInstance(store, COORDINATOR, target)) !== null) throw instanceExists(target);
    return { kept, by, target };
  };

  const mayChange = async (who: Principal, id: string): Promise<OperationView> => {
    mustHave(who, 'administer');
    mustOperate(who);
    return operations.view(COORDINATOR, id);
  };

  return {
    ...more,
    async create(who, request) {
      mustHave(who, 'administer');
      mustOperate(who);
      const row = await parseNewInstance(request);
      const { name } = row;
      await foundInstance(parts, { ...row, adopts: false }, actorOf(who));
      return viewOf((await findInstance(store, COORDINATOR, name))!);
    },
    async get(who, name) {
      const kept = await find(who, name, 'read');
      const scope = scopeOf(who);
      const [{ faults, owners, resources }, newest] = await Promise.all([
        readMore(store, scope, kept.name),
        operations.list(scope, { instance: kept.name, limit: 1 }),
      ]);
      const [operation = null] = newest.items.filter(({ state }) => state === 'running' || state === 'undoing');
      return {
        ...summaryOf(kept),
        folder: who.kind === 'operator' ? folderOf(parts, kept) : null,
        validated_at: kept.validatedAt?.toISOString() ?? null,
        faults,
        owners,
        resources,
        operation,
      };
    },
    async list(who, query) {
      mustHave(who, 'read');
      mustDirect(who);
      checkFilter(query);
      const limit = pageLimit(query.limit);
      const after = decodeCursor(query.after, isTexts(1))?.[0] ?? '';
      const { state = null, health = null } = query;
      const rows = await listInstances(store, scopeOf(who), { after, limit: limit + 1, state, health });
      return pageOf(rows, limit, ({ name }) => [name], summaryOf);
    },
    async stats(who, name) {
      const kept = await find(who, name, 'read');
      const folder = folderOf(parts, kept);
      const [reading, files] = await Promise.all([health.files(kept), folder === null ? null : sizes.of(folder)]);
      const [belongings, database] = await Promise.all([
        countBelongings(store, scopeOf(who), kept.name),
        kept.initializedAt === null ? null : databaseOf(parts, kept, reading),
      ]);
      const components = reading?.components.length ?? 0;
      return { name: kept.name, ...kept.statistics, ...belongings, components, database, files };
    },
    async update(who, name, request) {
      mustHave(who, 'administer');
      mustOperate(who);
      const wanted = parseChange(request);
      const kept = await find(who, name, 'administer');
      const from = { tier: kept.tier, budget_usd: kept.budgetUsd };
      const to = {
        tier: wanted.tier ?? kept.tier,
        budget_usd: wanted.budgetUsd === undefined ? kept.budgetUsd : wanted.budgetUsd,
      };
      if (to.tier === from.tier && to.budget_usd === from.budget_usd) return viewOf(kept);
      const event = { type: 'instance.changed', by: actorOf(who), data: { from, to } };
      await append(kept.name, [event], [updateInstance(kept.name, wanted)]);
      await directory.changed(kept.name);
      return viewOf({ ...kept, tier: to.tier, budgetUsd: to.budget_usd });
    },
    pause: (who, name, { reason }) => change(who, name, 'active', 'paused', reason),
    resume: (who, name, { reason }) => change(who, name, 'paused', 'active', reason),
    async init(who, name) {
      const { kept, by } = await begin(who, name, 'company');
      mustLive(kept);
      return operations.begin('init', kept.name, {}, by);
    },
    async seed(who, name) {
      const { kept, by } = await begin(who, name, 'company');
      mustLive(kept);
      if (kept.initializedAt === null)
        throw wrongState(`company "${name}" is not initialized yet: \`instance init ${name}\` makes its database`);
      const folder = await readFiles(parts, kept);
      const applied = await parts.databases.seed(await placeOf(parts, kept, { folder }), folder?.seeds ?? []);
      if (applied.length > 0) await append(kept.name, [{ type: 'instance.seeded', by, data: { seeds: applied } }]);
      return { applied };
    },
    async remove(who, name, request) {
      const { kept, by } = await begin(who, name, 'operator');
      checkConfirmation(kept.name, request.confirm);
      mustNotBeFirst(kept, 'deleted');
      return operations.begin(
        'delete',
        kept.name,
        { export: request.export ?? true, force: request.force ?? false },
        by,
      );
    },
    async rename(who, name, request) {
      const { kept, by } = await begin(who, name, 'operator');
      const to = checkNewName(request.to, 'to');
      mustNotBeFirst(kept, 'renamed');
      mustLive(kept);
      if ((await findInstance(store, COORDINATOR, to)) !== null) throw instanceExists(to);
      return operations.begin('rename', kept.name, { to }, by);
    },
    async clone(who, source, request) {
      const { kept, by, target } = await cloneOf(who, source, request.target);
      return operations.begin('clone', target, { source: kept.name }, by);
    },
    async planClone(who, source, request) {
      const { kept, target } = await cloneOf(who, source, request.target);
      return operations.plan('clone', target, { source: kept.name });
    },
    async exportTo(who, name) {
      const { kept, by } = await begin(who, name, 'company');
      mustLive(kept);
      return operations.begin('export', kept.name, {}, by);
    },
    async operation(who, id, query) {
      mustHave(who, 'read');
      mustDirect(who);
      return operations.view(scopeOf(who), id, { afterRev: query.after_rev, waitMs: query.wait_ms });
    },
    async operations(who, query) {
      mustHave(who, 'read');
      mustDirect(who);
      return operations.list(scopeOf(who), { ...query, instance: filterOf(who, query.instance) });
    },
    async resumeOperation(who, id) {
      await mayChange(who, id);
      return operations.resume(id, actorOf(who));
    },
    async undoOperation(who, id) {
      const { kind, state, instance } = await mayChange(who, id);
      if (kind === 'create' && state === 'completed')
        throw new ColmeiaError('OPERATION_STATE', `"${instance}" is there: delete it`);
      const made = kind === 'clone' || kind === 'import' ? await findInstance(store, COORDINATOR, instance) : null;
      if (state === 'completed' && (made?.statistics.plans_received ?? 0) > 0)
        throw new ColmeiaError('OPERATION_STATE', `"${instance}" has worked since: delete it`);
      return operations.undo(id, actorOf(who));
    },
  };
}

function mustNotBeFirst({ name }: KeptInstance, what: string): void {
  if (name === FIRST_INSTANCE)
    throw wrongState(`company "${name}" cannot be ${what}: work that names no company is its`);
}

function mustLive({ name, state }: KeptInstance): void {
  if (state === 'deleting') throw wrongState(`company "${name}" is being deleted`);
}

async function databaseOf(
  parts: InstanceParts,
  kept: KeptInstance,
  folder: CompanySettings | null,
): Promise<InstanceStats['database']> {
  const inspection = await parts.databases.inspect(await placeOf(parts, kept, { folder }));
  if (!inspection.reachable) return null;
  const sum = (of: 'rows' | 'bytes'): number => inspection.tables.reduce((total, table) => total + table[of], 0);
  return { tables: inspection.tables.length, rows: sum('rows'), bytes: sum('bytes') };
}

const wrongState = (message: string): ColmeiaError => new ColmeiaError('INSTANCE_STATE', message);

function viewOf(kept: KeptInstance): InstanceView {
  const { folder: _folder, ...view } = registeredCompany(kept);
  return { ...view, health: kept.health, created_at: kept.createdAt.toISOString() };
}

const summaryOf = (kept: KeptInstance): InstanceSummary => ({ ...viewOf(kept), statistics: kept.statistics });
