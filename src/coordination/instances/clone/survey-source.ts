import fs from 'node:fs/promises';
import { isColmeiaError } from '../../../platform/errors.ts';
import { noInstance } from '../../../trust/identity/may.ts';
import { hasFiles, readFiles } from '../company-files.ts';
import { placeOf } from '../company-place.ts';
import type { CompanyPlace } from '../databases/company-databases.ts';
import type { DatabaseFingerprint } from '../databases/fingerprint.ts';
import { placeNames } from '../databases/place-names.ts';
import type { FolderReading } from '../folder/read-folder.ts';
import { findInstance, readMore, type KeptInstance } from '../instance-store.ts';
import type { CompanyFault, ResourceView } from '../instance-views.ts';
import type { ProjectAccount } from '../outside-accounts.ts';
import { listTree, type CompanyTree } from '../portable/company-tree.ts';
import type { CloneParts } from './clone-parts.ts';
import { filesWithSecrets } from './shared-secrets.ts';

/** A company as its copy will find it. */
type Survey = {
  kept: KeptInstance;
  resources: ResourceView[];
  place: CompanyPlace;
  /** null = companies have no files here. */
  folder: FolderReading | null;
  tree: CompanyTree;
  /** null = not reachable, or not initialized. */
  database: { fingerprint: DatabaseFingerprint; bytes: number } | null;
  jira: SourceAccount | null;
  confluence: SourceAccount | null;
  /** What stands in the way of a copy; those of severity `error` keep it from beginning. */
  obstacles: CompanyFault[];
};
export type SourceAccount = { key: string; account: ProjectAccount };

const COORDINATOR = { as: 'coordinator' } as const;
/** Kept free beside what a copy takes up. */
const RESERVE_BYTES = 64 * 1024 * 1024;
/** Of a copy to its source; indexes are built anew, journals come on top. */
const COPY_FACTOR = 1.5;

/** Looks at everything a copy of `source` under the name `target` needs; changes nothing. Throws INSTANCE_NOT_FOUND. */
export async function surveySource(parts: CloneParts, source: string, target: string): Promise<Survey> {
  const kept = await findInstance(parts.store, COORDINATOR, source);
  if (kept === null) throw noInstance(source);
  const folder = await readFiles(parts, kept);
  const { resources } = await readMore(parts.store, COORDINATOR, source);
  const place = await placeOf(parts, kept, { folder });
  const survey: Survey = {
    kept,
    resources,
    place,
    folder,
    tree: folder === null ? { files: [], leftOut: [] } : await listTree(folder.folder),
    database: null,
    jira: null,
    confluence: null,
    obstacles: [],
  };
  await lookAtRegistry(parts, survey, target);
  await lookAtFiles(parts, survey);
  if (kept.initializedAt !== null) await lookAtDatabase(parts, survey);
  await lookAtAccounts(parts, survey);
  return survey;
}

const obstacle = (code: string, place: string, message: string, remedy: string): CompanyFault => {
  return { code, severity: 'error', place, message, remedy };
};

async function lookAtRegistry(parts: CloneParts, { kept, obstacles }: Survey, target: string): Promise<void> {
  if (kept.state === 'deleting')
    obstacles.push(obstacle('INSTANCE_STATE', kept.name, 'it is being deleted', 'Clone another company.'));
  if (kept.initializedAt === null)
    obstacles.push(obstacle('NOT_INITIALIZED', kept.name, 'its database is not made yet', 'Initialize it first.'));
  const isTaken = (await findInstance(parts.store, COORDINATOR, target)) !== null;
  if (isTaken || (await hasFiles(parts, { name: target, folder: null })))
    obstacles.push(
      obstacle(
        'INSTANCE_EXISTS',
        target,
        `there is a company or a folder of the name "${target}"`,
        'Choose another name.',
      ),
    );
}

