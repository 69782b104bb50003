import type { Colmeia } from '../../colmeia.ts';
import { ColmeiaError } from '../../platform/errors.ts';
import { decodeCursor, pageLimit, pageOf } from '../../platform/page.ts';
import { filterOf, mustHave } from '../../trust/identity/may.ts';
import { actorOf, SYSTEM_INSTANCE } from '../../trust/identity/principal.ts';
import type { Context } from '../context.ts';
import { findTicketById } from '../plans/find-ticket.ts';
import { leaseIdOf } from '../plans/plan.ts';
import type { TicketSpec } from '../plans/ticket.ts';
import type { SchedulerAgent } from '../scheduling/scheduler-agent.ts';
import { agentKeyOf } from './agent.ts';
import { mustActAs } from './agent-operations.ts';
import { inOrder, placeOf, type InboxPlace } from './inbox.ts';

export function inboxOperations({ writers, registry, store }: Context): Colmeia['inbox'] {
  return {
    async list(who, query) {
      mustHave(who, 'read');
      const limit = pageLimit(query.limit);
      const isAgent = who.kind === 'agent';
      if (isAgent && query.agent_id !== undefined) mustActAs(who, query.agent_id);
      const agentId = (isAgent ? who.agentId : null) ?? query.agent_id ?? null;
      const found = await writers.inbox({
        instance: filterOf(who, query.instance),
        agentId,
        home: isAgent ? (who.instance ?? SYSTEM_INSTANCE) : null,
        ticketId: query.ticket_id ?? null,
        approvals: !isAgent && agentId === null,
        after: decodeCursor(query.after, isPlace),
        limit: limit + 1,
      });
      return pageOf(found.sort(inOrder), limit, placeOf, (item) => item);
    },
    async claim(who, ticketId, { agent_id: agentId }) {
      mustHave(who, 'approve');
      if (who.kind === 'agent') mustActAs(who, agentId);
      const { of, ticket } = await findTicketById(store, who, ticketId);
      // An agent means itself; an operator the company's own person before the fleet's.
      const homes = who.kind === 'operator' ? [of.instance, null] : [who.instance];
      const person = homes.map((home) => registry.get(agentKeyOf(home, agentId))).find((one) => one !== undefined);
      if (person?.spec.kind !== 'person')
        throw new ColmeiaError('AGENT_NOT_FOUND', `no person "${agentId}" is registered`);
      const message = whyNot(person.scheduler, ticket.spec);
      if (message !== null)
        throw new ColmeiaError('INVALID_REQUEST', `"${agentId}" ${message}`, {
          faults: [{ path: 'agent_id', message }],
        });
      const { instance, key } = of;
      const { n } = ticket;
      const by = { by: actorOf(who) };
      const fence = await writers.at(instance, (writer) =>
        writer.claim({ instance, key, n, agent: person.key, who: by }),
      );
      return { ticket_id: ticketId, agent_id: agentId, lease_id: leaseIdOf(key, n, fence), fencing_token: fence };
    },
  };
}

/** What keeps a person from the ticket; null = nothing. */
function whyNot({ taskTypes, capabilities }: SchedulerAgent, spec: TicketSpec): string | null {
  const { task_type, metadata, required_capabilities } = spec;
  if (!taskTypes.has(task_type) && !taskTypes.has(metadata.task_type ?? task_type))
    return `cannot do it: its type is ${metadata.task_type ?? task_type}`;
  const missing = required_capabilities.filter((one) => !capabilities.has(one));
  return missing.length > 0 ? `cannot do it: it requires ${missing.join(', ')}` : null;
}

const isPlace = (place: unknown): place is InboxPlace =>
  Array.isArray(place) && place.length === 2 && Number.isSafeInteger(place[0]) && typeof place[1] === 'string';
