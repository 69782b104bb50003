import { isAtlassianRead } from '../../connectors/atlassian/read-kind.ts';
import { openConfluence } from '../../connectors/confluence/confluence-account.ts';
import { openJira } from '../../connectors/jira/jira-account.ts';
import type { OutsideCall } from '../../connectors/outside/outside-call.ts';
import { openSite, type OutsideSite, type OutsideSiteOptions } from '../../connectors/outside/outside-site.ts';
import { openSupabase } from '../../connectors/supabase/open-supabase.ts';
import type { SupabaseProjects } from '../../connectors/supabase/supabase-projects.ts';
import type { Secret } from '../../platform/secret.ts';
import { ColmeiaError } from '../../platform/errors.ts';
import { SYSTEM_INSTANCE } from '../../trust/identity/principal.ts';
import type { AtlassianConfig } from './folder/company-config.ts';
import type { CompanySettings } from './folder/read-folder.ts';
import { parseSecretReference } from '../../trust/secrets/secret-reference.ts';
import type { CompanyAccounts, CompanySecrets, ProjectDatabases } from './instance-parts.ts';
import { placeIdOf, type KeptInstance } from './instance-store.ts';
import type { ProjectAccount } from './outside-accounts.ts';

/** Accounts that companies share, and where vendors are. */
export type SharedAccounts = {
  /** Atlassian site of companies that have none of their own; null = there is none. */
  atlassianSite: string | null;
  atlassianEmail: string | null;
  supabaseApiUrl: string;
  supabaseOrganization: string | null;
  /** Most calls a minute to an Atlassian site, by one account. Default 300, below what Atlassian takes from one user. */
  atlassianPerMinute?: number;
  /** Sites, databases and MCP servers that a company names may be on this machine or in a private network. Default false. */
  privateAddresses?: boolean;
};

export const NO_ACCOUNTS: SharedAccounts = {
  atlassianSite: null,
  atlassianEmail: null,
  supabaseApiUrl: 'https://api.supabase.com',
  supabaseOrganization: null,
};

export type OutsideSitesOptions = Pick<OutsideSiteOptions, 'clock' | 'random' | 'metrics'> & {
  secrets: CompanySecrets;
  shared: SharedAccounts;
  /** Calls that were made for a company, or (`$system`) by an account that companies share; must not throw. */
  audit: (instance: string, call: OutsideCall) => void;
  /** Most sites that are remembered. Default 1,000. */
  most?: number;
};

const ATLASSIAN_TOKEN = 'atlassian_api_token';
const SUPABASE_TOKEN = 'supabase_access_token';
/** Kept by Colmeia when it makes a project. */
const PROJECT_PASSWORD = 'supabase_database_password';
const ATLASSIAN_PER_MINUTE = 300;
const MOST_SITES = 1_000;

/** `at`: address and account. */
type Site = { at: string; site: OutsideSite; account?: ProjectAccount; projects?: SupabaseProjects };
type Credentials = { url: string; email: string; owner: string; secret: string };

/**
 * The sites outside of all companies: one of a kind for each owner of its account, so that budget and breaker count for all that use
 * it. One whose address or account was changed, or that was not used for the longest time, is forgotten: who still has it goes on
 * with it, and its connections end by themselves once they are idle.
 */
export class OutsideSites {
  readonly #options: OutsideSitesOptions;
  readonly #sites = new Map<string, Site>(); // by kind and owner, the one used longest ago first

  constructor(options: OutsideSitesOptions) {
    this.#options = options;
  }

  /** The accounts of a company as its files have them; `folder` null = it has no files. */
  async accounts(kept: KeptInstance, folder: CompanySettings | null): Promise<CompanyAccounts> {
    const atlassian = folder?.atlassian ?? null;
    const derived = keyOf(kept.name);
    const [jiraKey, spaceKey] = [atlassian?.jira?.project_key ?? null, atlassian?.confluence?.space_key ?? null];
    return {
      jira: await this.#project('jira', kept, atlassian),
      confluence: await this.#project('confluence', kept, atlassian),
      supabase: await this.#supabase(kept, folder),
      keys: {
        jira: jiraKey ?? derived,
        confluence: spaceKey ?? derived,
        named: { jira: jiraKey !== null, confluence: spaceKey !== null },
      },
    };
  }

