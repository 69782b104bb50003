import type { PortableAttachment } from '../../coordination/instances/outside-accounts.ts';
import { download } from '../atlassian/download.ts';
import { type ConfluenceApi, listAll } from './confluence-api.ts';
import type { Space } from './confluence-space.ts';
import { searchesIssues, toPortable } from './page-references.ts';

/** Confluence gives no more at once. */
const LISTED = 250;
/** Bodies may be large. */
const READ = 50;

/** What an order needs of a page. */
export type PageHead = {
  id: string;
  title: string;
  /** Page above it in the same space; null = none, it stands at the root. */
  parent: string | null;
  /** True: it lies in a folder or the like, which a copy does not have. */
  isFiled: boolean;
  isHome: boolean;
};

/** A page as a copy takes it. References are what the reader's `pageRef` makes of ids. */
export type SourcePage = {
  ref: string;
  parent: string | null;
  isHome: boolean;
  title: string;
  /** In portable form. */
  body: string;
  /** Asked for when it is needed, as it takes two calls. */
  extras(): Promise<PageExtras>;
  left: string[];
};
export type PageExtras = { labels: string[]; attachments: PortableAttachment[] };

/** All pages of a space, parents before children, siblings as people have put them. */
export async function listPages(api: ConfluenceApi, space: Space, signal?: AbortSignal): Promise<PageHead[]> {
  const terms = { ...(signal && { signal }) };
  const pages = await listAll((cursor) =>
    api.v2.getPagesInSpace(api.client(terms), {
      id: Number(space.id),
      depth: 'all',
      status: ['current'],
      limit: LISTED,
      ...(cursor && { cursor }),
    }),
  );
  const known = new Set(pages.map((page) => page.id));
  const heads = pages.map((page) => {
    const isKnown = page.parentId !== null && known.has(page.parentId);
    return {
      id: page.id!,
      title: page.title ?? '',
      parent: isKnown ? page.parentId! : null,
      isFiled: !isKnown && (page.parentId ?? null) !== null,
      isHome: page.id === space.homepageId,
      position: page.position ?? Number.MAX_SAFE_INTEGER,
    };
  });
  const siblings = Map.groupBy(heads, (head) => head.parent);
  const ordered: PageHead[] = [];
  let level = siblings.get(null) ?? [];
  while (level.length > 0) {
    const sorted = [...Map.groupBy(level, (head) => head.parent).values()].flatMap((some) =>
      some.toSorted(
        (a, b) => Number(b.isHome) - Number(a.isHome) || a.position - b.position || Number(a.id) - Number(b.id),
      ),
    );
    ordered.push(...sorted.map(({ position: _position, ...head }) => head));
    level = sorted.flatMap((head) => siblings.get(head.id) ?? []);
  }
  return ordered;
}

export type ReadTerms = {
  pageRef(id: string): string | null;
  issueRef(key: string): string | null;
  signal?: AbortSignal;
};

/** At most 250 pages with their bodies, in the order of the heads; those that are gone are left out. */
async function readPages(
  api: ConfluenceApi,
  space: Space,
  heads: readonly PageHead[],
  terms: ReadTerms,
): Promise<SourcePage[]> {
  const bodies = await readBodies(
    api,
    heads.map((head) => head.id),
    terms.signal,
  );
  const at = { url: api.url, spaceKey: space.key, ...terms };
  return heads.flatMap((head) => {
    const stored = bodies.get(head.id);
    if (stored === undefined) return [];
    const body = toPortable(stored.body, at);
    return [
      {
        ref: terms.pageRef(head.id) ?? head.id,
        parent: head.parent === null ? null : terms.pageRef(head.parent),
        isHome: head.isHome,
        title: head.title,
        body,
        extras: () => readExtras(api, head.id, terms.signal),
        left: [
          ...(head.isFiled ? ['folders above pages'] : []),
          ...(searchesIssues(body) ? ['searches for issues inside pages: they search as in the source'] : []),
        ],
      },
    ];
  });
}

/** The pages of the heads, as many at a time as keeps the memory small. */
export async function* readAll(
  api: ConfluenceApi,
  space: Space,
  heads: readonly PageHead[],
  terms: ReadTerms,
): AsyncIterable<SourcePage> {
  for (let at = 0; at < heads.length; at += READ) yield* await readPages(api, space, heads.slice(at, at + READ), terms);
}

type StoredBody = { title: string; body: string; version: number };

/** Bodies in storage format, by id. */
export async function readBodies(
  api: ConfluenceApi,
  ids: readonly string[],
  signal?: AbortSignal,
): Promise<Map<string, StoredBody>> {
  if (ids.length === 0) return new Map();
  const pages = await listAll((cursor) =>
    api.v2.getPages(api.client({ ...(signal && { signal }) }), {
      id: ids.map(Number),
      bodyFormat: 'storage',
      limit: LISTED,
      ...(cursor && { cursor }),
    }),
  );
  return new Map(
    pages.map((page) => {
      const body = page.body?.storage?.value ?? '';
      return [page.id!, { title: page.title ?? '', body, version: page.version?.number ?? 1 }];
    }),
  );
}

async function readExtras(api: ConfluenceApi, id: string, signal?: AbortSignal): Promise<PageExtras> {
  const terms = { ...(signal && { signal }) };
  const labels = await listAll((cursor) =>
    api.v2.getPageLabels(api.client(terms), {
      id: Number(id),
      limit: LISTED,
      ...(cursor && { cursor }),
    }),
  );
  const names = labels.flatMap((label) => (label.prefix === 'global' ? [label.name ?? ''] : []));
  return { labels: names.toSorted(), attachments: await readAttachments(api, id, signal) };
}

export async function readAttachments(
  api: ConfluenceApi,
  page: string,
  signal?: AbortSignal,
): Promise<PortableAttachment[]> {
  const terms = { ...(signal && { signal }) };
  const files = await listAll((cursor) =>
    api.v2.getPageAttachments(api.client(terms), {
      id: Number(page),
      status: ['current'],
      limit: LISTED,
      ...(cursor && { cursor }),
    }),
  );
  return files.map(({ id = '', title = '', mediaType = 'application/octet-stream', fileSize = 0 }) => {
    const path = `/wiki/rest/api/content/${page}/child/attachment/${id}/download`;
    return {
      name: title,
      type: mediaType,
      bytes: fileSize,
      sha256: null,
      open: () => download(api, path, fileSize, signal),
    };
  });
}
