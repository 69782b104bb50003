import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { createMetrics } from '../../platform/observability/metrics.ts';
import { Secret } from '../../platform/secret.ts';
import type { OutsideSite } from './outside-site.ts';
import { TOKEN, useFakeSite } from './outside-site.testing.ts';

const fake = useFakeSite();
const { audit, open } = fake;

const get = (site: OutsideSite, path = '/v1/things'): Promise<unknown> => site.request({ method: 'GET', path });
const post = (site: OutsideSite): Promise<unknown> =>
  site.request({ method: 'POST', path: '/v1/things', body: { name: 'a' } });

suite('what is sent and what comes back', () => {
  test('a call carries the credentials, its query and its JSON, and brings parsed JSON', async () => {
    const site = open({ baseUrl: `${fake.server.url}/api/` });
    const body = { name: 'acme', password: new Secret('correct horse') };
    const back = await site.request({ method: 'POST', path: '/v1/things', query: { limit: 5, id: ['a', 'b'] }, body });
    assert.deepEqual(back.body, { ok: true });
    const [seen] = fake.server.requests;
    assert.equal(seen!.path, '/api/v1/things');
    assert.equal(seen!.query.toString(), 'limit=5&id=a&id=b');
    assert.equal(seen!.headers.authorization, `Bearer ${TOKEN}`);
    assert.deepEqual(seen!.body, { name: 'acme', password: 'correct horse' });
  });

  test('how far the clock of the site is ahead is known from its answers', async () => {
    const date = new Date(Date.now() + 600_000).toUTCString();
    fake.answer = { status: 200, headers: { date }, body: {} };
    const site = open();
    await get(site);
    assert.ok(Math.abs(site.state().clockSkewMs - 600_000) < 60_000);
  });

  test('an answer without a body is null', async () => {
    fake.answer = { status: 204 };
    const back = await open().request({ method: 'DELETE', path: '/v1/things/1' });
    assert.equal(back.body, null);
  });

  test('a refusal is an error with the words of the site, and an answer where the caller expects it', async () => {
    fake.answer = { status: 404, body: { message: 'no such thing' } };
    const site = open();
    await assert.rejects(get(site), {
      code: 'OUTSIDE_REFUSED',
      message: /GET \/v1\/things: answered 404: no such thing/,
    });
    const back = await site.request({ method: 'GET', path: '/v1/things', accept: [404] });
    assert.equal(back.status, 404);
    assert.equal(fake.server.requests.length, 2);
  });

  test('the words of the site are shown without the token and without what was secret in the body', async () => {
    fake.answer = { status: 400, body: { message: `bad ${TOKEN} and "correct horse" and postgres://u:pw123@h/d` } };
    const body = { password: new Secret('correct horse') };
    const failed = await open()
      .request({ method: 'POST', path: '/v1/things', body })
      .catch((error: Error) => error);
    assert.match((failed as Error).message, /bad \[secret\] and "\[secret\]" and postgres:\/\/u:\*\*\*@h\/d/);
    for (const secret of [TOKEN, 'correct horse', 'pw123']) assert.ok(!JSON.stringify(audit).includes(secret));
  });

  test('the audit has each call once, with the names of its query only, and its attempts', async () => {
    fake.server.faults.add({ kind: 'answer', status: 500 }, { times: 2 });
    const site = open();
    await site.request({ method: 'GET', path: '/v1/things', query: { token: 'abc', page: 1 } });
    assert.equal(audit.length, 1);
    const { ms, ...entry } = audit[0]!;
    assert.equal(typeof ms, 'number');
    assert.deepEqual(entry, {
      site: 'supabase',
      method: 'GET',
      path: '/v1/things?token&page',
      status: 200,
      attempts: 3,
      changes: false,
      dry: false,
      error: null,
    });
  });

  test('a dry run reads, and lists what it would change without doing it', async () => {
    const site = open({ dryRun: true, isRead: (_, path) => path.endsWith('/search') });
    await get(site);
    await site.request({ method: 'POST', path: '/v1/search', body: {} });
    await post(site);
    await site.fetch(`${fake.server.url}/v1/things/1`, { method: 'DELETE' });
    assert.deepEqual(
      fake.server.requests.map(({ path }) => path),
      ['/v1/things', '/v1/search'],
    );
    assert.deepEqual(
      site.planned().map(({ method, dry, attempts }) => [method, dry, attempts]),
      [
        ['POST', true, 0],
        ['DELETE', true, 0],
      ],
    );
  });

  test('metrics count every attempt by its status', async () => {
    const metrics = createMetrics();
    fake.server.faults.add({ kind: 'answer', status: 503 });
    await get(open({ metrics }));
    const { text } = await metrics.text();
    assert.match(text, /colmeia_outside_calls_total\{site="supabase",status="503"\} 1/);
    assert.match(text, /colmeia_outside_calls_total\{site="supabase",status="200"\} 1/);
    assert.match(text, /colmeia_outside_call_duration_seconds_count\{site="supabase"\} 2/);
  });
});

