import assert from 'node:assert/strict';
import { afterEach, beforeEach, suite, test } from 'node:test';
import { type FakeSupabase, type FakeSupabaseOptions, startFakeSupabase } from '../../../test/fakes/supabase-server.ts';
import { systemClock } from '../../platform/clock.ts';
import { Secret } from '../../platform/secret.ts';
import type { OutsideCall } from '../outside/outside-call.ts';
import { openSite, type OutsideSite, type OutsideSiteOptions } from '../outside/outside-site.ts';
import { openSupabase } from './open-supabase.ts';
import { supabaseProjects, type SupabaseProjects, type SupabaseProjectSpec } from './supabase-projects.ts';

let supabase: FakeSupabase;
let site: OutsideSite;
let projects: SupabaseProjects;
let audit: OutsideCall[];
let kept: Secret | null;

beforeEach(() => start());
afterEach(() => stop());

async function start(options: FakeSupabaseOptions = {}, more: Partial<OutsideSiteOptions> = {}): Promise<void> {
  supabase = await startFakeSupabase(options);
  kept = null;
  audit = [];
  open(more);
}

/** The rate stands in the way of so many calls at once, so the site is not `openSupabase`'s. */
function open(more: Partial<OutsideSiteOptions> = {}): void {
  const { url, token, organization } = supabase;
  site = openSite({
    name: 'supabase',
    baseUrl: url,
    authorize: async () => ({ authorization: `Bearer ${token}` }),
    ratePerMinute: 60_000,
    retryBaseMs: 1,
    clock: systemClock,
    random: () => 0,
    audit: (call) => audit.push(call),
    ...more,
  });
  projects = supabaseProjects({ site, host: 'api.supabase.com', organization, clock: systemClock, pollMs: 1 });
}

async function stop(): Promise<void> {
  await site.close();
  await supabase.close();
}

async function startAgain(options: FakeSupabaseOptions, more: Partial<OutsideSiteOptions> = {}): Promise<void> {
  await stop();
  await start(options, more);
}

const spec = (more: Partial<SupabaseProjectSpec> = {}): SupabaseProjectSpec => ({
  instance: 'acme',
  mark: '7f3a',
  region: 'sa-east-1',
  password: {
    read: async () => kept,
    keep: async (password) => void (kept = password),
  },
  ...more,
});

