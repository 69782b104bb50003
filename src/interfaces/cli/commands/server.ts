import type { Command } from 'commander';
import type { HealthView, ReadyView } from '../../../colmeia.ts';
import { wholeNumber } from '../arguments.ts';
import { CliError, EXIT } from '../cli-error.ts';
import type { CommandSetup } from '../program.ts';
import { formatDuration, printable } from '../table.ts';

type Status = {
  total_processed: number;
  success_rate: number;
  average_latency_ms: number;
  p95_latency_ms: number;
  active_executions: number;
};

/** The server itself: start one, and ask how it is. */
export function serverCommands(program: Command, { action }: CommandSetup): void {
  program
    .command('serve')
    .alias('start')
    .description('run the control plane here, until interrupted')
    .option('--no-example', 'do not run the example on an empty store')
    .option('--host <address>', 'address to listen on (COLMEIA_HOST)')
    .option('--port <port>', 'port to listen on, 0 = any (COLMEIA_PORT)', wholeNumber(0, 65_535))
    .action(
      action<[{ example: boolean; host?: string; port?: number }]>(async (session, { example, host, port }) => {
        const { serve } = await import('../../process/serve.ts');
        const { env, cwd, stdout, stderr } = session.world;
        const home = session.options.home;
        const changed = {
          ...env,
          ...(home === undefined ? {} : { COLMEIA_HOME: home }),
          ...(host === undefined ? {} : { COLMEIA_HOST: host }),
          ...(port === undefined ? {} : { COLMEIA_PORT: String(port) }),
        };
        return serve({ env: changed, cwd, stdout, stderr, example });
      }),
    );

  program
    .command('status')
    .description('show how much runs, and how it went')
    .action(
      action<[]>(async (session) => {
        const status = await (await session.client()).get<Status>('/api/v1/flow-c/status');
        session.print(
          status,
          () =>
            `active     ${status.active_executions}\nended      ${status.total_processed}\nsucceeded  ${status.success_rate.toFixed(1)} %\n` +
            `average    ${formatDuration(status.average_latency_ms)}\np95        ${formatDuration(status.p95_latency_ms)}\n`,
        );
      }),
    );

  program
    .command('health')
    .description('ask whether the server lives; exit code 5 when not')
    .action(
      action<[]>(async (session) => {
        const { status, text } = await (await session.client()).text('/health');
        const health = parse<HealthView>(text);
        session.print(health, () => checksText(health.status, health.checks));
        return status === 200 && health.status === 'healthy' ? EXIT.ok : EXIT.unavailable;
      }),
    );

  program
    .command('ready')
    .description('ask whether the server takes work; exit code 5 when not')
    .action(
      action<[]>(async (session) => {
        const { status, text } = await (await session.client()).text('/ready');
        const ready = parse<ReadyView>(text);
        session.print(ready, () => checksText(`${ready.status} (${ready.mode})`, ready.checks));
        return status === 200 && ready.status === 'ready' ? EXIT.ok : EXIT.unavailable;
      }),
    );

  program
    .command('metrics')
    .description('print the metrics as Prometheus text')
    .action(
      action<[]>(async (session) => {
        const { status, text } = await (await session.client()).text('/metrics');
        if (status !== 200) throw new CliError(EXIT.unavailable, `/metrics answered HTTP ${status}`);
        session.print({ metrics: text }, () => text);
      }),
    );
}

function parse<T>(text: string): T {
  try {
    return JSON.parse(text) as T;
  } catch (cause) {
    throw new CliError(EXIT.unavailable, 'the answer is not JSON: is it a Colmeia server?', { cause });
  }
}

function checksText(head: string, checks: HealthView['checks']): string {
  const lines = Object.entries(checks ?? {}).map(
    ([name, check]) =>
      `  ${printable(name)}: ${printable(check.status)}${check.detail === undefined ? '' : ` (${printable(check.detail)})`}\n`,
  );
  return `${head}\n${lines.join('')}`;
}
