import { parseSecretReference } from '../../trust/secrets/secret-reference.ts';
import type { CompanyPlace } from './databases/company-databases.ts';
import { readFiles } from './company-files.ts';
import type { CompanySettings } from './folder/read-folder.ts';
import type { InstanceParts } from './instance-parts.ts';
import { placeIdOf, type KeptInstance } from './instance-store.ts';

/** Where the own data of a company is. */
export async function placeOf(
  parts: Pick<InstanceParts, 'secrets' | 'instancesFolder'>,
  kept: KeptInstance,
  known: { folder?: CompanySettings | null } = {},
): Promise<CompanyPlace> {
  const folder = known.folder === undefined ? await readFiles(parts, kept) : known.folder;
  const secret =
    parseSecretReference(folder?.config?.database?.url) ?? (folder?.supabase?.enabled ? 'database_url' : null);
  const url = secret === null ? null : await parts.secrets.reveal(kept.name, secret);
  return { id: placeIdOf(kept), instance: kept.name, strategy: kept.strategy, url };
}
