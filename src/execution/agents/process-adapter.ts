import { constants, existsSync, lstatSync, mkdirSync, realpathSync, statSync } from 'node:fs';
import { mkdir, open, readdir, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ExecutionTicket } from '../../platform/contracts/generated/records.ts';
import { EXIT_CLASSES, type ProcessAgentConfig } from './agent-config.ts';
import { AgentError, AttemptStopped, LeaseLeft } from './agent-error.ts';
import type { AttemptContext } from './agent-loop.ts';
import { outputOf } from './agent-loop.ts';
import type { LeaseGrant } from './agent-transport.ts';
import { endProcessTree, isSameProcess, RUN_MARKER } from './end-process-tree.ts';
import { isInside } from './process-isolation.ts';
import { isAbandoned, type ProcessHost } from './process-host.ts';
import {
  claimRun,
  readRunFile,
  RUN_FILES,
  type RunExit,
  type RunLease,
  type RunRequest,
  type RunStart,
  safeName,
  writeRunFile,
} from './process-run.ts';

export type ProcessAdapterOptions = {
  config: ProcessAgentConfig;
  /** Folder of agents.json. */
  folder: string;
  /** COLMEIA_HOME. */
  home: string;
  host: ProcessHost;
  /** Environment of this process: only what the operator allows is passed on. */
  env: Record<string, string | undefined>;
};

const DAY_MS = 86_400_000;
/** An id in the environment; the ticket file has it whole. */
const ID_LENGTH = 1_000;
/** Shorter values are too common to be masked. */
const SECRET_LENGTH = 8;

/**
 * An agent that runs commands of the operator's configuration. A plan chooses among their names and supplies data, never
 * a command, an argument or a path. What runs outlives the control plane: the run folder says all that the next one needs.
 */
export class ProcessAdapter {
  readonly #options: ProcessAdapterOptions;
  readonly #runs: string;
  readonly #work: string;
  readonly #secrets: string[];

  constructor(options: ProcessAdapterOptions) {
    mkdirSync(options.home, { recursive: true, mode: 0o700 });
    const home = realpathSync(options.home);
    this.#options = { ...options, home };
    this.#runs = join(home, 'runs');
    mkdirSync(options.config.work_root ?? join(home, 'work'), { recursive: true, mode: 0o700 });
    this.#work = realpathSync(options.config.work_root ?? join(home, 'work'));
    this.#secrets = options.config.env
      .map((name) => options.env[name] ?? '')
      .filter((value) => value.length >= SECRET_LENGTH);
  }

