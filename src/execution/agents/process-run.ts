import { createHash } from 'node:crypto';
import { closeSync, openSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { LeaseGrant } from './agent-transport.ts';
import type { ProcessTree } from './end-process-tree.ts';
import type { Isolation } from './process-isolation.ts';

/** What the helper is asked to start. Everything in it comes from the operator's configuration, except file contents. */
export type RunRequest = {
  /** The lease id; also the marker of its processes. */
  id: string;
  /** Run folder. */
  folder: string;
  argv: string[];
  cwd: string;
  env: Record<string, string>;
  timeoutMs: number;
  /** Between SIGTERM and SIGKILL. */
  graceMs: number;
  /** Bytes kept of standard output, and as many of standard error: the last ones. */
  keepBytes: number;
  /** How far the command is shut in, where the machine can. */
  isolate: Isolation;
  hide: string[];
  keep: string[];
  /** How long the run may go on without a control plane. */
  orphanMs: number;
};

export type ToHelper = { type: 'run'; run: RunRequest } | { type: 'end'; id: string; why: EndReason };
export type FromHelper =
  | { type: 'log'; id: string; lines: string[] }
  | { type: 'exit'; id: string }
  | { type: 'isolation'; wanted: Isolation; isolation: Isolation }
  /** Somebody else claimed the run: it was not started here. */
  | { type: 'refused'; id: string; message: string };

export type EndReason = 'timeout' | 'cancelled' | 'orphaned';

/** run.json: written right after the start. */
export type RunStart = ProcessTree & { helperPid: number; helperStartTime: string | null; startedAt: number };

/** exit.json: there when the run is over and its tree is gone. */
export type RunExit = {
  /** Null when a signal ended it or it could not be started. */
  code: number | null;
  signal: string | null;
  /** Why it was ended; null = it ended by itself. */
  ended: EndReason | null;
  /** It could not be started at all; null = it was. */
  startError: string | null;
  durationMs: number;
  /** Last line of standard output that is a JSON object; null = there is none. */
  lastObject: string | null;
  /** Last lines of standard error, or else of standard output. */
  lastLines: string[];
  /** Processes that could not be ended. */
  leftAlive: number;
};

/** Who started the run and waits for it. Several may share one COLMEIA_HOME: the server, its example, a CLI that runs agents. */
export type RunOwner = {
  pid: number;
  startTime: string | null;
  /** One start of configured agents within the process. */
  token: string;
  /** Folder of the configuration. */
  group: string;
};

/** lease.json: what a new control plane needs to take the run up again. */
export type RunLease = { agentId: string; command: string; owner: RunOwner; lease: LeaseGrant };

export const RUN_FILES = {
  lease: 'lease.json',
  ticket: 'ticket.json',
  parameters: 'parameters.json',
  output: 'output.json',
  claim: 'claim',
  start: 'run.json',
  exit: 'exit.json',
  stdout: 'stdout',
  stderr: 'stderr',
} as const;

/** At most 80 characters that are safe as one folder name on every system. Other names get a digest, after a `~` that no safe name has. */
export function safeName(name: string): string {
  if (/^[a-z0-9][a-z0-9._-]{0,79}$/.test(name) && !name.endsWith('.')) return name;
  const readable = name
    .toLowerCase()
    .replaceAll(/[^a-z0-9_-]+/g, '-')
    .slice(0, 40);
  return `${readable.replace(/^[-_]+/, '')}~${createHash('sha256').update(name).digest('hex').slice(0, 24)}`;
}

/** True for the one who may decide about the run: the helper that starts it, or a new control plane that gives it up. */
export function claimRun(folder: string): boolean {
  try {
    closeSync(openSync(join(folder, RUN_FILES.claim), 'wx', 0o600));
    return true;
  } catch {
    return false;
  }
}

/** Null when it is not there, or was not written to its end. */
export function readRunFile<T>(folder: string, file: string): T | null {
  try {
    return JSON.parse(readFileSync(join(folder, file), 'utf8')) as T;
  } catch {
    return null;
  }
}

/** Whole or not at all. */
export function writeRunFile(folder: string, file: string, value: unknown): void {
  const path = join(folder, file);
  writeFileSync(`${path}.part`, JSON.stringify(value), { mode: 0o600 });
  renameSync(`${path}.part`, path);
}
