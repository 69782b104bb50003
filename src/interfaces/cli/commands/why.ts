import type { Command } from 'commander';
import type { ExplainView, WhyView } from '../../../execution/swarm/scheduling-views.ts';
import type { CommandSetup } from '../program.ts';
import type { Session } from '../session.ts';
import { formatDuration, formatNumber, formatTime, printable, type Column } from '../table.ts';

/** Why a ticket waits, and when a plan will end. */
export function whyCommands(program: Command, { action }: CommandSetup): void {
  program
    .command('why')
    .description('say why a ticket waits, and when it will run')
    .argument('<ticket-id>')
    .action(
      action<[string]>(async (session, ticketId) => {
        const client = await session.client();
        const why = await client.get<WhyView>(`/api/v1/tickets/${encodeURIComponent(ticketId)}/why`);
        session.print(why, () => whyText(session, why));
      }),
    );
  program
    .command('explain')
    .description('say when a plan will end, and why then')
    .argument('<plan-id>')
    .action(
      action<[string]>(async (session, planId) => {
        const instance = await session.company();
        const client = await session.client();
        const path = `/api/v1/plans/${encodeURIComponent(planId)}/explain`;
        const explained = await client.get<ExplainView>(path, { instance });
        session.print(explained, () => explainText(session, explained));
      }),
    );
}

type Row = [string, string | null];
const linesOf = (rows: readonly Row[]): string =>
  rows
    .filter(([, text]) => text !== null)
    .map(([name, text]) => `${name.padEnd(9)} ${printable(text)}\n`)
    .join('');

function whyText(session: Session, why: WhyView): string {
  const { ticket_id, task_type, plan_id, instance, queue, forecast_start, at } = why;
  const rows: Row[] = [
    [
      'forecast',
      forecast_start && `starts ${moment(forecast_start.p50, at)}; 9 in 10 by ${moment(forecast_start.p90, at)}`,
    ],
    ['ahead', queue && aheadOf(queue)],
    [
      'held',
      queue?.held_for
        ? `for ${queue.held_for.agent_id}, which ends it sooner; ${until(queue.held_for.until, at)}`
        : null,
    ],
    ...(queue?.caps ?? []).map(({ name, limit, running }): Row => ['cap', `${name}: ${running} of ${limit} run`]),
    ['deadline', queue?.doomed ? 'out of reach: it stands behind those that can keep theirs' : null],
    ['company', companyOf(why)],
  ];
  return (
    `${printable(`ticket ${ticket_id} (${task_type}) of plan ${plan_id}, company ${instance}`)}\n` +
    `${printable(whySentence(why))}\n${linesOf(rows)}${queue === null ? '' : agentsText(session, at, queue)}`
  );
}

/** What it waits for, in one sentence. */
export function whySentence({ waits_for, queue, plan_id, instance, state, at }: WhyView): string {
  const { what, tickets, agent_id } = waits_for;
  const date = until(waits_for.until, at);
  if (what === 'dependencies') return `waits for ${count(tickets.length, 'ticket')} before it: ${tickets.join(', ')}`;
  if (what === 'approval') return `waits for a person: colmeia approve ${plan_id}`;
  if (what === 'company') return `waits, as the company is paused: colmeia instance resume ${instance}`;
  if (what === 'resume') return `waits, as its plan is paused: colmeia resume ${plan_id}`;
  if (what === 'backoff') return `waits before it is tried again${date && `, ${date}`}`;
  if (what === 'result') return `runs${agent_id === null ? '' : ` on ${agent_id}`}${date && `; at most ${date}`}`;
  if (what === 'nothing') return `waits for nothing: ${state}`;
  if (queue === null) return 'waits for an agent';
  const { position, of, overall, overall_of, since } = queue;
  const place = `waits for an agent: ${ordinal(position)} of ${of} in class ${queue.class}`;
  return `${place}, about ${ordinal(overall)} of ${overall_of} in all; since ${formatDuration(at - since)}`;
}

function aheadOf({ ahead }: NonNullable<WhyView['queue']>): string {
  if (ahead.tickets === 0) return 'nothing';
  const companies = ahead.companies.map(({ instance, tickets }) => `${instance} ${tickets}`).join(', ');
  return `${count(ahead.tickets, 'ticket')}, ${formatDuration(1_000 * ahead.seconds)} of work (${companies})`;
}

function companyOf({ company }: WhyView): string | null {
  if (company === null) return null;
  const { tier, weight, running, waiting, lag_seconds, lag_limit_seconds, eligible, mode } = company;
  const lag = `${Math.round(lag_seconds)} s ahead of the one that had least (at most ${Math.round(lag_limit_seconds)} s)`;
  const part = eligible ? 'takes part' : 'lets others go first';
  return `${tier} (weight ${weight}), ${running} run, ${waiting} wait; ${lag}: ${part}; budget ${mode}`;
}

