import type {
  CopyCounts,
  CopyMemory,
  CopyRun,
  LeftBehind,
  PortableAttachment,
} from '../../coordination/instances/outside-accounts.ts';
import { ColmeiaError } from '../../platform/errors.ts';
import { wholeOf } from '../atlassian/download.ts';
import { refusalOf } from '../atlassian/outcome.ts';
import { leaveBehind } from '../atlassian/left-behind.ts';
import type { ConfluenceApi } from './confluence-api.ts';
import { type Space, spaceOf } from './confluence-space.ts';
import { countSpace, inventoryOf } from './count-space.ts';
import { fromPortable, refersToPages, type WrittenBody } from './page-references.ts';
import { type PageExtras, readAttachments, type SourcePage } from './read-pages.ts';
import { createPage, updatePage } from './write-page.ts';

/** After so many pages the memory is kept. */
const KEPT_EVERY = 10;

/** Where pages come from: another space, or the records of an export. */
export type PageSource = {
  total: number;
  /** Parents before children, those out of `skip` left out; from the start whenever it is called. */
  pages(skip: (ref: string) => boolean): AsyncIterable<SourcePage>;
};

type Copying = {
  api: ConfluenceApi;
  space: Space;
  run: CopyRun;
  made: Map<string, string>;
  settled: Set<string>;
  left: LeftBehind[];
  /** Why a page could not be made, by title. */
  refused: Map<string, string>;
  total: number;
  attachmentLimitBytes: number;
};

/**
 * Copies pages into a space: first all pages, parents before children, then what needs all of them to be there, and what is
 * on them. The home page of the source becomes that of the space. After a cut at any point it goes on with what its memory
 * and the titles in the space say. Throws what the site throws.
 */
export async function copyPages(
  api: ConfluenceApi,
  source: PageSource,
  run: CopyRun,
  attachmentLimitBytes: number,
): Promise<CopyCounts> {
  const copying: Copying = {
    api,
    space: await spaceOf(api, run.to),
    run,
    made: new Map(run.memory.made),
    settled: new Set(run.memory.made.slice(0, run.memory.settled).map(([ref]) => ref)),
    left: run.memory.left,
    refused: new Map(),
    total: source.total,
    attachmentLimitBytes,
  };
  await makeAll(copying, source);
  await settleAll(copying, source);
  const left = [...copying.refused].reduce(
    (all, [title, why]) => leaveBehind(all, `pages not made: ${why}`, title),
    copying.left,
  );
  return { ...inventoryOf(await countSpace(api, run.to, run.signal)), comments: 0, left };
}

async function makeAll(copying: Copying, source: PageSource): Promise<void> {
  const { made, run, total } = copying;
  let unkept = 0;
  for await (const page of source.pages((ref) => made.has(ref))) {
    run.signal.throwIfAborted();
    await makePage(copying, page);
    run.progress(`${made.size} of ${total} pages made`, (0.4 * made.size) / Math.max(1, total));
    unkept = (unkept + 1) % KEPT_EVERY;
    if (unkept === 0) await run.keep(memoryOf(copying));
  }
  await run.keep(memoryOf(copying));
}

async function makePage(copying: Copying, page: SourcePage): Promise<void> {
  const { api, space, run, made, refused } = copying;
  const written = write(copying, page.body);
  const body = written.missesPages ? '' : written.body;
  if (page.isHome) {
    const { homepageId: id } = space;
    await updatePage(api, { id, title: page.title, body }, (stored) => stored === body, run.signal);
    made.set(page.ref, id);
    return;
  }
  const parentId = page.parent === null ? null : (made.get(page.parent) ?? space.homepageId);
  try {
    made.set(page.ref, await createPage(api, { spaceId: space.id, title: page.title, parentId, body }, run.signal));
  } catch (error) {
    const refusal = refusalOf(error);
    if (refusal === null) throw error;
    refused.set(page.title, refusal);
  }
}

