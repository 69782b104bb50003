import type { FakeServer } from './fake-http-server.ts';
import { startVendor } from './vendor-server.ts';
import { discussionRoutes } from './jira/jira-discussion.ts';
import { issueRoutes } from './jira/jira-issues.ts';
import { projectRoutes } from './jira/jira-projects.ts';
import { searchRoutes } from './jira/jira-search.ts';
import { isAuthorized, newJiraSite, type JiraSite } from './jira/jira-site.ts';

export type FakeJira = FakeServer & { site: JiraSite };

/** A Jira Cloud site on loopback that keeps what it is told; what is in it may be looked at and set by `site`. */
export async function startJira(): Promise<FakeJira> {
  const site = newJiraSite();
  // Literal paths first: the first route that fits answers.
  const routes = [...projectRoutes(site), ...searchRoutes(site), ...discussionRoutes(site), ...issueRoutes(site)];
  const server = await startVendor(routes, (call) => {
    site.callsSeen += 1;
    if (isAuthorized(site, call)) return null;
    return {
      status: 401,
      body: { errorMessages: ['Client must be authenticated to access this resource.'], errors: {} },
    };
  });
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

function contentOf(site: JiraSite, id: string): Buffer {
  const attachments = [...site.issues.values()].flatMap((issue) => issue.attachments);
  return attachments.find((one) => one.id === id)?.content ?? Buffer.alloc(0);
}
