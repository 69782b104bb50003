import type { Command } from 'commander';
import {
  STRATEGIES,
  TIERS,
  type InstanceDetail,
  type InstanceDifference,
  type InstanceStats,
  type InstanceView,
  type ValidationReport,
} from '../../../coordination/instances/instance-views.ts';
import { choice, number } from '../arguments.ts';
import { CliError, EXIT, type ExitCode } from '../cli-error.ts';
import { FAULT_COLUMNS, INSTANCE_COLUMNS } from '../columns.ts';
import { detailText, statsText } from '../instance-texts.ts';
import { type PageOptions, printPages } from '../list-pages.ts';
import { pathOfCompany } from '../paths.ts';
import type { CommandSetup } from '../program.ts';
import { selectCompany } from '../selected-company.ts';
import type { Session } from '../session.ts';
import { formatTime, printable } from '../table.ts';
import { lifeCommands } from './instance-life.ts';
import { operationCommands } from './operations.ts';

const STATES = ['active', 'paused', 'deleting'];
const HEALTHS = ['unknown', 'healthy', 'degraded', 'unhealthy'];
const MOST_BUDGET = 1e9;

type Budget = { budgetUsd?: number | 'none' };

/** Companies: `instance` and `instances` are the same, without another word the list. */
export function instanceCommands(program: Command, setup: CommandSetup): void {
  const group = program
    .command('instance')
    .alias('instances')
    .description('companies: list, create, look after, delete');
  listCommands(group, setup);
  settingCommands(group, setup);
  lifeCommands(program, group, setup);
  lookCommands(group, setup);
  stateCommands(group, setup);
  folderCommands(group, setup);
  operationCommands(group, setup);
}

function listCommands(group: Command, { action, paged }: CommandSetup): void {
  paged(group.command('list', { isDefault: true }).description('list companies with health and figures, by name'))
    .addOption(choice('--state <state>', 'only in this state', STATES))
    .addOption(choice('--health <health>', 'only of this health', HEALTHS))
    .action(
      action<[PageOptions & { state?: string; health?: string }]>((session, { state, health, ...pages }) =>
        printPages(session, '/api/v1/instances', { state, health }, pages, INSTANCE_COLUMNS),
      ),
    );
  group
    .command('select')
    .description('choose the company that commands mean when they name none; without a name, show it')
    .argument('[name]')
    .option('--none', 'choose none')
    .action(
      action<[string | undefined, { none?: boolean }]>(async (session, name, { none }) => {
        if (name !== undefined) await (await session.client()).get(pathOfCompany(name));
        if (name !== undefined || none) await selectCompany(session.home, name ?? null);
        const selection = await session.selection();
        session.print({ selected: selection?.name ?? null, by: selection?.by ?? null }, () =>
          selection === null ? 'no company is selected\n' : `company ${selection.name} is selected (${selection.by})\n`,
        );
        if (name !== undefined && selection?.name !== name)
          session.note(`${selection?.by} counts more than what was chosen now`);
      }),
    );
}

function settingCommands(group: Command, { action }: CommandSetup): void {
  group
    .command('create')
    .description('found a company; `instance init` makes its database and accounts')
    .argument('<name>')
    .addOption(choice('--strategy <strategy>', 'how isolated its own data is', STRATEGIES))
    .addOption(choice('--tier <tier>', 'its share when there is more work than agents', TIERS))
    .option('--template <template>', 'what its folder begins with (default: default)')
    .option('--budget-usd <amount>', 'for language models, a month', number(0, MOST_BUDGET))
    .action(
      action<[string, { strategy?: string; tier?: string; template?: string; budgetUsd?: number }]>(
        async (session, name, { budgetUsd: budget_usd, ...options }) => {
          const client = await session.client();
          const made = await client.post<InstanceView>('/api/v1/instances', { name, budget_usd, ...options });
          session.print(made, () => `company ${made.name} created (${made.strategy}, ${made.tier})\n`);
          const { folder } = await client.get<InstanceDetail>(pathOfCompany(made.name));
          if (folder !== null) session.note(`Its files: ${folder}`);
          session.note(`Edit them, then: colmeia instance init ${made.name}`);
        },
      ),
    );
  group
    .command('set')
    .description('change tier or budget of a company')
    .argument('[name]')
    .addOption(choice('--tier <tier>', 'its share when there is more work than agents', TIERS))
    .option('--budget-usd <amount>', 'for language models, a month; none = no limit', (value: string) =>
      value === 'none' ? 'none' : number(0, MOST_BUDGET)(value),
    )
    .action(
      action<[string | undefined, Budget & { tier?: string }]>(async (session, given, { tier, budgetUsd }) => {
        const name = await session.companyNamed(given);
        const budget_usd = budgetUsd === 'none' ? null : budgetUsd;
        const company = await (await session.client()).put<InstanceView>(pathOfCompany(name), { tier, budget_usd });
        const budget = company.budget_usd === null ? 'no budget' : `${company.budget_usd} USD a month`;
        session.print(company, () => `company ${company.name}: ${company.tier}, ${budget}\n`);
      }),
    );
}

