import path from 'node:path';
import { companyFault } from '../validation/validation-codes.ts';
import type { ComponentManifest } from './company-config.ts';
import { isCompanyName } from './company-name.ts';
import { insideOf, listNames } from './instance-folder.ts';
import { readJsonFile, unreadableFault, type ReadFile } from './read-json-file.ts';

/** A component of a company. `path` is absolute; `manifest` null = there is none, or it is wrong. */
export type Component = { name: string; path: string; manifest: ComponentManifest | null };

const COMPONENTS_LIMIT = 200;
const MANIFEST_LIMIT = 64 * 1024;

/** The components in `microservices/` of a company, by name. One that cannot be used is a fault; the others are there. */
export async function readComponents(folder: string): Promise<ReadFile<Component[]>> {
  const all: ReadFile<Component[]> & { value: Component[] } = { value: [], faults: [], secrets: [] };
  let entries: { name: string; isFolder: boolean }[] = [];
  try {
    entries = await listNames(folder, 'microservices', COMPONENTS_LIMIT);
  } catch (error) {
    all.faults.push(unreadableFault('microservices', error));
  }
  for (const { name } of entries.filter((entry) => entry.isFolder && !entry.name.startsWith('.'))) {
    const read = await readComponent(folder, name);
    if (read.value !== null) all.value.push(read.value);
    all.faults.push(...read.faults);
    all.secrets.push(...read.secrets);
  }
  return all;
}

async function readComponent(folder: string, name: string): Promise<ReadFile<Component>> {
  const place = `microservices/${name}`;
  if (!isCompanyName(name)) {
    const message = 'the name of a component must be lower-case letters, digits or hyphens';
    return {
      value: null,
      faults: [companyFault('COMPONENT_INVALID', place, message, 'Rename its folder.')],
      secrets: [],
    };
  }
  try {
    await insideOf(folder, place);
  } catch (error) {
    return { value: null, faults: [unreadableFault(place, error)], secrets: [] };
  }
  const relative = `${place}/component.json`;
  const manifest = { folder, relative, schema: 'component', limit: MANIFEST_LIMIT, isOptional: true } as const;
  const { value, faults, secrets } = await readJsonFile<ComponentManifest>(manifest);
  if (value === null && faults.length === 0)
    faults.push(companyFault('COMPONENT_WITHOUT_MANIFEST', relative, `${name} has no component.json`));
  else if (value !== null && value.name !== name)
    faults.push(companyFault('COMPONENT_INVALID', `${relative}: name`, `must be "${name}", as its folder`));
  return { value: { name, path: path.join(folder, place), manifest: value }, faults, secrets };
}
