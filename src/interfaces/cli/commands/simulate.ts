import fs from 'node:fs/promises';
import path from 'node:path';
import { type Command, InvalidArgumentError } from 'commander';
import { comparePolicies, type NamedPolicy } from '../../../execution/scheduling/simulation/compare-policies.ts';
import { parseFleet } from '../../../execution/scheduling/simulation/parse-fleet.ts';
import { parsePlans, type PlanTemplate } from '../../../execution/scheduling/simulation/parse-plans.ts';
import { parseTrace } from '../../../execution/scheduling/simulation/parse-trace.ts';
import type { SimulationReport } from '../../../execution/scheduling/simulation/report.ts';
import { parsePolicy } from '../../../execution/scheduling/parse-policy.ts';
import { PRESETS, policyOf, type Preset } from '../../../execution/scheduling/policy.ts';
import type { Fault } from '../../../platform/errors.ts';
import { wholeNumber } from '../arguments.ts';
import { CliError, EXIT } from '../cli-error.ts';
import type { CommandSetup } from '../program.ts';
import { readJsonFile } from '../read-json-file.ts';
import { type CliWorld, reason, type Session } from '../session.ts';
import { type Column, formatDuration } from '../table.ts';

type Options = {
  fleet: string;
  plans: string;
  policy?: string[];
  seed: number;
  seeds: number;
  rate?: number;
  noise: number;
};

export function simulateCommand(program: Command, { action }: CommandSetup): void {
  program
    .command('simulate')
    .description('try policies on a fleet and plans of files, in virtual time; needs no server')
    .requiredOption('--fleet <file>', 'JSON file with the agents: how many, what they can, how fast')
    .requiredOption('--plans <path>', 'folder of JSON files, one JSON file, or a CSV trace')
    .option(
      '--policy <policy>',
      `${PRESETS.join(', ')}, or a JSON file with a policy; may be repeated (default: adaptive)`,
      (value: string, before: string[] | undefined) => [...(before ?? []), value],
    )
    .option('--seed <n>', 'begin of chance; the same seed gives the same result', wholeNumber(0, 2 ** 32 - 1), 1)
    .option('--seeds <n>', 'how many seeds to take the mean of', wholeNumber(1, 1_000), 1)
    .option('--rate <n>', 'plans come at random, so many a minute, instead of when the files say', positiveNumber)
    .option('--noise <n>', 'spread of durations that are only estimated (0 = as estimated)', positiveNumber, 0.3)
    .action(
      action<[Options]>(async (session, options) => {
        const faults: Fault[] = [];
        const fleet = await read(faults, options.fleet, async (own) =>
          parseFleet((await readJsonFile(session.world, options.fleet)).value, own),
        );
        const templates = await readPlans(session.world, options.plans, faults);
        const policies: NamedPolicy[] = [];
        for (const name of options.policy ?? ['adaptive']) policies.push(await readPolicy(session.world, name, faults));
        if (faults.length > 0) throw new CliError(EXIT.usage, 'these files cannot be simulated', { faults });
        if (templates.length === 0) throw new CliError(EXIT.usage, `there are no plans in ${options.plans}`);
        const reports = comparePolicies({
          ...options,
          fleet,
          templates,
          policies,
          ratePerMinute: options.rate ?? null,
        });
        print(session, reports, options);
      }),
    );
}

/** Faults get the file's name in front of their path. A file that cannot be read is a fault too. */
async function read<T>(faults: Fault[], name: string, work: (own: Fault[]) => Promise<T>): Promise<T> {
  const own: Fault[] = [];
  const result = await work(own);
  for (const { path: at, message } of own) faults.push({ path: at === '' ? name : `${name}: ${at}`, message });
  return result;
}

async function readPlans(world: CliWorld, given: string, faults: Fault[]): Promise<PlanTemplate[]> {
  const place = path.resolve(world.cwd, given);
  const stat = await fs.stat(place).catch((cause: unknown) => {
    throw new CliError(EXIT.usage, `${given}: ${reason(cause)}`, { cause });
  });
  if (!stat.isDirectory()) return readPlanFile(world, given, faults);
  const files = (await fs.readdir(place)).filter((file) => file.endsWith('.json')).sort();
  const templates: PlanTemplate[] = [];
  for (const file of files) templates.push(...(await readPlanFile(world, path.join(given, file), faults)));
  return templates;
}

function readPlanFile(world: CliWorld, file: string, faults: Fault[]): Promise<PlanTemplate[]> {
  return read(faults, file, async (own) =>
    file.endsWith('.csv')
      ? parseTrace(await fs.readFile(path.resolve(world.cwd, file), 'utf8'), own)
      : parsePlans((await readJsonFile(world, file)).value, '', own),
  );
}

async function readPolicy(world: CliWorld, name: string, faults: Fault[]): Promise<NamedPolicy> {
  if ((PRESETS as readonly string[]).includes(name)) return { name, policy: policyOf(name as Preset) };
  if (!name.endsWith('.json'))
    throw new CliError(EXIT.usage, `--policy "${name}" is neither ${PRESETS.join(', ')} nor a .json file`);
  const policy = await read(faults, name, async (own) => {
    const parsed = parsePolicy((await readJsonFile(world, name)).value);
    own.push(...parsed.faults);
    return parsed.policy;
  });
  return { name: path.basename(name, '.json'), policy: policy ?? policyOf('adaptive') };
}

function positiveNumber(value: string): number {
  const number = Number(value);
  if (value.trim() !== '' && number >= 0 && number <= 1e9) return number;
  throw new InvalidArgumentError('Must be a number from 0 to 1e9.');
}

type Row = { policy: string } & SimulationReport;

function print(session: Session, rows: readonly Row[], { seed, seeds }: Options): void {
  const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;
  const tiers = [...new Set(rows.flatMap((row) => Object.keys(row.missedByTier)))].sort();
  const right = 'right' as const;
  const columns: Column<Row>[] = [
    { title: 'POLICY', value: (row) => row.policy },
    { title: 'MAKESPAN', value: (row) => formatDuration(row.makespanMs), align: right },
    { title: 'MISSED', value: (row) => percent(row.missed), align: right },
    ...tiers.map((tier) => ({
      title: tier.toUpperCase(),
      value: (row: Row) => percent(row.missedByTier[tier] ?? 0),
      align: right,
    })),
    { title: 'JAIN', value: (row) => row.jain.toFixed(3), align: right },
    { title: 'BUSY', value: (row) => percent(row.utilisation), align: right },
    { title: 'MEAN WAIT', value: (row) => formatDuration(row.meanWaitMs), align: right },
    { title: 'P95 WAIT', value: (row) => formatDuration(row.p95WaitMs), align: right },
  ];
  for (const row of rows)
    if (row.stuck > 0)
      session.note(`warning: ${row.policy}: ${row.stuck} plans did not end, as no agent could do them`);
  session.print({ seed, seeds, policies: rows }, () => session.table(rows, columns));
}
