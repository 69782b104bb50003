import { after, before } from 'node:test';
import { flowConformance } from '../flow/flow.conformance.ts';
import { openTestServer, type TestServer } from './test-server.ts';

let server: TestServer;
before(async () => void (server = await openTestServer()));
after(() => server?.stop());

flowConformance('PostgreSQL', async () => ({
  options: { databaseUrl: await server.database() },
  remove: async () => {},
}));
