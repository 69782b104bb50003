import type { Colmeia, TicketView } from '../../colmeia.ts';
import { ColmeiaError } from '../../platform/errors.ts';
import { decodeCursor, encodeCursor, isNumbers, PAGE_LIMIT, pageLimit } from '../../platform/page.ts';
import { filterOf, mustDirect, mustHave, scopeOf } from '../../trust/identity/may.ts';
import type { Principal } from '../../trust/identity/principal.ts';
import { agentIdOf } from '../agents/agent.ts';
import type { Context } from '../context.ts';
import { typeOf } from '../scheduling/outcome.ts';
import { hideOthers } from '../swarm/hide-others.ts';
import { whyEnded } from '../swarm/why-ticket.ts';
import { findPlan } from './find-plan.ts';
import { findTicketById } from './find-ticket.ts';
import { tokenOf } from '../flow/attempt.ts';
import { leaseIdOf } from './plan.ts';
import { listTickets, listTicketsOf, type FoundTicket, type KeptPlan } from './plan-store.ts';
import { priorityScore } from './priority-score.ts';
import { ticketRecord } from './ticket-record.ts';

/** What a caller may filter by: the record's status, or the finer state. */
const STATES: Record<string, readonly string[]> = {
  PENDING: ['waiting', 'approval', 'ready', 'backoff'],
  RUNNING: ['running'],
  COMPLETED: ['completed'],
  FAILED: ['failed', 'cancelled'],
  COMPENSATING: ['compensating'],
  COMPENSATED: ['compensated'],
};
for (const state of Object.values(STATES).flat()) STATES[state] = [state];

export function ticketOperations(context: Context): Colmeia['tickets'] {
  const { store } = context;
  return {
    async get(who, ticketId) {
      mustHave(who, 'read');
      if (who.kind === 'agent' && who.instance === null) mustDirect(who);
      return ticketView(context, await findTicketById(store, who, ticketId));
    },
    async why(who, ticketId) {
      mustHave(who, 'read');
      mustDirect(who);
      const { of, ticket } = await findTicketById(store, who, ticketId);
      const { instance, key } = of;
      const live = await context.writers.at(instance, (writer) => writer.why({ instance, key, n: ticket.n }));
      if (live !== null) return hideOthers(who, live);
      const task_type = typeOf(ticket.spec);
      const ended = { ticket_id: ticketId, plan_id: of.plan_id, instance, task_type, state: ticket.status };
      return whyEnded(ended, context.clock.now());
    },
    async byPlan(who, ref, query) {
      mustHave(who, 'read');
      const plan = await findPlan(context, who, ref);
      const offset = query.offset ?? 0;
      if (!Number.isInteger(offset) || offset < 0 || offset > 1_000_000) {
        const message = 'must be a whole number from 0 to 1000000';
        throw new ColmeiaError('INVALID_REQUEST', `offset ${message}`, { faults: [{ path: 'offset', message }] });
      }
      return ticketsOf(context, who, plan, { limit: pageLimit(query.limit), offset });
    },
    async list(who, query) {
      mustHave(who, 'read');
      mustDirect(who);
      const limit = pageLimit(query.limit);
      const states = query.status === undefined ? null : STATES[query.status];
      if (states === undefined) {
        const message = `must be one of ${Object.keys(STATES).join(', ')}`;
        throw new ColmeiaError('INVALID_REQUEST', `status ${message}`, { faults: [{ path: 'status', message }] });
      }
      const after = decodeCursor(query.after, isNumbers(2));
      const plan =
        query.plan_id === undefined
          ? null
          : await findPlan(context, who, { planId: query.plan_id, instance: query.instance });
      const { found, next } = await listTickets(store, scopeOf(who), {
        instance: filterOf(who, query.instance),
        key: plan?.key ?? null,
        states,
        taskType: query.task_type?.replaceAll('\u0000', '') ?? null,
        after: after && { key: after[0], n: after[1] },
        limit,
      });
      return {
        items: found.map((ticket) => ticketView(context, ticket)),
        next: next && encodeCursor([next.key, next.n]),
      };
    },
  };
}

/** Tickets of a plan by number; numbers have no gaps, so the offset is a key. */
export async function ticketsOf(
  context: Context,
  who: Principal,
  plan: KeptPlan,
  { limit, offset }: { limit: number; offset: number },
) {
  const found = await listTicketsOf(context.store, scopeOf(who), plan, offset, Math.min(limit, PAGE_LIMIT));
  const total = plan.status === 'rejected' ? found.length : Math.max(plan.tickets, offset + found.length);
  const hasMore =
    found.length === limit && (await listTicketsOf(context.store, scopeOf(who), plan, offset + limit, 1)).length > 0;
  return {
    tickets: found.map((ticket) => ticketView(context, ticket)),
    total,
    cached: false,
    limit,
    offset,
    has_more: hasMore,
  };
}

function ticketView({ clock, registry }: Context, { of, ticket, result }: FoundTicket): TicketView {
  const { agent, attempt, due, status, deadline } = ticket;
  const fence = tokenOf(ticket);
  const lease = status === 'running' ? registry.lease(leaseIdOf(of.key, ticket.n, fence)) : undefined;
  return {
    ...ticketRecord(of, ticket),
    cached: false,
    instance: of.instance,
    priority_score: Math.round(1_000 * priorityScore(ticket.spec, of.created_at, deadline, clock.now())) / 1_000,
    state: status,
    agent_id: agent === null ? null : agentIdOf(agent),
    attempt,
    fencing_token: fence,
    next_attempt_at: due,
    progress: lease?.progress ?? null,
    result: result === null ? null : (result as TicketView['result']),
  };
}
