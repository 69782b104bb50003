import fs from 'node:fs/promises';
import path from 'node:path';
import { digestOf } from '../../../platform/contracts/canonical-json.ts';
import { ColmeiaError } from '../../../platform/errors.ts';
import { insertOwner, listOwners } from '../../../trust/identity/owner-store.ts';
import { noInstance } from '../../../trust/identity/may.ts';
import { folderOf, hasFiles, layOutFiles, readFiles, removeFiles } from '../company-files.ts';
import { placeOf } from '../company-place.ts';
import { findInstance, readMore, type KeptInstance } from '../instance-store.ts';
import { instanceExists } from '../life/create-instance.ts';
import type { OperationDefinition, Step, StepContext } from '../operations/step.ts';
import { NEW_COPY, type CopyCounts, type CopyMemory } from '../outside-accounts.ts';
import { carryFiles } from './carry-files.ts';
import { exportPath, type PortableParts } from './portable-parts.ts';
import { exportInvalid, type Manifest } from './portable-manifest.ts';
import { readRecords } from './portable-records.ts';
import { readPortable } from './read-portable.ts';
import { removeTarget } from './remove-target.ts';
import { activateTarget, registerTarget, runInitStep, type TargetMemory } from './target-steps.ts';

type ImportInput = { file: string; owners?: boolean };
type Restored = { copy: CopyMemory; counts: CopyCounts | null };
type Memory = TargetMemory & {
  manifest?: Omit<Manifest, 'parts'>;
  /** Of the whole manifest: the file must not be another one when the operation goes on. */
  digest?: string;
  jira?: Restored;
  confluence?: Restored;
  rows?: number;
  /** Of the file's owners, those that became the company's. */
  ownersAdded?: string[];
  /** As initializing keeps them. */
  off?: string[];
  health?: string;
};
type ImportStep = Step<ImportInput, Memory>;
type Context = StepContext<ImportInput, Memory>;

/** More than a company can have. */
const MOST_OWNERS = 1_000;
const COORDINATOR = { as: 'coordinator' } as const;

/** Makes a company out of a file. All of it is read and checked before anything is made; a failure takes back what was. */
export function importInstance(parts: PortableParts): OperationDefinition<ImportInput, Memory> {
  return {
    undoOnFailure: true,
    result: ({ manifest, ownersAdded = [], rows = 0, off = [], health = 'unknown', jira, confluence }) => ({
      from: manifest?.company.name ?? null,
      owners: manifest?.owners ?? [],
      owners_added: ownersAdded,
      secrets: manifest?.secrets ?? [],
      rows,
      jira: jira?.counts ?? null,
      confluence: confluence?.counts ?? null,
      off,
      health,
    }),
    steps: [
      checkStep(parts),
      filesStep(parts),
      registryStep(parts),
      ownersStep(parts),
      initStep(parts, 'supabase', isInitialized),
      initStep(parts, 'database', isInitialized),
      rowsStep(parts),
      initStep(parts, 'jira', (manifest) => manifest.jira !== null),
      recordsStep(parts, 'jira', 'issues'),
      initStep(parts, 'confluence', (manifest) => manifest.confluence !== null),
      recordsStep(parts, 'confluence', 'pages'),
      initStep(parts, 'validation', isInitialized),
      activateStep(parts),
    ],
  };
}

const isInitialized = ({ database }: Omit<Manifest, 'parts'>): boolean => database !== null;

const stageOf = (parts: PortableParts, { operationId }: Pick<Context, 'operationId'>): string =>
  path.join(parts.workFolder, `import-${operationId}`);

