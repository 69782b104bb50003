import type { ResourceView } from '../../coordination/instances/instance-views.ts';
import type { CopyPlan, ProjectAccount } from '../../coordination/instances/outside-accounts.ts';
import { HIVE_ACCOUNT } from '../atlassian/ownership.ts';
import type { AtlassianSite } from '../atlassian/vendor-client.ts';
import { checkJira } from './check-jira.ts';
import { copyIssues, countHeads } from './copy-issues.ts';
import { issueOrders, issueRecords, projectSource, recordSource } from './issue-records.ts';
import { type JiraApi, loadJira } from './jira-api.ts';
import { type JiraIssues, jiraIssues } from './jira-issues.ts';
import { ensureProject, isOwned, removeProject, renameOwner } from './jira-project.ts';
import { type IssueHead, listIssues } from './list-issues.ts';
import { CALLS_OF_READ_TARGET } from './target-project.ts';

export type JiraOptions = AtlassianSite & {
  /** Larger files are left behind, and reported; not above the site's own limit. Default 30 MiB. */
  attachmentLimitBytes?: number;
};
export type JiraAccount = ProjectAccount & {
  readonly kind: 'jira';
  readonly issues: JiraIssues;
  /** The project ORCH of the hive `hive`, made when it is not there. */
  ensureGlobal(hive: string): Promise<ResourceView>;
};

/** A Jira Cloud site as the account of companies. Nothing is loaded or called before it is needed. */
export function openJira(options: JiraOptions): JiraAccount {
  const { url, site, attachmentLimitBytes = 30 * 1024 * 1024 } = options;
  let loading: Promise<JiraApi> | null = null;
  const load = (): Promise<JiraApi> => (loading ??= loadJira({ url, site }));
  const counted = async (key: string): Promise<IssueHead[]> =>
    await listIssues(await load(), key, ['issuelinks', 'attachment', 'comment', 'status']);
  return {
    kind: 'jira',
    site: url,
    issues: jiraIssues(load),
    check: async () => ({ ...(await checkJira(await load())), clockSkewMs: site.state().clockSkewMs }),
    ensure: async (spec) => await ensureProject(await load(), spec),
    ensureGlobal: async (hive) => await ensureProject(await load(), { ...HIVE_ACCOUNT, instance: hive }),
    remove: async (resource, instance) => await removeProject(await load(), resource.id, instance),
    exists: async (resource) => await isOwned(await load(), resource.id),
    rename: async (resource, from, to) => await renameOwner(await load(), resource.id, from, to),
    inventory: async (key) => {
      const { items, links, attachments, bytes } = countHeads(await counted(key));
      return { items, links, attachments, bytes };
    },
    plan: async (key) => planOf(await counted(key)),
    copy: async (run) => {
      const api = await load();
      return await copyIssues(api, await projectSource(api, run.from, run.signal), run, attachmentLimitBytes);
    },
    restore: async (run) => {
      const api = await load();
      return await copyIssues(api, await recordSource(run.records), run, attachmentLimitBytes);
    },
    records: async function* (key, more = {}) {
      yield* issueRecords(await load(), key, more);
    },
    orders: async (key) => await issueOrders(await load(), key),
  };
}

/**
 * The source is listed and read twice, the target read once or twice and counted; one call makes 50 issues; each comment and
 * link takes one, each file and each status two.
 */
function planOf(heads: readonly IssueHead[]): CopyPlan {
  const { items, links, comments, attachments, bytes } = countHeads(heads);
  const first = (heads[0]?.issue.fields?.status as { name?: string } | undefined)?.name;
  const moved = heads.filter(({ issue }) => (issue.fields?.status as { name?: string } | undefined)?.name !== first);
  const hundreds = Math.ceil(items / 100);
  const fifties = Math.ceil(items / 50);
  const deeds = comments + links + 2 * attachments + 2 * moved.length;
  const reads = 3 * hundreds + 3 * fifties + (deeds > 0 ? 2 * fifties : 0) + CALLS_OF_READ_TARGET + 4;
  return { items, links, attachments, bytes, calls: reads + fifties + deeds };
}
