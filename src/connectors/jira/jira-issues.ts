import type { AdfDocument } from './adf-document.ts';
import type { JiraApi } from './jira-api.ts';
import { searchKeys } from './list-issues.ts';
import { transitionTo } from './transition-issue.ts';

export type NewIssue = {
  project: string;
  /** Name of an issue type of the project. */
  type: string;
  summary: string;
  /** Plain text; an empty line begins a paragraph. */
  description?: string;
  labels?: string[];
  parent?: string;
};
export type IssueView = { key: string; summary: string; status: string; labels: string[]; url: string };

/** Work on single issues, for people and agents. */
export type JiraIssues = {
  /** Not repeated by itself: OUTSIDE_TIMEOUT and OUTSIDE_UNAVAILABLE may leave an issue behind. */
  create(issue: NewIssue): Promise<string>;
  comment(key: string, text: string): Promise<void>;
  /** False: the workflow has no way to this status. */
  transition(key: string, status: string): Promise<boolean>;
  /** Reads as "`from` blocks `to`" for the type Blocks. */
  link(type: string, from: string, to: string): Promise<void>;
  /** At most `limit` issues, default 50. The index of Jira may be some seconds behind. */
  search(jql: string, limit?: number): Promise<IssueView[]>;
};

export function jiraIssues(load: () => Promise<JiraApi>): JiraIssues {
  return {
    create: async (issue) => {
      const api = await load();
      const fields = {
        project: { key: issue.project },
        issuetype: { name: issue.type },
        summary: issue.summary,
        ...(issue.description === undefined ? {} : { description: paragraphs(issue.description) }),
        ...(issue.labels === undefined ? {} : { labels: issue.labels }),
        ...(issue.parent === undefined ? {} : { parent: { key: issue.parent } }),
      };
      return (await api.lib.createIssue(api.client(), { fields })).key;
    },
    comment: async (key, text) => {
      const api = await load();
      await api.lib.addComment(api.client(), { issueIdOrKey: key, body: paragraphs(text) });
    },
    transition: async (key, status) => await transitionTo(await load(), key, status),
    link: async (type, from, to) => {
      const api = await load();
      const ends = { inwardIssue: { key: from }, outwardIssue: { key: to } };
      await api.lib.linkIssues(api.client(), { type: { name: type }, ...ends });
    },
    search: async (jql, limit = 50) => await search(await load(), jql, limit),
  };
}

async function search(api: JiraApi, jql: string, limit: number): Promise<IssueView[]> {
  const keys = (await searchKeys(api, jql, { limit })).slice(0, limit);
  const views = new Map<string, IssueView>();
  for (let at = 0; at < keys.length; at += 100) {
    const found = await api.lib.bulkFetchIssues(api.client(), {
      issueIdsOrKeys: keys.slice(at, at + 100),
      fields: ['summary', 'status', 'labels'],
    });
    for (const { key = '', fields = {} } of found.issues ?? []) {
      views.set(key, {
        key,
        summary: String(fields.summary ?? ''),
        status: (fields.status as { name?: string } | undefined)?.name ?? '',
        labels: (fields.labels ?? []) as string[],
        url: `${api.url}/browse/${key}`,
      });
    }
  }
  return keys.flatMap((key) => views.get(key) ?? []);
}

function paragraphs(text: string): AdfDocument {
  const content = text.split(/\n{2,}/).map((paragraph) => ({
    type: 'paragraph',
    content: paragraph === '' ? [] : [{ type: 'text', text: paragraph }],
  }));
  return { type: 'doc', version: 1, content };
}