/** The parts of the file, unpacked; again where another process has begun. */
async function staged(parts: PortableParts, context: Context): Promise<string> {
  const { input, memory, signal, progress } = context;
  const stage = stageOf(parts, context);
  const whole = path.join(stage, 'parts');
  if ((await fs.lstat(whole).catch(() => null)) !== null) return whole;
  const draft = path.join(stage, 'draft');
  await fs.rm(draft, { recursive: true, force: true });
  const onBytes = (bytes: number, of: number): void =>
    progress(`unpacks ${bytes} of ${of} bytes`, bytes / Math.max(1, of));
  const manifest = await readPortable(exportPath(parts, input.file), { into: draft, signal, onBytes });
  if (digestOf(manifest) !== memory.digest) throw exportInvalid(`${input.file} was changed after it had been checked`);
  await fs.rename(draft, whole);
  return whole;
}

async function keptOf(parts: PortableParts, name: string): Promise<KeptInstance> {
  const kept = await findInstance(parts.store, COORDINATOR, name);
  if (kept === null) throw noInstance(name);
  return kept;
}

const checkStep = (parts: PortableParts): ImportStep => ({
  name: 'check',
  async run({ input, instance, signal, progress }) {
    const onBytes = (bytes: number, of: number): void => progress(`${bytes} of ${of} bytes`, bytes / Math.max(1, of));
    const { parts: all, ...manifest } = await readPortable(exportPath(parts, input.file), {
      into: null,
      signal,
      onBytes,
    });
    const isTaken = (await findInstance(parts.store, COORDINATOR, instance)) !== null;
    if (isTaken || (await hasFiles(parts, { name: instance, folder: null }))) throw instanceExists(instance);
    progress(`${all.length} parts of ${manifest.company.name}, ${manifest.created_at}`);
    return { manifest, digest: digestOf({ ...manifest, parts: all }), removal: undefined /* of a former try */ };
  },
  async undo(context) {
    await fs.rm(stageOf(parts, context), { recursive: true, force: true });
  },
});

const filesStep = (parts: PortableParts): ImportStep => ({
  name: 'files',
  async run(context) {
    const { instance, memory, keep, signal } = context;
    const target = { name: instance, folder: null };
    const to = folderOf(parts, target);
    if (to === null) return context.progress('companies have no files here');
    const from = path.join(await staged(parts, context), 'files');
    const isThere = await hasFiles(parts, target);
    if (isThere && !memory.laysOut) throw instanceExists(instance);
    await keep({ laysOut: true });
    const { company } = memory.manifest!;
    const hasOwn = (await fs.lstat(from).catch(() => null)) !== null;
    if (isThere) return;
    const instancesFolder = parts.instancesFolder!;
    if (hasOwn) await carryFiles({ from, to, instancesFolder, name: instance, formerName: company.name, signal });
    else
      await layOutFiles(parts, { ...target, ...company, template: 'default', budgetUsd: company.budget_usd }, 'refuse');
  },
  async undo({ instance, memory }) {
    if (memory.laysOut && !memory.registers) await removeFiles(parts, { name: instance, folder: null });
  },
});

const registryStep = (parts: PortableParts): ImportStep => ({
  name: 'registry',
  async run(context) {
    const { company } = context.memory.manifest!;
    const row = { ...company, budgetUsd: company.budget_usd };
    await registerTarget(parts, context, row, { imported_from: context.input.file });
  },
  async undo(context) {
    if (context.memory.registers) await removeTarget(parts, context, context.memory.removal);
  },
});

/** A file says who its owners are, and whoever wrote it may have named anybody: they are added when that is asked for. */
const ownersStep = (parts: PortableParts): ImportStep => ({
  name: 'owners',
  async run({ input, instance, memory, by, progress }) {
    const { length } = memory.manifest!.owners;
    if (input.owners !== true) return progress(`${length} owners of the file were not added`);
    const known = new Set(
      (await listOwners(parts.store, COORDINATOR, instance, MOST_OWNERS)).map(({ principal }) => principal),
    );
    const owners = memory.manifest!.owners.filter((principal) => !known.has(principal));
    const events = owners.map((principal) => ({ type: 'owner.added', by, data: { principal } }));
    if (owners.length > 0)
      await parts.append(
        instance,
        events,
        owners.map((principal) => insertOwner(instance, principal, by)),
      );
    progress(`${length} owners`);
    return { ownersAdded: memory.manifest!.owners };
  },
});

