import { ColmeiaError } from '../../platform/errors.ts';
import type { Secret } from '../../platform/secret.ts';
import { openSite, type OutsideSite, type OutsideSiteOptions } from '../outside/outside-site.ts';
import { supabaseProjects, type SupabaseProjects } from './supabase-projects.ts';

export type OpenSupabaseOptions = Pick<
  OutsideSiteOptions,
  'clock' | 'random' | 'audit' | 'metrics' | 'dryRun' | 'timeoutMs' | 'retries' | 'retryBaseMs'
> & {
  /** Of the Management API (SUPABASE_API_URL). */
  apiUrl: string;
  /** Slug. */
  organization: string;
  /** Asked before each attempt, so that a new one counts at once; null = there is none, so that Supabase is off. */
  token: () => Promise<Secret | null>;
  /** First wait between looks at a project. Default 2 s. */
  pollMs?: number;
};

/** Half of what Supabase allows to one user and organization, whose other programs need some too. */
const RATE_PER_MINUTE = 60;

/** The projects of one organization, and the site that they are called through: close it in the end. */
export function openSupabase(options: OpenSupabaseOptions): { projects: SupabaseProjects; site: OutsideSite } {
  const { apiUrl, organization, token, pollMs, ...terms } = options;
  const authorize = async (): Promise<Record<string, string>> => {
    const secret = await token();
    if (secret !== null) return { authorization: `Bearer ${secret.reveal()}` };
    throw new ColmeiaError('OUTSIDE_REFUSED', 'supabase: off: no credentials (secret supabase_access_token)');
  };
  const site = openSite({ ...terms, name: 'supabase', baseUrl: apiUrl, authorize, ratePerMinute: RATE_PER_MINUTE });
  const { host } = new URL(apiUrl);
  return { projects: supabaseProjects({ site, host, organization, clock: options.clock, pollMs }), site };
}
