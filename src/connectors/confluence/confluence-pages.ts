import { type ConfluenceApi } from './confluence-api.ts';
import { spaceOf } from './confluence-space.ts';
import { readBodies } from './read-pages.ts';
import { createPage, findPage, updatePage } from './write-page.ts';

export type PageText = { id: string; title: string; /** In storage format. */ body: string };

/** Work on single pages, for people and agents. Bodies are in Confluence's storage format. */
export type ConfluencePages = {
  /** Gives the id; that of the page of this title when the space has one, which is not changed. `parent` default: the home page. */
  create(page: { space: string; title: string; body: string; parent?: string }): Promise<string>;
  update(page: PageText): Promise<void>;
  /** null = the space has no page of this title. */
  find(space: string, title: string): Promise<PageText | null>;
};

export function confluencePages(load: () => Promise<ConfluenceApi>): ConfluencePages {
  return {
    create: async ({ space, title, body, parent }) => {
      const api = await load();
      const { id, homepageId } = await spaceOf(api, space);
      return await createPage(api, { spaceId: id, title, body, parentId: parent ?? homepageId });
    },
    update: async (page) => await updatePage(await load(), page, (stored) => stored === page.body),
    find: async (space, title) => {
      const api = await load();
      const id = await findPage(api, (await spaceOf(api, space)).id, title);
      const stored = id === null ? undefined : (await readBodies(api, [id])).get(id);
      return stored === undefined ? null : { id: id!, title: stored.title, body: stored.body };
    },
  };
}
