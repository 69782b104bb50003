// Row level security of a company's own database through Supabase's own REST API: what a company's users see and may do.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, suite, test } from 'node:test';
import {
  type InstalledSupabaseLite,
  installSupabaseLite,
  type SupabaseClient,
  type SupabaseLite,
} from '../../scripts/supabase-lite.ts';
import type { CompanyDatabases } from '../../src/coordination/instances/databases/company-databases.ts';
import { openCompanyDatabases } from '../../src/coordination/instances/databases/open-company-databases.ts';
import { Secret } from '../../src/platform/secret.ts';
import { asAdmin, openTestServer, type TestServer } from './test-server.ts';

type Company = { databaseUrl: string; api: SupabaseLite };
type User = { client: SupabaseClient; id: string };

const installed = await installSupabaseLite().catch((error: Error) => error);

if (installed instanceof Error) test('a company on Supabase', { skip: installed.message });
else suite('a company on Supabase', () => companyOnSupabase(installed));

function companyOnSupabase(lite: InstalledSupabaseLite): void {
  let postgres: TestServer;
  const started: SupabaseLite[] = [];
  let databases: CompanyDatabases;
  let acme: Company;
  let other: Company;
  let ana: User;
  let bia: User;

  before(async () => {
    postgres = await openTestServer();
    const secrets = { reveal: async () => null, put: async () => {} };
    databases = await openCompanyDatabases({ databaseUrl: null, dataFolder: null, secrets });
    acme = await found();
    other = await found();
    ana = await signUp(acme);
    bia = await signUp(acme);
  });
  after(async () => {
    await Promise.all(started.map((api) => api.stop()));
    await databases?.close();
    await postgres?.stop();
  });

  /** A company in a database that somebody else made, by a login that is no superuser, behind Supabase's API. */
  async function found(): Promise<Company> {
    const databaseUrl = await postgres.database();
    const login = `company_${randomUUID().replaceAll('-', '')}`;
    await asAdmin(databaseUrl, async (client) => {
      await client.query(`create role ${login} login createrole`);
      await client.query(
        `grant create on database ${client.database} to ${login}; grant create on schema public to ${login}`,
      );
    });
    const url = new Secret(databaseUrl.replace('postgres@', `${login}@`));
    const place = { id: login, instance: login, strategy: 'full', url } as const;
    await databases.provision(place);
    await databases.migrate(place, []);
    const api = await lite.start(databaseUrl);
    started.push(api);
    return { databaseUrl, api };
  }

  async function signUp({ api }: Company): Promise<User> {
    const client = api.connect(api.publishableKey);
    const { data, error } = await client.auth.signUp({
      email: `${randomUUID()}@example.com`,
      password: 'correct horse',
    });
    assert.equal(error, null);
    return { client, id: data.user!.id };
  }

  const service = ({ api }: Company): SupabaseClient => api.connect(api.secretKey);
  const anonymous = ({ api }: Company): SupabaseClient => api.connect(api.publishableKey);

  async function add(user: User, kind: string): Promise<string> {
    const { data, error } = await user.client
      .from('record')
      .insert({ kind, owner: user.id, body: { by: user.id } })
      .select();
    assert.equal(error, null);
    return String(data![0]!.id);
  }

  async function kindsSeen(client: SupabaseClient): Promise<unknown[]> {
    const { data } = await client.from('record').select('kind');
    return (data ?? []).map(({ kind }) => kind).toSorted();
  }

  test('an owner sees the own records, another user and a stranger none of them, the service all', async () => {
    await add(ana, 'note of ana');
    await add(bia, 'note of bia');
    assert.deepEqual(await kindsSeen(ana.client), ['note of ana']);
    assert.deepEqual(await kindsSeen(bia.client), ['note of bia']);
    assert.deepEqual(await kindsSeen(anonymous(acme)), []);
    assert.deepEqual(await kindsSeen(service(acme)), ['note of ana', 'note of bia']);
  });

  test('a forged owner is refused, on the way in and by a change', async () => {
    const forged = await bia.client.from('record').insert({ kind: 'forged', owner: ana.id });
    assert.equal(forged.error?.code, '42501');
    const ofTheCompany = await bia.client.from('record').insert({ kind: 'forged', owner: null });
    assert.equal(ofTheCompany.error?.code, '42501');
    const id = await add(bia, 'mine');
    const given = await bia.client.from('record').update({ owner: ana.id }).eq('id', id);
    assert.equal(given.error?.code, '42501');
    assert.ok(!(await kindsSeen(service(acme))).includes('forged'));
  });

  test("another user's record is neither changed nor deleted", async () => {
    const id = await add(ana, 'keep me');
    const changed = await bia.client.from('record').update({ kind: 'taken' }).eq('id', id).select();
    const deleted = await bia.client.from('record').delete().eq('id', id).select();
    assert.deepEqual([changed.data, deleted.data], [[], []]);
    assert.ok((await kindsSeen(ana.client)).includes('keep me'));
    const own = await ana.client.from('record').delete().eq('id', id).select();
    assert.equal(own.data?.length, 1);
  });

  test('a stranger can add nothing, and nobody but the service sees or changes what the company is run by', async () => {
    const stranger = await anonymous(acme).from('record').insert({ kind: 'spam' });
    assert.equal(stranger.error?.code, '42501');
    const seed = { origin: 'company', name: 'first', checksum: 'x' };
    const seeded = await service(acme).from('schema_seed').insert(seed);
    assert.equal(seeded.error, null);
    const forged = { ...seed, name: 'second' };
    const forgery = { company: { id: 'other' }, schema_migration: { ...forged, version: 2 }, schema_seed: forged };
    for (const [table, row] of Object.entries(forgery)) {
      const all = await service(acme).from(table).select();
      assert.equal(all.data?.length, 1, table);
      for (const client of [ana.client, anonymous(acme)]) {
        const { data } = await client.from(table).select(); // null where the grant is missing too
        assert.deepEqual(data ?? [], [], table);
        const { error } = await client.from(table).insert(row);
        assert.equal(error?.code, '42501', table);
      }
    }
  });

  test('the role that owns the tables sees no row of its own accord', async () => {
    await asAdmin(acme.databaseUrl, async (client) => {
      const { rows } = await client.query<{ owner: string }>(
        `select tableowner as owner from pg_tables where tablename = 'record'`,
      );
      await client.query(`set role ${rows[0]!.owner}`);
      const seen = await client.query('select from record');
      assert.equal(seen.rowCount, 0);
    });
  });

  test('neither rows nor users nor keys of one company count in another', async () => {
    const carla = await signUp(other);
    await add(carla, 'of the other company');
    assert.ok(!(await kindsSeen(service(acme))).includes('of the other company'));
    assert.deepEqual(await kindsSeen(service(other)), ['of the other company']);
    for (const key of [acme.api.secretKey, acme.api.publishableKey]) {
      const { error, status } = await other.api.connect(key).from('record').select();
      assert.equal(status, 401, JSON.stringify(error));
    }
  });
}