async function lookAtFiles(parts: CloneParts, { kept, folder, tree, obstacles }: Survey): Promise<void> {
  if (folder === null) return;
  obstacles.push(...folder.faults.filter(({ severity }) => severity === 'error'));
  for (const file of tree.leftOut)
    obstacles.push({
      ...obstacle(
        'FILE_LEFT_OUT',
        file,
        'does not go along',
        'Put a copy in the place of a link; install packages anew.',
      ),
      severity: 'info',
    });
  for (const file of await filesWithSecrets(parts.secrets, kept.name, folder.folder, tree))
    obstacles.push(
      obstacle(
        'SECRET_IN_FILE',
        file,
        'holds the value of a secret of this company',
        'Refer to the secret by its name.',
      ),
    );
}

async function lookAtDatabase(parts: CloneParts, survey: Survey): Promise<void> {
  const { place, kept, obstacles } = survey;
  const inspection = await parts.databases.inspect(place);
  if (!inspection.reachable) {
    const why = inspection.reason ?? 'it does not answer';
    obstacles.push(obstacle('DATABASE_UNREACHABLE', 'database', why, 'Start the database; check its address.'));
    return;
  }
  const needed = inspection.bytes * COPY_FACTOR + RESERVE_BYTES;
  const disks = [inspection.freeBytes, await freeBytesAt(parts.workFolder)].filter((free) => free !== null);
  if (disks.some((free) => free < needed))
    obstacles.push(
      obstacle(
        'DISK_FULL',
        'disk',
        `a copy needs about ${megabytes(needed)} MB, ${megabytes(Math.min(...disks))} are free`,
        'Make room.',
      ),
    );
  try {
    const fingerprint = await parts.databases.fingerprint(place);
    survey.database = { fingerprint, bytes: inspection.bytes };
    for (const object of boundObjects(fingerprint, kept.strategy === 'schema' ? placeNames(place.id).schema : null))
      obstacles.push(
        obstacle(
          'DATABASE_NOT_PORTABLE',
          object,
          'points at a schema by its name, and would do so in the copy',
          'Leave the name out: search_path has it.',
        ),
      );
  } catch (error) {
    if (!isColmeiaError(error)) throw error;
    obstacles.push(obstacle(error.code, 'database', error.message, 'Grant what is missing; look at the database.'));
  }
}

/** Objects that reach beyond the company, and those whose text has the name of its schema. */
function boundObjects({ outside, objects }: DatabaseFingerprint, schema: string | null): string[] {
  if (schema === null) return outside;
  const naming = new RegExp(`(?<![A-Za-z0-9_$])${schema}(?![A-Za-z0-9_$])`);
  return [...outside, ...Object.keys(objects).filter((name) => naming.test(objects[name]!))];
}

async function lookAtAccounts(parts: CloneParts, survey: Survey): Promise<void> {
  const { kept, folder, resources, obstacles } = survey;
  const accounts = await parts.accounts(kept, folder);
  for (const kind of ['jira', 'confluence'] as const) {
    const found = resources.find((resource) => resource.kind.startsWith(`${kind}-`));
    if (found === undefined) continue;
    const account = accounts[kind];
    const check = typeof account === 'string' ? { ok: false, detail: account } : await account.check();
    if (typeof account === 'string' || !check.ok)
      obstacles.push(obstacle('ACCOUNT_FAILED', kind, check.detail, 'Check credentials and permissions.'));
    else survey[kind] = { key: found.id, account };
  }
  const hasProject = resources.some(({ kind }) => kind === 'supabase-project');
  if (hasProject && typeof accounts.supabase === 'string')
    obstacles.push(obstacle('ACCOUNT_FAILED', 'supabase', accounts.supabase, 'Check credentials and organization.'));
}

async function freeBytesAt(folder: string): Promise<number | null> {
  const found = await fs.statfs(folder).catch(() => null);
  return found === null ? null : found.bavail * found.bsize;
}

const megabytes = (bytes: number): number => Math.ceil(bytes / 1_000_000);
