import { spawn, type ChildProcess } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { HttpClient } from './http-client.ts';
import { UNCAPPED } from './places.ts';

const ROOT = path.dirname(import.meta.dirname);
/** As `npm start` runs it. */
const FLAGS = ['--disable-warning=ExperimentalWarning', '--max-semi-space-size=16'];
const READY_DEADLINE_MS = 60_000;
/** Clock ticks of /proc/<pid>/stat. */
const TICKS_PER_SECOND = 100;

export type ServerProcess = {
  home: string;
  address: string;
  key: string;
  pid: number;
  /** From the start of the process until /ready answered that it is. */
  readyMs: number;
  rssMb(): number;
  /** The most it had since its start, or since `forgetPeak`. */
  peakRssMb(): number;
  forgetPeak(): void;
  cpuSeconds(): number;
  /** By SIGTERM. */
  stop(): Promise<void>;
  kill9(): Promise<void>;
};

/** The control plane in a process of its own, on any free port. `databaseUrl` null = embedded, in `home`/data. */
export async function startServer(
  home: string,
  databaseUrl: string | null = null,
  /** Where to write a .cpuprofile of the whole run at its clean end. */
  profileFolder: string | null = null,
): Promise<ServerProcess> {
  const addressFile = path.join(home, 'address');
  fs.rmSync(addressFile, { force: true });
  const profileFlags =
    profileFolder === null
      ? []
      : [
          '--cpu-prof',
          '--cpu-prof-interval=500',
          `--cpu-prof-dir=${profileFolder}`,
          '--cpu-prof-name=server.cpuprofile',
        ];
  const startedAt = performance.now();
  const child = spawn(process.execPath, [...FLAGS, ...profileFlags, 'src/main.ts', '--no-example'], {
    cwd: ROOT,
    env: {
      PATH: process.env.PATH,
      COLMEIA_HOME: home,
      COLMEIA_PORT: '0',
      LOG_LEVEL: 'WARN',
      SCHEDULER_MAX_PARALLEL_TICKETS: String(UNCAPPED),
      ...(databaseUrl === null ? {} : { DATABASE_URL: databaseUrl }),
    },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const onExit = (): void => void child.kill('SIGKILL'); // when the bench dies before `stop`
  process.on('exit', onExit);
  let errors = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (errors = (errors + text).slice(-4_000)));
  const address = await readyAddress(child, addressFile, startedAt, () => errors);
  const readyMs = performance.now() - startedAt;
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    process.off('exit', onExit);
    await endOf(child, signal);
  };
  return {
    home,
    address,
    key: fs.readFileSync(path.join(home, 'operator.key'), 'utf8').trim(),
    pid: child.pid!,
    readyMs,
    rssMb: () => statusMb(child.pid!, 'VmRSS'),
    peakRssMb: () => statusMb(child.pid!, 'VmHWM'),
    forgetPeak: () => fs.writeFileSync(`/proc/${child.pid!}/clear_refs`, '5'),
    cpuSeconds: () => cpuSeconds(child.pid!),
    stop: () => end('SIGTERM'),
    kill9: () => end('SIGKILL'),
  };
}

async function readyAddress(
  child: ChildProcess,
  file: string,
  startedAt: number,
  errors: () => string,
): Promise<string> {
  while (performance.now() < startedAt + READY_DEADLINE_MS) {
    if (child.exitCode !== null || child.signalCode !== null) throw new Error(`the server ended:\n${errors()}`);
    if (fs.existsSync(file)) {
      const address = fs.readFileSync(file, 'utf8').trim();
      const client = new HttpClient(address, '');
      const { status } = await client.call('GET', '/ready').finally(() => client.close());
      if (status === 200) return address;
    }
    await sleep(5);
  }
  await endOf(child, 'SIGKILL');
  throw new Error(`the server was not ready in time:\n${errors()}`);
}

function endOf(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  return new Promise((resolve) => {
    child.once('exit', () => resolve());
    child.kill(signal);
  });
}

function statusMb(pid: number, field: string): number {
  const status = fs.readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(new RegExp(`${field}:\\s+(\\d+) kB`).exec(status)![1]) / 1_024;
}

function cpuSeconds(pid: number): number {
  const stat = fs.readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}
