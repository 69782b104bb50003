import { type ChildProcess, fork } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { getCompileCacheDir } from 'node:module';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { AgentError } from './agent-error.ts';
import { isSameProcess, startTimeOf } from './end-process-tree.ts';
import type { Isolation } from './process-isolation.ts';
import type { EndReason, FromHelper, RunOwner, RunRequest, ToHelper } from './process-run.ts';

const HELPER = fileURLToPath(
  new URL(import.meta.url.endsWith('.ts') ? './process-helper.ts' : './process-helper.js', import.meta.url),
);
/** An idle helper holds some 45 MB. */
const IDLE_MS = 60_000;

type Waiting = {
  run: RunRequest;
  onLog: (lines: string[]) => void;
  resolve: () => void;
  reject: (error: Error) => void;
};

/** Hosts of this process that have not been closed. */
const open = new Set<string>();

/** True when nobody waits for the run any more: its process has died, or has let go of it. */
export function isAbandoned(owner: RunOwner): boolean {
  if (owner.pid === process.pid && isSameProcess(owner.pid, owner.startTime)) return !open.has(owner.token);
  return !isSameProcess(owner.pid, owner.startTime);
}

/** Starts commands through one helper process, which is started on first use and outlives this process while a command runs. */
export class ProcessHost {
  readonly #env: Record<string, string>;
  readonly #waiting = new Map<string, Waiting>();
  #helper: ChildProcess | null = null;
  #idle: NodeJS.Timeout | undefined;
  /** Called once for each wish that this machine cannot fulfil. */
  onLessIsolated: (wanted: Isolation, isolation: Isolation) => void = () => {};
  readonly #told = new Set<Isolation>();

  readonly owner: RunOwner;

  /** `env`: what the helper itself may know, such as PATH; its commands could read it. `group`: folder of the configuration. */
  constructor(env: Record<string, string>, group: string) {
    this.#env = env;
    this.owner = { pid: process.pid, startTime: startTimeOf(process.pid), token: randomUUID(), group };
    open.add(this.owner.token);
  }

  /** Pid of the helper; null = none runs. */
  get helperPid(): number | null {
    return this.#helper?.pid ?? null;
  }

  /** Resolves when the run is over and exit.json is written. Rejects when the helper died or the run was given up before. */
  run(run: RunRequest, onLog: (lines: string[]) => void): Promise<void> {
    clearTimeout(this.#idle);
    return new Promise((resolve, reject) => {
      this.#waiting.set(run.id, { run, onLog, resolve, reject });
      this.#send({ type: 'run', run });
    });
  }

  end(id: string, why: EndReason): void {
    if (this.#waiting.has(id)) this.#send({ type: 'end', id, why });
  }

  /** Lets go of all runs, for others to take up. They go on; the helper leaves with the last of them. */
  close(): void {
    open.delete(this.owner.token);
    this.#disconnect();
  }

  #disconnect(): void {
    clearTimeout(this.#idle);
    const helper = this.#helper;
    this.#helper = null;
    if (helper?.connected) helper.disconnect();
    helper?.unref();
    for (const [id, { reject }] of this.#waiting) {
      this.#waiting.delete(id);
      reject(new AgentError('the control plane is stopping; the command goes on'));
    }
  }

  #send(message: ToHelper): void {
    const helper = (this.#helper ??= this.#start());
    helper.send(message, (error) => {
      if (error && message.type === 'run') this.#lost(helper);
    });
  }

  #start(): ChildProcess {
    const cache = getCompileCacheDir();
    const helper = fork(HELPER, [], {
      // Its own session: Ctrl-C in a terminal is for the control plane, which then decides.
      detached: true,
      // With the cache of this process it starts in half the time, and with two thirds of the memory.
      env: { ...this.#env, ...(cache === undefined ? {} : { NODE_COMPILE_CACHE: dirname(cache) }) },
      execArgv: ['--disable-warning=ExperimentalWarning', '--max-semi-space-size=2'],
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    });
    helper.on('message', (message: FromHelper) => this.#hear(message));
    helper.on('error', () => this.#lost(helper));
    helper.on('exit', () => this.#lost(helper));
    return helper;
  }

  #hear(message: FromHelper): void {
    if (message.type === 'isolation') {
      if (message.wanted !== message.isolation && !this.#told.has(message.wanted))
        this.onLessIsolated(message.wanted, message.isolation);
      this.#told.add(message.wanted);
      return;
    }
    const waiting = this.#waiting.get(message.id);
    if (waiting === undefined) return;
    if (message.type === 'log') return waiting.onLog(message.lines);
    this.#waiting.delete(message.id);
    if (message.type === 'exit') waiting.resolve();
    else waiting.reject(new AgentError(message.message));
    if (this.#waiting.size === 0) this.#idle = setTimeout(() => this.#disconnect(), IDLE_MS).unref();
  }

  #lost(helper: ChildProcess): void {
    if (this.#helper !== helper) return;
    this.#helper = null;
    for (const [id, { reject }] of this.#waiting) {
      this.#waiting.delete(id);
      reject(new AgentError('the process that stays with the commands has died'));
    }
  }
}
