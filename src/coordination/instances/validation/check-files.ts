import fs from 'node:fs/promises';
import path from 'node:path';
import type { CompanyFault } from '../instance-views.ts';
import type { InstanceContext, RegisteredCompany } from '../folder/instance-contexts.ts';
import { settingDifferences } from '../folder/reconcile.ts';
import { companyFault } from './validation-codes.ts';

/** What reading the folder found, and who may enter it and read `.env`. */
export async function checkFiles(context: InstanceContext): Promise<CompanyFault[]> {
  const faults = [...context.faults];
  if (process.platform === 'win32') return faults; // has no modes
  const folder = await modeOf(context.folder);
  if (folder !== null && (folder & 0o077) !== 0)
    faults.push(companyFault('FOLDER_OPEN', 'folder', `the folder has mode ${folder.toString(8)}`));
  const env = await modeOf(path.join(context.folder, '.env'));
  if (env !== null && (env & 0o077) !== 0)
    faults.push(companyFault('ENV_OPEN', '.env', `.env has mode ${env.toString(8)}`));
  return faults;
}

/** References to secrets that are not in the store. One that still stands as plain text is told with the files. */
export function checkSecrets(context: InstanceContext): CompanyFault[] {
  const plain = new Set(context.faults.filter(({ code }) => code === 'PLAIN_SECRET').map(({ place }) => place));
  return context.secrets.flatMap(({ name, places, stored }) => {
    const missing = stored ? [] : places.filter((place) => !plain.has(place));
    return missing.map((place) => companyFault('SECRET_MISSING', place, `there is no secret "${name}" in the store`));
  });
}

/** Settings that the registry has otherwise. */
export function checkSettings(row: RegisteredCompany, context: InstanceContext): CompanyFault[] {
  if (context.config === null) return [];
  return settingDifferences(row, context.config).map(({ setting, registry }) =>
    companyFault('SETTING_DIFFERS', `config.json: ${setting}`, `the registry says ${JSON.stringify(registry)}`),
  );
}

async function modeOf(file: string): Promise<number | null> {
  const stats = await fs.stat(file).catch(() => null);
  return stats === null ? null : stats.mode & 0o777;
}