suite('a company gets a project', () => {
  test('with a password that was kept before, in the region and organization; healthy after a while', async () => {
    const resource = await projects.ensure(spec());
    const [made] = supabase.projects;
    assert.deepEqual(resource, { kind: 'supabase-project', id: made!.ref, site: 'api.supabase.com' });
    assert.equal(made!.name, 'colmeia-acme-7f3a');
    assert.equal(made!.region, 'sa-east-1');
    assert.equal(made!.password, kept!.reveal());
    assert.match(kept!.reveal(), /^[\w-]{40}$/);

    const said: string[] = [];
    await projects.waitHealthy(resource, { progress: (detail) => said.push(detail) });
    assert.deepEqual(said, ['COMING_UP']);
    assert.equal(await projects.exists(resource), true);
  });

  test('once, also when the answer is lost, and when the process dies before it comes', async () => {
    supabase.faults.add({ kind: 'lost' }, { at: 'POST' });
    const first = await projects.ensure(spec());
    const second = await projects.ensure(spec());
    assert.deepEqual(second, first);
    assert.equal(supabase.projects.length, 1);
    assert.equal(supabase.projects[0]!.password, kept!.reveal());
  });

  for (const kind of ['reset', 'lost', 'cut', 'html'] as const) {
    test(`once, with the password that was kept, wherever the first try is cut (${kind})`, async () => {
      for (let call = 0; call < 3; call++) {
        await startAgain({}, { retries: 0 });
        supabase.faults.add({ kind }, { after: call });
        await projects.ensure(spec()).catch(() => {});
        supabase.faults.clear();
        await projects.ensure(spec());
        assert.equal(supabase.projects.length, 1, `cut at call ${call}`);
        assert.equal(supabase.projects[0]!.password, kept!.reveal());
      }
    });
  }

  test('once, when the process dies after it was asked for: the next one finds it behind many others', async () => {
    await startAgain({ pageSize: 3, projectLimit: 100 });
    for (let i = 0; i < 10; i++) await projects.ensure(spec({ mark: `other${i}` }));
    const made = await projects.ensure(spec({ mark: 'o' }));
    assert.deepEqual(await projects.ensure(spec({ mark: 'o' })), made);
    assert.equal(supabase.projects.length, 11);
  });

  test('once, also when the company has another name by the next try; projects of others are not taken for its own', async () => {
    const made = await projects.ensure(spec());
    assert.deepEqual(await projects.ensure(spec({ instance: 'acme-brasil' })), made);
    supabase.projects[0]!.name = 'shop-7f3a';
    assert.notDeepEqual(await projects.ensure(spec()), made);
  });

  test('with a new password, when the project is there and the password was lost', async () => {
    const resource = await projects.ensure(spec());
    const old = kept!.reveal();
    kept = null;
    assert.deepEqual(await projects.ensure(spec()), resource);
    assert.notEqual(kept!.reveal(), old);
    assert.equal(supabase.projects[0]!.password, kept!.reveal());
  });

  test('or none, with the words of Supabase, when the plan allows no more; nothing else is tried', async () => {
    await startAgain({ projectLimit: 0 });
    await assert.rejects(projects.ensure(spec()), {
      code: 'OUTSIDE_REFUSED',
      message: /limit of 0 active free projects/,
    });
    assert.equal(audit.filter(({ method }) => method === 'POST').length, 1);
  });

  test('in place of one that is going down', async () => {
    const old = await projects.ensure(spec());
    supabase.projects[0]!.status = 'GOING_DOWN';
    const fresh = await projects.ensure(spec());
    assert.notEqual(fresh.id, old.id);
    assert.equal(await projects.exists(old), false);
  });

  test('after a look at a listing that says that there are ever more', { timeout: 10_000 }, async () => {
    await startAgain({ countLies: true, pageSize: 2 });
    await projects.ensure(spec());
    await projects.ensure(spec({ mark: 'b' }));
    assert.equal(supabase.projects.length, 2);
    assert.ok(supabase.requests.length < 8, `${supabase.requests.length} calls`);
  });

  test('without its password or the token in any error or audit', async () => {
    supabase.faults.add({ kind: 'answer', status: 400, body: { message: 'weak' } }, { at: 'POST' });
    const plain = await projects.ensure(spec()).catch((error: Error) => error);
    const password = kept!.reveal();
    const echo = { message: `db_pass "${password}" of ${supabase.token} is weak` };
    supabase.faults.add({ kind: 'answer', status: 400, body: echo }, { at: 'POST' });
    const echoed = await projects.ensure(spec()).catch((error: Error) => error);
    assert.match(String(plain), /answered 400: weak/);
    assert.match(String(echoed), /db_pass "\[secret\]" of \[secret\] is weak/);
    for (const secret of [password, supabase.token])
      assert.ok(!`${String(echoed)}${(echoed as Error).stack}${JSON.stringify(audit)}`.includes(secret));
  });

  test('in a dry run as a plan only', async () => {
    await startAgain({}, { dryRun: true });
    await projects.ensure(spec());
    assert.equal(supabase.projects.length, 0);
    assert.deepEqual(
      site.planned().map(({ method, path }) => `${method} ${path}`),
      ['POST /v1/projects'],
    );
  });
});

suite('a project is waited for', () => {
  test('until its services answer too', async () => {
    const resource = await projects.ensure(spec());
    const starting = [{ name: 'db', healthy: false, status: 'COMING_UP' }];
    supabase.faults.add({ kind: 'answer', status: 200, body: starting }, { at: '/health', times: 2 });
    const said: string[] = [];
    await projects.waitHealthy(resource, { progress: (detail) => said.push(detail) });
    assert.deepEqual(said, ['COMING_UP', 'waiting for db, auth, rest']);
  });

  test('through a time in which the site is away', async () => {
    await startAgain({}, { retries: 0 });
    const resource = await projects.ensure(spec());
    supabase.faults.add({ kind: 'answer', status: 500 }, { times: 3 });
    supabase.faults.add({ kind: 'cut' }, { times: 1 });
    await projects.waitHealthy(resource);
  });

  test('not longer than allowed, and not at all when it failed', async () => {
    await startAgain({ looks: 1_000_000 });
    const resource = await projects.ensure(spec());
    await assert.rejects(projects.waitHealthy(resource, { deadlineMs: 20 }), {
      code: 'OUTSIDE_TIMEOUT',
      message: /is still not ready: COMING_UP/,
    });
    supabase.projects[0]!.status = 'INIT_FAILED';
    await assert.rejects(projects.waitHealthy(resource), { code: 'OUTSIDE_REFUSED', message: /INIT_FAILED/ });
  });

  test('until the caller has enough', async () => {
    await startAgain({ looks: 1_000_000 });
    const resource = await projects.ensure(spec());
    const caller = new AbortController();
    const waiting = projects.waitHealthy(resource, {
      signal: caller.signal,
      progress: () => caller.abort(new Error('enough')),
    });
    await assert.rejects(waiting, /enough/);
  });
});

