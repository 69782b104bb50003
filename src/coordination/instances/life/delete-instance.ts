import { setTimeout as sleep } from 'node:timers/promises';
import { ColmeiaError, isColmeiaError } from '../../../platform/errors.ts';
import { noInstance } from '../../../trust/identity/may.ts';
import { SYSTEM_INSTANCE } from '../../../trust/identity/principal.ts';
import { hasFiles, readFiles, removeFiles } from '../company-files.ts';
import { placeOf } from '../company-place.ts';
import type { InstanceParts } from '../instance-parts.ts';
import {
  countRows,
  findInstance,
  listKeyIds,
  listOpenPlans,
  readChainEnd,
  readMore,
  setState,
  type KeptInstance,
} from '../instance-store.ts';
import type { ResourceView } from '../instance-views.ts';
import { forgetOperations } from '../operations/operation-store.ts';
import type { OperationDefinition, Step, StepContext } from '../operations/step.ts';

export type DeleteInput = { export: boolean; force: boolean };
type Memory = {
  folder: string | null;
  resources: ResourceView[];
  /** The file of the last export. */
  exported?: string | null;
  removed?: ResourceView[];
  /** What could not be taken away and was left (`force`). */
  left?: string[];
  rows?: Record<string, number>;
  chain?: { events: number; hash: string } | null;
};
type DeleteStep = Step<DeleteInput, Memory>;
type Context = StepContext<DeleteInput, Memory>;
/** `exportLast`: writes the company into a portable file and answers its name; null = there is nothing that could. */
export type DeleteParts = InstanceParts & {
  exportLast:
    | ((instance: string, context: Pick<Context, 'operationId' | 'progress' | 'signal'>) => Promise<string>)
    | null;
};

const COORDINATOR = { as: 'coordinator' } as const;
/** How long running attempts may take to stop; what comes of them later finds nothing. */
const PLANS_END_MS = 45_000;
const LOOK_MS = 100;
const PLANS_AT_ONCE = 1_000;
const VERIFY_TRIES = 20;

/** Takes a company away: what is outside first, by what the registry knows of it, the registry last. */
export function deleteInstance(parts: DeleteParts): OperationDefinition<DeleteInput, Memory> {
  return {
    result: ({ exported = null, removed = [], left = [], rows = {}, chain = null }) => ({
      exported,
      removed,
      left,
      rows,
      chain,
    }),
    steps: [
      stopStep(parts),
      plansStep(parts),
      exportStep(parts),
      accountsStep(parts),
      databaseStep(parts),
      projectStep(parts),
      filesStep(parts),
      rowsStep(parts),
      recordStep(parts),
    ],
  };
}

async function keptOf(parts: InstanceParts, name: string): Promise<KeptInstance> {
  const kept = await findInstance(parts.store, COORDINATOR, name);
  if (kept === null) throw noInstance(name);
  return kept;
}

/** Does it, or (`force`) notes that it could not be done. */
async function orLeave({ input, memory, keep }: Context, what: string, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!input.force) throw error;
    await keep({ left: [...(memory.left ?? []), `${what}: ${(error as Error).message}`] });
  }
}

const stopStep = (parts: DeleteParts): DeleteStep => ({
  name: 'stop',
  async run({ instance, by, operationId }) {
    const kept = await keptOf(parts, instance);
    if (kept.state !== 'deleting') {
      const event = { type: 'instance.deleting', by, data: { operation: operationId } };
      await parts.append(instance, [event], [setState(instance, ['active', 'paused'], 'deleting')]);
      await parts.directory.changed(instance);
    }
    const { resources } = await readMore(parts.store, COORDINATOR, instance);
    return { folder: kept.folder, resources };
  },
});

const plansStep = (parts: DeleteParts): DeleteStep => ({
  name: 'plans',
  async run({ instance, by, progress, signal }) {
    const until = performance.now() + PLANS_END_MS;
    const told = new Set<number>();
    for (;;) {
      const open = await listOpenPlans(parts.store, instance, PLANS_AT_ONCE);
      const fresh = open.filter((key) => !told.has(key));
      for (const key of fresh) told.add(key);
      await Promise.all(
        fresh.map((key) =>
          parts.flow.cancelPlan(instance, key, by, 'the company is being deleted').catch((error: unknown) => {
            if (!isColmeiaError(error, 'PLAN_STATE') && !isColmeiaError(error, 'PLAN_NOT_FOUND')) throw error;
          }),
        ),
      );
      const isLate = performance.now() > until;
      if (open.length === 0 || isLate) {
        return progress(`${told.size} cancelled${isLate ? `, ${open.length} still had attempts that ran` : ''}`);
      }
      if (fresh.length === 0) await sleep(LOOK_MS, undefined, { signal });
    }
  },
});

const exportStep = (parts: DeleteParts): DeleteStep => ({
  name: 'export',
  async run(context) {
    const { input, instance, progress, keep } = context;
    if (!input.export) return progress('was not asked for');
    const { exportLast } = parts;
    if (exportLast === null) return progress('nothing here can export');
    await orLeave(context, 'export', async () => {
      const exported = await exportLast(instance, context);
      progress(exported);
      await keep({ exported });
    });
  },
});

