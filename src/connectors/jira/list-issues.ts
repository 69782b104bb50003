import type { Issue } from 'jira.js/cloud';
import { ColmeiaError } from '../../platform/errors.ts';
import type { JiraApi } from './jira-api.ts';

/** The property by which a copied issue or comment names what it was made from. */
export const COPY_MARK = 'colmeia.copied';
export type CopyMark = {
  operation: string;
  /** What it was made from, as the source names it. */
  from: string;
  /** Place among the source's items, kept so that a copy lists in the same order. */
  order: number;
  /** Fields that its project has no place for. */
  left: string[];
};

/** What an order needs of an issue. */
export type IssueHead = { key: string; number: number; parent: string | null; mark: CopyMark | null; issue: Issue };

const WINDOW = 100;
/** Jira gives up to so many at once when it is asked for keys only. */
const KEYS_LISTED = 5_000;
/** A page of a search may be empty and the next one not; so many without anything new are too many. */
const MOST_IDLE_PAGES = 5;

/**
 * All issues of a project, parents before children. The search may be behind, so the numbers after the last one that it
 * knows are looked up one by one. Throws OUTSIDE_UNAVAILABLE when the search does not come to an end.
 */
export async function listIssues(
  api: JiraApi,
  project: string,
  fields: readonly string[] = [],
  signal?: AbortSignal,
): Promise<IssueHead[]> {
  const keys = await searchKeys(api, `project = "${project}" ORDER BY key ASC`, { ...(signal && { signal }) });
  const last = keys.reduce((most, key) => Math.max(most, numberOf(key)), 0);
  const known: IssueHead[] = [];
  for (let at = 0; at < keys.length; at += WINDOW) {
    known.push(...(await fetchHeads(api, project, keys.slice(at, at + WINDOW), fields, signal)));
  }
  return inOrder([...known, ...(await probeIssues(api, project, last + 1, fields, signal))]);
}

/** Issues from a number on, looked up by key and not searched, so that what was made a moment ago is among them. */
export async function probeIssues(
  api: JiraApi,
  project: string,
  from: number,
  fields: readonly string[] = [],
  signal?: AbortSignal,
): Promise<IssueHead[]> {
  const found: IssueHead[] = [];
  for (let at = from; ; at += WINDOW) {
    const keys = Array.from({ length: WINDOW }, (_, i) => `${project}-${at + i}`);
    const heads = await fetchHeads(api, project, keys, fields, signal);
    if (heads.length === 0) return inOrder(found);
    found.push(...heads);
  }
}

/** Keys that a search gives, each once. It ends with the page in which `limit` is reached; default no limit. */
export async function searchKeys(
  api: JiraApi,
  jql: string,
  { limit = Infinity, signal }: { limit?: number; signal?: AbortSignal } = {},
): Promise<string[]> {
  const keys = new Set<string>();
  let token: string | undefined;
  for (let idle = 0; idle <= MOST_IDLE_PAGES;) {
    const page = await api.lib.searchAndReconsileIssuesUsingJqlPost(api.client({ ...(signal && { signal }) }), {
      jql,
      fields: ['key'],
      maxResults: Math.min(limit, KEYS_LISTED),
      ...(token === undefined ? {} : { nextPageToken: token }),
    });
    const before = keys.size;
    for (const issue of page.issues ?? []) keys.add(issue.key!);
    token = page.nextPageToken ?? undefined;
    if (token === undefined || page.isLast === true || keys.size >= limit) return [...keys];
    idle = keys.size > before ? 0 : idle + 1;
  }
  throw new ColmeiaError('OUTSIDE_UNAVAILABLE', `jira: the search goes round in circles after ${keys.size} issues`);
}

async function fetchHeads(
  api: JiraApi,
  project: string,
  keys: string[],
  fields: readonly string[],
  signal?: AbortSignal,
): Promise<IssueHead[]> {
  const issues = await fetchIssues(api, keys, ['parent', ...fields], signal);
  return issues.flatMap((issue) => {
    // The key of an issue that was moved leads to where it is now.
    if (!issue.key!.startsWith(`${project}-`)) return [];
    const parent = (issue.fields?.parent as { key?: string } | undefined)?.key ?? null;
    const mark = (issue.properties?.[COPY_MARK] as CopyMark | undefined) ?? null;
    return [{ key: issue.key!, number: numberOf(issue.key!), parent, mark, issue }];
  });
}

/** At most 100 issues by key, in no order; those that are not there are left out. */
export async function fetchIssues(
  api: JiraApi,
  keys: string[],
  fields: readonly string[],
  signal?: AbortSignal,
): Promise<Issue[]> {
  if (keys.length === 0) return [];
  const results = await api.lib.bulkFetchIssues(api.client({ ...(signal && { signal }) }), {
    issueIdsOrKeys: keys,
    fields: [...fields],
    properties: [COPY_MARK],
  });
  return results.issues ?? [];
}

/** By depth below parents of the same project, then as the copy's marks say, then by number. */
function inOrder(heads: readonly IssueHead[]): IssueHead[] {
  const unique = new Map(heads.map((head) => [head.key, head]));
  const depths = new Map<string, number>();
  const depthOf = (head: IssueHead): number => {
    const known = depths.get(head.key);
    if (known !== undefined) return known;
    const parent = head.parent === null ? undefined : unique.get(head.parent);
    depths.set(head.key, 0);
    const depth = parent === undefined ? 0 : depthOf(parent) + 1;
    depths.set(head.key, depth);
    return depth;
  };
  const place = (head: IssueHead): number => head.mark?.order ?? Number.MAX_SAFE_INTEGER;
  return [...unique.values()].toSorted((a, b) => depthOf(a) - depthOf(b) || place(a) - place(b) || a.number - b.number);
}

function numberOf(key: string): number {
  return Number(key.slice(key.lastIndexOf('-') + 1));
}