function agentsText(
  session: Session,
  at: number,
  { agents, filters, candidates }: NonNullable<WhyView['queue']>,
): string {
  if (agents === 0) return 'No agent is registered.\n';
  const removing = filters.filter(({ removed }) => removed > 0);
  const left = agents - removing.reduce((sum, { removed }) => sum + removed, 0);
  const counted = `${left} of ${count(agents, 'agent')} can do it`;
  const tables = [
    session.table(removing, [
      { title: 'FILTER', value: (filter) => filter.name },
      { title: 'REMOVED', value: (filter) => filter.removed, align: 'right' },
      { title: 'AS', value: (filter) => filter.what, shrinks: true },
    ]),
    session.table(candidates, [
      { title: 'CANDIDATE', value: (one) => one.agent_id, shrinks: true },
      {
        title: 'FREE',
        value: (one) => (one.busy_until === null ? 'now' : `in ${formatDuration(Math.max(0, one.busy_until - at))}`),
      },
      { title: 'COST', value: (one) => formatDuration(one.score), align: 'right' },
      { title: 'MADE OF', value: (one) => partsOf(one.parts), shrinks: true },
    ]),
  ];
  return `${counted}\n${removing.length > 0 ? tables[0] : ''}${candidates.length > 0 ? tables[1] : ''}`;
}

const partsOf = (parts: Readonly<Record<string, number>>): string =>
  Object.entries(parts)
    .map(([name, ms]) => `${name} ${formatDuration(ms)}`)
    .join(', ');

const SLOWEST: Column<ExplainView['slowest'][number]>[] = [
  { title: 'SLOWEST', value: (one) => one.task_id, shrinks: true },
  { title: 'TYPE', value: (one) => one.task_type },
  { title: 'STATE', value: (one) => one.state },
  { title: 'AGENT', value: (one) => one.agent_id, shrinks: true },
  { title: 'EXPECTED', value: (one) => formatDuration(one.expected_ms), align: 'right' },
  { title: 'RUNS FOR', value: (one) => formatDuration(one.elapsed_ms), align: 'right' },
  { title: 'TICKET', value: (one) => one.ticket_id, shrinks: true },
];
const RISKS = { warning: 'in danger', certain: 'will be missed' } as const;

function explainText(session: Session, explained: ExplainView): string {
  const { plan_id, instance, status, at, deadline, forecast, at_risk, parts, error, mode, slowest } = explained;
  const rows: Row[] = [
    [
      'starts',
      forecast?.start ? `${moment(forecast.start.p50, at)}; 9 in 10 by ${moment(forecast.start.p90, at)}` : null,
    ],
    ['ends', forecast && `${moment(forecast.finish.p50, at)}; 9 in 10 by ${moment(forecast.finish.p90, at)}`],
    ['deadline', deadline === null ? null : `${moment(deadline, at)}${at_risk === null ? '' : `: ${RISKS[at_risk]}`}`],
    [
      'made of',
      parts &&
        `critical path ${formatDuration(parts.critical_path_ms)}; ${formatDuration(parts.ahead_ms)} of the company's work ahead and ${formatDuration(parts.own_ms)} of its own, through ${formatNumber(parts.slots)} slots`,
    ],
    ['so far', errorText(error)],
    ['budget', `${mode}${burnText(explained.burn) === '' ? '' : `; burn ${burnText(explained.burn)}`}`],
  ];
  const why = forecast === null && deadline !== null ? 'There is no forecast: nobody can do what is left.\n' : '';
  return (
    `${printable(`plan ${plan_id} of ${instance}: ${status}`)}\n${why}${linesOf(rows)}` +
    (slowest.length > 0 ? session.table(slowest, SLOWEST) : '')
  );
}

function errorText({ n, bias, off, kept }: ExplainView['error']): string {
  if (n < 1) return 'no forecast of the company has come to its end yet';
  const late = bias >= 1 ? `${percent(bias - 1)} later` : `${percent(1 - bias)} earlier`;
  return `${count(Math.round(n), 'forecast')}: plans ended ${late} on the whole, off by a factor of ${formatNumber(off)}; ${percent(kept)} by the time said for 9 in 10`;
}

/** `1 h 2.5, 6 h 1.25`. */
export function burnText(burn: Readonly<Record<string, number>>): string {
  return Object.entries(burn)
    .map(([seconds, rate]) => `${windowText(Number(seconds))} ${formatNumber(rate)}`)
    .join(', ');
}

function windowText(seconds: number): string {
  if (seconds >= 86_400) return `${formatNumber(seconds / 86_400)} d`;
  return seconds >= 3_600 ? `${formatNumber(seconds / 3_600)} h` : `${formatNumber(seconds / 60)} min`;
}

const percent = (share: number): string => `${Math.round(100 * share)} %`;
const count = (n: number, noun: string): string => `${n} ${noun}${n === 1 ? '' : 's'}`;
const moment = (time: number, now: number): string =>
  `${formatTime(time)} (${time >= now ? `in ${formatDuration(time - now)}` : `${formatDuration(now - time)} ago`})`;
const until = (time: number | null, now: number): string =>
  time === null ? '' : `until ${formatTime(time)}${time > now ? `, ${formatDuration(time - now)} more` : ''}`;

function ordinal(n: number): string {
  const teens = n % 100 >= 11 && n % 100 <= 13;
  return `${n}${teens ? 'th' : (['th', 'st', 'nd', 'rd'][n % 10] ?? 'th')}`;
}
