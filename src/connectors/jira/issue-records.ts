import type { PortableRecord, RecordOptions } from '../../coordination/instances/outside-accounts.ts';
import { portableAttachments } from '../atlassian/checksums.ts';
import type { IssueSource, OrderedIssue } from './copy-issues.ts';
import { customFields } from './issue-fields.ts';
import type { JiraApi } from './jira-api.ts';
import { listIssues } from './list-issues.ts';
import { type IssueContent, readIssues, type SourceIssue } from './read-issues.ts';

const READ = 50;

/** The issues of a project of the same site, as a source of copies. */
export async function projectSource(api: JiraApi, project: string, signal: AbortSignal): Promise<IssueSource> {
  const keys = (await listIssues(api, project, [], signal)).map((head) => head.key);
  const known = new Set(keys);
  const fields = await customFields(api);
  const refOf = (key: string): string | null => (known.has(key) ? key : null);
  return {
    total: keys.length,
    isSameSite: true,
    async *issues(skip) {
      const wanted = keys.flatMap((key, i) => (skip(key) ? [] : [{ key, order: i + 1 }]));
      for (let at = 0; at < wanted.length; at += READ) {
        const some = wanted.slice(at, at + READ);
        const orders = new Map(some.map(({ key, order }) => [key, order]));
        const read = await readIssues(api, [...orders.keys()], { fields, refOf, signal });
        for (const source of read) yield { source, order: orders.get(source.ref)! };
      }
    },
  };
}

/** Orders of the issues of a project, as its records have them. */
export async function issueOrders(api: JiraApi, project: string): Promise<Map<string, number>> {
  const heads = await listIssues(api, project);
  return new Map(heads.map((head, i) => [head.key, i + 1]));
}

/** The issues of a project without keys, ids, dates and people. */
export async function* issueRecords(
  api: JiraApi,
  project: string,
  { signal, checksums = false }: RecordOptions,
): AsyncIterable<PortableRecord> {
  const orders = await issueOrders(api, project);
  const fields = await customFields(api);
  const refOf = (key: string): string | null => (orders.has(key) ? String(orders.get(key)) : null);
  const keys = [...orders.keys()];
  for (let at = 0; at < keys.length; at += READ) {
    const read = await readIssues(api, keys.slice(at, at + READ), { fields, refOf, ...(signal && { signal }) });
    for (const { ref, parent, outsideParent, content, attachments } of read) {
      yield {
        kind: 'issue',
        order: Number(ref),
        parent: parent === null ? null : Number(parent),
        content: { ...inOrder(content), outsideParent },
        attachments: await portableAttachments(attachments, checksums),
      };
    }
  }
}

/** Jira lists links as it pleases. */
function inOrder(content: IssueContent): IssueContent {
  const sorted = <T>(list: T[]): T[] => list.toSorted((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
  const fields = Object.fromEntries(Object.entries(content.fields).toSorted(([a], [b]) => (a < b ? -1 : 1)));
  return { ...content, fields, links: sorted(content.links), outside: sorted(content.outside) };
}

/** Records of an export, as a source of copies. What they name of another site is left behind. */
export async function recordSource(records: () => AsyncIterable<PortableRecord>): Promise<IssueSource> {
  let total = 0;
  for await (const record of records()) total += record.kind === 'issue' ? 1 : 0;
  return {
    total,
    isSameSite: false,
    async *issues(skip) {
      for await (const record of records()) {
        if (record.kind === 'issue' && !skip(String(record.order))) yield fromRecord(record);
      }
    },
  };
}

function fromRecord({ order, parent, content, attachments }: PortableRecord): OrderedIssue {
  const { outsideParent, ...rest } = content as IssueContent & { outsideParent: string | null };
  const ref = String(order);
  const source: SourceIssue = {
    ref,
    parent: parent === null ? null : String(parent),
    outsideParent,
    assignee: null,
    content: rest,
    commentIds: rest.comments.map((_, i) => `${ref}.${i + 1}`),
    attachments: attachments.map((one, i) => ({ ...one, id: `${ref}.${i + 1}` })),
    linkIds: [],
    outsideIds: [],
    left: rest.outside.length === 0 ? [] : ['links to issues of other projects'],
  };
  return { source, order };
}