const accountsStep = (parts: DeleteParts): DeleteStep => ({
  name: 'accounts',
  async run(context) {
    const { instance, memory, progress, keep } = context;
    const kept = await keptOf(parts, instance);
    const outside = memory.resources.filter(({ kind }) => /^(jira|confluence)-/.test(kind));
    if (outside.length === 0) return progress('none');
    const accounts = await parts.accounts(kept, await readFiles(parts, kept));
    for (const resource of outside) {
      const account = resource.kind.startsWith('jira-') ? accounts.jira : accounts.confluence;
      await orLeave(context, `${resource.kind} ${resource.id}`, async () => {
        if (typeof account === 'string') throw new ColmeiaError('OUTSIDE_UNAVAILABLE', account);
        if (await account.remove(resource, instance)) await keep({ removed: [...(memory.removed ?? []), resource] });
        if (await account.exists(resource))
          throw new ColmeiaError('INTERNAL', `${resource.kind} ${resource.id} is still there`);
      });
    }
    progress(`${outside.length} looked after`);
  },
});

const databaseStep = (parts: DeleteParts): DeleteStep => ({
  name: 'database',
  async run(context) {
    const { instance, memory, progress, keep } = context;
    if (!memory.resources.some(({ kind }) => /^(database|schema|tables)$/.test(kind))) return progress('it had none');
    await orLeave(context, 'database', async () => {
      const place = await placeOf(parts, await keptOf(parts, instance));
      const removed = await parts.databases.drop(place);
      await keep({ removed: [...(memory.removed ?? []), ...removed] });
      progress(removed.map(({ kind, id }) => `${kind} ${id}`).join(', '));
      const [left] = await parts.databases.leftovers(place);
      if (left !== undefined) throw new ColmeiaError('INTERNAL', `${left.kind} ${left.id} is still there`);
    });
  },
});

const projectStep = (parts: DeleteParts): DeleteStep => ({
  name: 'supabase',
  async run(context) {
    const { instance, memory, progress, keep } = context;
    const projects = memory.resources.filter(({ kind }) => kind === 'supabase-project');
    if (projects.length === 0) return progress('none');
    const kept = await keptOf(parts, instance);
    const { supabase } = await parts.accounts(kept, await readFiles(parts, kept));
    for (const resource of projects) {
      await orLeave(context, `${resource.kind} ${resource.id}`, async () => {
        if (typeof supabase === 'string') throw new ColmeiaError('OUTSIDE_UNAVAILABLE', supabase);
        if (await supabase.remove(resource, instance)) await keep({ removed: [...(memory.removed ?? []), resource] });
      });
    }
  },
});

const filesStep = (parts: DeleteParts): DeleteStep => ({
  name: 'files',
  async run(context) {
    const { instance, memory, progress, keep } = context;
    const files = { name: instance, folder: memory.folder };
    await orLeave(context, 'files', async () => {
      const count = await removeFiles(parts, files);
      progress(`${count} removed`);
      if (count > 0)
        await keep({ removed: [...(memory.removed ?? []), { kind: 'files', id: String(count), site: '' }] });
      if (await hasFiles(parts, files)) throw new ColmeiaError('INTERNAL', 'the folder is still there');
    });
  },
});

const rowsStep = (parts: DeleteParts): DeleteStep => ({
  name: 'rows',
  async run({ instance, operationId, progress, keep, signal }) {
    const { store, flow, directory } = parts;
    await forgetOperations(store, instance, operationId);
    if ((await findInstance(store, COORDINATOR, instance)) !== null) {
      const keyIds = await listKeyIds(store, instance);
      await keep({ rows: await countRows(store, instance), chain: await readChainEnd(store, instance) });
      await flow.change({ instance, to: null });
      await flow.forgetKeys(keyIds);
    }
    await directory.changed(instance);
    // A reader of the journal may have written down how far it got a moment later.
    for (let tries = 1; ; tries++) {
      const rows = await countRows(store, instance);
      const tables = Object.keys(rows);
      if (tables.length === 0) return progress('nothing is left');
      if (tries === VERIFY_TRIES) throw new ColmeiaError('INTERNAL', `rows are left in ${tables.join(', ')}`);
      await sleep(LOOK_MS, undefined, { signal });
      await store.write(COORDINATOR, (sql) => sql.query('select colmeia_forget_company($1)', [instance]));
    }
  },
});

/** What stays of it: the fleet's journal says what went, and where the company's own chain ended. */
const recordStep = (parts: DeleteParts): DeleteStep => ({
  name: 'record',
  async run({ instance, by, memory, operationId }) {
    const { rows = {}, chain = null, removed = [], left = [], exported = null } = memory;
    const data = { name: instance, operation: operationId, rows, chain, removed, left, exported };
    await parts.append(SYSTEM_INSTANCE, [{ type: 'instance.deleted', by, data }]);
  },
});