  /** Leases whose run folders were left by an earlier control plane. */
  async held(): Promise<LeaseGrant[]> {
    const names = await readdir(this.#runs).catch(() => [] as string[]);
    const leases = names.map((name) => readRunFile<RunLease>(join(this.#runs, name), RUN_FILES.lease));
    const mine = leases.filter((held) => held?.agentId === this.#options.config.agent_id && isAbandoned(held.owner));
    return mine.map((held) => held!.lease);
  }

  /** The result was answered, or the lease is lost: nothing needs the run any more. */
  async settled(leaseId: string): Promise<void> {
    await rm(this.#runFolder(leaseId), { recursive: true, force: true, maxRetries: 3 });
  }

  /** Removes the folders of plans that have had no run for `keep_days`, and of runs that nobody has taken up for so long. */
  async sweep(now: number): Promise<void> {
    for (const name of await readdir(this.#runs).catch(() => [] as string[])) {
      const folder = join(this.#runs, name);
      const owner = readRunFile<RunLease>(folder, RUN_FILES.lease)?.owner;
      if (owner === undefined || isAbandoned(owner)) await this.#removeOld(folder, now);
    }
    for (const company of await readdir(this.#work).catch(() => [] as string[])) {
      const plans = join(this.#work, company, 'plans');
      for (const plan of await readdir(plans).catch(() => [] as string[])) {
        await this.#removeOld(join(plans, plan), now);
      }
    }
  }

  async #removeOld(folder: string, now: number): Promise<void> {
    const { mtimeMs } = await stat(folder).catch(() => ({ mtimeMs: now }));
    if (now - mtimeMs > this.#options.config.keep_days * DAY_MS) await rm(folder, { recursive: true, force: true });
  }

  /** The handler: runs the command of the ticket, or takes up its run when there is one already. */
  run = async (ticket: ExecutionTicket, context: AttemptContext): Promise<Record<string, string>> => {
    const folder = this.#runFolder(context.leaseId);
    const known = readRunFile<RunLease>(folder, RUN_FILES.lease);
    const command = known?.command ?? this.#choose(ticket);
    if (known) writeRunFile(folder, RUN_FILES.lease, { ...known, owner: this.#options.host.owner } satisfies RunLease);
    const exit = known ? await this.#adopt(folder, context) : await this.#start(folder, command, ticket, context);
    return this.#resultOf(command, exit, folder, ticket);
  };

  #runFolder(leaseId: string): string {
    return join(this.#runs, safeName(leaseId));
  }

  #choose(ticket: ExecutionTicket): string {
    const { commands, choose_by } = this.#options.config;
    const { action } = ticket.parameters;
    const has = (name: string | undefined): name is string => name !== undefined && Object.hasOwn(commands, name);
    if (ticket.task_type === 'COMPENSATE' && has(action)) return action;
    const wanted =
      typeof choose_by === 'object'
        ? [ticket.parameters[choose_by.parameter]]
        : [ticket.metadata.task_type, ticket.task_type, 'default'];
    const name = ticket.task_type === 'COMPENSATE' && action !== undefined ? undefined : wanted.find(has);
    if (name !== undefined) return name;
    const asked = action !== undefined && ticket.task_type === 'COMPENSATE' ? action : (wanted[0] ?? wanted[1] ?? '');
    throw new AgentError(
      `this agent has no command "${asked.slice(0, 80)}"; it has ${Object.keys(commands).join(', ')}`,
      'poison',
    );
  }

  async #start(folder: string, command: string, ticket: ExecutionTicket, context: AttemptContext): Promise<RunExit> {
    const { config, host } = this.#options;
    const cwd = await this.#workFolder(ticket, context.leaseId);
    const { lease, ticket: ticketFile, parameters } = RUN_FILES;
    await mkdir(folder, { recursive: true, mode: 0o700 });
    await writeFile(join(folder, ticketFile), JSON.stringify(ticket), { mode: 0o600 });
    await writeFile(join(folder, parameters), JSON.stringify(ticket.parameters), { mode: 0o600 });
    writeRunFile(folder, lease, {
      agentId: config.agent_id,
      command,
      owner: host.owner,
      lease: {
        lease_id: context.leaseId,
        fencing_token: context.fencingToken,
        attempt: context.attempt,
        expires_at: 0,
        ticket,
      },
    } satisfies RunLease);
    context.signal.throwIfAborted();
    const { argv, timeout_ms } = config.commands[command]!;
    const request: RunRequest = {
      id: safeName(context.leaseId),
      folder,
      argv: argv.map((argument) => this.#filled(argument)),
      cwd,
      env: this.#environment(ticket, context, folder, cwd),
      timeoutMs: Math.min(timeout_ms, ticket.sla.timeout_ms),
      graceMs: config.stop_grace_ms,
      keepBytes: config.keep_bytes,
      isolate: config.isolate,
      ...(await this.#confinement(argv, [cwd, folder])),
      orphanMs: config.orphan_ms,
    };
    const onAbort = (): void => {
      if (!isStopping(context.signal)) host.end(request.id, 'cancelled');
    };
    context.signal.addEventListener('abort', onAbort, { once: true });
    try {
      const over = host.run(request, (lines) => lines.forEach((line) => context.log(this.#masked(line))));
      await Promise.race([over, stopping(context.signal)]);
    } catch (error) {
      if (error instanceof LeaseLeft || isStopping(context.signal)) throw new LeaseLeft();
      await this.#giveUp(folder);
      throw error;
    } finally {
      context.signal.removeEventListener('abort', onAbort);
    }
    return readRunFile<RunExit>(folder, RUN_FILES.exit) ?? this.#lost(folder, 'the result of the command is lost');
  }

  async #confinement(argv: string[], own: string[]): Promise<{ hide: string[]; keep: string[] }> {
    const { config, home } = this.#options;
    const hide = [home];
    for (const path of [this.#work, ...config.hidden]) {
      if (existsSync(path) && !hide.some((hidden) => path === hidden || isInside(path, hidden))) hide.push(path);
    }
    const visible = config.visible.map((path) => this.#filled(path));
    for (const path of visible) await mkdir(path, { recursive: true, mode: 0o700 });
    const named = argv.map((argument) => this.#filled(argument)).filter((path) => isInside(path, home));
    const folders = named.map((path) => nearestFolder(path, home)).filter((path) => path !== null);
    return { hide, keep: [...new Set([...own, ...visible, ...folders])] };
  }

  /** Waits for a run that another control plane has started: its helper lives on, or has written how it ended. */
  async #adopt(folder: string, context: AttemptContext): Promise<RunExit> {
    const { config } = this.#options;
    if (claimRun(folder))
      throw new AgentError('the command was not started before the control plane stopped', 'transient', {
        retryAfterMs: 0,
      });
    context.log('taken up again after a restart of the control plane');
    for (let waited = 0, pauseMs = 20; ; waited += pauseMs, pauseMs = Math.min(250, pauseMs * 1.5)) {
      const exit = readRunFile<RunExit>(folder, RUN_FILES.exit);
      if (exit !== null) return exit;
      if (context.signal.aborted) {
        if (isStopping(context.signal)) throw new LeaseLeft();
        await this.#giveUp(folder, config.stop_grace_ms);
        throw context.signal.reason;
      }
      const start = readRunFile<RunStart>(folder, RUN_FILES.start);
      const lost = start === null ? waited > 3_000 : !isSameProcess(start.helperPid, start.helperStartTime);
      if (lost) {
        return (
          readRunFile<RunExit>(folder, RUN_FILES.exit) ??
          (await this.#lost(folder, 'the process that stayed with the command has died'))
        );
      }
      await sleep(pauseMs, undefined, { signal: context.signal }).catch(() => {});
    }
  }

  async #lost(folder: string, message: string): Promise<never> {
    await this.#giveUp(folder);
    throw new AgentError(message, 'transient', { retryAfterMs: 0 });
  }

  /** Nothing of the run may be left before the ticket goes to another attempt. */
  async #giveUp(folder: string, graceMs = 0): Promise<void> {
    const start = readRunFile<RunStart>(folder, RUN_FILES.start);
    if (start !== null) await endProcessTree(start, graceMs);
  }

  async #resultOf(
    command: string,
    exit: RunExit,
    folder: string,
    ticket: ExecutionTicket,
  ): Promise<Record<string, string>> {
    const { config } = this.#options;
    const failed = (what: string, errorClass: AgentError['errorClass']): AgentError => {
      const said = exit.lastLines.slice(-5).join('\n').slice(-2_000);
      const left = exit.leftAlive > 0 ? ` (${exit.leftAlive} of its processes could not be ended)` : '';
      return new AgentError(
        this.#masked(`command "${command}" ${what}${left}${said === '' ? '' : `: ${said}`}`),
        errorClass,
      );
    };
    if (exit.startError !== null) throw failed(`could not be started: ${exit.startError}`, 'poison');
    if (exit.ended === 'timeout') {
      throw failed(
        `was ended after ${Math.min(config.commands[command]?.timeout_ms ?? config.timeout_ms, ticket.sla.timeout_ms)} ms`,
        'timeout',
      );
    }
    if (exit.ended !== null)
      throw failed(
        exit.ended === 'orphaned' ? 'was ended: no control plane came back for it' : 'was cancelled',
        'transient',
      );
    if (exit.code === null) throw failed(`was ended by ${exit.signal}`, 'timeout');
    if (exit.code !== 0) {
      const signalled = exit.code > 128 && exit.code <= 128 + 64;
      const errorClass =
        config.exit_classes[exit.code] ?? EXIT_CLASSES[exit.code] ?? (signalled ? 'timeout' : 'transient');
      throw failed(
        signalled ? `was ended by signal ${exit.code - 128}` : `ended with exit code ${exit.code}`,
        errorClass,
      );
    }
    return this.#output(command, exit, folder);
  }

  async #output(command: string, exit: RunExit, folder: string): Promise<Record<string, string>> {
    const text = (await this.#outputFile(command, folder)) ?? exit.lastObject ?? '{}';
    try {
      const output = outputOf(JSON.parse(text));
      return Object.fromEntries(Object.entries(output).map(([name, value]) => [name, this.#masked(value)]));
    } catch (cause) {
      throw new AgentError(`the output of command "${command}" is not a JSON object`, 'poison', { cause });
    }
  }

  /** Null when the command wrote none. It may have put anything there: only a plain file of a bounded size is read. */
  async #outputFile(command: string, folder: string): Promise<string | null> {
    const path = join(folder, RUN_FILES.output);
    const { keep_bytes } = this.#options.config;
    const found = lstatSync(path, { throwIfNoEntry: false });
    if (found === undefined) return null;
    if (!found.isFile()) throw new AgentError(`the output of command "${command}" is not a plain file`, 'poison');
    if (found.size > keep_bytes)
      throw new AgentError(
        `the output of command "${command}" has ${found.size} bytes; at most ${keep_bytes} are allowed`,
        'poison',
      );
    const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    try {
      const text = await file.readFile('utf8');
      return text.trim() === '' ? null : text;
    } finally {
      await file.close();
    }
  }

  async #workFolder(ticket: ExecutionTicket, leaseId: string): Promise<string> {
    const { work_folder } = this.#options.config;
    const company = join(this.#work, safeName(ticket.metadata.instance || 'default'));
    const folder =
      work_folder === 'company'
        ? join(company, 'shared')
        : work_folder === 'plan'
          ? join(company, 'plans', safeName(ticket.plan_id))
          : join(this.#runFolder(leaseId), 'work');
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const now = new Date();
    await utimes(folder, now, now);
    return folder;
  }

  #environment(ticket: ExecutionTicket, context: AttemptContext, folder: string, cwd: string): Record<string, string> {
    const { config, env } = this.#options;
    const allowed = ['PATH', 'LANG', ...config.env]
      .filter((name) => env[name] !== undefined)
      .map((name) => [name, env[name]!] as const);
    const ids = {
      TICKET_ID: ticket.ticket_id,
      PLAN_ID: ticket.plan_id,
      TASK_ID: ticket.task_id,
      TASK_TYPE: ticket.task_type,
      INSTANCE: ticket.metadata.instance || 'default',
      AGENT_ID: config.agent_id,
      LEASE_ID: context.leaseId,
      ATTEMPT: String(context.attempt),
    };
    return {
      ...Object.fromEntries(allowed),
      HOME: cwd,
      ...Object.fromEntries(
        Object.entries(ids).map(([name, id]) => [`COLMEIA_${name}`, id.replaceAll('\0', '').slice(0, ID_LENGTH)]),
      ),
      COLMEIA_TICKET_FILE: join(folder, RUN_FILES.ticket),
      COLMEIA_OUTPUT_FILE: join(folder, RUN_FILES.output),
      [RUN_MARKER]: safeName(context.leaseId),
    };
  }

  #filled(argument: string): string {
    const { folder, home } = this.#options;
    return argument.replaceAll(
      /\{(node|folder|home)\}/g,
      (_, name: string) => ({ node: process.execPath, folder, home })[name]!,
    );
  }

  /** Values of allowed variables stay out of logs, errors and outputs. */
  #masked(text: string): string {
    let masked = text;
    for (const secret of this.#secrets) masked = masked.replaceAll(secret, '***');
    return masked;
  }
}

/** Ends what agents have left running that are not in this configuration any more. Runs of other configurations are not touched. */
export async function endForgottenRuns(home: string, group: string, agentIds: ReadonlySet<string>): Promise<number> {
  const runs = join(home, 'runs');
  let ended = 0;
  for (const name of await readdir(runs).catch(() => [] as string[])) {
    const folder = join(runs, name);
    const held = readRunFile<RunLease>(folder, RUN_FILES.lease);
    if (held === null || held.owner.group !== group || agentIds.has(held.agentId) || !isAbandoned(held.owner)) continue;
    const start = readRunFile<RunStart>(folder, RUN_FILES.start);
    if (start !== null) await endProcessTree(start, 0);
    await rm(folder, { recursive: true, force: true, maxRetries: 3 });
    ended++;
  }
  return ended;
}

/** What must be seen so that a path works: a program may need what lies beside it, but nobody needs the whole home. */
function nearestFolder(path: string, home: string): string | null {
  const found = statSync(path, { throwIfNoEntry: false });
  if (found === undefined) return null;
  const folder = found.isDirectory() ? path : dirname(path);
  return isInside(folder, home) ? folder : path;
}

function isStopping(signal: AbortSignal): boolean {
  return signal.aborted && signal.reason instanceof AttemptStopped && signal.reason.why === 'stopping';
}

/** Rejects with LeaseLeft when the agent stops: the command goes on without it. */
function stopping(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const check = (): void => {
      if (isStopping(signal)) reject(new LeaseLeft());
    };
    check();
    signal.addEventListener('abort', check, { once: true });
  });
}
