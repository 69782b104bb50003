import type { FakeAnswer } from '../faults.ts';
import { filesOf, jsonOf, VendorRefusal, type VendorCall, type VendorRoute } from '../vendor-server.ts';
import {
  addPage,
  listed,
  newId,
  pageById,
  refused,
  spaceById,
  type ConfluenceSite,
  type FakeFile,
  type FakePage,
} from './confluence-site.ts';

/** Pages with their labels and attachments. */
export function pageRoutes(site: ConfluenceSite): VendorRoute[] {
  return [
    ['GET', '/wiki/api/v2/spaces/:space/pages', (call) => pagesInSpace(site, call)],
    ['GET', '/wiki/api/v2/pages', (call) => getPages(site, call)],
    ['POST', '/wiki/api/v2/pages', (call) => createPage(site, call)],
    ['GET', '/wiki/api/v2/pages/:page', (call) => getPage(site, call)],
    ['PUT', '/wiki/api/v2/pages/:page', (call) => updatePage(site, call)],
    ['DELETE', '/wiki/api/v2/pages/:page', (call) => deletePage(site, call)],
    ['GET', '/wiki/api/v2/pages/:page/labels', (call) => getLabels(site, call)],
    ['POST', '/wiki/rest/api/content/:page/label', (call) => addLabels(site, call)],
    ['GET', '/wiki/api/v2/pages/:page/attachments', (call) => getAttachments(site, call)],
    ['PUT', '/wiki/rest/api/content/:page/child/attachment', (call) => putAttachments(site, call)],
    ['GET', '/wiki/rest/api/content/:page/child/attachment/:file/download', (call) => redirectToContent(site, call)],
  ];
}

function view(page: FakePage, withBody: boolean): Record<string, unknown> {
  const { id, title, spaceId, parentId, position, version, body } = page;
  return {
    id,
    title,
    spaceId,
    parentId,
    position,
    status: 'current',
    parentType: parentId === null ? null : 'page',
    version: { number: version },
    body: withBody ? { storage: { value: body, representation: 'storage' } } : {},
  };
}

const wantsBody = (call: VendorCall): boolean => call.query.get('body-format') === 'storage';

function pagesInSpace(site: ConfluenceSite, call: VendorCall): FakeAnswer {
  const { id } = spaceById(site, call.params.space!);
  const title = call.query.get('title');
  const pages = [...site.pages.values()].filter((one) => one.spaceId === id && (title === null || one.title === title));
  return listed(
    site,
    call,
    pages.map((one) => view(one, wantsBody(call))),
  );
}

function getPages(site: ConfluenceSite, call: VendorCall): FakeAnswer {
  const ids = call.query.getAll('id').flatMap((one) => one.split(','));
  const pages = ids.flatMap((id) => site.pages.get(id) ?? []);
  return listed(
    site,
    call,
    pages.map((one) => view(one, wantsBody(call))),
  );
}

type PageBody = { id?: string; spaceId?: string; title?: string; parentId?: string; version?: { number: number } } & {
  body?: { representation: string; value: string };
};

function createPage(site: ConfluenceSite, call: VendorCall): FakeAnswer {
  const given = jsonOf(call) as PageBody;
  const space = spaceById(site, given.spaceId ?? '');
  refuseTitle(site, space.id, given.title ?? '', null);
  const isRoot = call.query.get('root-level') === 'true';
  const parentId = isRoot ? null : (given.parentId ?? space.homepageId);
  if (parentId !== null && pageById(site, parentId).spaceId !== space.id) throw refused(400, 'The parent is elsewhere');
  const body = checkedBody(given.body);
  const page = addPage(site, { spaceId: space.id, title: given.title ?? '', parentId, body });
  return { status: 200, body: view(page, true) };
}

function refuseTitle(site: ConfluenceSite, spaceId: string, title: string, own: string | null): void {
  if (title === '' || title.length > 255) throw refused(400, 'The title is not valid');
  const taken = [...site.pages.values()].some(
    (one) => one.spaceId === spaceId && one.title === title && one.id !== own,
  );
  if (taken)
    throw refused(
      400,
      'A page with this title already exists: A page already exists with the same TITLE in this space',
    );
}

