import fs from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import type { AgentTransport } from '../../execution/agents/agent-transport.ts';
import { readConfig, type Config } from '../../platform/config.ts';
import { isColmeiaError } from '../../platform/errors.ts';
import { createLog, type Log } from '../../platform/observability/log.ts';
import { LOCAL_OPERATOR } from '../../trust/identity/principal.ts';
import { knownSecrets } from '../../trust/secrets/redact.ts';
import { operatorKey, prepareHome, removeAddress, writeAddress } from './home-folder.ts';
import { stopSignals } from './stop-signals.ts';

type Output = { write(text: string): unknown; isTTY?: boolean };
export type ServeOptions = {
  env: Readonly<Record<string, string | undefined>>;
  cwd: string;
  stdout: Output;
  stderr: Output;
  /** Run the example when the store is empty. */
  example: boolean;
};

/** Exit codes: 0 stopped cleanly, 1 failed, 2 wrong configuration, 5 the database is not available. */
const EXIT = { ok: 0, failed: 1, usage: 2, unavailable: 5 } as const;
type Exit = (typeof EXIT)[keyof typeof EXIT];

/** For everything that closes; then the process ends anyway, as after a crash, which loses nothing. */
const GRACE_MS = 10_000;

/** Runs the control plane until a signal, and gives the exit code. Prints one clear line when it cannot start. */
export async function serve(options: ServeOptions): Promise<Exit> {
  const { stdout, stderr } = options;
  const say = (text: string): void => void stdout.write(`${text}\n`);
  const signals = stopSignals(() => process.exit(130));
  let closers: Closer[] = [];
  try {
    const config = readConfig(options.env, options.cwd);
    const notes = [...config.warnings, ...(await prepareHome(config.home))];
    const log = createLog({
      level: config.logLevel,
      format: config.logFormat,
      output: stderr === process.stderr ? undefined : stderr,
      redact: (line) => knownSecrets.redact(line),
    });
    for (const note of notes) log.warn(note);
    reportCrashes(log);
    const stopping = new AbortController();
    void signals.first.then(() => stopping.abort());
    const started = startAll(config, log, options, say, closers, stopping.signal);
    const first = await Promise.race([started.then(() => null), signals.first]);
    const signal = first ?? (await signals.first);
    log.info({ signal }, 'stopping');
    // A start under way is let finish, as it may not be cut in the middle.
    if (first !== null) await started.catch(() => {});
    const clean = await closeAll(closers, log);
    closers = [];
    return clean ? EXIT.ok : EXIT.failed;
  } catch (error) {
    stderr.write(startFailure(error, options));
    return exitOf(error);
  } finally {
    await closeAll(closers, null);
    signals.off();
  }
}

type Closer = { what: string; close: () => Promise<unknown> };

async function startAll(
  config: Config,
  log: Log,
  options: ServeOptions,
  say: (text: string) => void,
  closers: Closer[],
  stopping: AbortSignal,
): Promise<void> {
  const startedAt = performance.now();
  const serverModule = import('../http/server.ts');
  // Its failure is met below; until then it must not count as unhandled.
  serverModule.catch(() => {});
  const { createColmeia, localTransport, optionsOf } = await import('../../index.ts');
  const colmeia = await createColmeia({
    ...optionsOf(config, path.join(config.home, 'data')),
    log: (level, data, message) => log[level](data, message),
  });
  closers.unshift({ what: 'the store', close: () => colmeia.close() });
  const key = await operatorKey(config.home, {
    isKnown: async (text) => (await colmeia.keys.authenticate(text)) !== null,
    create: async () => (await colmeia.keys.create(LOCAL_OPERATOR, { kind: 'operator' })).key,
  });
  if (key.replaced)
    log.warn(`the key in ${key.file} is not of this store: there is a new one, and the old one is in operator.key.old`);
  const { startHttpServer } = await serverModule;
  // A plan of the greatest size is escaped inside its decision, and so up to twice as long.
  const limits = { bodyBytes: 2 * config.maxBodyBytes };
  const server = await startHttpServer({ colmeia, host: config.host, port: config.port, log, limits });
  closers.unshift({ what: 'the server', close: () => server.close() });
  await writeAddress(config.home, server.address);
  closers.unshift({ what: 'the address', close: () => removeAddress(config.home, server.address) });
  const transport = localTransport(colmeia);
  const agents = await startAgents(config, transport, log, options.env);
  if (agents !== null) closers.unshift({ what: 'the agents', close: () => agents.stop() });
  const took = ((performance.now() - startedAt) / 1_000).toFixed(2);
  log.info({ address: server.address, start_s: Number(took) }, 'ready');
  say(`Colmeia is up at ${server.address} after ${took} s, with ${databaseName(config)}.`);
  let ranExample: string | null = null;
  if (options.example) {
    const { runExample } = await import('./run-example.ts');
    const example = { colmeia, transport, home: config.home, env: options.env, log, say, signal: stopping };
    // The control plane is worth more than its example.
    ranExample = await runExample(example).catch((error: unknown) => {
      log.error({ err: error }, 'the example failed');
      return null;
    });
  }
  if (!stopping.aborted) say(whatNow(server.address, config, key.created, ranExample));
}

