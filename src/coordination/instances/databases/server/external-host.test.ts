import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import { after, before, describe, test } from 'node:test';

import { systemClock } from '../../../../platform/clock.ts';
import { isColmeiaError } from '../../../../platform/errors.ts';
import { Secret } from '../../../../platform/secret.ts';
import { type CompanyPlace } from '../company-databases.ts';
import { CompanyConnections } from './company-connections.ts';
import { ExternalHost } from './external-host.ts';

const ASK_PASSWORD = Buffer.from([0x52, 0, 0, 0, 8, 0, 0, 0, 3]); // AuthenticationCleartextPassword
const REFUSE = Buffer.from('E\0\0\0\x1aSFATAL\0C28P01\0Mno\0\0', 'latin1');

describe('a database that a company names', () => {
  const heard: string[] = [];
  const connections = new CompanyConnections({ clock: systemClock });
  let calls = 0;
  let port = 0;
  const server = net.createServer((socket) => {
    calls++;
    socket.on('error', () => undefined);
    socket.once('data', () => {
      socket.write(ASK_PASSWORD);
      socket.once('data', (answer) => {
        heard.push(answer.toString('latin1'));
        socket.end(REFUSE);
      });
    });
  });
  before(async () => {
    await once(server.listen(0, '127.0.0.1'), 'listening');
    port = (server.address() as net.AddressInfo).port;
  });
  after(async () => {
    await connections.close();
    server.close();
  });
  const at = (url: string): CompanyPlace => ({
    instance: 'acme',
    id: 'acme-1',
    strategy: 'full',
    url: new Secret(url),
  });

  test('is not called on this machine unless companies may name such addresses', async () => {
    const host = new ExternalHost(connections, true);
    for (const name of ['127.0.0.1', 'localhost', '127.1', '[::ffff:127.0.0.1]']) {
      const place = at(`postgresql://me:mine@${name}:${port}/db`);
      for (const call of [() => host.resources(place), () => host.company(place, async () => undefined)])
        await assert.rejects(
          call(),
          (error) => isColmeiaError(error, 'STORE_UNAVAILABLE') && /COLMEIA_PRIVATE_ADDRESSES/.test(error.message),
          name,
        );
    }
    assert.equal(calls, 0);
  });

  test('gets no password of this process, neither from its environment nor from a file', async () => {
    const { PGPASSWORD } = process.env;
    process.env.PGPASSWORD = 'of the fleet';
    try {
      const host = new ExternalHost(connections, false);
      await assert.rejects(host.resources(at(`postgresql://me@127.0.0.1:${port}/db`)));
    } finally {
      if (PGPASSWORD === undefined) delete process.env.PGPASSWORD;
      else process.env.PGPASSWORD = PGPASSWORD;
    }
    assert.equal(heard.length, 1);
    assert.doesNotMatch(heard[0]!, /fleet/);
  });

  test('is named by host and user, never by a socket or with files of this machine', async () => {
    const host = new ExternalHost(connections, false);
    const wrong = [
      'x',
      'http://me:mine@db.example/db',
      'socket:/var/run/postgresql?db=colmeia',
      'postgresql:///db',
      'postgresql://db.example/db',
      'postgresql://me:mine@%2Fvar%2Frun%2Fpostgresql/db',
      'postgresql://me:mine@db.example/db?host=/var/run/postgresql',
      'postgresql://me:mine@db.example/db?sslkey=/etc/passwd',
      'postgresql://me:mine@db.example/db?options=-crole%3Dpostgres',
    ];
    for (const url of wrong)
      await assert.rejects(
        host.resources(at(url)),
        (error) => isColmeiaError(error, 'CONFIG_INVALID') && !error.message.includes('mine'),
        url,
      );
    assert.equal(host.role(at('postgresql://me:mine@db.example:6543/db?sslmode=require&pgbouncer=true')), 'me');
  });
});