suite('a project is used', () => {
  test('paused and restored, each as often as one likes', async () => {
    const resource = await projects.ensure(spec());
    await projects.waitHealthy(resource);
    await projects.pause(resource);
    await projects.pause(resource);
    assert.equal(supabase.projects[0]!.status, 'INACTIVE');
    await assert.rejects(projects.waitHealthy(resource), { code: 'OUTSIDE_REFUSED', message: /is INACTIVE/ });
    await projects.restore(resource);
    await projects.restore(resource);
    assert.equal(supabase.projects[0]!.status, 'ACTIVE_HEALTHY');
  });

  test('by its keys and its database, whose password is escaped', async () => {
    const resource = await projects.ensure(spec());
    const keys = await projects.keys(resource);
    assert.equal(keys.url, `https://${resource.id}.supabase.co`);
    assert.equal(keys.publishable, supabase.projects[0]!.publishableKey);
    assert.equal(keys.secret!.reveal(), supabase.projects[0]!.secretKey);
    const url = new URL((await projects.databaseUrl(resource, new Secret('p@ss/w:rd'))).reveal());
    assert.equal(url.username, `postgres.${resource.id}`);
    assert.equal(decodeURIComponent(url.password), 'p@ss/w:rd');
    assert.equal(url.host, 'aws-0-sa-east-1.pooler.supabase.com:5432');
  });

  test('by keys of the old kind where there are no others, or by none', async () => {
    const resource = await projects.ensure(spec());
    const old = [
      { name: 'anon', type: 'legacy', api_key: 'eyJ.anon' },
      { name: 'service_role', type: 'legacy', api_key: 'eyJ.service' },
    ];
    supabase.faults.add({ kind: 'answer', status: 200, body: old });
    const keys = await projects.keys(resource);
    assert.deepEqual([keys.publishable, keys.secret!.reveal()], ['eyJ.anon', 'eyJ.service']);
    supabase.faults.add({ kind: 'answer', status: 200, body: [] });
    const none = await projects.keys(resource);
    assert.deepEqual([none.publishable, none.secret], [null, null]);
  });

  test('no more after it was removed, which may be asked for again', async () => {
    const resource = await projects.ensure(spec());
    supabase.faults.add({ kind: 'lost' }, { at: 'DELETE' });
    assert.equal(await projects.remove(resource), true);
    assert.equal(await projects.exists(resource), false);
    assert.equal(await projects.remove(resource), false);
    assert.equal(supabase.projects.length, 0);
  });
});

test('a project of somebody else is never removed', async () => {
  const resource = await projects.ensure(spec());
  supabase.projects[0]!.name = 'shop in production';
  await assert.rejects(projects.remove(resource), { code: 'OUTSIDE_REFUSED', message: /did not make it/ });
  assert.equal(supabase.projects.length, 1);
});

test('a check says who one is, or what is wrong', async () => {
  assert.deepEqual(await projects.check(), { ok: true, detail: 'organization Colmeia, plan free' });
  supabase.faults.add({ kind: 'answer', status: 401, body: { message: 'Unauthorized' } });
  assert.deepEqual(await projects.check(), {
    ok: false,
    detail: 'supabase: GET /v1/organizations/colmeia-org: answered 401: Unauthorized',
  });
});

test('without a token Supabase is off, and says so; with a new one it is on at once', async () => {
  let token: Secret | null = null;
  const { url: apiUrl, organization } = supabase;
  const opened = openSupabase({
    apiUrl,
    organization,
    token: async () => token,
    clock: systemClock,
    random: Math.random,
    audit: () => {},
  });
  const off = { ok: false, detail: 'supabase: off: no credentials (secret supabase_access_token)' };
  assert.deepEqual(await opened.projects.check(), off);
  assert.equal(supabase.requests.length, 0);
  token = new Secret(supabase.token);
  assert.equal((await opened.projects.check()).ok, true);
  const resource = await opened.projects.ensure(spec());
  assert.equal(resource.site, new URL(apiUrl).host);
  await opened.site.close();
});

test('an answer that is not as published is refused by its places, never by its values', async () => {
  const resource = await projects.ensure(spec());
  const odd = [{ name: 1, api_key: { hidden: 'sb_secret_x' } }];
  supabase.faults.add({ kind: 'answer', status: 200, body: odd });
  await assert.rejects(projects.keys(resource), {
    code: 'OUTSIDE_UNAVAILABLE',
    message:
      /^supabase: GET \/v1\/projects\/\w+\/api-keys: its answer is not as published: \[0\]\.name, \[0\]\.api_key$/,
  });
});
