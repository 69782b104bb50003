// Supabase's own API (PostgREST and Auth compatible) over a PostgreSQL, for the system tests: the package @supabase/lite with
// @supabase/supabase-js, fetched once into the cache of tests. It is no dependency: 148 MB for one test.
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { freePort } from './free-port.ts';

const LITE = '0.10.0';
const CLIENT = '2.119.1';
/** Its driver of PostgreSQL, which it names as optional. */
const DRIVER = '3.4.9';
const START_DEADLINE_MS = 30_000;
const INSTALL_DEADLINE_MS = 180_000;
const ROOT = path.dirname(import.meta.dirname);
const CACHE = process.env.COLMEIA_CACHE ?? path.join(ROOT, '.cache');

/** What the tests use of a client. */
export type SupabaseClient = {
  auth: {
    signUp(login: {
      email: string;
      password: string;
    }): Promise<{ data: { user: { id: string } | null }; error: unknown }>;
  };
  from(table: string): Query;
};
export type Query = PromiseLike<{
  data: Record<string, unknown>[] | null;
  error: { code: string } | null;
  status: number;
}> & {
  select(columns?: string): Query;
  insert(row: object): Query;
  update(row: object): Query;
  delete(): Query;
  eq(column: string, value: unknown): Query;
};

export type SupabaseLite = {
  url: string;
  publishableKey: string;
  secretKey: string;
  /** A client with a session of its own. */
  connect(key: string): SupabaseClient;
  stop(): Promise<void>;
};
export type InstalledSupabaseLite = {
  /** Serves the database, whose tables must be there. `databaseUrl`: of a superuser. */
  start(databaseUrl: string): Promise<SupabaseLite>;
};

/** Throws when the packages are neither in the cache nor to be had. */
export async function installSupabaseLite(): Promise<InstalledSupabaseLite> {
  const home = path.join(CACHE, `supabase-lite-${LITE}`);
  if (!fs.existsSync(home)) await fetchInto(home);
  const modules = path.join(home, 'node_modules/@supabase');
  const { createClient } = (await import(path.join(modules, 'supabase-js/dist/index.mjs'))) as {
    createClient: (url: string, key: string, options: object) => SupabaseClient;
  };
  return { start: (databaseUrl) => start(path.join(modules, 'lite/dist/cli/index.js'), databaseUrl, createClient) };
}

async function fetchInto(home: string): Promise<void> {
  const fresh = `${home}.${process.pid}`;
  fs.mkdirSync(fresh, { recursive: true });
  fs.writeFileSync(path.join(fresh, 'package.json'), '{"private": true}');
  const packages = [`@supabase/lite@${LITE}`, `@supabase/supabase-js@${CLIENT}`, `postgres@${DRIVER}`];
  const args = [
    'install',
    '--ignore-scripts',
    '--no-audit',
    '--no-fund',
    '--loglevel=error',
    '--fetch-retries=1',
    ...packages,
  ];
  try {
    await promisify(execFile)('npm', args, { cwd: fresh, timeout: INSTALL_DEADLINE_MS });
    if (!fs.existsSync(home)) fs.renameSync(fresh, home); // else another process was first
  } catch (error) {
    const said = /npm error code (\S+)/.exec((error as { stderr?: string }).stderr ?? '')?.[1];
    throw new Error(`npm install ${packages.join(' ')} failed: ${said ?? (error as Error).message}`, { cause: error });
  } finally {
    fs.rmSync(fresh, { recursive: true, force: true });
  }
}

/** By default the package sends what it is used for to its makers. */
const ENVIRONMENT = { PATH: process.env.PATH, HOME: os.tmpdir(), LITE_TELEMETRY: '0', DO_NOT_TRACK: '1' };

async function start(
  cli: string,
  databaseUrl: string,
  createClient: (url: string, key: string, options: object) => SupabaseClient,
): Promise<SupabaseLite> {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'colmeia-supabase-'));
  const port = await freePort();
  await promisify(execFile)(process.execPath, [cli, 'init'], { cwd: folder, env: ENVIRONMENT });
  configure(path.join(folder, 'supabase/config.toml'), databaseUrl, port);
  const keys = fs.readFileSync(path.join(folder, '.env'), 'utf8');
  const url = `http://127.0.0.1:${port}`;
  // Without --no-admin a request without credentials from this machine would be service_role.
  const server = spawn(process.execPath, [cli, 'start', '--no-admin'], {
    cwd: folder,
    env: ENVIRONMENT,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const stop = async (): Promise<void> => {
    await end(server);
    fs.rmSync(folder, { recursive: true, force: true });
  };
  try {
    await untilServing(server, url);
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    url,
    publishableKey: /^SUPABASE_PUBLISHABLE_KEY=(.*)$/m.exec(keys)![1]!,
    secretKey: /^SUPABASE_SECRET_KEY=(.*)$/m.exec(keys)![1]!,
    connect: (key) => createClient(url, key, { auth: { persistSession: false, autoRefreshToken: false } }),
    stop,
  };
}

function configure(file: string, databaseUrl: string, port: number): void {
  const text = fs
    .readFileSync(file, 'utf8')
    .replace(/^port = .*$/m, `port = ${port}`)
    .replace(/^driver = .*$/m, 'driver = "postgres"')
    .replace(/^url = .*$/m, `url = ${JSON.stringify(databaseUrl)}`);
  fs.writeFileSync(file, text);
}

async function untilServing(server: ChildProcess, url: string): Promise<void> {
  let output = '';
  for (const stream of [server.stdout!, server.stderr!])
    stream.on('data', (text: Buffer) => (output = (output + text.toString()).slice(-4_000)));
  const deadline = Date.now() + START_DEADLINE_MS;
  while (Date.now() < deadline && server.exitCode === null) {
    const answer = await fetch(`${url}/auth/v1/settings`).catch(() => null);
    await answer?.body?.cancel();
    if (answer !== null) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`@supabase/lite did not start:\n${output}`);
}

async function end(server: ChildProcess): Promise<void> {
  if (server.exitCode !== null || server.signalCode !== null) return;
  const ended = new Promise((resolve) => server.once('exit', resolve));
  server.kill('SIGTERM');
  const cut = setTimeout(() => server.kill('SIGKILL'), 5_000);
  await ended;
  clearTimeout(cut);
}
