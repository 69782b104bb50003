import type { Command } from 'commander';
import type { InboxItem, Page } from '../../../colmeia.ts';
import { choice } from '../arguments.ts';
import { CliError, EXIT } from '../cli-error.ts';
import { INBOX_COLUMNS } from '../columns.ts';
import { type PageOptions, printPages } from '../list-pages.ts';
import type { CommandSetup } from '../program.ts';
import type { Session } from '../session.ts';

type Filters = PageOptions & { agent?: string };
const CLASSES = ['poison', 'transient', 'timeout', 'quota', 'auth'];

/** What waits for people, and their answers. */
export function inboxCommands(program: Command, { action, paged }: CommandSetup): void {
  const inbox = program.command('inbox').description('what waits for people: see it, answer it');
  paged(inbox.command('list', { isDefault: true }).description('list what waits, soonest due first'))
    .option('--agent <agent-id>', 'only tickets of this person')
    .action(
      action<[Filters]>(async (session, options) => {
        const query = { agent_id: options.agent, instance: await session.company() };
        return printPages(session, '/api/v1/inbox', query, options, INBOX_COLUMNS);
      }),
    );
  inbox
    .command('done')
    .description('say that a ticket is done')
    .argument('<ticket-id>')
    .option('--output <name=value>', 'a value of the output; may be repeated', collectPair, {})
    .action(
      action<[string, { output: Record<string, string> }]>((session, ticketId, { output }) =>
        answer(session, ticketId, 'complete', { output }),
      ),
    );
  inbox
    .command('fail')
    .description('say that a ticket cannot be done')
    .argument('<ticket-id>')
    .requiredOption('--why <text>', 'what is wrong')
    .addOption(
      choice('--class <class>', 'what happens next: transient is tried again, poison is not', CLASSES).default(
        'poison',
      ),
    )
    .action(
      action<[string, { why: string; class: string }]>((session, ticketId, options) =>
        answer(session, ticketId, 'fail', { error_message: options.why, error_class: options.class }),
      ),
    );
  inbox
    .command('return')
    .description('give a ticket back, for somebody else')
    .argument('<ticket-id>')
    .option('--why <text>', 'why; goes into the audit')
    .action(
      action<[string, { why?: string }]>((session, ticketId, { why }) =>
        answer(session, ticketId, 'release', { reason: why }),
      ),
    );
  inbox
    .command('claim')
    .description("put a ticket into a person's inbox")
    .argument('<ticket-id>')
    .requiredOption('--agent <agent-id>', 'the person')
    .action(
      action<[string, { agent: string }]>(async (session, ticketId, { agent }) => {
        const client = await session.client();
        const path = `/api/v1/inbox/${encodeURIComponent(ticketId)}/claim`;
        const claimed = await client.post<{ ticket_id: string; agent_id: string }>(path, { agent_id: agent });
        session.print(claimed, () => `ticket ${ticketId}: in the inbox of ${claimed.agent_id}\n`);
      }),
    );
}

/** Speaks for the lease that the ticket has in somebody's inbox. */
async function answer(
  session: Session,
  ticketId: string,
  verb: 'complete' | 'fail' | 'release',
  body: Record<string, unknown>,
): Promise<void> {
  const client = await session.client();
  const { items } = await client.get<Page<InboxItem>>('/api/v1/inbox', { ticket_id: ticketId });
  const item = items.find(({ kind }) => kind === 'ticket');
  if (item === undefined || item.lease_id === null)
    throw new CliError(EXIT.notFound, `ticket "${ticketId}" is in nobody's inbox; \`colmeia inbox\` shows what is`);
  const path = `/api/v1/leases/${encodeURIComponent(item.lease_id)}/${verb}`;
  const said = await client.post<{ ticket_id: string; status: string }>(path, {
    fencing_token: item.fencing_token,
    ...body,
  });
  session.print(said, () => `ticket ${ticketId}: ${said.status}\n`);
}

function collectPair(pair: string, pairs: Record<string, string>): Record<string, string> {
  const cut = pair.indexOf('=');
  if (cut < 1) throw new CliError(EXIT.usage, `--output ${pair}: must be name=value`);
  return { ...pairs, [pair.slice(0, cut)]: pair.slice(cut + 1) };
}