suite('what is repeated', () => {
  for (const status of [500, 502, 503, 504, 408]) {
    test(`a read that is answered ${status} is repeated, a change that may have been made is not`, async () => {
      fake.server.faults.add({ kind: 'answer', status });
      const site = open();
      await get(site);
      assert.equal(fake.server.requests.length, 2);
      fake.server.faults.add({ kind: 'answer', status });
      await assert.rejects(post(site), { code: 'OUTSIDE_UNAVAILABLE', message: new RegExp(`it answered ${status}$`) });
      assert.equal(fake.server.requests.length, 3);
    });
  }

  for (const [shape, value] of [
    ['seconds', '0'],
    ['a date', 'Thu, 01 Jan 1998 00:00:00 GMT'],
  ] as const) {
    test(`a change that was put off with Retry-After in ${shape} is repeated`, async () => {
      fake.server.faults.add({ kind: 'answer', status: 429, headers: { 'retry-after': value } });
      fake.server.faults.add({ kind: 'answer', status: 503, headers: { 'retry-after': value } });
      await post(open());
      assert.equal(fake.server.requests.length, 3);
    });
  }

  test('a wait that is longer than the call may take ends it at once, and says how long to wait; so do the next calls', async () => {
    fake.server.faults.add({ kind: 'answer', status: 429, headers: { 'retry-after': '120' } });
    const site = open();
    await assert.rejects(get(site), {
      code: 'OUTSIDE_UNAVAILABLE',
      retryAfterMs: 120_000,
      message: /it limits calls$/,
    });
    await assert.rejects(get(site), { code: 'OUTSIDE_UNAVAILABLE', message: /no call may start for \d+ s/ });
    assert.equal(fake.server.requests.length, 1);
  });

  test('a budget that an answer shows as used up holds the next call back', async () => {
    fake.answer = { status: 200, body: {}, headers: { 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': '300' } };
    const site = open();
    await get(site);
    await assert.rejects(get(site), { code: 'OUTSIDE_UNAVAILABLE' });
    assert.equal(fake.server.requests.length, 1);
  });

  test('a site that is not there is tried again even for a change, and then said to be unreachable', async () => {
    await fake.server.close();
    const failed = post(open());
    await assert.rejects(failed, { code: 'OUTSIDE_UNAVAILABLE', message: /it refuses connections, 5 times$/ });
    assert.equal(audit[0]!.attempts, 5);
  });

  for (const kind of ['reset', 'lost', 'cut', 'half', 'html'] as const) {
    test(`a read with the fault "${kind}" is repeated, a change is not`, async () => {
      const site = open();
      fake.server.faults.add({ kind });
      await get(site);
      fake.server.faults.add({ kind });
      await assert.rejects(post(site), { code: 'OUTSIDE_UNAVAILABLE' });
      assert.equal(fake.server.requests.length, 3);
    });
  }

  test('a caller may say that a change can be repeated', async () => {
    fake.server.faults.add({ kind: 'lost' });
    await open().request({ method: 'POST', path: '/v1/things', idempotent: true });
    assert.equal(fake.server.requests.length, 2);
  });
});

suite('what is cut off', () => {
  test('a site that does not answer', async () => {
    fake.server.faults.add({ kind: 'hang' }, { times: 9 });
    const site = open({ timeoutMs: 20, retries: 1 });
    await assert.rejects(get(site), { code: 'OUTSIDE_TIMEOUT', message: /did not answer within 20 ms, 2 times$/ });
  });

  test('an answer that drips', async () => {
    fake.answer = { status: 200, body: { text: 'x'.repeat(500) } };
    fake.server.faults.add({ kind: 'drip', everyMs: 5 });
    await assert.rejects(get(open({ timeoutMs: 60, retries: 0 })), { code: 'OUTSIDE_TIMEOUT' });
  });

  for (const announced of [true, false]) {
    test(`an answer that is too large, ${announced ? 'announced' : 'without a word'}`, async () => {
      fake.server.faults.add({ kind: 'huge', bytes: 50_000_000, announced });
      const failed = get(open({ limitBytes: 1_000_000, retries: 0 }));
      await assert.rejects(failed, { code: 'OUTSIDE_UNAVAILABLE', message: /larger than 1000000 bytes/ });
    });
  }

  test('an answer that is small on the wire only', async () => {
    const body = gzipSync(Buffer.alloc(5_000_000, ' '));
    fake.answer = { status: 200, body, headers: { 'content-encoding': 'gzip' } };
    const failed = get(open({ limitBytes: 1_000_000, retries: 0 }));
    await assert.rejects(failed, { code: 'OUTSIDE_UNAVAILABLE', message: /larger than 1000000 bytes/ });
  });

  test('a circle of redirects', async () => {
    fake.answer = { status: 302, headers: { location: '/v1/things' } };
    const failed = get(open({ retries: 0 }));
    await assert.rejects(failed, { code: 'OUTSIDE_UNAVAILABLE', message: /redirects more than 5 times/ });
  });

  test('a call whose caller goes away, with the reason that the caller gave', async () => {
    fake.server.faults.add({ kind: 'hang' });
    const caller = new AbortController();
    const call = open().request({ method: 'GET', path: '/v1/things', signal: caller.signal });
    const reason = new Error('the operation was stopped');
    setImmediate(() => caller.abort(reason));
    await assert.rejects(call, reason);
  });

  test('credentials that do not come, and a caller that goes away meanwhile', async () => {
    const never = (): Promise<Record<string, string>> => new Promise(() => {});
    const unreadable = { code: 'OUTSIDE_UNAVAILABLE', message: 'supabase: its credentials cannot be read' };
    await assert.rejects(get(open({ authorize: never, timeoutMs: 20 })), unreadable);
    const caller = new AbortController();
    const call = open({ authorize: never }).request({ method: 'GET', path: '/', signal: caller.signal });
    setImmediate(() => caller.abort(new Error('enough')));
    await assert.rejects(call, /enough/);
  });

  test('calls under way and calls that wait, when the site is closed', async () => {
    fake.server.faults.add({ kind: 'hang' });
    const site = open({ concurrency: 1 });
    const calls = [get(site), get(site)].map((call) => assert.rejects(call, { code: 'SHUTTING_DOWN' }));
    while (fake.server.requests.length === 0) await new Promise((resolve) => setTimeout(resolve, 1));
    assert.deepEqual(site.state(), { breaker: 'closed', queued: 1, running: 1, clockSkewMs: 0 });
    await site.close();
    await Promise.all(calls);
    await assert.rejects(get(site), { code: 'SHUTTING_DOWN' });
  });

  test('a call that waits before it is repeated, when the site is closed', { timeout: 10_000 }, async () => {
    fake.server.faults.add({ kind: 'answer', status: 500 });
    const site = open({ retryBaseMs: 60_000 });
    const call = assert.rejects(get(site), { code: 'SHUTTING_DOWN' });
    while (site.state().running > 0 || fake.server.requests.length === 0)
      await new Promise((resolve) => setTimeout(resolve, 1));
    await site.close();
    await call;
  });
});

suite('a site that is down', () => {
  test('is left alone, then probed by one call, and used again when that one is answered', async () => {
    let now = 1_000_000;
    const site = open({ clock: { now: () => now }, retries: 0 });
    fake.server.faults.add({ kind: 'answer', status: 500 }, { times: 10 });
    for (let i = 0; i < 10; i++) await assert.rejects(get(site), /it answered 500/);
    assert.equal(site.state().breaker, 'open');
    await assert.rejects(get(site), {
      code: 'OUTSIDE_UNAVAILABLE',
      retryAfterMs: 10_000,
      message: /left alone for 10 s/,
    });
    assert.equal(fake.server.requests.length, 10);

    now += 10_001;
    const calls = await Promise.allSettled([get(site), get(site), get(site)]);
    assert.deepEqual(
      calls.map(({ status }) => status),
      ['fulfilled', 'rejected', 'rejected'],
    );
    assert.equal(fake.server.requests.length, 11);
    assert.equal(site.state().breaker, 'closed');
  });

  for (const silence of ['a limit', 'a caller that went away'] as const) {
    test(`is probed again at once when the probe told nothing: ${silence}`, async () => {
      let now = 1_000_000;
      const site = open({ clock: { now: () => now }, retries: 0 });
      fake.server.faults.add({ kind: 'answer', status: 500 }, { times: 10 });
      for (let i = 0; i < 10; i++) await assert.rejects(get(site));
      now += 10_001;
      const caller = new AbortController();
      fake.server.faults.add(silence === 'a limit' ? { kind: 'answer', status: 429 } : { kind: 'hang' });
      const probe = assert.rejects(site.request({ method: 'GET', path: '/', signal: caller.signal }));
      while (fake.server.requests.length < 11) await new Promise((resolve) => setTimeout(resolve, 1));
      if (silence !== 'a limit') caller.abort(new Error('enough'));
      await probe;
      assert.equal(site.state().breaker, 'half-open');
      await get(site);
      assert.equal(site.state().breaker, 'closed');
    });
  }

  test('refusals do not count as being down', async () => {
    fake.answer = { status: 404, body: {} };
    const site = open();
    for (let i = 0; i < 12; i++) await assert.rejects(get(site), { code: 'OUTSIDE_REFUSED' });
    assert.equal(site.state().breaker, 'closed');
  });
});

suite('fetch, for clients of vendors', () => {
  test('has the credentials, the repeats and the audit, and gives refusals back as answers', async () => {
    fake.answer = { status: 404, body: { message: 'no' } };
    fake.server.faults.add({ kind: 'answer', status: 500 });
    const response = await open().fetch(`${fake.server.url}/v1/things?x=1`, {
      headers: { authorization: 'Basic theirs' },
    });
    assert.ok(response instanceof Response);
    assert.equal(response.status, 404);
    assert.deepEqual(await response.json(), { message: 'no' });
    assert.deepEqual(
      fake.server.requests.map(({ headers }) => headers.authorization),
      [`Bearer ${TOKEN}`, `Bearer ${TOKEN}`],
    );
    assert.equal(audit[0]!.attempts, 2);
  });

  test('sends forms with files, again when it has to', async () => {
    const form = new FormData();
    form.append('file', new Blob(['content of a']), 'a.txt');
    fake.server.faults.add({ kind: 'answer', status: 429 });
    await open().fetch(`${fake.server.url}/v1/files`, { method: 'POST', body: form });
    const [first, second] = fake.server.requests;
    assert.match(second!.headers['content-type']!, /^multipart\/form-data; boundary=/);
    assert.match(second!.bytes.toString(), /filename="a.txt"[^]*content of a/);
    assert.deepEqual(first!.bytes, second!.bytes);
  });

  test('gives bytes as they are', async () => {
    fake.answer = { status: 200, headers: { 'content-type': 'image/png' }, body: Uint8Array.of(0, 255, 1) };
    const response = await open().fetch(`${fake.server.url}/v1/files/1`);
    assert.deepEqual([...new Uint8Array(await response.arrayBuffer())], [0, 255, 1]);
  });

  test('throws what no repeat has mended', async () => {
    fake.server.faults.add({ kind: 'answer', status: 502 }, { times: 9 });
    await assert.rejects(open().fetch(`${fake.server.url}/v1/things`), { code: 'OUTSIDE_UNAVAILABLE' });
    assert.equal(fake.server.requests.length, 5);
  });
});
