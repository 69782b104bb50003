import { after, before } from 'node:test';
import { flowConformance } from '../flow/flow.conformance.ts';
import type { OpenPlace } from '../flow/place.ts';
import { schedulingConformance } from '../flow/scheduling.conformance.ts';
import { openTestServer, type TestServer } from './test-server.ts';

let server: TestServer;
before(async () => void (server = await openTestServer()));
after(() => server?.stop());

const place: OpenPlace = async () => ({
  options: { databaseUrl: await server.database() },
  remove: async () => {},
});
flowConformance('PostgreSQL', place);
schedulingConformance('PostgreSQL', place);
