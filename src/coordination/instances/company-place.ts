import { parseSecretReference } from '../../trust/secrets/secret-reference.ts';
import type { CompanyPlace } from './databases/company-databases.ts';
import { readFiles } from './company-files.ts';
import type { CompanySettings } from './folder/read-folder.ts';
import type { InstanceParts } from './instance-parts.ts';
import { readMore, type KeptInstance } from './instance-store.ts';
import type { ResourceView } from './instance-views.ts';

/** Under which the name stands by which database, schema and role of a company are called; it stays when the company is renamed. */
export const PLACE_KIND = 'place';

/** Where the own data of a company is. */
export async function placeOf(
  parts: Pick<InstanceParts, 'store' | 'secrets' | 'instancesFolder'>,
  kept: KeptInstance,
  known: { folder?: CompanySettings | null; resources?: readonly ResourceView[] } = {},
): Promise<CompanyPlace> {
  const folder = known.folder === undefined ? await readFiles(parts, kept) : known.folder;
  const resources = known.resources ?? (await readMore(parts.store, { as: 'coordinator' }, kept.name)).resources;
  const placed = resources.find(({ kind }) => kind === PLACE_KIND);
  const secret =
    parseSecretReference(folder?.config?.database?.url) ?? (folder?.supabase?.enabled ? 'database_url' : null);
  const url = secret === null ? null : await parts.secrets.reveal(kept.name, secret);
  return { instance: placed?.id ?? kept.name, strategy: kept.strategy, url };
}