/** The operator's agents; null = none are configured. */
async function startAgents(config: Config, transport: AgentTransport, log: Log, env: ServeOptions['env']) {
  const file = config.agentsFile ?? path.join(config.home, 'agents.json');
  if (config.agentsFile === null && !fs.existsSync(file)) return null;
  const { readAgentConfig, startConfiguredAgents } = await import('../../execution/agents/configured-agents.ts');
  if (!fs.existsSync(file))
    throw Object.assign(new Error(`COLMEIA_AGENTS names ${file}, which does not exist`), { exit: EXIT.usage });
  const agents = await readAgentConfig(file);
  log.info({ file, agents: agents.agents.length }, 'agents configured');
  return startConfiguredAgents({
    config: agents,
    transport,
    home: config.home,
    env: { ...env },
    log: (level, message) => log[level](message),
  });
}

/** In order, each with its own faults, all within the grace. False when something failed or took too long. */
async function closeAll(closers: readonly Closer[], log: Log | null): Promise<boolean> {
  let clean = true;
  const all = (async () => {
    for (const { what, close } of closers) {
      try {
        await close();
      } catch (error) {
        clean = false;
        log?.error({ err: error }, `${what} did not close cleanly`);
      }
    }
    return true;
  })();
  const { promise: late, resolve } = Promise.withResolvers<boolean>();
  const timer = setTimeout(resolve, GRACE_MS, false);
  const inTime = await Promise.race([all, late]);
  clearTimeout(timer);
  if (!inTime) log?.error(`not closed within ${GRACE_MS / 1_000} s; ending now`);
  return clean && inTime;
}

function reportCrashes(log: Log): void {
  process.on('uncaughtException', (error) => {
    log.fatal({ err: error }, 'a fault of Colmeia itself: ending, so that a restart goes on from what is stored');
    process.exit(EXIT.failed);
  });
}

function startFailure(error: unknown, { env }: ServeOptions): string {
  const { code, message, port, address, syscall } = error as NodeJS.ErrnoException & {
    port?: number;
    address?: string;
  };
  if (code === 'EADDRINUSE')
    return `colmeia: port ${port} of ${address} is taken, perhaps by another Colmeia; COLMEIA_PORT names another one (0 = any)\n`;
  if (code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND')
    return `colmeia: ${address ?? env.COLMEIA_HOST} is no address of this machine (COLMEIA_HOST)\n`;
  if (code === 'EACCES' && port !== undefined)
    return `colmeia: this user may not listen on port ${port} (COLMEIA_PORT)\n`;
  if (syscall === 'open' || syscall === 'mkdir') return `colmeia: ${message}\n`;
  if (!isColmeiaError(error) && (error as { exit?: number }).exit === undefined)
    return `colmeia: ${(error as Error).stack ?? message}\n`;
  const faults = isColmeiaError(error) ? error.faults.filter((fault) => fault.message !== message) : [];
  return `colmeia: ${message}${isColmeiaError(error) ? ` (${error.code})` : ''}\n${faults.map((fault) => `  ${fault.path}: ${fault.message}\n`).join('')}`;
}

function exitOf(error: unknown): Exit {
  const isWrong = isColmeiaError(error, 'CONFIG_INVALID') || isColmeiaError(error, 'INVALID_POLICY');
  if (isWrong || (error as { exit?: number }).exit === EXIT.usage) return EXIT.usage;
  return isColmeiaError(error, 'STORE_UNAVAILABLE') ? EXIT.unavailable : EXIT.failed;
}

function databaseName(config: Config): string {
  if (config.databaseUrl === null)
    return `the embedded database in ${path.join(path.relative(process.cwd(), config.home) || '.', 'data')}`;
  const url = new URL(config.databaseUrl.reveal());
  return `PostgreSQL at ${url.host || url.searchParams.get('host')}${url.pathname}`;
}

function whatNow(address: string, config: Config, newKey: boolean, planId: string | null): string {
  const cli = import.meta.url.endsWith('.ts') ? 'npm run colmeia --' : 'npx colmeia';
  const home = path.relative(process.cwd(), config.home) || '.';
  return [
    '',
    `  API and its pages   ${address}`,
    `  operator's key      ${path.join(home, 'operator.key')}${newKey ? ' (new; only you can read it)' : ''}`,
    '',
    '  Try, in another terminal:',
    `    ${cli} plans`,
    `    ${cli} ${planId === null ? 'status' : `plan ${planId}`}`,
    `    ${cli} audit verify`,
    '',
    '  Ctrl-C stops it; whatever is under way goes on at the next start.',
    '',
  ].join('\n');
}
