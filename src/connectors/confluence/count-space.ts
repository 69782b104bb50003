import type { AccountInventory } from '../../coordination/instances/outside-accounts.ts';
import type { ConfluenceApi } from './confluence-api.ts';
import { spaceOf } from './confluence-space.ts';
import { countLinks } from './page-references.ts';
import { listPages, readAll } from './read-pages.ts';

/** Counted page by page: two calls for each. */
export async function countSpace(api: ConfluenceApi, key: string, signal?: AbortSignal): Promise<AccountInventory> {
  const space = await spaceOf(api, key);
  const heads = await listPages(api, space, signal);
  const known = new Set(heads.map((head) => head.id));
  const pageRef = (id: string): string | null => (known.has(id) ? id : null);
  const inventory = { items: heads.length, links: 0, attachments: 0, bytes: 0 };
  for await (const { body, extras } of readAll(api, space, heads, { pageRef, issueRef: (issue) => issue })) {
    const { attachments } = await extras();
    inventory.links += countLinks(body);
    inventory.attachments += attachments.length;
    inventory.bytes += attachments.reduce((sum, one) => sum + one.bytes, 0);
  }
  return inventory;
}
