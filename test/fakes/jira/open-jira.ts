import { isAtlassianRead } from '../../../src/connectors/atlassian/read-kind.ts';
import { type JiraAccount, openJira, type JiraOptions } from '../../../src/connectors/jira/jira-account.ts';
import { openSite } from '../../../src/connectors/outside/outside-site.ts';
import type { FakeJira } from '../jira-server.ts';

/** An account at the fake, with the waits of a test. `through` sees every call on its way. */
export function openFakeJira(
  jira: FakeJira,
  through: (send: typeof fetch) => typeof fetch = (send) => send,
  more: Partial<JiraOptions> & { timeoutMs?: number } = {},
): JiraAccount {
  const { timeoutMs = 15_000, ...options } = more;
  const login = Buffer.from(`${jira.site.email}:${jira.site.token}`).toString('base64');
  const site = openSite({
    name: 'jira',
    baseUrl: jira.url,
    authorize: async () => ({ authorization: `Basic ${login}` }),
    ratePerMinute: 1_000_000,
    retryBaseMs: 1,
    timeoutMs,
    isRead: isAtlassianRead,
    clock: { now: () => Date.now() },
    random: () => 0,
    audit: () => undefined,
    fetch: through(fetch),
  });
  return openJira({ url: jira.url, site, ...options });
}
