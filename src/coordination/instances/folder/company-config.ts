import type { Strategy, Tier } from '../instance-views.ts';

/** Where a secret may stand in a file, its name stands; the value is in the encrypted store. */
type SecretReference = `secret:${string}`;

/** config.json, as its schema has it. What is left out is as the registry has it. */
export type CompanyConfig = {
  name: string;
  display_name?: string;
  strategy?: Strategy;
  tier?: Tier;
  template?: string;
  /** Of language models, a calendar month; null = no limit. */
  budget_usd?: number | null;
  locale?: string;
  /** An external PostgreSQL in place of the one that the strategy makes. */
  database?: { url?: SecretReference };
};

/** supabase.config.json. */
export type SupabaseConfig = {
  enabled?: boolean;
  organization_id?: string | null;
  region?: string;
  plan?: 'free' | 'pro' | 'team' | 'enterprise';
  /** Of a project that is there; null = init makes one. */
  project_ref?: string | null;
  url?: string | null;
  access_token?: SecretReference;
  service_role_key?: SecretReference;
  publishable_key?: string;
};

/** atlassian.config.json. Site, email and token are left out where the common ones of the fleet count. */
export type AtlassianConfig = {
  enabled?: boolean;
  site?: string | null;
  email?: string | null;
  api_token?: SecretReference;
  jira?: { project_key?: string | null };
  confluence?: { space_key?: string | null };
};

/** A server of mcp.json: a command on this machine, or a URL. Values may be references to secrets. */
export type McpServer = {
  type?: 'stdio' | 'http' | 'sse';
  command?: string;
  args?: string[];
  env?: Record<string, string>;
  url?: string;
  headers?: Record<string, string>;
  disabled?: boolean;
};
export type McpConfig = { mcpServers: Record<string, McpServer> };

/** component.json of a component. */
export type ComponentManifest = {
  name: string;
  version: string;
  description: string;
  category: string;
};
