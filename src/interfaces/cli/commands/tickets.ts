import type { Command } from 'commander';
import type { TicketView } from '../../../colmeia.ts';
import { choice, TASK_TYPES, TICKET_STATUSES } from '../arguments.ts';
import { TICKET_COLUMNS } from '../columns.ts';
import { type PageOptions, printPages } from '../list-pages.ts';
import type { CommandSetup } from '../program.ts';
import { formatDuration, formatTime, printable } from '../table.ts';

type Filters = PageOptions & { plan?: string; status?: string; type?: string };

export function ticketCommands(program: Command, { action, paged }: CommandSetup): void {
  paged(program.command('tickets').description('list tickets'))
    .option('--plan <plan-id>', 'only of this plan')
    .addOption(choice('--status <status>', 'only in this status or state', TICKET_STATUSES))
    .addOption(choice('--type <type>', 'only of this task type', TASK_TYPES))
    .action(
      action<[Filters]>(async (session, options) => {
        const query = {
          instance: await session.company(),
          plan_id: options.plan,
          status: options.status,
          task_type: options.type,
        };
        return printPages(session, '/api/v1/tickets', query, options, TICKET_COLUMNS);
      }),
    );

  program
    .command('ticket')
    .description('show a ticket with its result')
    .argument('<ticket-id>')
    .action(
      action<[string]>(async (session, ticketId) => {
        const client = await session.client();
        const ticket = await client.get<TicketView>(`/api/v1/tickets/${encodeURIComponent(ticketId)}`);
        session.print(ticket, () => ticketText(ticket));
      }),
    );
}

function ticketText(ticket: TicketView): string {
  const rows: [string, string | number | null][] = [
    ['ticket', ticket.ticket_id],
    ['task', ticket.task_id],
    ['what', ticket.description],
    ['type', ticket.task_type],
    ['plan', ticket.plan_id],
    ['company', ticket.instance],
    ['state', `${ticket.state} (${ticket.status})`],
    ['priority', `${ticket.priority}, score ${ticket.priority_score.toFixed(3)}`],
    ['agent', ticket.agent_id],
    ['attempt', `${ticket.attempt}, tried again after at most ${ticket.sla.max_retries} failures`],
    ['next try', formatTime(ticket.next_attempt_at)],
    ['progress', ticket.progress === null ? null : `${Math.round(ticket.progress * 100)} %`],
    ['created', formatTime(ticket.created_at)],
    ['started', formatTime(ticket.started_at)],
    ['completed', formatTime(ticket.completed_at)],
    ['took', formatDuration(ticket.actual_duration_ms)],
    ['deadline', formatTime(ticket.sla.deadline)],
    ['waits for', ticket.dependencies.join(', ')],
    ['error', ticket.error_message],
  ];
  const text = rows
    .filter(([, value]) => value !== null && value !== '')
    .map(([name, value]) => `${name.padEnd(10)} ${printable(value)}\n`);
  for (const [name, value] of Object.entries(ticket.result?.output ?? {}))
    text.push(`output     ${printable(name)} = ${printable(value)}\n`);
  for (const line of ticket.result?.logs ?? []) text.push(`log        ${printable(line)}\n`);
  return text.join('');
}
