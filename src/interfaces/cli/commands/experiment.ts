import type { Command } from 'commander';
import { EXPERIMENT_SETTINGS, METRICS } from '../../../execution/scheduling/experiments/experiment-settings.ts';
import { PRESETS } from '../../../execution/scheduling/policy.ts';
import { documentName } from '../../../execution/scheduling/setting.ts';
import type { ExperimentView } from '../../../execution/swarm/scheduling-views.ts';
import { choice, duration, number } from '../arguments.ts';
import type { CommandSetup } from '../program.ts';
import { formatNumber, formatShare, formatTime, printable } from '../table.ts';

const PATH = '/api/v1/scheduling/experiment';

/** Two presets against each other on live work. */
export function experimentCommands(program: Command, { action }: CommandSetup): void {
  const experiment = program.command('experiment').description('compare two presets on live work, by turns');
  experiment
    .command('show', { isDefault: true })
    .description('show the experiment under way, or the last one')
    .action(
      action<[]>(async (session) => {
        const shown = await (await session.client()).get<ExperimentView>(PATH);
        session.print(shown, () => experimentText(shown));
      }),
    );
  const start = experiment
    .command('start')
    .description('begin one; it ends by itself')
    .addOption(choice('--a <preset>', 'what is compared with', PRESETS).makeOptionMandatory())
    .addOption(choice('--b <preset>', 'what may be better', PRESETS).makeOptionMandatory())
    .addOption(choice('--metric <metric>', 'what is compared', Object.keys(METRICS)));
  for (const [name, { min, max, default: value, what }] of Object.entries(EXPERIMENT_SETTINGS)) {
    const flag = flagOf(name);
    if (name.endsWith('Ms')) {
      const text = what.replace(/, ms$/, '');
      start.option(`--${flag} <time>`, `${text}, as in 10m (default: ${value / 60_000}m)`, duration(min, max));
    } else start.option(`--${flag} <n>`, `${what} (default: ${value})`, number(min, max));
  }
  start.action(
    action<[Record<string, string | number>]>(async (session, options) => {
      const { a, b, metric } = options;
      const settings = Object.keys(EXPERIMENT_SETTINGS).map((name) => [documentName(name), options[optionOf(name)]]);
      const body = { a, b, metric, ...Object.fromEntries(settings) };
      const started = await (await session.client()).post<ExperimentView>(PATH, body);
      session.print(started, () => experimentText(started));
    }),
  );
  experiment
    .command('stop')
    .description('end it; the configured policy holds again')
    .option('--reason <text>', 'why; goes into the audit')
    .action(
      action<[{ reason?: string }]>(async (session, { reason }) => {
        const stopped = await (await session.client()).delete<ExperimentView>(PATH, { reason });
        session.print(stopped, () => experimentText(stopped));
      }),
    );
}

/** `blockMs` is `--block`, `minPairs` is `--min-pairs`. */
const flagOf = (name: string): string => documentName(name.replace(/Ms$/, '')).replaceAll('_', '-');
const optionOf = (name: string): string => name.replace(/Ms$/, '');

function experimentText(experiment: ExperimentView): string {
  const { a, b, metric, settings, state, started_at, ended_at, current, pairs, results, on_time } = experiment;
  const planned = settings.pairs === undefined ? '' : ` of ${settings.pairs}`;
  const rows: [string, string | null][] = [
    ['state', state === 'running' ? `running; now ${current ?? 'between blocks'}` : `ended: ${experiment.stopped}`],
    ['began', formatTime(started_at)],
    ['ended', formatTime(ended_at)],
    ['pairs', `${pairs}${planned}`],
    ['results', `${results.a} with A, ${results.b} with B`],
    ['on time', `${share(on_time.a)} with A, ${share(on_time.b)} with B`],
    ['B − A', differenceText(experiment)],
    ['harmful', experiment.harmful],
    ['winner', experiment.winner ?? (state === 'running' ? null : 'none')],
  ];
  return (
    `${printable(`experiment: A = ${a}, B = ${b}, by ${metric}`)}\n` +
    rows
      .filter(([, value]) => value !== null)
      .map(([name, value]) => `${name.padEnd(10)} ${printable(value)}\n`)
      .join('')
  );
}

/** Latencies are compared as a share of A, all else in the metric's own unit. */
function differenceText({ difference, interval, metric, settings }: ExperimentView): string {
  if (difference === null || interval === null) return 'not known yet: fewer than two pairs count';
  const { ratio } = METRICS[metric as keyof typeof METRICS] ?? { ratio: false };
  const isShare = ratio || metric === 'on_time';
  const text = (value: number): string => (isShare ? formatShare(value) : formatNumber(value));
  const sure = settings.confidence === undefined ? '' : ` with ${Number((100 * settings.confidence).toFixed(1))} %`;
  return `${text(difference)}, from ${text(interval[0])} to ${text(interval[1])}${sure}`;
}

const share = (value: number | null): string => (value === null ? '-' : formatShare(value));
