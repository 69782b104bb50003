import { findFaults } from '../../platform/contracts/find-faults.ts';
import type { JsonSchema } from '../../platform/contracts/json-schema.ts';
import { UnknownFields } from '../../platform/contracts/take-fields.ts';
import { ColmeiaError } from '../../platform/errors.ts';
import type { Secret } from '../../platform/secret.ts';
import type { OutsideRequest } from '../outside/outside-call.ts';
import type { OutsideSite } from '../outside/outside-site.ts';
import {
  API_KEYS,
  type ApiKey,
  type ListedProject,
  ORGANIZATION,
  type Organization,
  type Pooler,
  POOLERS,
  type Project,
  PROJECT,
  PROJECT_PAGE,
  type ProjectPage,
  REMOVED_PROJECT,
  type ServiceHealth,
  SERVICES_HEALTH,
} from './management-answers.ts';

export type NewProject = {
  name: string;
  organization: string;
  /** As `sa-east-1`. */
  region: string;
  /** Of its database. */
  password: Secret;
};

const PAGE = 100;
/** An organization with more projects is no organization of ours. */
const MOST_PAGES = 100;

/** The calls of the Management API that are needed here, with every answer checked. Throws what OutsideSite throws. */
export type SupabaseApi = {
  organization(slug: string): Promise<Organization>;
  /** Projects of the organization whose name contains `search`. */
  projects(slug: string, search: string): Promise<ListedProject[]>;
  /** null = there is none. */
  project(ref: string): Promise<Project | null>;
  /** null = it is a dry run. */
  create(project: NewProject): Promise<Project | null>;
  /** One that is gone already is no error. */
  remove(ref: string): Promise<void>;
  pause(ref: string): Promise<void>;
  restore(ref: string): Promise<void>;
  setPassword(ref: string, password: Secret): Promise<void>;
  health(ref: string, services: readonly string[]): Promise<ServiceHealth[]>;
  apiKeys(ref: string): Promise<ApiKey[]>;
  poolers(ref: string): Promise<Pooler[]>;
};

export function supabaseApi(site: OutsideSite): SupabaseApi {
  const call = async <T>(request: OutsideRequest, schema: JsonSchema): Promise<T> => {
    const { body } = await site.request(request);
    checkAnswer(request, schema, body);
    return body as T;
  };
  const get = <T>(path: string, schema: JsonSchema, query: OutsideRequest['query'] = {}): Promise<T> =>
    call<T>({ method: 'GET', path, query }, schema);
  return {
    organization: (slug) => get<Organization>(`/v1/organizations/${encodeURIComponent(slug)}`, ORGANIZATION),
    projects: (slug, search) =>
      allPages((offset) =>
        get<ProjectPage>(`/v1/organizations/${encodeURIComponent(slug)}/projects`, PROJECT_PAGE, {
          search,
          offset,
          limit: PAGE,
          sort: 'created_asc', // what is made meanwhile comes last, so that no page shifts
        }),
      ),
    async project(ref) {
      const request: OutsideRequest = { method: 'GET', path: projectPath(ref), accept: [404] };
      const { status, body } = await site.request(request);
      if (status === 404) return null;
      checkAnswer(request, PROJECT, body);
      return body as Project;
    },
    async create({ name, organization, region, password }) {
      const body = {
        name,
        organization_slug: organization,
        region_selection: { type: 'specific', code: region },
        db_pass: password,
      };
      const request: OutsideRequest = { method: 'POST', path: '/v1/projects', body };
      const answer = await site.request(request);
      if (answer.dry) return null;
      checkAnswer(request, PROJECT, answer.body);
      return answer.body as Project;
    },
    async remove(ref) {
      const request: OutsideRequest = { method: 'DELETE', path: projectPath(ref), accept: [404] };
      const { status, body, dry } = await site.request(request);
      if (status !== 404 && !dry) checkAnswer(request, REMOVED_PROJECT, body);
    },
    pause: (ref) => change(site, `${projectPath(ref)}/pause`),
    restore: (ref) => change(site, `${projectPath(ref)}/restore`),
    async setPassword(ref, password) {
      const path = `${projectPath(ref)}/database/password`;
      await site.request({ method: 'PATCH', path, body: { password }, idempotent: true });
    },
    health: (ref, services) => get(`${projectPath(ref)}/health`, SERVICES_HEALTH, { services }),
    apiKeys: (ref) => get(`${projectPath(ref)}/api-keys`, API_KEYS, { reveal: true }),
    poolers: (ref) => get(`${projectPath(ref)}/config/database/pooler`, POOLERS),
  };
}

const projectPath = (ref: string): string => `/v1/projects/${encodeURIComponent(ref)}`;

async function change(site: OutsideSite, path: string): Promise<void> {
  await site.request({ method: 'POST', path, body: {} });
}

/** All items, each once, whatever the pages say about how many there are. */
async function allPages(page: (offset: number) => Promise<ProjectPage>): Promise<ListedProject[]> {
  const found = new Map<string, ListedProject>();
  let offset = 0;
  for (let i = 0; i < MOST_PAGES; i++) {
    const { projects, pagination } = await page(offset);
    const before = found.size;
    for (const project of projects) found.set(project.ref, project);
    offset += projects.length;
    if (found.size === before || offset >= pagination.count) break; // the same page again would never end
  }
  return [...found.values()];
}

/** Values stay out of the error: they may be keys. */
function checkAnswer({ method, path }: OutsideRequest, schema: JsonSchema, body: unknown): void {
  const { faults, count } = findFaults(schema, body, new UnknownFields());
  if (count === 0) return;
  const places = faults.slice(0, 5).map((fault) => (fault.path === '' ? 'the answer' : fault.path));
  const message = `supabase: ${method} ${path}: its answer is not as published: ${places.join(', ')}`;
  throw new ColmeiaError('OUTSIDE_UNAVAILABLE', message);
}
