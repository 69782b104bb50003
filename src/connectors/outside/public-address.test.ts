import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { isColmeiaError } from '../../platform/errors.ts';
import { useFakeSite } from './outside-site.testing.ts';
import { isPublicAddress, NOT_PUBLIC, publicFetch } from './public-address.ts';

describe('addresses that are not public', () => {
  const fake = useFakeSite();

  test('this machine, private networks and what stands for them are told from the public internet', () => {
    const own = `127.0.0.1 127.9.9.9 0.0.0.0 10.1.2.3 100.64.0.1 169.254.169.254 172.16.0.1 172.31.255.255 192.168.1.1 198.18.0.1
      224.0.0.1 255.255.255.255 :: ::1 ::ffff:127.0.0.1 ::ffff:169.254.169.254 ::ffff:8.8.8.8 64:ff9b::7f00:1 fc00::1 fd00:ec2::254
      fe80::1 ff02::1 2002:7f00:1:: 2001:0:1::1 2001:db8::1 localhost 127.1 example.com`;
    for (const address of own.split(/\s+/)) assert.equal(isPublicAddress(address), false, address);
    for (const address of ['8.8.8.8', '172.32.0.1', '100.128.0.1', '2606:4700::1111', '2a00:1450:4001:806::200e'])
      assert.equal(isPublicAddress(address), true, address);
  });

  test('a site that a company chose is not called there, told at once, and gets no credentials', async () => {
    const { port } = new URL(fake.server.url);
    for (const host of ['127.0.0.1', 'localhost', '[::1]', '127.1', '2130706433']) {
      const site = fake.open({ baseUrl: `http://${host}:${port}`, publicOnly: true });
      await assert.rejects(
        site.request({ method: 'GET', path: '/v1/me' }),
        (error) => isColmeiaError(error, 'OUTSIDE_REFUSED') && /COLMEIA_PRIVATE_ADDRESSES/.test(error.message),
        host,
      );
    }
    assert.equal(fake.server.requests.length, 0);
    assert.deepEqual(
      fake.audit.map(({ attempts, error }) => [attempts, error]),
      Array.from({ length: 5 }, () => [1, 'OUTSIDE_REFUSED']),
    );
  });

  test('fetch for public addresses refuses them by a code of its own', async () => {
    const refused = (error: { cause?: { code?: string } }): boolean => error.cause?.code === NOT_PUBLIC;
    await assert.rejects(publicFetch(fake.server.url), refused);
    await assert.rejects(publicFetch(fake.server.url.replace('127.0.0.1', 'localhost')), refused);
    assert.equal(fake.server.requests.length, 0);
  });
});
