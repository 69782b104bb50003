import type { Comment, Issue } from 'jira.js/cloud';
import type { PortableAttachment } from '../../coordination/instances/outside-accounts.ts';
import { download } from '../atlassian/download.ts';
import { type AdfDocument, showsMedia, withReferences } from './adf-document.ts';
import { type CustomField, readCustomFields } from './issue-fields.ts';
import type { JiraApi } from './jira-api.ts';
import { fetchIssues } from './list-issues.ts';

/** What an issue says, without anything that only holds where it is. `to` of a link is a reference. */
export type IssueContent = {
  type: string;
  summary: string;
  description: AdfDocument | null;
  environment: AdfDocument | null;
  status: string;
  priority: string | null;
  labels: string[];
  due: string | null;
  fields: Record<string, unknown>;
  comments: AdfDocument[];
  /** Read from this issue's side: "it blocks `to`". */
  links: { type: string; to: string }[];
  /** To and from issues of other projects, by key. */
  outside: { type: string; direction: 'to' | 'from'; key: string }[];
};

/** An issue as a copy takes it. References are what the reader's `refOf` makes of keys. */
export type SourceIssue = {
  ref: string;
  /** Reference of an issue of the same project; null = none there. */
  parent: string | null;
  /** Its key, when the parent is of another project. */
  outsideParent: string | null;
  assignee: string | null;
  content: IssueContent;
  /** Of the comments of `content`, in the same order. */
  commentIds: string[];
  attachments: (PortableAttachment & { id: string })[];
  /** Ids of the links of `content`, and of those to other projects, in the same order. */
  linkIds: string[];
  outsideIds: string[];
  /** What it has and cannot be carried. */
  left: string[];
};

export type ReadTerms = {
  fields: readonly CustomField[];
  refOf: (key: string) => string | null;
  signal?: AbortSignal;
};

type LinkView = {
  id: string;
  type: { name: string };
  outwardIssue?: { key: string };
  inwardIssue?: { key: string };
};

/** At most 100 issues with all that is on them, in the order of the keys; those that are gone are left out. */
export async function readIssues(api: JiraApi, keys: readonly string[], terms: ReadTerms): Promise<SourceIssue[]> {
  const issues = await fetchIssues(api, [...keys], ['*all'], terms.signal);
  const byKey = new Map(issues.map((issue) => [issue.key!, issue]));
  const found = keys.map((key) => byKey.get(key)).filter((issue) => issue !== undefined);
  const read: SourceIssue[] = [];
  for (const issue of found) read.push(readIssue(api, issue, await commentsOf(api, issue, terms.signal), terms));
  return read;
}

function readIssue(api: JiraApi, issue: Issue, comments: Comment[], terms: ReadTerms): SourceIssue {
  const fields = issue.fields ?? {};
  const custom = readCustomFields(terms.fields, fields);
  const text = (value: unknown): AdfDocument | null =>
    value === null || value === undefined ? null : withReferences(value as AdfDocument, api.url, terms.refOf);
  const parent = (fields.parent as { key?: string } | undefined)?.key ?? null;
  const parentRef = parent === null ? null : terms.refOf(parent);
  const links = readLinks((fields.issuelinks ?? []) as LinkView[], terms.refOf);
  const content: IssueContent = {
    type: nameOf(fields.issuetype) ?? '',
    summary: String(fields.summary ?? ''),
    description: text(fields.description),
    environment: text(fields.environment),
    status: nameOf(fields.status) ?? '',
    priority: nameOf(fields.priority),
    labels: ((fields.labels ?? []) as string[]).toSorted(),
    due: (fields.duedate as string | null | undefined) ?? null,
    fields: custom.values,
    comments: comments.map((comment) => text(comment.body)!),
    links: links.inside.map(({ type, to }) => ({ type, to })),
    outside: links.outside.map(({ type, direction, key }) => ({ type, direction, key })),
  };
  const media = [content.description, content.environment, ...content.comments].some(showsMedia);
  return {
    ref: terms.refOf(issue.key!) ?? issue.key!,
    parent: parentRef,
    outsideParent: parentRef === null ? parent : null,
    assignee: (fields.assignee as { accountId?: string } | null | undefined)?.accountId ?? null,
    content,
    commentIds: comments.map((comment) => comment.id!),
    attachments: ((fields.attachment ?? []) as AttachmentView[]).map((one) => readAttachment(api, one, terms.signal)),
    linkIds: links.inside.map((link) => link.id),
    outsideIds: links.outside.map((link) => link.id),
    left: [...custom.left, ...(media ? ['pictures inside a text: they show the file of the source'] : [])],
  };
}

type ReadLinks = {
  inside: { id: string; type: string; to: string }[];
  outside: (IssueContent['outside'][number] & { id: string })[];
};

/** Links are listed with both ends; each belongs to the end that it reads from. */
function readLinks(views: readonly LinkView[], refOf: (key: string) => string | null): ReadLinks {
  const links: ReadLinks = { inside: [], outside: [] };
  for (const { id, type, outwardIssue, inwardIssue } of views) {
    const { key } = (outwardIssue ?? inwardIssue)!;
    const ref = refOf(key);
    const direction = outwardIssue === undefined ? 'from' : 'to';
    if (ref === null) links.outside.push({ id, type: type.name, direction, key });
    else if (outwardIssue !== undefined) links.inside.push({ id, type: type.name, to: ref });
  }
  return links;
}

type AttachmentView = { id: string; filename: string; mimeType: string; size: number };

function readAttachment(
  api: JiraApi,
  { id, filename, mimeType, size }: AttachmentView,
  signal?: AbortSignal,
): PortableAttachment & { id: string } {
  const open = () => download(api, `/rest/api/3/attachment/content/${id}`, size, signal);
  return { id, name: filename, type: mimeType, bytes: size, sha256: null, open };
}

/** An issue brings its first comments along; the rest is paged. */
async function commentsOf(api: JiraApi, issue: Issue, signal?: AbortSignal): Promise<Comment[]> {
  const first = (issue.fields?.comment ?? {}) as { comments?: Comment[]; total?: number };
  const comments = [...(first.comments ?? [])];
  const total = first.total ?? comments.length;
  while (comments.length < total) {
    const page = await api.lib.getComments(api.client({ ...(signal && { signal }) }), {
      issueIdOrKey: issue.key!,
      startAt: comments.length,
      maxResults: 100,
      orderBy: 'created',
    });
    if ((page.comments ?? []).length === 0) break;
    comments.push(...page.comments!);
  }
  return comments;
}

function nameOf(value: unknown): string | null {
  return (value as { name?: string } | null | undefined)?.name ?? null;
}