  async close(): Promise<void> {
    await Promise.all([...this.#sites.values()].map(({ site }) => site.close()));
  }

  async #project(
    name: 'jira' | 'confluence',
    kept: KeptInstance,
    config: AtlassianConfig | null,
  ): Promise<ProjectAccount | string> {
    const found = await this.#credentials(kept, config);
    if (typeof found === 'string') return found;
    const at = `${found.url} ${found.email} ${found.secret}`;
    const known = this.#siteOf(`${name} ${found.owner}`, at, () => {
      const site = openSite({
        name,
        baseUrl: found.url,
        isRead: isAtlassianRead,
        ratePerMinute: this.#options.shared.atlassianPerMinute ?? ATLASSIAN_PER_MINUTE,
        publicOnly: found.owner !== SYSTEM_INSTANCE && this.#options.shared.privateAddresses !== true,
        authorize: () => this.#basic(found),
        ...this.#terms(found.owner),
      });
      return { site, account: OPENERS[name]({ url: found.url, site }) };
    });
    return known.account!;
  }

  #siteOf(key: string, at: string, open: () => Omit<Site, 'at'>): Site {
    const former = this.#sites.get(key);
    const site = former?.at === at ? former : { at, ...open() };
    this.#sites.delete(key);
    this.#sites.set(key, site);
    const [oldest] = this.#sites.keys();
    if (this.#sites.size > (this.#options.most ?? MOST_SITES)) this.#sites.delete(oldest!);
    return site;
  }

  /** Where the company's project is and by whose token; a text says why there is none. */
  async #credentials(kept: KeptInstance, config: AtlassianConfig | null): Promise<Credentials | string> {
    if (config?.enabled === false) return 'off: atlassian.config.json says enabled: false';
    const { atlassianSite, atlassianEmail } = this.#options.shared;
    const isOwn = kept.strategy === 'full' || Boolean(config?.site);
    const url = isOwn ? config?.site : atlassianSite;
    const email = isOwn ? config?.email : atlassianEmail;
    const where = isOwn ? 'atlassian.config.json' : 'ATLASSIAN_SITE, ATLASSIAN_EMAIL';
    if (!url || !email) return `off: no Atlassian site and email (${where})`;
    const owner = isOwn ? kept.name : SYSTEM_INSTANCE;
    const secret = (isOwn ? parseSecretReference(config?.api_token) : null) ?? ATLASSIAN_TOKEN;
    const token = await this.#options.secrets.reveal(owner, secret);
    return token === null ? `off: no Atlassian credentials (secret ${secret})` : { url, email, owner, secret };
  }

  async #basic({ owner, email, secret }: Credentials): Promise<Record<string, string>> {
    const token = await this.#options.secrets.reveal(owner, secret);
    if (token === null) throw new ColmeiaError('OUTSIDE_REFUSED', `off: no Atlassian credentials (secret ${secret})`);
    return { authorization: `Basic ${Buffer.from(`${email}:${token.reveal()}`).toString('base64')}` };
  }

  async #supabase(kept: KeptInstance, folder: CompanySettings | null): Promise<ProjectDatabases | string> {
    const config = folder?.supabase ?? null;
    if (kept.strategy !== 'full') return `off: the strategy is ${kept.strategy}`;
    if (config?.enabled !== true) return 'off: supabase.config.json does not say enabled: true';
    const { shared, secrets } = this.#options;
    const own = parseSecretReference(config.access_token) ?? SUPABASE_TOKEN;
    const isOwn = (await secrets.reveal(kept.name, own)) !== null;
    const [owner, secret] = isOwn ? [kept.name, own] : [SYSTEM_INSTANCE, SUPABASE_TOKEN];
    const token = (): Promise<Secret | null> => secrets.reveal(owner, secret);
    if (!isOwn && (await token()) === null) return `off: no Supabase credentials (secret ${own})`;
    // The fleet's token is for the fleet's organization alone, whatever others it may reach.
    const named = config.organization_id ?? shared.supabaseOrganization;
    const organization = isOwn ? named : shared.supabaseOrganization;
    if (organization === null) return 'off: no organization (SUPABASE_ORGANIZATION_ID)';
    if (organization !== named) return `off: organization ${named} takes a token of the company's own (secret ${own})`;
    const known = this.#siteOf(`supabase ${owner}`, `${organization} ${secret}`, () =>
      openSupabase({ ...this.#terms(owner), apiUrl: shared.supabaseApiUrl, organization, token }),
    );
    return projectDatabases(known.projects!, known.site, secrets);
  }

  #terms(owner: string): Pick<OutsideSiteOptions, 'clock' | 'random' | 'metrics' | 'audit'> {
    const { clock, random, metrics, audit } = this.#options;
    return { clock, random, metrics, audit: (call) => audit(owner, call) };
  }
}

const OPENERS: Record<'jira' | 'confluence', (at: { url: string; site: OutsideSite }) => ProjectAccount> = {
  jira: openJira,
  confluence: openConfluence,
};

/** A Supabase project as the database of a company: made, waited for, and its address with the password kept. */
function projectDatabases(projects: SupabaseProjects, site: OutsideSite, secrets: CompanySecrets): ProjectDatabases {
  return {
    check: async () => ({ ...(await projects.check()), clockSkewMs: site.state().clockSkewMs }),
    async ensure({ kept, folder, by, intend, progress, signal }) {
      const { name } = kept;
      const resource = await projects.ensure({
        instance: name,
        mark: placeIdOf(kept),
        region: folder.supabase?.region ?? 'us-east-1',
        password: {
          read: () => secrets.reveal(name, PROJECT_PASSWORD),
          keep: async (password) => void (await secrets.put(name, PROJECT_PASSWORD, password, by)),
        },
      });
      await intend(resource);
      await projects.waitHealthy(resource, { progress, signal });
      const { url, publishable, secret } = await projects.keys(resource);
      if (secret !== null) await secrets.put(name, 'supabase_service_role_key', secret, by);
      const password = await secrets.reveal(name, PROJECT_PASSWORD);
      const databaseUrl = await projects.databaseUrl(resource, password!);
      const config = {
        project_ref: resource.id,
        url,
        ...(publishable === null ? {} : { publishable_key: publishable }),
      };
      return { resource, databaseUrl, config };
    },
    remove: (resource) => projects.remove(resource),
  };
}

/** Key of a project or space by the name of its company: 2 to 10 upper-case letters and digits, beginning with a letter. */
export function keyOf(name: string): string {
  const key = name
    .toUpperCase()
    .replaceAll(/[^A-Z0-9]/g, '')
    .slice(0, 10);
  return key.length === 1 ? `${key}X` : key;
}
