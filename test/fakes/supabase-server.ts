import { type FakeRequest, type FakeServer, startFakeServer } from './fake-http-server.ts';
import type { FakeAnswer } from './faults.ts';

export type FakeProject = {
  ref: string;
  name: string;
  region: string;
  status: string;
  /** Of its database. */
  password: string;
  /** Looks at it until it is what it is about to be. */
  looksLeft: number;
  becomes: string;
  publishableKey: string;
  secretKey: string;
};

export type FakeSupabaseOptions = {
  organization?: string;
  token?: string;
  /** Active projects that the plan allows. Default 10. */
  projectLimit?: number;
  /** Looks at a project until it has come up, paused or been restored. Default 2. */
  looks?: number;
  /** The most on one page, whatever is asked for. Default 100. */
  pageSize?: number;
  /** A listing claims to have more than it has, and gives its last page again. Default false. */
  countLies?: boolean;
};

export type FakeSupabase = FakeServer & {
  token: string;
  organization: string;
  projects: FakeProject[];
};

type Supabase = Required<FakeSupabaseOptions> & { projects: FakeProject[]; made: number };
type Route = (supabase: Supabase, request: FakeRequest, project: FakeProject) => FakeAnswer;

const CREATED_AT = '2026-11-21T12:00:00.000Z';
const REGIONS = ['us-east-1', 'us-west-1', 'eu-west-1', 'eu-central-1', 'ap-southeast-1', 'sa-east-1'];

/**
 * The part of Supabase's Management API that Colmeia uses, with state: projects come up, pause and are restored while one
 * looks at them. Answers have the fields of its published document, version 1.
 */
export async function startFakeSupabase(options: FakeSupabaseOptions = {}): Promise<FakeSupabase> {
  const supabase: Supabase = {
    organization: 'colmeia-org',
    token: 'sbp_4d2f6a8c0e1b3d5f7a9c',
    projectLimit: 10,
    looks: 2,
    pageSize: 100,
    countLies: false,
    ...options,
    projects: [],
    made: 0,
  };
  const server = await startFakeServer((request) => answer(supabase, request));
  const { token, organization, projects } = supabase;
  return { ...server, token, organization, projects };
}

function answer(supabase: Supabase, request: FakeRequest): FakeAnswer {
  if (request.headers.authorization !== `Bearer ${supabase.token}`) return refusal(401, 'Unauthorized');
  const [, , group, name, ...rest] = request.path.split('/');
  if (group === 'organizations') return organizationRoute(supabase, request, name ?? '', rest.join('/'));
  if (group !== 'projects') return refusal(404, `Cannot ${request.method} ${request.path}`);
  if (name === undefined)
    return request.method === 'POST' ? create(supabase, request) : refusal(405, 'Method Not Allowed');
  const project = supabase.projects.find(({ ref }) => ref === name);
  if (project === undefined) return refusal(404, 'Project not found');
  const route = ROUTES[`${request.method} ${rest.join('/')}`];
  return route === undefined
    ? refusal(404, `Cannot ${request.method} ${request.path}`)
    : route(supabase, request, project);
}

const refusal = (status: number, message: string): FakeAnswer => ({ status, body: { message } });

function organizationRoute(supabase: Supabase, request: FakeRequest, slug: string, rest: string): FakeAnswer {
  if (slug !== supabase.organization) return refusal(404, 'Organization not found');
  if (rest === 'projects') return list(supabase, request);
  if (rest !== '') return refusal(404, `Cannot ${request.method} ${request.path}`);
  return {
    status: 200,
    body: { id: slug, name: 'Colmeia', plan: 'free', opt_in_tags: [], allowed_release_channels: ['ga'] },
  };
}

function list({ projects, pageSize, countLies, looks }: Supabase, { query }: FakeRequest): FakeAnswer {
  const limit = Math.min(Number(query.get('limit') ?? 100), pageSize);
  const wanted = projects.filter(({ name }) => name.includes(query.get('search') ?? ''));
  const asked = Number(query.get('offset') ?? 0);
  const offset = countLies ? Math.min(asked, Math.max(0, wanted.length - limit)) : asked;
  const page = wanted.slice(offset, offset + limit).map((project) => ({
    ref: project.ref,
    name: project.name,
    cloud_provider: 'AWS',
    region: project.region,
    is_branch: false,
    status: project.status,
    inserted_at: CREATED_AT,
    databases: [
      {
        region: project.region,
        status: looks > 0 ? 'COMING_UP' : 'ACTIVE_HEALTHY',
        cloud_provider: 'AWS',
        identifier: project.ref,
        type: 'PRIMARY',
      },
    ],
  }));
  const count = countLies ? wanted.length + 50 : wanted.length;
  return { status: 200, body: { projects: page, pagination: { count, limit, offset } } };
}

const BODY_FIELDS = [
  'db_pass',
  'name',
  'organization_slug',
  'region_selection',
  'desired_instance_size',
  'template_url',
];

