import type { AccountInventory } from '../../coordination/instances/outside-accounts.ts';
import type { ConfluenceApi } from './confluence-api.ts';
import { spaceOf } from './confluence-space.ts';
import { countLinks, refersToPages } from './page-references.ts';
import { listPages, readAll } from './read-pages.ts';

/** `labelled`, `linking`: pages with labels, and with links to other pages of the space. */
export type SpaceCount = AccountInventory & { labelled: number; linking: number };

/** Counted page by page: two calls for each. */
export async function countSpace(api: ConfluenceApi, key: string, signal?: AbortSignal): Promise<SpaceCount> {
  const space = await spaceOf(api, key);
  const heads = await listPages(api, space, signal);
  const known = new Set(heads.map((head) => head.id));
  const pageRef = (id: string): string | null => (known.has(id) ? id : null);
  const inventory = { items: heads.length, links: 0, attachments: 0, bytes: 0, labelled: 0, linking: 0 };
  for await (const { body, extras } of readAll(api, space, heads, {
    pageRef,
    issueRef: (issue) => issue,
    ...(signal && { signal }),
  })) {
    const { attachments, labels } = await extras();
    inventory.labelled += labels.length > 0 ? 1 : 0;
    inventory.linking += refersToPages(body) ? 1 : 0;
    inventory.links += countLinks(body);
    inventory.attachments += attachments.length;
    inventory.bytes += attachments.reduce((sum, one) => sum + one.bytes, 0);
  }
  return inventory;
}

/** What it holds, without what only a plan asks for. */
export function inventoryOf({ items, links, attachments, bytes }: SpaceCount): AccountInventory {
  return { items, links, attachments, bytes };
}

/** For each page its making, its labels and files, and the counting of both at the end; then what it has. */
export function callsOfCopy({ items, attachments, labelled, linking }: SpaceCount): number {
  const lists = 2 * Math.ceil(items / 250) + 3 * Math.ceil(items / 50) + 6;
  return lists + 5 * items + labelled + 3 * attachments + 2 * linking;
}
