import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { startFakeServer } from '../../../test/fakes/fake-http-server.ts';
import type { OutsideSite } from './outside-site.ts';
import { TOKEN, useFakeSite } from './outside-site.testing.ts';

const fake = useFakeSite();
const { open } = fake;

const get = (site: OutsideSite, path = '/v1/things'): Promise<unknown> => site.request({ method: 'GET', path });
const post = (site: OutsideSite): Promise<unknown> =>
  site.request({ method: 'POST', path: '/v1/things', body: { name: 'a' } });

suite('where credentials go', () => {
  test('a read is redirected to another host without them, and without headers of the caller', async () => {
    const other = await startFakeServer(() => ({ status: 200, body: { from: 'other' } }));
    fake.opened.push(other);
    fake.answer = { status: 303, headers: { location: `${other.url}/file?signed=1` } };
    const back = await open().request({ method: 'GET', path: '/v1/things', headers: { 'x-mine': '1' } });
    assert.deepEqual(back.body, { from: 'other' });
    assert.equal(other.requests[0]!.headers.authorization, undefined);
    assert.equal(other.requests[0]!.headers['x-mine'], undefined);
  });

  test('a change is not redirected', async () => {
    fake.answer = { status: 307, headers: { location: '/elsewhere' } };
    await assert.rejects(post(open()), { code: 'OUTSIDE_REFUSED', message: /answered 307/ });
    assert.equal(fake.server.requests.length, 1);
  });

  test('a redirect to an address without TLS outside of this machine is not followed', async () => {
    fake.answer = { status: 302, headers: { location: 'http://example.com/' } };
    const failed = get(open({ retries: 0 }));
    await assert.rejects(failed, { code: 'OUTSIDE_UNAVAILABLE', message: /redirects to an address that is not safe/ });
  });

  for (const baseUrl of [
    'http://example.com',
    'ftp://127.0.0.1',
    'https://user:pw@example.com',
    'https://a.b/?x=1',
    'x',
  ]) {
    test(`a site at ${baseUrl} is refused`, () => {
      assert.throws(() => open({ baseUrl }), { code: 'INVALID_REQUEST', message: /must be an https:\/\/ address/ });
    });
  }

  test('a path that leads out of the site is refused', async () => {
    const site = open({ baseUrl: `${fake.server.url}/rest/api` });
    await assert.rejects(get(site, '/../../admin'), { code: 'INVALID_REQUEST' });
    await assert.rejects(get(site, '@example.com/'), { code: 'INVALID_REQUEST' });
    await assert.rejects(site.fetch('https://example.com/rest/api/x'), { code: 'INVALID_REQUEST' });
    assert.equal(fake.server.requests.length, 0);
  });

  test('credentials that cannot be read, or cannot be sent, are named in no error', async () => {
    const unreadable = open({ authorize: () => Promise.reject(new Error(`no file with ${TOKEN}`)) });
    const unsendable = open({ authorize: async () => ({ authorization: `Bearer ${TOKEN}\n` + 'x' }), retries: 0 });
    for (const site of [unreadable, unsendable]) {
      const failed = await get(site).catch((error: Error) => error);
      assert.ok(!`${String(failed)}${(failed as Error).stack}${JSON.stringify(failed)}`.includes(TOKEN));
      assert.equal((failed as { code?: string }).code, 'OUTSIDE_UNAVAILABLE');
    }
  });
});
