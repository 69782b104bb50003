/**
 * A small process that starts the commands of process agents and stays with them to their end, also when the control plane dies.
 * Its own process because starting a child copies the page tables of the parent: milliseconds of a blocked event loop there, none here.
 * Speaks ToHelper and FromHelper over the channel of fork(); what counts lies in the run folders.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { endProcessTree, type ProcessTree, startTimeOf, streamsOf } from './end-process-tree.ts';
import { lastObjectLine, OutputTail } from './output-tail.ts';
import { type Isolation, isolationWay } from './process-isolation.ts';
import {
  claimRun,
  type EndReason,
  type FromHelper,
  RUN_FILES,
  type RunExit,
  type RunRequest,
  type RunStart,
  type ToHelper,
  writeRunFile,
} from './process-run.ts';

/** Log lines are sent in groups. */
const LOG_MS = 200;
const LOG_GROUP = 200;
/** Output may still be in the pipes when a process is gone. */
const DRAIN_MS = 500;
const LAST_LINES = 20;

type Run = {
  request: RunRequest;
  tree: ProcessTree;
  child: ChildProcess;
  startedAt: number;
  stdout: OutputTail;
  stderr: OutputTail;
  /** Last lines of standard output and of standard error. */
  last: [string[], string[]];
  logs: string[];
  dropped: number;
  logTimer: NodeJS.Timeout | undefined;
  limits: NodeJS.Timeout[];
  ended: EndReason | null;
  /** The tree is being ended; its end waits for that. */
  ending: Promise<number> | null;
};

const runs = new Map<string, Run>();
const helperStartTime = startTimeOf(process.pid);

process.on('message', (message: ToHelper) => {
  if (message.type === 'run') start(message.run);
  else end(message.id, message.why);
});
process.on('disconnect', () => {
  for (const run of runs.values()) {
    run.limits.push(setTimeout(() => end(run.request.id, 'orphaned'), run.request.orphanMs));
  }
  leaveWhenIdle();
});
// Whoever stops the control plane decides there about the runs.
for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, () => {});

function start(request: RunRequest): void {
  const { id, folder } = request;
  if (!claimRun(folder)) return say({ type: 'refused', id, message: 'the run was given up before it was started' });
  const startedAt = Date.now();
  const { isolation, wrap } = isolationWay(request.isolate);
  tellIsolation(request.isolate, isolation);
  const argv = wrap(request.argv, request);
  let stdin: number | null = null;
  let child: ChildProcess;
  try {
    stdin = openSync(join(folder, RUN_FILES.parameters), 'r');
    child = spawn(argv[0]!, argv.slice(1), {
      cwd: request.cwd,
      env: request.env,
      detached: true,
      stdio: [stdin, 'pipe', 'pipe'],
    });
  } catch (error) {
    return neverStarted(request, error as Error);
  } finally {
    if (stdin !== null) closeSync(stdin);
  }
  if (child.pid === undefined) {
    child.once('error', (error) => neverStarted(request, error));
    return;
  }
  const tree: ProcessTree = {
    pid: child.pid,
    startTime: startTimeOf(child.pid),
    marker: id,
    streams: streamsOf(child.pid),
    namespaced: isolation !== 'none',
  };
  writeRunFile(folder, RUN_FILES.start, {
    ...tree,
    helperPid: process.pid,
    helperStartTime,
    startedAt,
  } satisfies RunStart);
  watch({
    request,
    tree,
    child,
    startedAt,
    last: [[], []],
    logs: [],
    dropped: 0,
    logTimer: undefined,
    limits: [],
    ended: null,
    ending: null,
    stdout: new OutputTail(request.keepBytes, (line) => log(id, line, 0)),
    stderr: new OutputTail(request.keepBytes, (line) => log(id, line, 1)),
  });
}

const told = new Set<Isolation>();
/** The operator should know when a command is less shut in than was asked for. */
function tellIsolation(wanted: Isolation, isolation: Isolation): void {
  if (!told.has(wanted)) say({ type: 'isolation', wanted, isolation });
  told.add(wanted);
}