function lookCommands(group: Command, { action }: CommandSetup): void {
  group
    .command('show')
    .description('show a company: state, health, faults, owners, what it has')
    .argument('[name]')
    .action(
      action<[string | undefined]>(async (session, given) => {
        const name = await session.companyNamed(given);
        const detail = await (await session.client()).get<InstanceDetail>(pathOfCompany(name));
        session.print(detail, () => detailText(detail));
      }),
    );
  group
    .command('stats')
    .description('show the figures of a company, and what its data takes up')
    .argument('[name]')
    .action(
      action<[string | undefined]>(async (session, given) => {
        const name = await session.companyNamed(given);
        const stats = await (await session.client()).get<InstanceStats>(pathOfCompany(name, '/stats'));
        session.print(stats, () => statsText(stats));
      }),
    );
  group
    .command('validate')
    .description('find everything that is wrong in a company; exit code 1 when there is an error')
    .argument('[name]')
    .action(
      action<[string | undefined]>(async (session, given) => {
        const name = await session.companyNamed(given);
        const report = await (
          await session.client()
        ).post<ValidationReport>(pathOfCompany(name, '/validate'), undefined);
        return printReport(session, report);
      }),
    );
}

function printReport(session: Session, report: ValidationReport): ExitCode {
  const { name, health, faults, checks } = report;
  session.print(
    report,
    () => `company ${name}: ${health}\n${faults.length > 0 ? session.table(faults, FAULT_COLUMNS) : ''}`,
  );
  for (const { name: check, state, detail = '' } of checks)
    if (state === 'off') session.note(`${check}: ${printable(detail)}`);
  return faults.some(({ severity }) => severity === 'error') ? EXIT.failed : EXIT.ok;
}

function stateCommands(group: Command, { action }: CommandSetup): void {
  const verbs = { pause: 'start no ticket of a company; what runs goes on', resume: 'let a paused company go on' };
  for (const [verb, description] of Object.entries(verbs)) {
    group
      .command(verb)
      .description(description)
      .argument('[name]')
      .option('--reason <text>', 'why; goes into the audit')
      .action(
        action<[string | undefined, { reason?: string }]>(async (session, given, { reason }) => {
          const name = await session.companyNamed(given);
          const client = await session.client();
          const company = await client.post<InstanceView>(pathOfCompany(name, `/${verb}`), { reason });
          session.print(company, () => `company ${company.name}: ${company.state}\n`);
        }),
      );
  }
}

type Owners = { items: { principal: string; added_by: string; added_at: string }[] };

function folderCommands(group: Command, { action }: CommandSetup): void {
  group
    .command('owners')
    .description('list who owns a company, or change it')
    .argument('[name]')
    .option('--add <principal>', 'as in user:ana@acme.example, team:ops')
    .option('--remove <principal>', 'make somebody an owner no more')
    .action(
      action<[string | undefined, { add?: string; remove?: string }]>(async (session, given, { add, remove }) => {
        const path = pathOfCompany(await session.companyNamed(given), '/owners');
        const client = await session.client();
        if (add !== undefined) await client.put(`${path}/${encodeURIComponent(add)}`, undefined);
        if (remove !== undefined) await client.delete(`${path}/${encodeURIComponent(remove)}`);
        const owners = await client.get<Owners>(path);
        session.print(owners, () => (owners.items.length === 0 ? '' : session.table(owners.items, OWNERS)));
        if (owners.items.length === 0) session.note('It has no owners.');
      }),
    );
  group
    .command('reconcile')
    .description('take over what the folders of companies say, and make what is missing')
    .argument('[name]')
    .option('--dry-run', 'only show where folders and registry differ')
    .action(
      action<[string | undefined, { dryRun?: boolean }]>(async (session, name, { dryRun }) => {
        const client = await session.client();
        const differences = await client.get<{ items: InstanceDifference[] }>('/api/v1/differences');
        const asked = differences.items.filter((one) => name === undefined || one.name === name);
        const { items } = dryRun
          ? { items: asked }
          : await client.post<{ items: InstanceDifference[] }>('/api/v1/differences/reconcile', { name });
        session.print({ items }, () => (items.length === 0 ? '' : session.table(items, DIFFERENCES)));
        if (items.length === 0) session.note(asked.length === 0 ? 'Nothing differs.' : 'Nothing could be settled.');
        if (items.length < asked.length)
          throw new CliError(EXIT.failed, `${asked.length - items.length} differences are left: --dry-run shows them`);
      }),
    );
}

const OWNERS = [
  { title: 'OWNER', value: (owner: Owners['items'][number]) => owner.principal },
  { title: 'SINCE', value: (owner: Owners['items'][number]) => formatTime(owner.added_at) },
  { title: 'BY', value: (owner: Owners['items'][number]) => owner.added_by },
];

const DIFFERENCES = [
  { title: 'COMPANY', value: (one: InstanceDifference) => one.name },
  { title: 'WHAT', value: (one: InstanceDifference) => (one.kind === 'setting' ? one.setting : one.kind) },
  { title: 'REGISTRY', value: (one: InstanceDifference) => shown(one.registry) },
  { title: 'FOLDER', value: (one: InstanceDifference) => shown(one.folder) },
];

const shown = (value: unknown): string | null => (value === null || value === undefined ? null : String(value));