function checkedBody(body: PageBody['body']): string {
  if (body?.representation !== 'storage') throw refused(400, 'The body must be given in the storage format');
  const open = body.value.match(/<[a-z][\w:-]*(?=[\s>])[^>]*[^/]?>/g)?.filter((tag) => !tag.endsWith('/>')) ?? [];
  const closed = body.value.match(/<\/[a-z][\w:-]*>/g) ?? [];
  if (open.length !== closed.length) throw refused(400, 'Error parsing xhtml');
  return body.value;
}

function getPage(site: ConfluenceSite, call: VendorCall): FakeAnswer {
  return { status: 200, body: view(pageById(site, call.params.page!), wantsBody(call)) };
}

function updatePage(site: ConfluenceSite, call: VendorCall): FakeAnswer {
  const page = pageById(site, call.params.page!);
  const given = jsonOf(call) as PageBody;
  if (given.version?.number !== page.version + 1) throw refused(409, 'Version must be incremented');
  refuseTitle(site, page.spaceId, given.title ?? '', page.id);
  page.title = given.title ?? page.title;
  page.body = checkedBody(given.body);
  page.version += 1;
  return { status: 200, body: view(page, true) };
}

function deletePage(site: ConfluenceSite, call: VendorCall): FakeAnswer {
  const page = pageById(site, call.params.page!);
  for (const child of site.pages.values()) if (child.parentId === page.id) child.parentId = page.parentId;
  site.pages.delete(page.id);
  return { status: 204 };
}

function getLabels(site: ConfluenceSite, call: VendorCall): FakeAnswer {
  const labels = [...pageById(site, call.params.page!).labels];
  return listed(
    site,
    call,
    labels.map((name, i) => ({ id: String(i + 1), name, prefix: 'global' })),
  );
}

function addLabels(site: ConfluenceSite, call: VendorCall): FakeAnswer {
  const page = pageById(site, call.params.page!);
  const given = jsonOf(call) as unknown as { prefix: string; name: string }[];
  for (const { name } of given) {
    if (/[\s:,]/.test(name)) throw new VendorRefusal(400, { message: `The label ${name} is not valid` });
    page.labels.add(name);
  }
  const results = [...page.labels].map((name, i) => ({ id: String(i), prefix: 'global', name, label: name }));
  return { status: 200, body: { results, size: results.length } };
}

function getAttachments(site: ConfluenceSite, call: VendorCall): FakeAnswer {
  const page = pageById(site, call.params.page!);
  const views = page.attachments.map(({ id, title, mediaType, content, version }) => ({
    id,
    title,
    mediaType,
    fileSize: content.length,
    pageId: page.id,
    status: 'current',
    version: { number: version },
    downloadLink: `/download/attachments/${page.id}/${encodeURIComponent(title)}?version=${version}`,
  }));
  return listed(site, call, views);
}

/** A file of a name that is there becomes its next version. */
function putAttachments(site: ConfluenceSite, call: VendorCall): FakeAnswer {
  const page = pageById(site, call.params.page!);
  const stored = filesOf(call).map(({ name, type, content }): FakeFile => {
    const known = page.attachments.find((one) => one.title === name);
    if (known !== undefined) return Object.assign(known, { content, version: known.version + 1 });
    const file = { id: `att${newId(site)}`, title: name, mediaType: type, content, version: 1 };
    page.attachments.push(file);
    return file;
  });
  const results = stored.map(({ id, title, content, mediaType }) => ({
    id,
    title,
    type: 'attachment',
    status: 'current',
    extensions: { fileSize: content.length, mediaType },
  }));
  return { status: 200, body: { results, size: results.length, _links: {} } };
}

function redirectToContent(site: ConfluenceSite, call: VendorCall): FakeAnswer {
  const page = pageById(site, call.params.page!);
  const file = page.attachments.find((one) => one.id === call.params.file);
  if (file === undefined) throw refused(404, 'Cannot find the attachment');
  // The media service is another origin, to which credentials must not go.
  return { status: 302, headers: { location: `${site.mediaUrl}/media/${file.id}` } };
}