function watch(run: Run): void {
  const { child, request, stdout, stderr } = run;
  runs.set(request.id, run);
  child.stdout!.on('data', (chunk: Buffer) => stdout.push(chunk));
  child.stderr!.on('data', (chunk: Buffer) => stderr.push(chunk));
  for (const stream of [child.stdout!, child.stderr!]) stream.on('error', () => {});
  run.limits.push(setTimeout(() => end(request.id, 'timeout'), Math.min(request.timeoutMs, 2 ** 31 - 1)));
  child.on('error', () => {});
  child.once('exit', (code, signal) => void finish(run, code, signal));
  if (!process.connected) run.limits.push(setTimeout(() => end(request.id, 'orphaned'), request.orphanMs));
}

function end(id: string, why: EndReason): void {
  const run = runs.get(id);
  if (run === undefined || run.ending !== null) return;
  run.ended = why;
  run.ending = endProcessTree(run.tree, run.request.graceMs);
}

async function finish(run: Run, code: number | null, signal: string | null): Promise<void> {
  const { request, child, tree } = run;
  const closed = new Promise<void>((resolve) => child.once('close', () => resolve()));
  for (const timer of run.limits) clearTimeout(timer);
  // What the command left running in the background ends with it; a namespace has seen to that already.
  const leftAlive = run.ending ? await run.ending : tree.namespaced ? 0 : await endProcessTree(tree, 0);
  await Promise.race([closed, new Promise((resolve) => setTimeout(resolve, DRAIN_MS))]);
  child.stdout!.destroy();
  child.stderr!.destroy();
  run.stdout.end();
  run.stderr.end();
  flushLogs(run);
  const exit: RunExit = {
    code,
    signal,
    ended: run.ended,
    startError: null,
    durationMs: Date.now() - run.startedAt,
    leftAlive,
    lastLines: run.last[1].length > 0 ? run.last[1] : run.last[0],
    lastObject: lastObjectLine(run.stdout.tail().toString()),
  };
  conclude(request, exit, run);
}

function neverStarted(request: RunRequest, error: Error): void {
  conclude(request, {
    code: null,
    signal: null,
    ended: null,
    startError: error.message,
    durationMs: 0,
    lastObject: null,
    lastLines: [],
    leftAlive: 0,
  });
}

function conclude(request: RunRequest, exit: RunExit, run?: Run): void {
  try {
    if (run) {
      writeFileSync(join(request.folder, RUN_FILES.stdout), run.stdout.tail(), { mode: 0o600 });
      writeFileSync(join(request.folder, RUN_FILES.stderr), run.stderr.tail(), { mode: 0o600 });
    }
    writeRunFile(request.folder, RUN_FILES.exit, exit);
  } catch {
    // The folder is gone: the lease was given up, and nobody waits.
  }
  runs.delete(request.id);
  say({ type: 'exit', id: request.id });
  leaveWhenIdle();
}

function log(id: string, line: string, stream: 0 | 1): void {
  const run = runs.get(id);
  if (run === undefined || line === '') return;
  run.last[stream].push(line);
  if (run.last[stream].length > LAST_LINES) run.last[stream].shift();
  run.logs.push(line);
  if (run.logs.length > LOG_GROUP) {
    run.logs.shift();
    run.dropped++;
  }
  run.logTimer ??= setTimeout(() => flushLogs(run), LOG_MS);
}

function flushLogs(run: Run): void {
  clearTimeout(run.logTimer);
  run.logTimer = undefined;
  if (run.logs.length === 0) return;
  const lines = run.dropped > 0 ? [`… ${run.dropped} lines left out`, ...run.logs] : run.logs;
  run.logs = [];
  run.dropped = 0;
  say({ type: 'log', id: run.request.id, lines });
}

function say(message: FromHelper): void {
  if (process.connected) process.send!(message, () => {});
}

function leaveWhenIdle(): void {
  if (!process.connected && runs.size === 0) process.exit(0);
}