function create(supabase: Supabase, { body }: FakeRequest): FakeAnswer {
  const asked = (body ?? {}) as Record<string, unknown> & { region_selection?: { type?: string; code?: string } };
  const unknown = Object.keys(asked).find((name) => !BODY_FIELDS.includes(name));
  if (unknown !== undefined) return refusal(400, `property ${unknown} should not exist`);
  for (const field of ['db_pass', 'name', 'organization_slug'])
    if (typeof asked[field] !== 'string' || asked[field] === '') return refusal(400, `${field} must be a string`);
  const region = asked.region_selection?.code ?? 'us-east-1';
  if (!REGIONS.includes(region)) return refusal(400, `region_selection.code: "${region}" is not a region`);
  const name = asked.name as string;
  if (asked.organization_slug !== supabase.organization)
    return refusal(403, 'You are not a member of this organization');
  const active = supabase.projects.filter(({ status }) => status !== 'INACTIVE');
  if (active.length >= supabase.projectLimit)
    return refusal(400, `The organization has reached its limit of ${supabase.projectLimit} active free projects`);
  if (supabase.projects.some((other) => other.name === name && other.status !== 'GOING_DOWN'))
    return refusal(400, `A project called ${name} exists in your organization`);
  supabase.made += 1;
  const project: FakeProject = {
    ref: refOf(supabase.made),
    name,
    region,
    status: 'COMING_UP',
    password: asked.db_pass as string,
    looksLeft: supabase.looks,
    becomes: 'ACTIVE_HEALTHY',
    publishableKey: `sb_publishable_${supabase.made}_aaaaaaaaaaaaaaaa`,
    secretKey: `sb_secret_${supabase.made}_bbbbbbbbbbbbbbbb`,
  };
  supabase.projects.push(project);
  return { status: 201, body: basic(supabase, project) };
}

/** Twenty letters, as real ones. */
function refOf(count: number): string {
  const letters = [...String(count)].map((digit) => 'abcdefghij'[Number(digit)]!).join('');
  return letters.padStart(20, 'q');
}

const basic = ({ organization }: Supabase, { ref, name, region, status }: FakeProject): Record<string, unknown> => ({
  id: ref,
  ref,
  organization_id: organization,
  organization_slug: organization,
  name,
  region,
  created_at: CREATED_AT,
  status,
});

function move({ looks }: Supabase, project: FakeProject, through: string, becomes: string): FakeAnswer {
  Object.assign(project, { status: through, becomes, looksLeft: looks });
  return { status: 200 };
}

function seen(project: FakeProject): void {
  if (project.status === 'GOING_DOWN') return;
  if (project.status === project.becomes) return;
  if (project.looksLeft <= 0) project.status = project.becomes;
  project.looksLeft -= 1;
}

const ROUTES: Readonly<Record<string, Route>> = {
  'GET ': (supabase, _, project) => {
    seen(project);
    const database = {
      host: `db.${project.ref}.supabase.co`,
      version: '17.6.1.054',
      postgres_engine: '17',
      release_channel: 'ga',
    };
    return { status: 200, body: { ...basic(supabase, project), database } };
  },
  'DELETE ': (supabase, _, project) => {
    supabase.projects.splice(supabase.projects.indexOf(project), 1);
    return { status: 200, body: { id: supabase.made, ref: project.ref, name: project.name } };
  },
  'POST pause': (supabase, _, project) =>
    project.status === 'ACTIVE_HEALTHY'
      ? move(supabase, project, 'PAUSING', 'INACTIVE')
      : refusal(400, `Project is ${project.status}`),
  'POST restore': (supabase, _, project) =>
    project.status === 'INACTIVE'
      ? move(supabase, project, 'RESTORING', 'ACTIVE_HEALTHY')
      : refusal(400, `Project is ${project.status}`),
  'PATCH database/password': (_, { body }, project) => {
    const { password } = (body ?? {}) as { password?: unknown };
    if (typeof password !== 'string' || password.length < 4)
      return refusal(400, 'password must be a string of 4 or more');
    project.password = password;
    return { status: 200, body: { message: 'Successfully updated password' } };
  },
  'GET health': (_, { query }, project) => ({
    status: 200,
    body: query.getAll('services').map((name) => ({
      name,
      healthy: project.status === 'ACTIVE_HEALTHY',
      status: project.status === 'ACTIVE_HEALTHY' ? 'ACTIVE_HEALTHY' : 'COMING_UP',
    })),
  }),
  'GET api-keys': (_, { query }, { publishableKey, secretKey }) => {
    const isRevealed = query.get('reveal') === 'true';
    const shown = isRevealed ? secretKey : `${secretKey.slice(0, 12)}··········`;
    const times = { inserted_at: CREATED_AT, updated_at: CREATED_AT };
    return {
      status: 200,
      body: [
        { id: 'anon', type: 'legacy', name: 'anon', api_key: 'eyJ.anon', prefix: 'eyJ', description: null, ...times },
        { id: '1', type: 'publishable', name: 'default', api_key: publishableKey, prefix: 'sb_publishable', ...times },
        { id: '2', type: 'secret', name: 'default', api_key: shown, prefix: 'sb_secret', ...times },
      ],
    };
  },
  'GET config/database/pooler': (_, __, { ref, region }) => {
    const host = `aws-0-${region}.pooler.supabase.com`;
    const user = `postgres.${ref}`;
    return {
      status: 200,
      body: [
        {
          identifier: ref,
          database_type: 'PRIMARY',
          is_using_scram_auth: true,
          db_user: user,
          db_host: host,
          db_port: 6543,
          db_name: 'postgres',
          connection_string: `postgresql://${user}:[YOUR-PASSWORD]@${host}:6543/postgres`,
          connectionString: `postgresql://${user}:[YOUR-PASSWORD]@${host}:6543/postgres`,
          default_pool_size: null,
          max_client_conn: null,
          pool_mode: 'transaction',
        },
      ],
    };
  },
};
