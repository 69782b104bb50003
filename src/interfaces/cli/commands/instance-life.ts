import fs from 'node:fs';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { Command } from 'commander';
import type { OperationPlan, OperationView } from '../../../coordination/instances/instance-views.ts';
import { CliError, EXIT, type ExitCode } from '../cli-error.ts';
import { type Client, refusal } from '../client.ts';
import { EXPORT_COLUMNS, FAULT_COLUMNS, PLAN_STEP_COLUMNS } from '../columns.ts';
import { followOperation } from '../follow-operation.ts';
import { textOf } from '../http-transport.ts';
import { type PageOptions, printPages } from '../list-pages.ts';
import { pathOfCompany, pathOfExport } from '../paths.ts';
import type { CommandSetup } from '../program.ts';
import { readLine } from '../read-line.ts';
import { isTerminal } from '../read-secret.ts';
import { readSelectedCompany, selectCompany } from '../selected-company.ts';
import { reason, type Session } from '../session.ts';

type Waits = { wait: boolean };

/** What changes a company as a whole: init, seed, clone, rename, delete, export, import. */
export function lifeCommands(program: Command, group: Command, setup: CommandSetup): void {
  const { action } = setup;
  begins(group, 'init', 'make the database and the accounts of a company; may be repeated')
    .argument('[name]')
    .action(
      action<[string | undefined, Waits]>(async (session, given, options) =>
        begin(session, pathOfCompany(await session.companyNamed(given), '/init'), undefined, options),
      ),
    );
  for (const parent of [group, program]) seedCommand(parent, setup);
  copyCommands(group, setup);
  begins(group, 'rename', 'give a company another name')
    .argument('<name>')
    .argument('<new-name>')
    .action(
      action<[string, string, Waits]>(async (session, name, to, options) => {
        const exit = await begin(session, pathOfCompany(name, '/rename'), { to }, options);
        await reselect(session, name, to, exit);
        return exit;
      }),
    );
  deleteCommand(group, setup);
}

const begins = (group: Command, name: string, description: string): Command =>
  group.command(name).description(description).option('--no-wait', 'print the id of the operation and do not wait');

async function begin(
  session: Session,
  path: string,
  body: Record<string, unknown> | undefined,
  { wait }: Waits,
): Promise<ExitCode> {
  const client = await session.client();
  return followOperation(session, client, await client.post<OperationView>(path, body), wait);
}

function seedCommand(parent: Command, { action }: CommandSetup): void {
  parent
    .command('seed')
    .description('run the seeds of the folder of a company that have not run yet')
    .argument('[name]')
    .action(
      action<[string | undefined]>(async (session, given) => {
        const name = await session.companyNamed(given);
        const client = await session.client();
        const seeded = await client.post<{ applied: string[] }>(pathOfCompany(name, '/seed'), undefined);
        session.print(seeded, () => seeded.applied.map((seed) => `${seed}\n`).join(''));
        session.note(
          `company ${name}: ${seeded.applied.length === 0 ? 'no seed is new' : `${seeded.applied.length} seeds ran`}`,
        );
      }),
    );
}

