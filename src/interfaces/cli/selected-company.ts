import { randomUUID } from 'node:crypto';
import fs from 'node:fs/promises';
import path from 'node:path';
import { isCompanyName } from '../../coordination/instances/folder/company-name.ts';

const fileOf = (home: string): string => path.join(home, 'instance');

/** The company that `instance select` chose; null = none. */
export async function readSelectedCompany(home: string): Promise<string | null> {
  const text = await fs.readFile(fileOf(home), 'utf8').catch(() => '');
  const name = text.trim();
  return isCompanyName(name) ? name : null;
}

/** `name` null = none is selected any more. */
export async function selectCompany(home: string, name: string | null): Promise<void> {
  if (name === null) return fs.rm(fileOf(home), { force: true });
  await fs.mkdir(home, { recursive: true, mode: 0o700 });
  const draft = `${fileOf(home)}.${randomUUID()}`;
  await fs.writeFile(draft, `${name}\n`, { mode: 0o600, flag: 'wx' });
  await fs.rename(draft, fileOf(home));
}
