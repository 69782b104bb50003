import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  API_KEYS,
  ORGANIZATION,
  POOLERS,
  PROJECT,
  PROJECT_PAGE,
  REMOVED_PROJECT,
  SERVICES_HEALTH,
} from '../../src/connectors/supabase/management-answers.ts';
import { findFaults } from '../../src/platform/contracts/find-faults.ts';
import type { JsonSchema } from '../../src/platform/contracts/json-schema.ts';
import { UnknownFields } from '../../src/platform/contracts/take-fields.ts';
import { startFakeSupabase } from './supabase-server.ts';

const STATUSES = [
  'INACTIVE',
  'ACTIVE_HEALTHY',
  'ACTIVE_UNHEALTHY',
  'COMING_UP',
  'UNKNOWN',
  'GOING_DOWN',
  'INIT_FAILED',
  'REMOVED',
  'RESTORING',
  'UPGRADING',
  'PAUSING',
  'RESTORE_FAILED',
  'RESTARTING',
  'PAUSE_FAILED',
  'RESIZING',
];
const PROJECT_FIELDS = 'id ref organization_id organization_slug name region created_at status'.split(' ');
const POOLER_FIELDS =
  'identifier database_type is_using_scram_auth db_user db_host db_port db_name connection_string connectionString default_pool_size max_client_conn pool_mode'.split(
    ' ',
  );

type Published = {
  call: string;
  body?: unknown;
  status: number;
  schema: JsonSchema;
  /** Fields that the published document requires, of the answer or of each of its items. */
  fields: string[];
  /** Those of a field that is an object or a list. */
  inner?: Record<string, string[]>;
};

const NEW_PROJECT = {
  name: 'colmeia-acme-1',
  organization_slug: 'colmeia-org',
  db_pass: 'correct-horse',
  region_selection: { type: 'specific', code: 'eu-west-1' },
};

/** In this order; REF is the project that the first one makes. */
const CALLS: Published[] = [
  { call: 'POST /v1/projects', body: NEW_PROJECT, status: 201, schema: PROJECT, fields: PROJECT_FIELDS },
  {
    call: 'GET /v1/organizations/colmeia-org',
    status: 200,
    schema: ORGANIZATION,
    fields: ['id', 'name', 'opt_in_tags', 'allowed_release_channels'],
  },
  {
    call: 'GET /v1/organizations/colmeia-org/projects?limit=10',
    status: 200,
    schema: PROJECT_PAGE,
    fields: ['projects', 'pagination'],
    inner: {
      projects: 'ref name cloud_provider region is_branch status inserted_at databases'.split(' '),
      pagination: ['count', 'limit', 'offset'],
    },
  },
  {
    call: 'GET /v1/projects/REF',
    status: 200,
    schema: PROJECT,
    fields: [...PROJECT_FIELDS, 'database'],
    inner: { database: ['host', 'version', 'postgres_engine', 'release_channel'] },
  },
  {
    call: 'GET /v1/projects/REF/health?services=db&services=auth',
    status: 200,
    schema: SERVICES_HEALTH,
    fields: ['name', 'healthy', 'status'],
  },
  { call: 'GET /v1/projects/REF/api-keys?reveal=true', status: 200, schema: API_KEYS, fields: ['name'] },
  { call: 'GET /v1/projects/REF/config/database/pooler', status: 200, schema: POOLERS, fields: POOLER_FIELDS },
  { call: 'DELETE /v1/projects/REF', status: 200, schema: REMOVED_PROJECT, fields: ['id', 'ref', 'name'] },
];

test('every answer of the fake has what the published document requires, and what the client reads', async () => {
  const supabase = await startFakeSupabase();
  const headers = { authorization: `Bearer ${supabase.token}`, 'content-type': 'application/json' };
  let ref = '';
  for (const { call, body, status, schema, fields, inner = {} } of CALLS) {
    const [method, path] = call.replace('REF', ref).split(' ');
    const response = await fetch(supabase.url + path, {
      method,
      headers,
      body: body ? JSON.stringify(body) : undefined,
    });
    const answer = (await response.json()) as Record<string, unknown>;
    assert.equal(response.status, status, call);
    assert.deepEqual(findFaults(schema, answer, new UnknownFields()).faults, [], call);
    assertFields(answer, fields, call);
    for (const [name, wanted] of Object.entries(inner)) assertFields(answer[name], wanted, `${call} ${name}`);
    if (typeof answer.status === 'string') assert.ok(STATUSES.includes(answer.status), answer.status);
    ref ||= String(answer.ref);
  }
  assert.match(ref, /^[a-z]{20}$/);
  await supabase.close();
});

function assertFields(value: unknown, fields: string[], call: string): void {
  const items = Array.isArray(value) ? value : [value];
  assert.ok(items.length > 0, `${call} has items`);
  for (const item of items) {
    const missing = fields.filter((field) => !Object.hasOwn(item as object, field));
    assert.deepEqual(missing, [], call);
  }
}

test('the fake refuses what Supabase refuses', async () => {
  const supabase = await startFakeSupabase({ projectLimit: 1 });
  const call = async (method: string, path: string, body?: unknown, token = supabase.token): Promise<number> => {
    const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
    const response = await fetch(supabase.url + path, {
      method,
      headers,
      body: body ? JSON.stringify(body) : undefined,
    });
    return response.status;
  };
  assert.equal(await call('GET', '/v1/organizations/colmeia-org', undefined, 'other'), 401);
  assert.equal(await call('GET', '/v1/organizations/another'), 404);
  assert.equal(await call('POST', '/v1/projects', { ...NEW_PROJECT, db_pass: '' }), 400);
  assert.equal(await call('POST', '/v1/projects', { ...NEW_PROJECT, kps_on: true }), 400);
  assert.equal(await call('POST', '/v1/projects', { ...NEW_PROJECT, organization_slug: 'another' }), 403);
  assert.equal(await call('POST', '/v1/projects', NEW_PROJECT), 201);
  assert.equal(await call('POST', '/v1/projects', NEW_PROJECT), 400, 'the limit of the plan, or the name');
  assert.equal(await call('POST', `/v1/projects/${supabase.projects[0]!.ref}/pause`, {}), 400, 'it is coming up');
  assert.equal(await call('GET', '/v1/projects/zzzzzzzzzzzzzzzzzzzz'), 404);
  await supabase.close();
});
