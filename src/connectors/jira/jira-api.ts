import type { Client } from 'jira.js/core';
import { type AtlassianSite, type CallTerms, vendorClient } from '../atlassian/vendor-client.ts';

/** jira.js, and the way to the site. */
export type JiraApi = AtlassianSite & {
  lib: typeof import('jira.js/cloud');
  client(terms?: CallTerms): Client;
};

/** jira.js takes most of a second and about 80 MB, so it is loaded with the first account that needs it. */
export async function loadJira(at: AtlassianSite): Promise<JiraApi> {
  const lib = await import('jira.js/cloud');
  return { ...at, lib, client: (terms) => vendorClient(at, terms) };
}
