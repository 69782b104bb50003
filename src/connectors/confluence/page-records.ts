import type { PortableRecord, RecordOptions } from '../../coordination/instances/outside-accounts.ts';
import { portableAttachments } from '../atlassian/checksums.ts';
import type { ConfluenceApi } from './confluence-api.ts';
import { spaceOf } from './confluence-space.ts';
import type { PageSource } from './copy-pages.ts';
import { listPages, readAll } from './read-pages.ts';

/** The pages of a space of the same site, as a source of copies. Issues that `isCopied` says are pointed at anew. */
export async function spaceSource(
  api: ConfluenceApi,
  key: string,
  isCopied: (issue: string) => boolean,
  signal: AbortSignal,
): Promise<PageSource> {
  const space = await spaceOf(api, key);
  const heads = await listPages(api, space, signal);
  const known = new Set(heads.map((head) => head.id));
  const pageRef = (id: string): string | null => (known.has(id) ? id : null);
  const issueRef = (issue: string): string | null => (isCopied(issue) ? issue : null);
  return {
    total: heads.length,
    pages: (skip) =>
      readAll(
        api,
        space,
        heads.filter((head) => !skip(head.id)),
        { pageRef, issueRef, signal },
      ),
  };
}

/** Orders of the pages of a space by id, as its records have them. */
export async function pageOrders(api: ConfluenceApi, key: string): Promise<Map<string, number>> {
  const heads = await listPages(api, await spaceOf(api, key));
  return new Map(heads.map((head, i) => [head.id, i + 1]));
}

/** The pages of a space without keys, ids, dates and people. */
export async function* pageRecords(
  api: ConfluenceApi,
  key: string,
  { signal, checksums = false, issueOrder }: RecordOptions,
): AsyncIterable<PortableRecord> {
  const space = await spaceOf(api, key);
  const heads = await listPages(api, space, signal);
  const orders = new Map(heads.map((head, i) => [head.id, String(i + 1)]));
  const terms = {
    pageRef: (id: string) => orders.get(id) ?? null,
    issueRef: (issue: string) => issueOrder?.(issue)?.toString() ?? null,
    ...(signal && { signal }),
  };
  for await (const { ref, parent, isHome, title, body, extras } of readAll(api, space, heads, terms)) {
    const { labels, attachments } = await extras();
    yield {
      kind: 'page',
      order: Number(ref),
      parent: parent === null ? null : Number(parent),
      content: { title, body, labels, isHome },
      attachments: await portableAttachments(attachments, checksums),
    };
  }
}

type PageContent = { title: string; body: string; labels: string[]; isHome: boolean };

/** Records of an export, as a source of copies. */
export async function pagesOfRecords(records: () => AsyncIterable<PortableRecord>): Promise<PageSource> {
  let total = 0;
  for await (const record of records()) total += record.kind === 'page' ? 1 : 0;
  return {
    total,
    async *pages(skip) {
      for await (const { kind, order, parent, content, attachments } of records()) {
        const ref = String(order);
        if (kind !== 'page' || skip(ref)) continue;
        const { title, body, labels, isHome } = content as PageContent;
        const extras = async () => ({ labels, attachments });
        yield { ref, parent: parent === null ? null : String(parent), isHome, title, body, extras, left: [] };
      }
    },
  };
}