function initStep(
  parts: PortableParts,
  name: string,
  isWanted: (manifest: Omit<Manifest, 'parts'>) => boolean,
): ImportStep {
  return {
    name,
    async run(context) {
      if (!isWanted(context.memory.manifest!)) return context.progress('the export has none');
      return runInitStep(parts, name, context);
    },
  };
}

const rowsStep = (parts: PortableParts): ImportStep => ({
  name: 'rows',
  async run(context) {
    const { instance, memory, progress, signal } = context;
    if (memory.manifest!.database === null) return progress('the export has none');
    const folder = path.join(await staged(parts, context), 'database');
    const place = await placeOf(parts, await keptOf(parts, instance));
    const { tables } = await parts.databases.restoreFrom(place, folder, { signal }).catch((error: unknown) => {
      throw error instanceof SyntaxError ? exportInvalid('database/ holds what is no JSON', error) : error;
    });
    const rows = Object.values(tables).reduce((sum, table) => sum + table.rows, 0);
    const wanted = memory.manifest!.database.tables.filter(({ checksum }) => checksum !== null);
    const wrong = wanted.filter(({ name, rows: count, checksum }) => {
      return tables[name]?.rows !== count || tables[name].checksum !== checksum;
    });
    if (wrong.length > 0) {
      const names = wrong.map(({ name }) => name).join(', ');
      throw exportInvalid(`its rows came out otherwise than its manifest says, in ${names}`);
    }
    progress(`${rows} rows in ${wanted.length} tables`);
    return { rows };
  },
});

/** Issues or pages; without credentials they stay in the file, and that is said. */
function recordsStep(parts: PortableParts, which: 'jira' | 'confluence', name: string): ImportStep {
  return {
    name,
    async run(context) {
      const { instance, memory, progress, keep, signal, operationId } = context;
      if (memory.manifest![which] === null) return progress('the export has none');
      const kept = await keptOf(parts, instance);
      const { resources } = await readMore(parts.store, COORDINATOR, instance);
      const resource = resources.find(({ kind }) => kind.startsWith(`${which}-`));
      const accounts = await parts.accounts(kept, await readFiles(parts, kept));
      const account = accounts[which];
      if (typeof account === 'string' || resource === undefined)
        return progress(`${which} is off: it stays in the file`);
      const folder = path.join(await staged(parts, context), which);
      const restored: Restored = memory[which] ?? { copy: NEW_COPY, counts: null };
      const made = new Map(memory.jira?.copy.made);
      const counts = await account.restore({
        to: resource.id,
        operationId,
        records: () => readRecords(folder),
        memory: restored.copy,
        keep: (copy) => keep({ [which]: { copy, counts: null } }),
        progress,
        signal,
        issueKey: (order) => made.get(order) ?? null,
      });
      progress(`${counts.items} with ${counts.links} links and ${counts.attachments} attachments`, 1);
      return { [which]: { copy: context.memory[which]?.copy ?? restored.copy, counts } };
    },
  };
}

const activateStep = (parts: PortableParts): ImportStep => ({
  name: 'activate',
  async run(context) {
    await activateTarget(parts, context, `it was imported from ${context.input.file}`);
    await fs.rm(stageOf(parts, context), { recursive: true, force: true });
  },
});

/** Refuses a name that is not given where the file's own is none that a new company may have. */
export function importedName(manifest: Manifest, name: string | undefined): string {
  if (name !== undefined) return name;
  if (manifest.company.name !== 'default') return manifest.company.name;
  const message = 'must be given: the file is of the company "default"';
  throw new ColmeiaError('INVALID_REQUEST', `name ${message}`, { faults: [{ path: 'name', message }] });
}
