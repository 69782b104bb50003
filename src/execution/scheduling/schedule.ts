import { before, type ReadyQueue, type ReadyTicket, type TicketClass } from './ready-queue.ts';
import type { SchedulerAgent } from './scheduler-agent.ts';

export type Assignment = { ticket: ReadyTicket; agent: string };

/**
 * One scheduling cycle: admit → order → filter → score → reserve → observe. Pure but for the queue it takes tickets out of;
 * the same queue, agents and time give the same assignments. Preset critical-first.
 * At most `limit` assignments, so that a cycle never holds the process for long.
 */
export function schedule(
  queue: ReadyQueue,
  agents: readonly SchedulerAgent[],
  now: number,
  limit: number,
): Assignment[] {
  const assignments: Assignment[] = [];
  const free = agents.filter((agent) => agent.free > 0); // admit
  if (free.length === 0 || queue.size === 0) return assignments;
  queue.advance(now);
  // An agent bound to a company can do least, so it chooses first.
  for (const instance of [...new Set(free.map((agent) => agent.instance))].sort(
    (a, b) => Number(a === null) - Number(b === null),
  )) {
    assign(
      queue,
      instance,
      free.filter((agent) => agent.instance === instance),
      limit,
      assignments,
    );
  }
  return assignments;
}

type Open = { class: TicketClass; agents: (SchedulerAgent & { left: number })[] };

function assign(
  queue: ReadyQueue,
  instance: string | null,
  agents: readonly SchedulerAgent[],
  limit: number,
  assignments: Assignment[],
): void {
  const left = agents.map((agent) => ({ ...agent, left: agent.free }));
  let open: Open[] = [];
  for (const ticketClass of queue.classes.values()) {
    const able = left.filter((agent) => canDo(agent, ticketClass)); // filter
    if (able.length > 0) open.push({ class: ticketClass, agents: able });
  }
  while (assignments.length < limit && open.length > 0) {
    let best: Open | null = null;
    let ticket: ReadyTicket | undefined;
    for (const candidate of open) {
      // order
      const first = candidate.class.first(instance);
      if (first !== undefined && (ticket === undefined || before(first, ticket))) [best, ticket] = [candidate, first];
    }
    if (best === null || ticket === undefined) return;
    const agent = leastLoaded(best.agents); // score
    if (agent === null) {
      open = open.filter((candidate) => candidate !== best);
      continue;
    }
    agent.left--; // reserve
    queue.remove(ticket.plan, ticket.n);
    assignments.push({ ticket, agent: agent.key });
  }
}

function canDo(agent: SchedulerAgent, { taskType, customType, capabilities }: TicketClass): boolean {
  if (agent.kind === 'person' && capabilities.length === 0) return false; // people get only what asks for them
  const does = agent.taskTypes.has(taskType) || (customType !== null && agent.taskTypes.has(customType));
  return does && capabilities.every((capability) => agent.capabilities.has(capability));
}

/** The agent with the largest share of its slots free; null = none is left. */
function leastLoaded(
  agents: readonly (SchedulerAgent & { left: number })[],
): (SchedulerAgent & { left: number }) | null {
  let best: (SchedulerAgent & { left: number }) | null = null;
  for (const agent of agents) {
    if (agent.left > 0 && (best === null || agent.left / agent.concurrency > best.left / best.concurrency))
      best = agent;
  }
  return best;
}