function write({ api, space, run, made }: Copying, body: string): WrittenBody {
  return fromPortable(body, {
    url: api.url,
    spaceKey: space.key,
    pageId: (ref) => made.get(ref) ?? null,
    issueKey: (ref) => run.issueKey?.(ref) ?? null,
  });
}

async function settleAll(copying: Copying, source: PageSource): Promise<void> {
  const { made, settled, run, total } = copying;
  let unkept = 0;
  for await (const page of source.pages((ref) => settled.has(ref) || !made.has(ref))) {
    run.signal.throwIfAborted();
    const left = await settlePage(copying, page);
    settled.add(page.ref);
    copying.left = left.reduce((all, what) => leaveBehind(all, what, page.title), copying.left);
    run.progress(
      `${settled.size} of ${total} pages with labels and files`,
      0.4 + (0.6 * settled.size) / Math.max(1, total),
    );
    unkept = (unkept + 1) % KEPT_EVERY;
    if (unkept === 0) await run.keep(memoryOf(copying));
  }
  await run.keep(memoryOf(copying));
}

/** Gives what of the page was left behind. */
async function settlePage(copying: Copying, page: SourcePage): Promise<string[]> {
  const { api, run, made, attachmentLimitBytes } = copying;
  const id = made.get(page.ref)!;
  const written = write(copying, page.body);
  const left = [...page.left];
  if (written.missesPages) left.push('links to pages that could not be made');
  if (written.missesIssues) left.push('issues shown in pages');
  const orLeave = async (what: string, work: Promise<unknown>): Promise<void> => {
    try {
      await work;
    } catch (error) {
      const refusal = refusalOf(error);
      if (refusal === null) throw error;
      left.push(`${what} refused: ${refusal}`);
    }
  };
  if (refersToPages(page.body)) {
    const whole = { id, title: page.title, body: written.body };
    await orLeave(
      'body',
      updatePage(api, whole, (stored) => stored === written.body, run.signal),
    );
  }
  const extras = await page.extras();
  await orLeave('labels', addLabels(copying, id, extras));
  for (const one of await missingAttachments(copying, id, extras.attachments)) {
    if (one.bytes > attachmentLimitBytes) left.push(`attachments larger than ${attachmentLimitBytes} bytes`);
    else await orLeave('attachment', attach(copying, id, one));
  }
  return left;
}

async function addLabels({ api, run }: Copying, id: string, { labels }: PageExtras): Promise<void> {
  if (labels.length === 0) return;
  const body = labels.map((name) => ({ prefix: 'global', name }));
  await api.v1.addLabelsToContent(api.client({ idempotent: true, signal: run.signal }), { id, body });
}

async function missingAttachments(
  { api, run }: Copying,
  id: string,
  wanted: readonly PortableAttachment[],
): Promise<PortableAttachment[]> {
  if (wanted.length === 0) return [];
  const sizes = new Map((await readAttachments(api, id, run.signal)).map((one) => [one.name, one.bytes]));
  return wanted.filter((one) => sizes.get(one.name) !== one.bytes);
}

/** A file of the same name becomes a new version of it, so that this may be repeated. */
async function attach({ api, run }: Copying, id: string, one: PortableAttachment): Promise<void> {
  const content = new Blob([await wholeOf(one.open())], { type: one.type });
  const attachments = { filename: one.name, content };
  const { results } = await api.v1.createOrUpdateAttachments(api.client({ signal: run.signal }), { id, attachments });
  const stored = (results[0]?.extensions as { fileSize?: number } | undefined)?.fileSize;
  if (stored === one.bytes) return;
  throw new ColmeiaError('OUTSIDE_UNAVAILABLE', `confluence: ${stored} of ${one.bytes} bytes of a file were stored`);
}

/** The settled ones first: that is how the memory tells them. */
function memoryOf({ made, settled, left }: Copying): CopyMemory {
  const pairs = [...made];
  const first = pairs.filter(([ref]) => settled.has(ref));
  return { made: [...first, ...pairs.filter(([ref]) => !settled.has(ref))], settled: first.length, left };
}
