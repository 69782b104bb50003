import type { Command } from 'commander';
import { PRESETS } from '../../../execution/scheduling/policy.ts';
import type {
  BacklogView,
  BudgetView,
  DegradationView,
  PolicyView,
  TrailView,
} from '../../../execution/swarm/scheduling-views.ts';
import { nearestName } from '../../../platform/contracts/nearest-name.ts';
import { CliError, EXIT } from '../cli-error.ts';
import { type PageOptions, printPages } from '../list-pages.ts';
import type { CommandSetup } from '../program.ts';
import { readJsonFile } from '../read-json-file.ts';
import type { Session } from '../session.ts';
import { formatDuration, formatNumber, formatShare, formatTime, printable, type Column } from '../table.ts';
import { burnText } from './why.ts';

/** The policy, what it works on, and what was learned. */
export function schedulingCommands(program: Command, setup: CommandSetup): void {
  const { action, paged } = setup;
  const scheduling = program.command('scheduling').description('how tickets are ordered and placed: see it, change it');
  policyCommands(scheduling, setup);
  scheduling
    .command('backlog')
    .description('what waits for agents, by class')
    .action(
      action<[]>(async (session) => {
        const client = await session.client();
        const backlog = await client.get<{ classes: BacklogView[] }>('/api/v1/scheduling/backlog');
        if (backlog.classes.length === 0) session.note('Nothing waits for an agent.');
        session.print(backlog, () => (backlog.classes.length === 0 ? '' : session.table(backlog.classes, BACKLOG)));
      }),
    );
  scheduling
    .command('degradation')
    .description('the order in which service is reduced, and how far it has gone')
    .action(
      action<[]>(async (session) => {
        const degradation = await (await session.client()).get<DegradationView>('/api/v1/scheduling/degradation');
        session.print(degradation, () => degradationText(session, degradation));
      }),
    );
  paged(program.command('budgets').description('list error budgets: how much may still be late')).action(
    action<[PageOptions]>(async (session, options) => {
      const query = { instance: await session.company() };
      return printPages(session, '/api/v1/scheduling/budgets', query, options, BUDGETS);
    }),
  );
  trailCommands(program, setup);
}

function policyCommands(scheduling: Command, { action }: CommandSetup): void {
  scheduling
    .command('show', { isDefault: true })
    .description('show the policy in force; of its tables of settings what was set')
    .option('--all', 'every setting')
    .action(
      action<[{ all?: boolean }]>(async (session, { all }) => {
        const policy = await (await session.client()).get<PolicyView>('/api/v1/scheduling/policy');
        session.print(policy, () => policyText(policy, all === true));
      }),
    );
  scheduling
    .command('set')
    .description('set the policy; what waits and what is owed stay')
    .argument('<policy>', `${PRESETS.join(', ')}, or a JSON file with the whole document; - = standard input`)
    .action(
      action<[string]>(async (session, given) => {
        const document = await documentOf(session, given);
        const policy = await (await session.client()).put<PolicyView>('/api/v1/scheduling/policy', document);
        session.print(policy, () => `policy ${policy.preset}: in force\n`);
      }),
    );
}

async function documentOf(session: Session, given: string): Promise<unknown> {
  if ((PRESETS as readonly string[]).includes(given)) return { preset: given };
  if (given === '-' || /[./\\]/.test(given)) return (await readJsonFile(session.world, given)).value;
  const near = nearestName(given, PRESETS);
  const hint = near === null ? `there are ${PRESETS.join(', ')}` : `did you mean ${near}?`;
  throw new CliError(EXIT.usage, `"${given}" is neither a preset nor a .json file; ${hint}`);
}

type Filters = { taskType?: string; agent?: string };

function trailCommands(program: Command, { action, paged }: CommandSetup): void {
  const trails = program.command('trails').description('what was learned of agents: see it, forget it');
  paged(trails.command('list', { isDefault: true }).description('list success and pace by task type and agent'))
    .option('--task-type <type>', 'only of this task type')
    .option('--agent <agent-id>', 'only of this agent')
    .action(
      action<[PageOptions & Filters]>((session, options) =>
        printPages(session, '/api/v1/scheduling/trails', queryOf(options), options, TRAILS),
      ),
    );
  trails
    .command('reset')
    .description('forget what was learned, so that it is learned anew')
    .option('--task-type <type>', 'of this task type')
    .option('--agent <agent-id>', 'of this agent')
    .option('--all', 'of every agent and type')
    .action(
      action<[Filters & { all?: boolean }]>(async (session, { all, ...filters }) => {
        const isAll = filters.taskType === undefined && filters.agent === undefined;
        if (isAll !== (all === true))
          throw new CliError(EXIT.usage, 'say what to forget: --task-type and --agent, or --all');
        const client = await session.client();
        const answer = await client.delete<{ removed: number }>('/api/v1/scheduling/trails', queryOf(filters));
        session.print(answer, () => `${answer.removed} ${answer.removed === 1 ? 'trail' : 'trails'} forgotten\n`);
      }),
    );
}

