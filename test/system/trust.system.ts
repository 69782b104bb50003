import { after, before } from 'node:test';
import type { OpenPlace } from '../flow/place.ts';
import { trustConformance } from '../security/trust.conformance.ts';
import { openTestServer, type TestServer } from './test-server.ts';

let server: TestServer;
before(async () => void (server = await openTestServer()));
after(() => server?.stop());

const place: OpenPlace = async () => ({
  options: { databaseUrl: await server.database() },
  remove: async () => {},
});
trustConformance('PostgreSQL', place, 3);
