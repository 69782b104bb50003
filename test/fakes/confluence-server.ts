import type { FakeServer } from './fake-http-server.ts';
import { pageRoutes } from './confluence/confluence-pages.ts';
import { isAuthorized, newConfluenceSite, type ConfluenceSite } from './confluence/confluence-site.ts';
import { spaceRoutes } from './confluence/confluence-spaces.ts';
import { startVendor, withMedia } from './vendor-server.ts';

export type FakeConfluence = FakeServer & { site: ConfluenceSite };

/** A Confluence Cloud site on loopback that keeps what it is told; what is in it may be looked at and set by `site`. */
export async function startConfluence(): Promise<FakeConfluence> {
  const site = newConfluenceSite();
  const server = await startVendor([...spaceRoutes(site), ...pageRoutes(site)], (call) =>
    isAuthorized(site, call) ? null : { status: 401, body: { message: 'Unauthorized; scope does not match' } },
  );
  return withMedia(
    server,
    site,
    (id) => [...site.pages.values()].flatMap((page) => page.attachments).find((one) => one.id === id)?.content,
  );
}
