import type { Client } from 'confluence.js/core';
import { ColmeiaError } from '../../platform/errors.ts';
import { type AtlassianSite, type CallTerms, vendorClient } from '../atlassian/vendor-client.ts';

/** confluence.js in both of its versions, and the way to the site. */
export type ConfluenceApi = AtlassianSite & {
  v1: typeof import('confluence.js/v1');
  v2: typeof import('confluence.js/v2');
  client(terms?: CallTerms): Client;
};

/** confluence.js takes half a second and about 60 MB, so it is loaded with the first account that needs it. */
export async function loadConfluence(at: AtlassianSite): Promise<ConfluenceApi> {
  const [v1, v2] = [await import('confluence.js/v1'), await import('confluence.js/v2')];
  return { ...at, v1, v2, client: (terms) => vendorClient(at, terms) };
}

type ListPage<T> = { results?: T[]; _links?: { next?: string } };

const MOST_IDLE_PAGES = 5;

/** Everything that a list gives, over all of its pages. Throws OUTSIDE_UNAVAILABLE when they do not come to an end. */
export async function listAll<T extends { id?: string }>(
  read: (cursor: string | undefined) => Promise<ListPage<T>>,
): Promise<T[]> {
  const found = new Map<string, T>();
  let cursor: string | undefined;
  for (let idle = 0; idle <= MOST_IDLE_PAGES;) {
    const page = await read(cursor);
    const before = found.size;
    for (const one of page.results ?? []) found.set(one.id ?? '', one);
    const next = page._links?.next;
    if (next === undefined) return [...found.values()];
    cursor = new URL(next, 'https://site').searchParams.get('cursor') ?? undefined;
    idle = found.size > before ? 0 : idle + 1;
  }
  throw new ColmeiaError('OUTSIDE_UNAVAILABLE', `confluence: the list goes round in circles after ${found.size}`);
}
