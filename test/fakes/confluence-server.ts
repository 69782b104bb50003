import type { FakeServer } from './fake-http-server.ts';
import { pageRoutes } from './confluence/confluence-pages.ts';
import { isAuthorized, newConfluenceSite, type ConfluenceSite } from './confluence/confluence-site.ts';
import { spaceRoutes } from './confluence/confluence-spaces.ts';
import { startVendor } from './vendor-server.ts';

export type FakeConfluence = FakeServer & { site: ConfluenceSite };

/** A Confluence Cloud site on loopback that keeps what it is told; what is in it may be looked at and set by `site`. */
export async function startConfluence(): Promise<FakeConfluence> {
  const site = newConfluenceSite();
  const server = await startVendor([...spaceRoutes(site), ...pageRoutes(site)], (call) =>
    isAuthorized(site, call) ? null : { status: 401, body: { message: 'Unauthorized; scope does not match' } },
  );
  const media = await startVendor(
    [['GET', '/media/:id', (call) => ({ status: 200, body: contentOf(site, call.params.id!) })]],
    (call) =>
      call.headers.authorization === undefined ? null : { status: 400, body: { message: 'credentials sent' } },
  );
  site.url = server.url;
  site.mediaUrl = media.url;
  const { close } = server;
  return Object.assign(server, { site, close: async () => void (await Promise.all([close(), media.close()])) });
}

function contentOf(site: ConfluenceSite, id: string): Buffer {
  const files = [...site.pages.values()].flatMap((page) => page.attachments);
  return files.find((one) => one.id === id)?.content ?? Buffer.alloc(0);
}
