import type { Command } from 'commander';
import type { AuditVerdict, StreamedEvent } from '../../../colmeia.ts';
import { moment } from '../arguments.ts';
import { EXIT } from '../cli-error.ts';
import { AUDIT_COLUMNS } from '../columns.ts';
import { followEvents } from '../event-stream.ts';
import { type PageOptions, printPages } from '../list-pages.ts';
import type { CommandSetup } from '../program.ts';
import { formatTime, printable } from '../table.ts';

type Filters = PageOptions & {
  plan?: string;
  actor?: string;
  type?: string;
  from?: number;
  to?: number;
};

/** What happened: the audit and the live events, both out of the journal. */
export function auditCommands(program: Command, { action, paged }: CommandSetup): void {
  const audit = program.command('audit').description('list who did what, when and why, or verify the chain');
  paged(audit.command('list', { isDefault: true }).description('list who did what, when and why'))
    .option('--plan <plan-id>', 'only about this plan')
    .option('--actor <prefix>', 'only by whom, as in operator: or agent:builder-1')
    .option('--type <prefix>', 'only of this type, as in plan. or ticket.failed')
    .option('--from <time>', 'not before, as in 2026-11-21T10:00:00Z or 2h', moment)
    .option('--to <time>', 'not after', moment)
    .action(
      action<[Filters]>(async (session, { plan, actor, type, from, to, ...pages }) => {
        const query = { instance: await session.company(), plan_id: plan, actor, type, from, to };
        return printPages(session, '/api/v1/audit/events', query, pages, AUDIT_COLUMNS);
      }),
    );
  audit
    .command('verify')
    .description('walk the whole hash chain; exit code 1 when it is broken')
    .action(
      action<[]>(async (session) => {
        const instance = await session.company();
        const answer = await (
          await session.client()
        ).get<{ ok: boolean; instances: AuditVerdict[] }>('/api/v1/audit/verify', { instance });
        session.print(answer, () =>
          session.table(answer.instances, [
            { title: 'COMPANY', value: (verdict) => verdict.instance },
            { title: 'CHAIN', value: (verdict) => (verdict.ok ? 'whole' : 'BROKEN') },
            { title: 'ROWS', value: (verdict) => verdict.rows, align: 'right' },
            { title: 'EVENTS', value: (verdict) => verdict.events, align: 'right' },
            { title: 'FAULT', value: (verdict) => verdict.fault },
          ]),
        );
        return answer.ok ? EXIT.ok : EXIT.failed;
      }),
    );

  program
    .command('events')
    .description('print events as they happen, until interrupted')
    .option('--plan <plan-id>', 'only about this plan')
    .option('--follow', 'stay when the connection is lost, however long')
    .option('--after <event-id>', 'begin after this event instead of now')
    .action(
      action<[{ plan?: string; follow?: boolean; after?: string }]>(async (session, { plan, follow, after }) => {
        const instance = await session.company();
        const stream = followEvents(await session.client(), '/api/v1/events', {
          query: { instance, plan_id: plan },
          signal: session.world.signal,
          after,
          patienceMs: follow ? Infinity : 10_000,
          onLost: (why) => session.note(`connection lost, trying again: ${why}`),
        });
        for await (const { data } of stream) {
          const event = JSON.parse(data) as StreamedEvent;
          session.printLine(event, () => lineOf(event));
        }
      }),
    );
}

function lineOf(event: StreamedEvent): string {
  const about = [event.plan, event.ticket === undefined ? undefined : `#${event.ticket}`]
    .filter((part) => part !== undefined)
    .join(' ');
  const data = event.data === undefined ? '' : JSON.stringify(event.data);
  return [formatTime(event.at), event.instance, event.type, about, event.by, event.why ?? '', data]
    .filter((part) => part !== '' && part !== null)
    .map(printable)
    .join('  ');
}
