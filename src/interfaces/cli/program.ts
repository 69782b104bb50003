import { Command, CommanderError } from 'commander';
import { VERSION } from '../../version.ts';
import { wholeNumber } from './arguments.ts';
import type { Client } from './client.ts';
import { CliError, describeError, EXIT, type ExitCode } from './cli-error.ts';
import { agentCommands } from './commands/agents.ts';
import { auditCommands } from './commands/audit.ts';
import { completionCommand } from './commands/completion.ts';
import { experimentCommands } from './commands/experiment.ts';
import { inboxCommands } from './commands/inbox.ts';
import { instanceCommands } from './commands/instances.ts';
import { keyCommands } from './commands/keys.ts';
import { planCommands } from './commands/plans.ts';
import { runCommand } from './commands/run.ts';
import { schedulingCommands } from './commands/scheduling.ts';
import { secretCommands } from './commands/secrets.ts';
import { serverCommands } from './commands/server.ts';
import { shellCommand } from './commands/shell.ts';
import { simulateCommand } from './commands/simulate.ts';
import { ticketCommands } from './commands/tickets.ts';
import { whyCommands } from './commands/why.ts';
import { type CliWorld, type GlobalOptions, Session } from './session.ts';

type Work<A extends unknown[]> = (session: Session, ...args: A) => Promise<ExitCode | void>;

export type CommandSetup = {
  /** Turns work on a session into what commander calls. Resolving with nothing means exit code 0. */
  action<A extends unknown[]>(work: Work<A>): (...args: unknown[]) => Promise<void>;
  /** Adds the options that every list has. */
  paged(command: Command): Command;
};

/** Groups that go without a server too: on the control plane of the home, opened for the time of the command. */
const WORK_ALONE = new Set(['instance', 'seed', 'secrets', 'keys', 'audit', 'shell']);

/**
 * Runs `colmeia` with arguments (without the program's own name) and gives its exit code. Never throws. `shared`: the client of
 * commands that name no other server; null = each has its own.
 */
export async function runCli(
  args: readonly string[],
  world: CliWorld,
  shared: Client | null = null,
): Promise<ExitCode> {
  let exit: ExitCode = EXIT.ok;
  const setup: CommandSetup = {
    action:
      (work) =>
      async (...given) => {
        const command = given.at(-1) as Command;
        const options = command.optsWithGlobals<GlobalOptions>();
        const worksAlone = WORK_ALONE.has(groupOf(command));
        const session = new Session(world, options, { worksAlone, shared: namesServer(options) ? null : shared });
        try {
          exit = (await work(session, ...(given.slice(0, -1) as never))) ?? EXIT.ok;
        } catch (error) {
          throw await session.explain(error);
        } finally {
          await session.close();
        }
      },
    paged: (command) =>
      command
        .option('--limit <n>', 'rows of a page, 1 to 100 (default: 50)', wholeNumber(1, 100))
        .option('--after <cursor>', 'begin where a page before ended')
        .option('--all', 'every page'),
  };
  try {
    await buildProgram(world, setup).parseAsync([...args], { from: 'user' });
    return exit;
  } catch (error) {
    // Commander has said what is wrong by itself.
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
    if (world.signal.aborted) return EXIT.failed;
    const shown =
      error instanceof CliError ? error : new CliError(EXIT.failed, (error as Error).stack ?? String(error));
    world.stderr.write(describeError(shown, args.includes('--json')));
    return shown.exit;
  }
}

const namesServer = ({ address, keyFile, home }: GlobalOptions): boolean =>
  address !== undefined || keyFile !== undefined || home !== undefined;

/** The first word of a command, as `instance` of `instance list`. */
function groupOf(command: Command): string {
  const { parent } = command;
  return parent === null || parent.parent === null ? command.name() : groupOf(parent);
}

/** The commands and their options, without running any. */
export function buildProgram(world: CliWorld, setup: CommandSetup): Command {
  const program = new Command('colmeia')
    .description('The control plane for a fleet of autonomous companies.')
    .version(VERSION)
    .option('--json', 'print JSON: one document, or one line per event')
    .option('--address <url>', 'the server (default: COLMEIA_ADDRESS, else the file "address" of the home folder)')
    .option(
      '--key-file <file>',
      'file with the key to call with (default: COLMEIA_KEY, else "operator.key" of the home folder)',
    )
    .option('--home <folder>', 'the home folder (default: COLMEIA_HOME, else .colmeia)')
    .option(
      '--instance <company>',
      'the company (default: INSTANCE_NAME, else the one of `instance select`; all = none of them)',
    )
    .showHelpAfterError('(colmeia --help shows what there is)')
    .configureHelp({ showGlobalOptions: true })
    .configureOutput({ writeOut: (text) => world.stdout.write(text), writeErr: (text) => world.stderr.write(text) })
    .exitOverride()
    .addHelpText(
      'after',
      '\nExit codes: 0 done, 1 failed, 2 wrong use, 3 not found, 4 refused, 5 not reachable, 6 not allowed.',
    );
  serverCommands(program, setup);
  runCommand(program, setup);
  planCommands(program, setup);
  ticketCommands(program, setup);
  agentCommands(program, setup);
  inboxCommands(program, setup);
  whyCommands(program, setup);
  schedulingCommands(program, setup);
  experimentCommands(program, setup);
  instanceCommands(program, setup);
  keyCommands(program, setup);
  secretCommands(program, setup);
  auditCommands(program, setup);
  simulateCommand(program, setup);
  shellCommand(program, setup);
  completionCommand(program, setup);
  return program;
}
