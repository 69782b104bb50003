import fs from 'node:fs/promises';
import path from 'node:path';
import { ColmeiaError } from '../../../platform/errors.ts';
import { noInstance } from '../../../trust/identity/may.ts';
import { listOwners } from '../../../trust/identity/owner-store.ts';
import { readFiles } from '../company-files.ts';
import { placeOf } from '../company-place.ts';
import type { FolderReading } from '../folder/read-folder.ts';
import { findInstance, readMore, type KeptInstance } from '../instance-store.ts';
import type { OperationDefinition, StepContext } from '../operations/step.ts';
import { carriedEnv, carriedText, copyTreeFile, isJson } from './carry-files.ts';
import { listTree, type CompanyTree } from './company-tree.ts';
import { findSecrets } from './find-secrets.ts';
import { ordersOf } from './issue-orders.ts';
import { exportName, mustHaveExports, type PortableParts } from './portable-parts.ts';
import { FORMAT, type Manifest } from './portable-manifest.ts';
import { writeRecords } from './portable-records.ts';
import { takeParts, writePortable } from './write-portable.ts';

type Memory = { file?: string; bytes?: number; manifest?: Omit<Manifest, 'parts'> & { parts: number } };
type ExportContext = Pick<StepContext<unknown, unknown>, 'operationId' | 'progress' | 'signal'>;
type Exported = { file: string; bytes: number; manifest: Manifest };

/** More than a company can have. */
const MOST_OWNERS = 1_000;
const COORDINATOR = { as: 'coordinator' } as const;

/** Writes a company into one file in the exports folder. It only reads: cut anywhere it begins anew, and leaves no half file. */
export function exportInstance(parts: PortableParts): OperationDefinition<object, Memory> {
  return {
    result: ({ file = null, bytes = 0, manifest = null }) => ({ file, bytes, manifest }),
    steps: [
      {
        name: 'name',
        run: async ({ instance }) => {
          mustHaveExports(parts);
          return { file: exportName(instance, parts.clock.now()) };
        },
      },
      {
        name: 'export',
        async run(context) {
          const { instance, memory, by } = context;
          const { bytes, manifest } = await writeExport(parts, instance, memory.file!, context);
          await parts.append(instance, [{ type: 'instance.exported', by, data: { file: memory.file, bytes } }]);
          return { bytes, manifest: { ...manifest, parts: manifest.parts.length } };
        },
        async undo({ memory }) {
          if (memory.file !== undefined) await fs.rm(path.join(mustHaveExports(parts), memory.file), { force: true });
        },
      },
    ],
  };
}

/** The same as a part of another operation; answers the name of the file. */
export async function exportLast(parts: PortableParts, instance: string, context: ExportContext): Promise<string> {
  return (await writeExport(parts, instance, exportName(instance, parts.clock.now()), context)).file;
}

async function writeExport(
  parts: PortableParts,
  instance: string,
  file: string,
  { operationId, progress, signal }: ExportContext,
): Promise<Exported> {
  const exportsFolder = mustHaveExports(parts);
  const kept = await findInstance(parts.store, COORDINATOR, instance);
  if (kept === null) throw noInstance(instance);
  const stage = path.join(parts.workFolder, `export-${operationId}`);
  await fs.rm(stage, { recursive: true, force: true });
  await fs.mkdir(stage, { recursive: true, mode: 0o700 });
  try {
    const collected = await collect(parts, kept, stage, { progress, signal });
    progress('looks for secrets', 0.8);
    const manifest: Manifest = {
      ...collected,
      parts: await takeParts(stage, await findSecrets(parts.secrets, instance), signal),
    };
    const total = manifest.parts.reduce((sum, part) => sum + part.bytes, 0);
    const onBytes = (done: number): void =>
      progress(`packs ${done} of ${total} bytes`, 0.85 + 0.15 * (done / Math.max(1, total)));
    const bytes = await writePortable(path.join(exportsFolder, file), stage, manifest, { signal, onBytes });
    progress(`${file}, ${bytes} bytes`, 1);
    return { file, bytes, manifest };
  } catch (error) {
    const isFull = ['ENOSPC', 'EDQUOT'].includes((error as NodeJS.ErrnoException).code ?? '');
    throw isFull ? new ColmeiaError('STORE_FULL', 'the disk of the exports is full', { cause: error }) : error;
  } finally {
    await fs.rm(stage, { recursive: true, force: true });
  }
}

