import type { FakeRequest } from '../fake-http-server.ts';
import { VendorRefusal } from '../vendor-server.ts';

export type FakeSpace = {
  id: string;
  key: string;
  name: string;
  description: string;
  homepageId: string;
  properties: { id: string; key: string; value: unknown; version: number }[];
};
export type FakeFile = { id: string; title: string; mediaType: string; content: Buffer; version: number };
export type FakePage = {
  id: string;
  spaceId: string;
  title: string;
  /** null = at the root of its space. */
  parentId: string | null;
  position: number;
  body: string;
  version: number;
  labels: Set<string>;
  attachments: FakeFile[];
};
/** `remaining`: how often its status is asked for until it has ended. */
export type FakeTask = { id: string; remaining: number; effect: () => void };

export type ConfluenceSite = {
  /** Base of addresses in answers, and of the media service; known once the servers listen. */
  url: string;
  mediaUrl: string;
  token: string;
  email: string;
  mayCreateSpaces: boolean;
  spaces: Map<string, FakeSpace>;
  pages: Map<string, FakePage>;
  tasks: Map<string, FakeTask>;
  /** Sizes of pages of a list, in turn; 0 gives an empty one with a link to the next. */
  pageSizes: number[];
  pagesGiven: number;
  ids: number;
};

export function newConfluenceSite(): ConfluenceSite {
  return {
    url: '',
    mediaUrl: '',
    token: 'confluence-token',
    email: 'bot@example.com',
    mayCreateSpaces: true,
    spaces: new Map(),
    pages: new Map(),
    tasks: new Map(),
    pageSizes: [],
    pagesGiven: 0,
    ids: 65_000,
  };
}

export function newId(site: ConfluenceSite): string {
  site.ids += 1;
  return String(site.ids);
}

export function isAuthorized(site: ConfluenceSite, call: FakeRequest): boolean {
  const wanted = `Basic ${Buffer.from(`${site.email}:${site.token}`).toString('base64')}`;
  return call.headers.authorization === wanted;
}

/** An error of v2. */
export function refused(status: number, title: string): VendorRefusal {
  return new VendorRefusal(status, { errors: [{ status, code: 'ERROR', title, detail: null }] });
}

export function spaceById(site: ConfluenceSite, id: string): FakeSpace {
  const space = [...site.spaces.values()].find((one) => one.id === id);
  if (space === undefined) throw refused(404, `Cannot find space with id ${id}`);
  return space;
}

export function pageById(site: ConfluenceSite, id: string): FakePage {
  const page = site.pages.get(id);
  if (page === undefined) throw refused(404, `Cannot find page with id ${id}`);
  return page;
}

/** A space with its home page, as Confluence makes them. */
export function addSpace(site: ConfluenceSite, given: { key: string; name: string; description?: string }): FakeSpace {
  const space: FakeSpace = { id: newId(site), description: '', homepageId: '', properties: [], ...given };
  site.spaces.set(space.key, space);
  const home = addPage(site, {
    spaceId: space.id,
    title: `${space.name} Home`,
    parentId: null,
    body: '<p>Welcome</p>',
  });
  space.homepageId = home.id;
  return space;
}

export function addPage(
  site: ConfluenceSite,
  given: Pick<FakePage, 'spaceId' | 'title' | 'parentId' | 'body'>,
): FakePage {
  const siblings = [...site.pages.values()].filter(
    (one) => one.spaceId === given.spaceId && one.parentId === given.parentId,
  );
  const position = Math.max(0, ...siblings.map((one) => one.position)) + 100;
  const page: FakePage = { id: newId(site), position, version: 1, labels: new Set(), attachments: [], ...given };
  site.pages.set(page.id, page);
  return page;
}

export function removeSpace(site: ConfluenceSite, key: string): void {
  const space = site.spaces.get(key);
  for (const page of site.pages.values()) if (page.spaceId === space?.id) site.pages.delete(page.id);
  site.spaces.delete(key);
}

/** A page of a list with a cursor, as v2 gives it. */
export function listed(
  site: ConfluenceSite,
  call: FakeRequest,
  all: readonly unknown[],
): { status: number; body: unknown } {
  const start = Number(call.query.get('cursor') ?? 0);
  const limit = Math.min(Number(call.query.get('limit') ?? 25), 250);
  const size = Math.min(limit, site.pageSizes[site.pagesGiven++ % site.pageSizes.length] ?? limit);
  const end = start + size;
  const query = new URLSearchParams(call.query);
  query.set('cursor', String(end));
  const links = end < all.length ? { next: `${call.path}?${query}` } : {};
  return { status: 200, body: { results: all.slice(start, end), _links: { base: `${site.url}/wiki`, ...links } } };
}
