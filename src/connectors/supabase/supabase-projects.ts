import crypto from 'node:crypto';
import { setTimeout } from 'node:timers/promises';
import type { ResourceView } from '../../coordination/instances/instance-views.ts';
import type { Clock } from '../../platform/clock.ts';
import { ColmeiaError, isColmeiaError } from '../../platform/errors.ts';
import { Secret } from '../../platform/secret.ts';
import type { OutsideSite } from '../outside/outside-site.ts';
import type { ApiKey, Project } from './management-answers.ts';
import { supabaseApi, type SupabaseApi } from './supabase-api.ts';

export type SupabaseProjectSpec = {
  instance: string;
  /** Tells this company from all others; the same in every try, so that no try makes a second project. 1 to 40 of a-z 0-9. */
  mark: string;
  region: string;
  /** The password of its database, kept under a name of the caller's. */
  password: {
    /** null = none was kept. */
    read(): Promise<Secret | null>;
    /** Durable when it resolves; called before the project is asked for. */
    keep(password: Secret): Promise<void>;
  };
};
export type WaitOptions = {
  /** Default 10 min. */
  deadlineMs?: number;
  progress?: (detail: string) => void;
  signal?: AbortSignal;
};
export type SupabaseKeys = {
  /** Base URL of the project's own API. */
  url: string;
  /** What browsers may have; null = the project has none. */
  publishable: string | null;
  /** Passes RLS by; null = the project has none. */
  secret: Secret | null;
};

/** Projects of one Supabase organization as databases of companies. All of it may be repeated. */
export type SupabaseProjects = {
  /** Token and organization, in a sentence; does not throw for what the site says. */
  check(): Promise<{ ok: boolean; detail: string }>;
  /** Makes the project, or finds the one that an earlier try made. It is not ready then: `waitHealthy`. */
  ensure(spec: SupabaseProjectSpec): Promise<ResourceView>;
  /** Throws OUTSIDE_TIMEOUT, OUTSIDE_REFUSED when it will not come up by itself. */
  waitHealthy(resource: ResourceView, options?: WaitOptions): Promise<void>;
  /** Resolves when it is paused. */
  pause(resource: ResourceView, options?: WaitOptions): Promise<void>;
  /** Resolves when a paused project is healthy again. */
  restore(resource: ResourceView, options?: WaitOptions): Promise<void>;
  /** false = it was gone. Throws OUTSIDE_REFUSED for a project that Colmeia did not make. */
  remove(resource: ResourceView): Promise<boolean>;
  exists(resource: ResourceView): Promise<boolean>;
  keys(resource: ResourceView): Promise<SupabaseKeys>;
  /** For DATABASE_URL: by the pooler in session mode, which has an IPv4 address. */
  databaseUrl(resource: ResourceView, password: Secret): Promise<Secret>;
};

export type SupabaseProjectsOptions = {
  site: OutsideSite;
  /** Host of the Management API, as it is shown with resources. */
  host: string;
  /** Slug of the organization. */
  organization: string;
  clock: Clock;
  /** First wait between looks at a project; it grows to eight times this. Default 2 s. */
  pollMs?: number;
};

const KIND = 'supabase-project';
/** What every name of ours begins with; nothing else is ever removed. */
const PREFIX = 'colmeia-';
const HEALTHY = 'ACTIVE_HEALTHY';
const PAUSED = 'INACTIVE';
/** States in which a project stays until somebody does something. */
const STUCK = ['INIT_FAILED', 'RESTORE_FAILED', 'PAUSE_FAILED', 'REMOVED', 'GOING_DOWN'];
const GONE = ['REMOVED', 'GOING_DOWN'];
/** What must answer before a company can use its project. */
const SERVICES = ['db', 'auth', 'rest'];
const SESSION_PORT = 5432;

export function supabaseProjects(options: SupabaseProjectsOptions): SupabaseProjects {
  const { host, organization } = options;
  const api = supabaseApi(options.site);
  const viewOf = (ref: string): ResourceView => ({ kind: KIND, id: ref, site: host });
  const wait = (resource: ResourceView, target: Target, more: WaitOptions = {}): Promise<void> =>
    waitUntil(api, options, resource.id, target, more);
  return {
    check: () => check(api, organization),
    ensure: async (spec) => viewOf(await ensure(api, organization, spec)),
    waitHealthy: (resource, more) => wait(resource, TO_BE_HEALTHY, more),
    async pause(resource, more) {
      const { status } = await existing(api, resource.id);
      if (status !== PAUSED && status !== 'PAUSING') await api.pause(resource.id);
      await wait(resource, TO_BE_PAUSED, more);
    },
    async restore(resource, more) {
      const { status } = await existing(api, resource.id);
      if (status === PAUSED) await api.restore(resource.id);
      await wait(resource, TO_BE_HEALTHY, more);
    },
    remove: (resource) => remove(api, resource.id),
    async exists(resource) {
      const project = await api.project(resource.id);
      return project !== null && !GONE.includes(project.status);
    },
    async keys(resource) {
      const keys = await api.apiKeys(resource.id);
      const secret = keyOf(keys, 'secret', 'service_role');
      const publishable = keyOf(keys, 'publishable', 'anon');
      const url = `https://${resource.id}.supabase.co`;
      return { url, publishable, secret: secret === null ? null : new Secret(secret) };
    },
    databaseUrl: (resource, password) => databaseUrl(api, resource.id, password),
  };
}

async function check(api: SupabaseApi, organization: string): Promise<{ ok: boolean; detail: string }> {
  try {
    const { name, plan } = await api.organization(organization);
    return { ok: true, detail: `organization ${name}${plan === undefined ? '' : `, plan ${plan}`}` };
  } catch (error) {
    if (isColmeiaError(error)) return { ok: false, detail: error.message };
    throw error;
  }
}

