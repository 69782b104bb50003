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

const SQL_FILE_LIMIT = 8 * 1024 * 1024;
export const FILES_LIMIT = 1_000;

const MIGRATION = /^(\d{4})_([a-z0-9_]+)\.sql$/;
const SEED = /^([A-Za-z0-9][A-Za-z0-9._-]*)\.sql$/;

/**
 * The files of a folder of migrations or seeds, in the order in which they are run. A folder that is not there is no fault;
 * a file with another ending is none of ours.
 */
export async function readSqlFiles(
  folder: string,
  kind: 'migrations' | 'seeds',
  component: string | null,
): Promise<{ files: SqlFile[]; faults: CompanyFault[] }> {
  const relative = component === null ? kind : path.posix.join('microservices', component, kind);
  const files: SqlFile[] = [];
  const faults: CompanyFault[] = [];
  let names: string[] = [];
  try {
    names = (await listNames(folder, relative, FILES_LIMIT)).map((entry) => entry.name);
  } catch (error) {
    faults.push(unreadableFault(relative, error));
  }
  for (const name of names.filter((one) => one.endsWith('.sql'))) {
    const file = path.posix.join(relative, name);
    const named = kind === 'migrations' ? migrationOf(name) : seedOf(name);
    const double = files.find((other) => kind === 'migrations' && other.version === named?.version);
    if (named === null) faults.push(companyFault('SQL_FILE_INVALID', file, `${file} has a wrong name`));
    else if (double !== undefined)
      faults.push(companyFault('SQL_FILE_INVALID', file, `${file} has the number of ${double.file}`));
    else await readSqlFile(folder, { origin: component ?? 'company', ...named, file }, { files, faults });
  }
  return { files, faults };
}

function migrationOf(file: string): { version: number; name: string } | null {
  const [, version, name] = MIGRATION.exec(file) ?? [];
  return version === undefined ? null : { version: Number(version), name: name! };
}

function seedOf(file: string): { version: number; name: string } | null {
  const name = SEED.exec(file)?.[1];
  return name === undefined ? null : { version: 0, name };
}

async function readSqlFile(
  folder: string,
  file: Omit<SqlFile, 'sql' | 'checksum'>,
  into: { files: SqlFile[]; faults: CompanyFault[] },
): Promise<void> {
  try {
    const { text } = await readText(folder, file.file, SQL_FILE_LIMIT);
    const sql = text.replaceAll('\r\n', '\n').replace(/^\uFEFF/, '');
    into.files.push({ ...file, sql, checksum: createHash('sha256').update(sql).digest('hex') });
  } catch (error) {
    into.faults.push(unreadableFault(file.file, error));
  }
}
