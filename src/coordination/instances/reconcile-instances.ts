import { nameFaults } from './folder/company-name.ts';
import type { RegisteredCompany } from './folder/instance-contexts.ts';
import { findDifferences, listCompanyFolders } from './folder/reconcile.ts';
import { instanceFolder } from './folder/instance-folder.ts';
import { readFolder } from './folder/read-folder.ts';
import { parseNewInstance } from './instance-request.ts';
import { foundInstance } from './life/create-instance.ts';
import { layOutFiles } from './company-files.ts';
import type { InstanceParts } from './instance-parts.ts';
import { findInstance, listInstances, updateInstance, type KeptInstance } from './instance-store.ts';
import { STRATEGIES, TIERS, type InstanceDifference, type Strategy, type Tier } from './instance-views.ts';

const COORDINATOR = { as: 'coordinator' } as const;
const PAGE = 1_000;

export const registeredCompany = (kept: KeptInstance): RegisteredCompany => ({
  name: kept.name,
  tier: kept.tier,
  strategy: kept.strategy,
  template: kept.template,
  state: kept.state,
  initialized: kept.initializedAt !== null,
  budget_usd: kept.budgetUsd,
  folder: kept.folder,
});

/** What registry and folders say differently; `name` null = of all companies. */
export async function differencesOf(parts: InstanceParts, name: string | null): Promise<InstanceDifference[]> {
  if (parts.instancesFolder === null) return [];
  const registry: RegisteredCompany[] = [];
  for (let after = ''; ;) {
    const rows = await listInstances(parts.store, COORDINATOR, { after, limit: PAGE, state: null, health: null });
    registry.push(...rows.map(registeredCompany));
    if (rows.length < PAGE) break;
    after = rows.at(-1)!.name;
  }
  const found = findDifferences(registry, await listCompanyFolders(parts.instancesFolder, registry));
  return name === null ? found : found.filter((one) => one.name === name);
}

/**
 * Takes what folders say into the registry and makes what is missing; resolves with the differences that it has settled. What only
 * a delete, a rename or another strategy could settle stays.
 */
export async function reconcile(parts: InstanceParts, name: string | null, by: string): Promise<InstanceDifference[]> {
  const settled: InstanceDifference[] = [];
  for (const difference of await differencesOf(parts, name)) {
    if (await settle(parts, difference, by)) settled.push(difference);
  }
  return settled;
}

async function settle(parts: InstanceParts, difference: InstanceDifference, by: string): Promise<boolean> {
  const { name, kind, setting, registry, folder } = difference;
  if (kind === 'not-registered') {
    const { config } = await readFolder(instanceFolder(parts.instancesFolder!, name));
    if (nameFaults(name).length > 0 || config === null) return false;
    const { tier, strategy, template, budget_usd } = config;
    const row = await parseNewInstance({ name, tier, strategy, template, budget_usd });
    await foundInstance(parts, { ...row, adopts: true }, by);
    return true;
  }
  const kept = await findInstance(parts.store, COORDINATOR, name);
  if (kept === null) return false;
  if (kind === 'folder-missing') {
    await layOutFiles(parts, kept, 'complete');
    return true;
  }
  const change = changeOf(kept, setting, folder);
  if (change === null) return false;
  const event = { type: 'instance.changed', by, data: { from: { [setting]: registry }, to: { [setting]: folder } } };
  await parts.append(name, [event], [updateInstance(name, change)]);
  await parts.directory.changed(name);
  return true;
}

/** null = the registry cannot take it: the name, a template that was used, a strategy whose database is made. */
function changeOf(kept: KeptInstance, setting: string, value: unknown) {
  if (setting === 'tier' && TIERS.includes(value as Tier)) return { tier: value as Tier };
  if (setting === 'budget_usd') return { budgetUsd: value as number | null };
  const isFree = kept.initializedAt === null;
  if (setting === 'strategy' && isFree && STRATEGIES.includes(value as Strategy))
    return { strategy: value as Strategy };
  return null;
}
