import type { ResourceView } from '../../coordination/instances/instance-views.ts';
import type { ProjectAccount } from '../../coordination/instances/outside-accounts.ts';
import { HIVE_ACCOUNT } from '../atlassian/ownership.ts';
import type { AtlassianSite } from '../atlassian/vendor-client.ts';
import { checkConfluence } from './check-confluence.ts';
import { type ConfluenceApi, loadConfluence } from './confluence-api.ts';
import { type ConfluencePages, confluencePages } from './confluence-pages.ts';
import { ensureSpace, isOwned, removeSpace, renameOwner } from './confluence-space.ts';
import { copyPages } from './copy-pages.ts';
import { callsOfCopy, countSpace, inventoryOf } from './count-space.ts';
import { pageOrders, pageRecords, pagesOfRecords, spaceSource } from './page-records.ts';

export type ConfluenceOptions = AtlassianSite & {
  /** Larger files are left behind, and reported; not above the site's own limit. Default 30 MiB. */
  attachmentLimitBytes?: number;
  /** How often the deletion of a space is asked after. Default 1 s. */
  pollMs?: number;
  /** How long a deletion is waited for. Default 5 min. */
  deadlineMs?: number;
};
export type ConfluenceAccount = ProjectAccount & {
  readonly kind: 'confluence';
  readonly pages: ConfluencePages;
  /** The space ORCH of the hive `hive`, made when it is not there. */
  ensureGlobal(hive: string): Promise<ResourceView>;
};

/** A Confluence Cloud site as the account of companies. Nothing is loaded or called before it is needed. */
export function openConfluence(options: ConfluenceOptions): ConfluenceAccount {
  const { url, site, attachmentLimitBytes = 30 * 1024 * 1024, pollMs = 1_000, deadlineMs = 300_000 } = options;
  let loading: Promise<ConfluenceApi> | null = null;
  const load = (): Promise<ConfluenceApi> => (loading ??= loadConfluence({ url, site }));
  return {
    kind: 'confluence',
    site: url,
    pages: confluencePages(load),
    check: async () => ({ ...(await checkConfluence(await load())), clockSkewMs: site.state().clockSkewMs }),
    ensure: async (spec) => await ensureSpace(await load(), spec),
    ensureGlobal: async (hive) => await ensureSpace(await load(), { ...HIVE_ACCOUNT, instance: hive }),
    remove: async (resource, instance) =>
      await removeSpace(await load(), resource.id, instance, { pollMs, deadlineMs }),
    exists: async (resource) => await isOwned(await load(), resource.id),
    rename: async (resource, from, to) => await renameOwner(await load(), resource.id, from, to),
    inventory: async (key) => inventoryOf(await countSpace(await load(), key)),
    plan: async (key) => {
      const count = await countSpace(await load(), key);
      return { ...inventoryOf(count), calls: callsOfCopy(count) };
    },
    copy: async (run) => {
      const api = await load();
      const isCopied = (issue: string): boolean => (run.issueKey?.(issue) ?? null) !== null;
      return await copyPages(api, await spaceSource(api, run.from, isCopied, run.signal), run, attachmentLimitBytes);
    },
    restore: async (run) => {
      const api = await load();
      return await copyPages(api, await pagesOfRecords(run.records), run, attachmentLimitBytes);
    },
    records: async function* (key, more = {}) {
      yield* pageRecords(await load(), key, more);
    },
    orders: async (key) => await pageOrders(await load(), key),
  };
}
