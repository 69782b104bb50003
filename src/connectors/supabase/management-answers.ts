import type { JsonSchema } from '../../platform/contracts/json-schema.ts';

/**
 * Answers of Supabase's Management API as far as they are read here. Source: its published OpenAPI document, version 1
 * (V1ProjectWithDatabaseResponse, OrganizationProjectsResponse, V1OrganizationSlugResponse, ApiKeyResponse,
 * V1ServiceHealthResponse, SupavisorConfigResponse, V1ProjectRefResponse). A state that is new to us is no fault.
 */
export type Project = {
  ref: string;
  name: string;
  region: string;
  status: string;
  organization_slug: string;
  created_at: string;
};
export type ListedProject = { ref: string; name: string; region: string; status: string };
export type ProjectPage = { projects: ListedProject[]; pagination: { count: number; limit: number; offset: number } };
export type Organization = { id: string; name: string; plan?: string };
export type ApiKey = { name: string; api_key?: string | null; type?: string | null };
export type ServiceHealth = { name: string; status: string };
export type Pooler = { database_type: string; db_user: string; db_host: string; db_port: number; db_name: string };

const TEXT: JsonSchema = { type: 'string' };
const COUNT: JsonSchema = { type: 'integer', minimum: 0, maximum: Number.MAX_SAFE_INTEGER };
const TEXT_OR_NULL: JsonSchema = { type: ['string', 'null'] };

const record = (required: Record<string, JsonSchema>, optional: Record<string, JsonSchema> = {}): JsonSchema => ({
  type: 'object',
  properties: { ...required, ...optional },
  required: Object.keys(required),
});
const listOf = (items: JsonSchema): JsonSchema => ({ type: 'array', items });

export const PROJECT = record({
  ref: TEXT,
  name: TEXT,
  region: TEXT,
  status: TEXT,
  organization_slug: TEXT,
  created_at: TEXT,
});
export const PROJECT_PAGE = record({
  projects: listOf(record({ ref: TEXT, name: TEXT, region: TEXT, status: TEXT })),
  pagination: record({ count: COUNT, limit: COUNT, offset: COUNT }),
});
export const ORGANIZATION = record({ id: TEXT, name: TEXT }, { plan: TEXT });
export const API_KEYS = listOf(record({ name: TEXT }, { api_key: TEXT_OR_NULL, type: TEXT_OR_NULL }));
export const SERVICES_HEALTH = listOf(record({ name: TEXT, status: TEXT }));
export const POOLERS = listOf(
  record({ database_type: TEXT, db_user: TEXT, db_host: TEXT, db_port: COUNT, db_name: TEXT }),
);
export const REMOVED_PROJECT = record({ ref: TEXT, name: TEXT });
