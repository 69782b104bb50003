import assert from 'node:assert/strict';
import { test } from 'node:test';

import { systemClock } from '../../platform/clock.ts';
import { Secret } from '../../platform/secret.ts';
import type { CompanySettings } from './folder/read-folder.ts';
import type { CompanyAccounts } from './instance-parts.ts';
import type { KeptInstance } from './instance-store.ts';
import { NO_ACCOUNTS, OutsideSites } from './outside-sites.ts';

type Jira = CompanyAccounts['jira'];

/** Sites of companies that have a token each. `jira` answers the account of a company with this email. */
function openSites(most?: number): { jira: (name: string, email?: string) => Promise<Jira>; close(): Promise<void> } {
  const sites = new OutsideSites({
    clock: systemClock,
    random: Math.random,
    secrets: { reveal: async () => new Secret('token') } as never,
    shared: NO_ACCOUNTS,
    audit: () => {},
    most,
  });
  const jira = async (name: string, email = 'ana@acme.example'): Promise<Jira> => {
    const settings = { atlassian: { enabled: true, site: `https://${name}.example`, email } };
    const kept = { name, strategy: 'full' } as KeptInstance;
    return (await sites.accounts(kept, settings as unknown as CompanySettings)).jira;
  };
  return { jira, close: () => sites.close() };
}

test('a company that names another account again and again has one site remembered', async () => {
  const { jira, close } = openSites();
  const first = await jira('acme');
  assert.equal(await jira('acme'), first);
  const second = await jira('acme', 'bob@acme.example');
  assert.notEqual(second, first);
  assert.notEqual(await jira('acme'), first, 'the former one was kept');
  await close();
});

test('of more sites than may be, the one used longest ago is forgotten', async () => {
  const { jira, close } = openSites(4); // Jira and Confluence of two companies
  const [a, b] = [await jira('a'), await jira('b')];
  assert.equal(await jira('a'), a);
  await jira('c');
  assert.equal(await jira('a'), a);
  assert.notEqual(await jira('b'), b);
  await close();
});
