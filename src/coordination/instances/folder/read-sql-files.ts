import { createHash } from 'node:crypto';
import path from 'node:path';
import type { CompanyFault } from '../instance-views.ts';
import { companyFault } from '../validation/validation-codes.ts';
import { listNames, readText } from './instance-folder.ts';
import { unreadableFault } from './read-json-file.ts';

/** A file of SQL of a company or one of its components. `file` is relative to the folder of the company. */
export type SqlFile = {
  /** 'company', or the name of a component. */
  origin: string;
  /** Of a migration its number; 0 = a seed. */
  version: number;
  name: string;
  file: string;
  sql: string;
  /** SHA-256 of the text; line ends do not count. */
  checksum: string;
};

export const SQL_FILE_LIMIT = 8 * 1024 * 1024;
export const FILES_LIMIT = 1_000;

const MIGRATION = /^(\d{4})_([a-z0-9_]+)\.sql$/;
const SEED = /^([A-Za-z0-9][A-Za-z0-9._-]*)\.sql$/;

/**
 * The files of a folder of migrations or seeds, in the order in which they are run. A file that is not there at all is no
 * fault; one with another ending is none of ours.
 */
export async function readSqlFiles(
  folder: string,
  kind: 'migrations' | 'seeds',
  component: string | null,
): Promise<{ files: SqlFile[]; faults: CompanyFault[] }> {
  const relative = component === null ? kind : path.posix.join('microservices', component, kind);
  const files: SqlFile[] = [];
  const faults: CompanyFault[] = [];
  const versions = new Map<number, string>();
  try {
    for (const entry of await listNames(folder, relative, FILES_LIMIT)) {
      if (!entry.name.endsWith('.sql')) continue;
      const file = path.posix.join(relative, entry.name);
      const [, first, second] = (kind === 'migrations' ? MIGRATION : SEED).exec(entry.name) ?? [];
      const version = kind === 'migrations' ? Number(first) : 0;
      const double = versions.get(version);
      if (first === undefined) faults.push(companyFault('SQL_FILE_INVALID', file, `${file} has a wrong name`));
      else if (kind === 'migrations' && double !== undefined)
        faults.push(companyFault('SQL_FILE_INVALID', file, `${file} has the number of ${double}`));
      else {
        versions.set(version, file);
        files.push(await readSqlFile(folder, { origin: component ?? 'company', version, name: second ?? first, file }));
      }
    }
  } catch (error) {
    faults.push(unreadableFault(relative, error));
  }
  return { files, faults };
}

async function readSqlFile(folder: string, file: Omit<SqlFile, 'sql' | 'checksum'>): Promise<SqlFile> {
  const { text } = await readText(folder, file.file, SQL_FILE_LIMIT);
  const sql = text.replaceAll('\r\n', '\n').replace(/^\uFEFF/, '');
  return { ...file, sql, checksum: createHash('sha256').update(sql).digest('hex') };
}
