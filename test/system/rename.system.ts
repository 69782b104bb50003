import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before } from 'node:test';
import { createColmeia } from '../../src/index.ts';
import { renameConformance, type RenamePlace } from '../instances/rename.conformance.ts';
import { asAdmin, openTestServer, type TestServer } from './test-server.ts';

let server: TestServer;
let home: string;
let count = 0;
before(async () => {
  server = await openTestServer();
  home = fs.mkdtempSync(path.join(os.tmpdir(), 'colmeia-rename-'));
});
after(async () => {
  await server?.stop();
  fs.rmSync(home, { recursive: true, force: true });
});

const REMAINS = `select 'database ' || datname as one from pg_database where datname like 'colmeia\\_company\\_%'
  union all select 'role ' || rolname from pg_roles where rolname like 'company\\_%' order by 1`;

async function onServer(strategy: string, external: boolean): Promise<RenamePlace> {
  const databaseUrl = await server.database();
  const instancesFolder = path.join(home, `instances-${++count}`);
  const secretsKeyFile = path.join(home, `secrets-${count}.key`);
  const url = external ? await somebodysDatabase() : null;
  const colmeia = await createColmeia({
    databaseUrl,
    instancesFolder,
    secretsKeyFile,
    accounts: { privateAddresses: true },
  });
  return {
    colmeia,
    instancesFolder,
    strategy,
    url,
    remains: () =>
      asAdmin(databaseUrl, async (client) => (await client.query(REMAINS)).rows.map(({ one }) => String(one))),
    close: () => colmeia.close(),
  };
}

/** By a login that may no more than its own database needs. */
async function somebodysDatabase(): Promise<string> {
  const url = new URL(await server.database());
  const login = `owner_of${url.pathname.replace('/', '_')}`;
  await asAdmin(url.href, async (client) => {
    for (const role of ['anon', 'authenticated', 'service_role'])
      await client.query(`do $$ begin create role ${role} nologin; exception when duplicate_object then null; end $$`);
    await client.query(`create role ${login} login password 'sesame'`);
    await client.query(`alter database ${url.pathname.slice(1)} owner to ${login}`);
  });
  url.username = login;
  url.password = 'sesame';
  return url.href;
}

renameConformance('a database of its own on a server', () => onServer('hybrid', false));
renameConformance('a schema in a common database of a server', () => onServer('schema', false));
renameConformance('a database that somebody else made', () => onServer('hybrid', true));
