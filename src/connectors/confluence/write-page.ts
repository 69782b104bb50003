import { ColmeiaError } from '../../platform/errors.ts';
import { isUncertain } from '../atlassian/outcome.ts';
import { AcceptedStatus } from '../atlassian/vendor-client.ts';
import type { ConfluenceApi } from './confluence-api.ts';
import { readBodies } from './read-pages.ts';

const MOST_ATTEMPTS = 4;

export type NewPage = {
  spaceId: string;
  title: string;
  /** null: at the root of the space. */
  parentId: string | null;
  /** In storage format. */
  body: string;
};

/**
 * Makes a page and gives its id. As no two pages of a space have one title, a page that is there already is the one that an
 * earlier call made whose answer was lost. Throws OUTSIDE_REFUSED with the words of Confluence.
 */
export async function createPage(api: ConfluenceApi, page: NewPage, signal?: AbortSignal): Promise<string> {
  const { spaceId, title, parentId, body } = page;
  const wanted = { spaceId, status: 'current', title, body: { representation: 'storage', value: body } };
  for (let attempt = 1; ; attempt++) {
    try {
      const terms = { accept: [400], ...(signal && { signal }) };
      const where = parentId === null ? { rootLevel: true, body: wanted } : { body: { ...wanted, parentId } };
      return (await api.v2.createPage(api.client(terms), where)).id!;
    } catch (error) {
      const isRefused = error instanceof AcceptedStatus;
      if (!isRefused && !isUncertain(error)) throw error;
      const there = await findPage(api, spaceId, title, signal);
      if (there !== null) return there;
      if (isRefused) throw new ColmeiaError('OUTSIDE_REFUSED', `confluence: ${reasonOf(error)}`);
      if (attempt === MOST_ATTEMPTS) throw error;
    }
  }
}

/** Id of the page of this title; null = there is none. */
export async function findPage(
  api: ConfluenceApi,
  spaceId: string,
  title: string,
  signal?: AbortSignal,
): Promise<string | null> {
  const query = { id: Number(spaceId), title, status: ['current'] };
  for (let cursor: string | undefined; ;) {
    const page = await api.v2.getPagesInSpace(api.client({ ...(signal && { signal }) }), {
      ...query,
      ...(cursor === undefined ? {} : { cursor }),
    });
    const found = page.results?.find((one) => one.title === title);
    if (found !== undefined) return found.id!;
    const next = new URL(page._links?.next ?? '', 'https://site').searchParams.get('cursor');
    if (next === null) return null;
    cursor = next;
  }
}

/** Gives a page this title and body; nothing is done when it has them. Others' changes in between are written over. */
export async function updatePage(
  api: ConfluenceApi,
  page: { id: string; title: string; body: string },
  isSame: (stored: string) => boolean,
  signal?: AbortSignal,
): Promise<void> {
  const { id, title, body } = page;
  for (let attempt = 1; ; attempt++) {
    const stored = (await readBodies(api, [id], signal)).get(id);
    if (stored === undefined) throw new ColmeiaError('OUTSIDE_REFUSED', `confluence: the page ${id} is gone`);
    if (stored.title === title && isSame(stored.body)) return;
    const version = { number: stored.version + 1 };
    const wanted = { id, status: 'current', title, version, body: { representation: 'storage', value: body } };
    try {
      const terms = { accept: [409], ...(signal && { signal }) };
      await api.v2.updatePage(api.client(terms), { id: Number(id), body: wanted });
      return;
    } catch (error) {
      // 409 also answers the repeat of an update that was done.
      const isConflict = error instanceof AcceptedStatus;
      if (!isConflict && !isUncertain(error)) throw error;
      if (attempt < MOST_ATTEMPTS) continue;
      throw isConflict
        ? new ColmeiaError('OUTSIDE_REFUSED', `confluence: somebody else changes "${title}" too`)
        : error;
    }
  }
}

function reasonOf({ body }: AcceptedStatus): string {
  const { errors = [] } = body as { errors?: { title?: string }[] };
  return errors.map((error) => error.title ?? '').join('; ') || 'the page was refused';
}