/** The reference of the project. A POST whose answer was lost is looked up before it counts as failed. */
async function ensure(api: SupabaseApi, organization: string, spec: SupabaseProjectSpec): Promise<string> {
  const name = nameOf(spec);
  const kept = await spec.password.read();
  const found = await find(api, organization, spec.mark);
  if (found !== null && kept !== null) return found;
  const password = kept ?? new Secret(crypto.randomBytes(30).toString('base64url'));
  if (kept === null) await spec.password.keep(password);
  if (found !== null) {
    await api.setPassword(found, password);
    return found;
  }
  try {
    const made = await api.create({ name, organization, region: spec.region, password });
    return made?.ref ?? '';
  } catch (error) {
    if (!isColmeiaError(error, 'OUTSIDE_UNAVAILABLE') && !isColmeiaError(error, 'OUTSIDE_TIMEOUT')) throw error;
    const late = await find(api, organization, spec.mark).catch(() => null);
    if (late === null) throw error;
    return late;
  }
}

function nameOf({ instance, mark }: SupabaseProjectSpec): string {
  if (/^[a-z0-9]{1,40}$/.test(mark)) return `${PREFIX}${instance}-${mark}`;
  throw new ColmeiaError('INVALID_REQUEST', 'the mark of a Supabase project must be 1 to 40 of a-z and 0-9');
}

/** The oldest one with the mark, so that every try takes the same; the company may have had another name then. */
async function find(api: SupabaseApi, organization: string, mark: string): Promise<string | null> {
  const projects = await api.projects(organization, mark);
  const isOurs = (name: string): boolean => name.startsWith(PREFIX) && name.endsWith(`-${mark}`);
  return projects.find(({ name, status }) => isOurs(name) && !GONE.includes(status))?.ref ?? null;
}

async function existing(api: SupabaseApi, ref: string): Promise<Project> {
  const project = await api.project(ref);
  if (project !== null) return project;
  throw new ColmeiaError('OUTSIDE_REFUSED', `supabase: there is no project ${ref}`);
}

async function remove(api: SupabaseApi, ref: string): Promise<boolean> {
  const project = await api.project(ref);
  if (project === null || GONE.includes(project.status)) return false;
  if (!project.name.startsWith(PREFIX)) {
    const message = `supabase: the project ${ref} is called "${project.name}", so Colmeia did not make it and does not remove it`;
    throw new ColmeiaError('OUTSIDE_REFUSED', message);
  }
  await api.remove(ref);
  return true;
}

type Target = { status: string; services: readonly string[]; hopeless: readonly string[] };
const TO_BE_HEALTHY: Target = { status: HEALTHY, services: SERVICES, hopeless: [...STUCK, PAUSED, 'PAUSING'] };
const TO_BE_PAUSED: Target = { status: PAUSED, services: [], hopeless: STUCK };

async function waitUntil(
  api: SupabaseApi,
  { clock, pollMs = 2_000 }: SupabaseProjectsOptions,
  ref: string,
  target: Target,
  { deadlineMs = 600_000, progress, signal }: WaitOptions,
): Promise<void> {
  const deadline = clock.now() + deadlineMs;
  let said = '';
  for (let waitMs = pollMs; ; waitMs = Math.min(waitMs * 1.5, pollMs * 8)) {
    const state = await look(api, ref, target);
    if (state === null) return;
    if (state !== said) progress?.(state);
    said = state;
    if (clock.now() + waitMs >= deadline) {
      throw new ColmeiaError('OUTSIDE_TIMEOUT', `supabase: the project ${ref} is still not ready: ${said}`);
    }
    await setTimeout(waitMs, undefined, { signal }).catch(() => signal?.throwIfAborted());
  }
}

/** What is missing; null = nothing. A site that is away for a while is no end of the wait. */
async function look(api: SupabaseApi, ref: string, target: Target): Promise<string | null> {
  try {
    const { status } = await existing(api, ref);
    if (target.hopeless.includes(status)) {
      throw new ColmeiaError(
        'OUTSIDE_REFUSED',
        `supabase: the project ${ref} is ${status}, which does not end by itself`,
      );
    }
    if (status !== target.status) return status;
    if (target.services.length === 0) return null;
    const health = await api.health(ref, target.services);
    const ill = target.services.filter((name) => !health.some((one) => one.name === name && one.status === HEALTHY));
    return ill.length === 0 ? null : `waiting for ${ill.join(', ')}`;
  } catch (error) {
    if (isColmeiaError(error, 'OUTSIDE_UNAVAILABLE') || isColmeiaError(error, 'OUTSIDE_TIMEOUT')) return error.message;
    throw error;
  }
}

/** Keys of today's kind come first, those of the old kind have only a name. */
function keyOf(keys: readonly ApiKey[], type: string, oldName: string): string | null {
  const found = keys.find((key) => key.type === type && key.api_key) ?? keys.find((key) => key.name === oldName);
  return found?.api_key ?? null;
}

async function databaseUrl(api: SupabaseApi, ref: string, password: Secret): Promise<Secret> {
  const pooler = (await api.poolers(ref)).find(({ database_type: type }) => type === 'PRIMARY');
  if (pooler === undefined) throw new ColmeiaError('OUTSIDE_REFUSED', `supabase: the project ${ref} has no pooler`);
  const login = `${encodeURIComponent(pooler.db_user)}:${encodeURIComponent(password.reveal())}`;
  const place = `${pooler.db_host}:${SESSION_PORT}/${encodeURIComponent(pooler.db_name)}`;
  // As libpq means it: encrypted. The certificate is of Supabase's own authority, which this machine does not know.
  return new Secret(`postgresql://${login}@${place}?sslmode=require&uselibpqcompat=true`);
}