const queryOf = ({ taskType, agent }: Filters) => ({ task_type: taskType, agent_id: agent });

function policyText({ preset, document, policy, changed_at, changed_by }: PolicyView, all: boolean): string {
  const since = changed_at === null ? 'as the process was started' : `since ${formatTime(changed_at)}`;
  const by = changed_by === null ? '' : ` by ${changed_by}`;
  const asked = Object.keys(document).filter((name) => name !== 'preset');
  const own = asked.length === 0 ? '' : `; of its own: ${asked.join(', ')}`;
  const { settings, ...others } = policy;
  const shown = all ? settings : document.settings;
  const rows = flatRows({ ...others, ...(shown === undefined ? {} : { settings: shown }) }, '');
  const width = Math.max(...rows.map(([name]) => name.length));
  const lines = rows.map(([name, value]) => `${name.padEnd(width)}  ${value}\n`);
  return `${printable(`policy ${preset}, ${since}${by}${own}`)}\n${lines.join('')}`;
}

/** One row for each value at any depth: `caps.running`, `10`. */
function flatRows(values: Record<string, unknown>, path: string): [string, string][] {
  return Object.entries(values).flatMap(([name, value]): [string, string][] => {
    const at = `${path}${name}`;
    if (typeof value === 'object' && value !== null && !Array.isArray(value))
      return flatRows(value as Record<string, unknown>, `${at}.`);
    return [[printable(at), [value].flat().map(valueText).join(', ')]];
  });
}

const valueText = (value: unknown): string => (value === null ? 'none' : printable(String(value)));

function degradationText(session: Session, { step, steps, never }: DegradationView): string {
  const active = steps.filter((one) => one.active).map(({ name }) => name);
  const head = step === 0 && active.length === 0 ? 'nothing is reduced' : `step ${step} of ${steps.length}`;
  const names = active.length === 0 ? '' : `; in force: ${active.join(', ')}`;
  return `${head}${names}\n${session.table(steps, DEGRADATION)}Never given up:\n${never.map((one) => `  ${one}\n`).join('')}`;
}

const right = 'right' as const;

const BACKLOG: Column<BacklogView>[] = [
  { title: 'CLASS', value: (one) => one.class, shrinks: true },
  { title: 'TICKETS', value: (one) => one.tickets, align: right },
  { title: 'WORK', value: (one) => formatDuration(1_000 * one.backlog_seconds), align: right },
  { title: 'AGENTS', value: (one) => one.agents, align: right },
  { title: 'CAPACITY', value: (one) => formatNumber(one.capacity), align: right },
  {
    title: 'DRAINS IN',
    value: (one) => (one.drain_seconds === null ? 'never' : formatDuration(1_000 * one.drain_seconds)),
    align: right,
  },
];
const BUDGETS: Column<BudgetView>[] = [
  { title: 'COMPANY', value: (one) => one.instance, shrinks: true },
  { title: 'TYPE', value: (one) => one.task_type },
  { title: 'TARGET', value: (one) => `${Number((100 * one.target).toFixed(2))} %`, align: right },
  { title: 'LEFT', value: (one) => `${one.remaining_percent.toFixed(1)} %`, align: right },
  { title: 'MODE', value: (one) => one.mode },
  { title: 'BURN', value: (one) => burnText(one.burn), shrinks: true },
];
const TRAILS: Column<TrailView>[] = [
  { title: 'TYPE', value: (one) => one.task_type, shrinks: true },
  { title: 'AGENT', value: (one) => one.agent_id, shrinks: true },
  { title: 'COMPANY', value: (one) => one.instance ?? 'all', shrinks: true },
  { title: 'SUCCESS', value: (one) => formatShare(one.success), align: right },
  { title: 'PACE', value: (one) => `${formatNumber(one.factor)}x`, align: right },
  { title: 'DONE', value: (one) => formatNumber(one.successes), align: right },
  { title: 'FAILED', value: (one) => formatNumber(one.failures), align: right },
  { title: 'LAST', value: (one) => formatTime(one.last_at) },
];
const DEGRADATION: Column<DegradationView['steps'][number]>[] = [
  { title: 'STEP', value: (one) => one.step, align: right },
  { title: 'NAME', value: (one) => one.name },
  { title: 'ACTIVE', value: (one) => (one.active ? 'yes' : 'no') },
  { title: 'SINCE', value: (one) => formatTime(one.since) },
  { title: 'WHAT', value: (one) => one.what, shrinks: true },
  { title: 'WHY', value: (one) => one.why, shrinks: true },
];
