import type { Command } from 'commander';
import type { PlanDetail } from '../../../colmeia.ts';
import { choice, PLAN_STATUSES } from '../arguments.ts';
import { PLAN_COLUMNS } from '../columns.ts';
import { type PageOptions, printPages } from '../list-pages.ts';
import type { CommandSetup } from '../program.ts';
import { readJsonFile } from '../read-json-file.ts';
import { formatDuration, formatTime, printable } from '../table.ts';
import { printTicketTree, watchPlan } from '../watch-plan.ts';

type WithReason = { reason?: string };

export function planCommands(program: Command, { action, paged }: CommandSetup): void {
  paged(program.command('plans').description('list plans, the newest first'))
    .addOption(choice('--status <status>', 'only in this status', PLAN_STATUSES))
    .action(
      action<[PageOptions & { status?: string }]>(async (session, options) => {
        const query = { instance: await session.company(), status: options.status };
        return printPages(session, '/api/v1/plans', query, options, PLAN_COLUMNS);
      }),
    );

  program
    .command('plan')
    .description('show a plan with its tickets')
    .argument('<plan-id>')
    .option('--watch', 'stay until it ends; exit code 0 only when it completed')
    .action(
      action<[string, { watch?: boolean }]>(async (session, planId, { watch }) => {
        const instance = await session.company();
        if (watch) return watchPlan(session, { planId, instance });
        const client = await session.client();
        const plan = await client.get<PlanDetail>(`/api/v1/plans/${encodeURIComponent(planId)}`, { instance });
        session.print(plan, () => planText(plan));
        if (!session.json) await printTicketTree(session, client, planId, instance);
      }),
    );

  change(program, action, 'cancel', 'stop a plan; running tickets are told', (command) =>
    command.option('--compensate', 'undo what is done, where a task says how'),
  );
  change(program, action, 'pause', 'start no more tickets of a plan');
  change(program, action, 'resume', 'go on with a paused plan');
  change(program, action, 'retry', 'run the failed tickets of a failed plan again');
  change(program, action, 'approve', 'let a plan or a destructive task go on', (command) =>
    command.option('--task <task-id>', 'only this task'),
  );
  change(
    program,
    action,
    'reject',
    'say no to a plan or a destructive task',
    (command) => command.option('--task <task-id>', 'only this task'),
    true,
  );

  program
    .command('replan')
    .description('give a plan a new revision; what is done and unchanged is kept')
    .argument('<plan-id>')
    .argument('<file>', 'JSON file with the whole cognitive plan; - = standard input')
    .option('--reason <text>', 'why; goes into the audit')
    .action(
      action<[string, string, WithReason]>(async (session, planId, file, { reason }) => {
        const instance = await session.company();
        const { value } = await readJsonFile(session.world, file);
        const client = await session.client();
        const answer = await client.post<{ plan_id: string; status: string; revision: number; warnings: string[] }>(
          `/api/v1/plans/${encodeURIComponent(planId)}/replan`,
          { cognitive_plan: value, reason },
          { instance },
        );
        for (const warning of answer.warnings) session.note(`warning: ${warning}`);
        session.print(answer, () => `plan ${planId}: revision ${answer.revision}, ${answer.status}\n`);
      }),
    );
}

function change(
  program: Command,
  action: CommandSetup['action'],
  verb: string,
  description: string,
  more: (command: Command) => Command = (command) => command,
  needsReason = false,
): void {
  const command = program.command(verb).description(description).argument('<plan-id>');
  if (needsReason) command.requiredOption('--reason <text>', 'why; goes into the audit');
  else command.option('--reason <text>', 'why; goes into the audit');
  more(command).action(
    action<[string, WithReason & { compensate?: boolean; task?: string }]>(
      async (session, planId, { reason, compensate, task }) => {
        const instance = await session.company();
        const client = await session.client();
        const body = { reason, compensate, task_id: task };
        const answer = await client.post<{ plan_id: string; status: string }>(
          `/api/v1/plans/${encodeURIComponent(planId)}/${verb}`,
          body,
          { instance },
        );
        session.print(answer, () => `plan ${planId}: ${answer.status}\n`);
      },
    ),
  );
}

function planText(plan: PlanDetail): string {
  const rows: [string, string | number | null][] = [
    ['plan', plan.plan_id],
    ['company', plan.instance],
    ['status', plan.paused ? `${plan.status} (paused)` : plan.status],
    ['risk', plan.risk_band],
    ['intent', plan.intent_id],
    ['decision', plan.decision_id],
    ['trace', plan.trace_id],
    ['revision', plan.revision],
    ['created', formatTime(plan.created_at)],
    ['ended', formatTime(plan.ended_at)],
    ['took', formatDuration(plan.ended_at === null ? null : plan.ended_at - plan.created_at)],
    [
      'tickets',
      Object.entries(plan.progress)
        .filter(([, n]) => n > 0)
        .map(([state, n]) => `${n} ${state}`)
        .join(', '),
    ],
    [
      'waits for',
      plan.waits_for_approval.includes('*')
        ? `a person: colmeia approve ${plan.plan_id}`
        : plan.waits_for_approval.join(', '),
    ],
    ['result', plan.result === null ? null : JSON.stringify(plan.result)],
  ];
  return rows
    .filter(([, value]) => value !== null && value !== '')
    .map(([name, value]) => `${name.padEnd(10)} ${printable(value)}\n`)
    .join('');
}
