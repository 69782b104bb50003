import { type ConfluenceAccount, openConfluence } from '../../../src/connectors/confluence/confluence-account.ts';
import { openSite } from '../../../src/connectors/outside/outside-site.ts';
import type { FakeConfluence } from '../confluence-server.ts';

/** An account at the fake, with the waits of a test. `through` sees every call on its way. */
export function openFakeConfluence(
  confluence: FakeConfluence,
  through: (send: typeof fetch) => typeof fetch = (send) => send,
): ConfluenceAccount {
  const login = Buffer.from(`${confluence.site.email}:${confluence.site.token}`).toString('base64');
  const site = openSite({
    name: 'confluence',
    baseUrl: confluence.url,
    authorize: async () => ({ authorization: `Basic ${login}` }),
    ratePerMinute: 1_000_000,
    retryBaseMs: 1,
    clock: { now: () => Date.now() },
    random: () => 0,
    audit: () => undefined,
    fetch: through(fetch),
  });
  return openConfluence({ url: confluence.url, site, pollMs: 1 });
}
