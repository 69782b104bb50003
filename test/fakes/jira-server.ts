import type { FakeServer } from './fake-http-server.ts';
import { startVendor, withMedia } from './vendor-server.ts';
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
  return withMedia(
    server,
    site,
    (id) => [...site.issues.values()].flatMap((issue) => issue.attachments).find((one) => one.id === id)?.content,
  );
}