type Told = Pick<ExportContext, 'progress' | 'signal'>;

/** Puts everything into the stage; the manifest without its parts. */
async function collect(
  parts: PortableParts,
  kept: KeptInstance,
  stage: string,
  told: Told,
): Promise<Omit<Manifest, 'parts'>> {
  const folder = await readFiles(parts, kept);
  const { name, strategy, tier, template, budgetUsd } = kept;
  const left = folder === null ? [] : (await collectFiles(folder, stage, told)).leftOut;
  const database = await collectRows(parts, kept, folder, stage, told);
  const jira = await collectRecords(parts, kept, folder, 'jira', stage, told);
  const confluence = await collectRecords(parts, kept, folder, 'confluence', stage, told);
  return {
    format: FORMAT,
    colmeia: parts.version,
    created_at: new Date(parts.clock.now()).toISOString(),
    company: { name, strategy, tier, template, budget_usd: budgetUsd },
    owners: (await listOwners(parts.store, COORDINATOR, name, MOST_OWNERS)).map(({ principal }) => principal),
    secrets: await parts.secrets.names(name),
    database,
    jira,
    confluence,
    left_out: left,
  };
}

async function collectFiles(
  { folder }: FolderReading,
  stage: string,
  { progress, signal }: Told,
): Promise<CompanyTree> {
  const tree = await listTree(folder);
  progress(`${tree.files.length} files`, 0.05);
  const target = path.join(stage, 'files');
  await fs.mkdir(target, { mode: 0o700 });
  for (const { path: file } of tree.files) {
    signal.throwIfAborted();
    if (isJson(file)) await fs.writeFile(path.join(target, file), await carriedText(folder, file), { mode: 0o600 });
    else await copyTreeFile(folder, target, file);
  }
  await fs.writeFile(path.join(target, '.env'), await carriedEnv(folder), { mode: 0o600 });
  return tree;
}

async function collectRows(
  parts: PortableParts,
  kept: KeptInstance,
  folder: FolderReading | null,
  stage: string,
  { progress, signal }: Told,
): Promise<Manifest['database']> {
  if (kept.initializedAt === null) return null;
  progress('reads the database', 0.1);
  const place = await placeOf(parts, kept, { folder });
  const dump = await parts.databases.dumpTo(place, path.join(stage, 'database'), { signal });
  const sums = dump.fingerprint.tables;
  const tables = dump.tables.map((table) => ({ ...table, checksum: sums[table.name]?.checksum ?? null }));
  return { tables, rows: tables.reduce((sum, { rows }) => sum + rows, 0) };
}

async function collectRecords(
  parts: PortableParts,
  kept: KeptInstance,
  folder: FolderReading | null,
  which: 'jira' | 'confluence',
  stage: string,
  { progress, signal }: Told,
): Promise<{ items: number } | null> {
  const { resources } = await readMore(parts.store, COORDINATOR, kept.name);
  const keyOf = (kind: string): string | undefined => resources.find((one) => one.kind.startsWith(`${kind}-`))?.id;
  const key = keyOf(which);
  if (key === undefined) return null;
  const accounts = await parts.accounts(kept, folder);
  const account = accounts[which];
  if (typeof account === 'string')
    throw new ColmeiaError('OUTSIDE_UNAVAILABLE', `${which} ${key} cannot be read: ${account}`);
  const issueOrder = which === 'jira' ? () => null : await ordersOf(accounts.jira, keyOf('jira'));
  const records = account.records(key, { signal, issueOrder });
  const share = which === 'jira' ? 0.4 : 0.6;
  const items = await writeRecords(path.join(stage, which), records, (count) =>
    progress(`${which} ${key}: ${count} read`, share),
  );
  return { items };
}
