import type { TicketView } from '../../colmeia.ts';
import { formatDuration, printable } from './table.ts';

/** What the tree shows of a ticket. */
export type TreeTicket = Pick<
  TicketView,
  | 'ticket_id'
  | 'task_id'
  | 'task_type'
  | 'state'
  | 'dependencies'
  | 'agent_id'
  | 'attempt'
  | 'progress'
  | 'started_at'
  | 'actual_duration_ms'
  | 'error_message'
>;

const MARKS: Record<string, string> = {
  waiting: '·',
  approval: '?',
  ready: '○',
  backoff: '↻',
  running: '▶',
  completed: '✔',
  failed: '✖',
  cancelled: '–',
  compensating: '↩',
  compensated: '↩',
};
const COLOURS: Record<string, string> = {
  running: '36',
  completed: '32',
  failed: '31',
  backoff: '33',
  approval: '33',
  compensating: '33',
  compensated: '33',
};
const DIM = '2';
const DEEPEST = 36;

/** The plan as a tree: each ticket stands under the last of what it waits for; the others are named behind it. */
export function ticketTree(
  tickets: readonly TreeTicket[],
  options: { now: number; colour: boolean; rows: number | null; width: number | null },
): string[] {
  const byId = new Map(tickets.map((ticket) => [ticket.ticket_id, ticket]));
  const depths = depthsOf(tickets, byId);
  const children = new Map<string | null, TreeTicket[]>();
  for (const ticket of tickets) {
    const parent = parentOf(ticket, byId, depths);
    const siblings = children.get(parent) ?? [];
    siblings.push(ticket);
    children.set(parent, siblings);
  }
  const lines: { text: string; state: string }[] = [];
  // By hand instead of recursion: a plan may be a chain of 10,000.
  const stack = (children.get(null) ?? []).toReversed().map((ticket) => ({ ticket, before: '', mark: '', below: '' }));
  while (stack.length > 0) {
    const { ticket, before, mark, below } = stack.pop()!;
    lines.push({
      text: lineOf(ticket, before + mark, byId, parentOf(ticket, byId, depths), options),
      state: ticket.state,
    });
    const next = children.get(ticket.ticket_id) ?? [];
    // A long chain goes straight down in the end, so that it does not run off the screen.
    const tooDeep = before.length + below.length > DEEPEST;
    for (const [i, child] of [...next.entries()].toReversed()) {
      const last = i === next.length - 1;
      stack.push(
        tooDeep
          ? { ticket: child, before: before + below, mark: '', below: '' }
          : { ticket: child, before: before + below, mark: last ? '└ ' : '├ ', below: last ? '  ' : '│ ' },
      );
    }
  }
  return fitted(lines, options.rows);
}

/** `12 of 14 done, 1 running, 1 waiting`. */
export function tally(tickets: readonly Pick<TreeTicket, 'state'>[]): string {
  const counts: Record<string, number> = {};
  for (const { state } of tickets) counts[state] = (counts[state] ?? 0) + 1;
  const { completed = 0, ...others } = counts;
  return [
    `${completed} of ${tickets.length} done`,
    ...Object.entries(others).map(([state, n]) => `${n} ${state}`),
  ].join(', ');
}

function depthsOf(tickets: readonly TreeTicket[], byId: ReadonlyMap<string, TreeTicket>): Map<string, number> {
  const depths = new Map<string, number>();
  const stack = tickets.map((ticket) => ticket.ticket_id);
  const entered = new Set<string>();
  while (stack.length > 0) {
    const id = stack.at(-1)!;
    if (depths.has(id)) {
      stack.pop();
      continue;
    }
    const waits = byId.get(id)!.dependencies.filter((one) => byId.has(one));
    const open = entered.has(id) ? [] : waits.filter((one) => !depths.has(one));
    entered.add(id);
    if (open.length > 0) stack.push(...open);
    else {
      depths.set(id, Math.max(-1, ...waits.map((one) => depths.get(one) ?? -1)) + 1);
      stack.pop();
    }
  }
  return depths;
}

function parentOf(
  ticket: TreeTicket,
  byId: ReadonlyMap<string, TreeTicket>,
  depths: ReadonlyMap<string, number>,
): string | null {
  let parent: string | null = null;
  for (const id of ticket.dependencies) {
    // Only ever upwards, so that every ticket is reached from a root.
    if (!byId.has(id) || depths.get(id)! >= depths.get(ticket.ticket_id)!) continue;
    if (parent === null || depths.get(id)! > depths.get(parent)!) parent = id;
  }
  return parent;
}

function lineOf(
  ticket: TreeTicket,
  branch: string,
  byId: ReadonlyMap<string, TreeTicket>,
  parent: string | null,
  { now, colour, width }: { now: number; colour: boolean; width: number | null },
): string {
  const paint = (code: string | undefined, text: string): string =>
    colour && code !== undefined && text !== '' ? `\u001b[${code}m${text}\u001b[0m` : text;
  const others = ticket.dependencies.filter((id) => id !== parent).map((id) => byId.get(id)?.task_id ?? id);
  const more = [
    others.length === 0
      ? ''
      : `after ${others.slice(0, 3).join(', ')}${others.length > 3 ? ` and ${others.length - 3} more` : ''}`,
    ticket.state === 'running' && ticket.agent_id !== null ? `on ${ticket.agent_id}` : '',
    ticket.state === 'running' && ticket.progress !== null ? `${Math.round(ticket.progress * 100)} %` : '',
    ticket.attempt > 1 ? `attempt ${ticket.attempt}` : '',
    ticket.state === 'running' && ticket.started_at !== null
      ? formatDuration(Math.max(0, now - ticket.started_at))!
      : '',
    ticket.actual_duration_ms !== null ? formatDuration(ticket.actual_duration_ms)! : '',
    ticket.error_message !== null && ticket.state !== 'completed' ? ticket.error_message : '',
  ].filter((part) => part !== '');
  const name = `${branch}${MARKS[ticket.state] ?? ' '} ${ticket.task_id}`;
  const room = width === null ? Infinity : Math.max(0, width - [...name].length - ticket.state.length - 4);
  const detail = [...printable(more.join(' · ') || ' ').trim()].slice(0, room).join('');
  const head = `${branch}${paint(COLOURS[ticket.state], MARKS[ticket.state] ?? ' ')} ${printable(ticket.task_id)}`;
  return `${head}  ${paint(COLOURS[ticket.state] ?? DIM, ticket.state)}${detail === '' ? '' : `  ${paint(DIM, detail)}`}`;
}

/** With too many lines for the screen, what goes on and what went wrong comes first. */
function fitted(lines: readonly { text: string; state: string }[], rows: number | null): string[] {
  if (rows === null || lines.length <= rows) return lines.map((line) => line.text);
  const room = Math.max(1, rows - 1);
  const rank: Record<string, number> = { failed: 0, running: 1, compensating: 1, backoff: 2, approval: 2, ready: 3 };
  const chosen = lines
    .map((line, i) => ({ i, rank: rank[line.state] ?? 9 }))
    .toSorted((a, b) => a.rank - b.rank || a.i - b.i)
    .slice(0, room)
    .map(({ i }) => i)
    .toSorted((a, b) => a - b);
  return [...chosen.map((i) => lines[i]!.text), `… and ${lines.length - chosen.length} more tickets`];
}