function copyCommands(group: Command, { action, paged }: CommandSetup): void {
  begins(group, 'clone', 'make a new company that is a copy of another, without its secrets')
    .argument('<source>')
    .argument('<target>')
    .option('--dry-run', 'only print steps, sizes, calls, and what stands in the way')
    .action(
      action<[string, string, Waits & { dryRun?: boolean }]>(
        async (session, source, target, { dryRun, ...options }) => {
          const path = pathOfCompany(source, '/clone');
          if (!dryRun) return begin(session, path, { target }, options);
          const client = await session.client();
          return printPlan(session, await client.post<OperationPlan>(path, { target }, { dry_run: true }));
        },
      ),
    );
  begins(group, 'export', 'write a company into one portable file, without its secrets')
    .argument('[name]')
    .action(
      action<[string | undefined, Waits]>(async (session, given, options) =>
        begin(session, pathOfCompany(await session.companyNamed(given), '/export'), undefined, options),
      ),
    );
  begins(group, 'import', 'make a company out of the file of an export')
    .argument('<file>', 'name of a file in the exports folder of the home')
    .option('--name <name>', 'name of the company (default: that in the file)')
    .option('--owners', "make the file's owners those of the company")
    .action(
      action<[string, Waits & { name?: string; owners?: true }]>((session, given, { name, owners, ...options }) => {
        const at = path.parse(path.resolve(session.world.cwd, given));
        const file = at.dir === path.join(session.home, 'exports') ? at.base : given;
        return begin(session, '/api/v1/imports', { file, name, owners }, options);
      }),
    );
  paged(group.command('exports').description('list the files of exports, download or remove one'))
    .option('--download <file>', 'write it into the current folder')
    .option('--remove <file>', 'remove it')
    .action(
      action<[PageOptions & { download?: string; remove?: string }]>(
        async (session, { download, remove, ...pages }) => {
          const client = await session.client();
          if (download !== undefined) return downloadExport(session, client, download);
          if (remove === undefined) return printPages(session, '/api/v1/exports', {}, pages, EXPORT_COLUMNS);
          await client.delete(pathOfExport(remove));
          session.print({ file: remove, removed: true }, () => `${remove} removed\n`);
          return undefined;
        },
      ),
    );
}

async function downloadExport(session: Session, client: Client, file: string): Promise<void> {
  const { cwd, signal } = session.world;
  const to = path.join(cwd, path.basename(file));
  if (!client.transport.isServer)
    throw new CliError(EXIT.usage, `the file is on this machine already: ${path.join(session.home, 'exports', file)}`);
  const response = await client.open(pathOfExport(file), { signal });
  if (response.statusCode !== 200) throw refusal(response.statusCode!, await textOf(response));
  try {
    await pipeline(response, fs.createWriteStream(to, { flags: 'wx', mode: 0o600 }), { signal });
  } catch (cause) {
    const isThere = (cause as NodeJS.ErrnoException).code === 'EEXIST';
    if (!isThere) fs.rmSync(to, { force: true });
    throw new CliError(EXIT.failed, isThere ? `${to} is there already` : `${to}: ${reason(cause)}`, { cause });
  }
  session.print({ file: to }, () => `${to}\n`);
}

function printPlan(session: Session, plan: OperationPlan): ExitCode {
  const { steps, obstacles } = plan;
  session.print(plan, () => {
    const obstructed = obstacles.length === 0 ? '' : `\n${session.table(obstacles, FAULT_COLUMNS)}`;
    return `${session.table(steps, PLAN_STEP_COLUMNS)}${obstructed}`;
  });
  session.note('Nothing was changed.');
  return obstacles.some(({ severity }) => severity === 'error') ? EXIT.failed : EXIT.ok;
}

type Delete = Waits & { yes?: boolean; export: boolean; force?: boolean };

function deleteCommand(group: Command, { action }: CommandSetup): void {
  begins(group, 'delete', 'delete a company and all that was made for it; asks for the name again')
    .argument('<name>')
    .option('--yes', 'do not ask')
    .option('--no-export', 'write no last export')
    .option('--force', 'leave what cannot be taken away, as its site is away, and say so')
    .action(
      action<[string, Delete]>(async (session, name, { yes, wait, force, export: exports }) => {
        const client = await session.client();
        await client.get(pathOfCompany(name));
        const confirm = yes ? name : await askAgain(session, name);
        const query = { confirm, export: exports, force };
        const operation = await client.delete<OperationView>(pathOfCompany(name), query);
        const exit = await followOperation(session, client, operation, wait);
        await reselect(session, name, null, exit);
        return exit;
      }),
    );
}

async function askAgain({ world }: Session, name: string): Promise<string> {
  if (!isTerminal(world.stdin))
    throw new CliError(EXIT.usage, `deleting "${name}" needs --yes where nobody can be asked`);
  const typed = await readLine(world, `This deletes company ${name}. Type its name again: `);
  if (typed !== name) throw new CliError(EXIT.usage, `that is not "${name}"; nothing was changed`);
  return typed;
}

/** A company that is selected and has gone, or has another name now. */
async function reselect({ home }: Session, name: string, to: string | null, exit: ExitCode): Promise<void> {
  if (exit === EXIT.ok && (await readSelectedCompany(home)) === name) await selectCompany(home, to);
}
