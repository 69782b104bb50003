// For tests only: folders of companies in a temporary place.
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after } from 'node:test';
import type { RegisteredCompany } from './instance-contexts.ts';
import { layOutFolder } from './lay-out-folder.ts';

/** A new parent folder of companies, removed when the tests of the file have ended. */
export function temporaryInstances(): string {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'colmeia-instances-'));
  after(() => fs.rmSync(folder, { recursive: true, force: true }));
  return folder;
}

export const COMPANY_VALUES = {
  display_name: 'Acme "Ltd"',
  strategy: 'hybrid',
  tier: 'bronze',
  template: 'default',
  budget_usd: null,
  locale: 'en',
};

/** Lays out a company as create does. */
export function layOutCompany(instancesFolder: string, name = 'acme', template = 'default'): Promise<string> {
  const values = { ...COMPANY_VALUES, template };
  return layOutFolder({ instancesFolder, name, folder: null, template, values, ifExists: 'refuse' });
}

/** A company as the registry has it after create. */
export function registeredCompany(name: string, more: Partial<RegisteredCompany> = {}): RegisteredCompany {
  const settings = { tier: 'bronze', strategy: 'hybrid', template: 'default', budget_usd: null } as const;
  return { name, ...settings, state: 'active', initialized: false, folder: null, ...more };
}
