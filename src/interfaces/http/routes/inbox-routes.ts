import type { Colmeia } from '../../../colmeia.ts';
import { INSTANCE_QUERY, PAGE_QUERY, pageOf, shape, text } from '../answer-schemas.ts';
import { operation, type Operation } from '../operation.ts';

export function inboxRoutes({ inbox }: Colmeia): Operation[] {
  return [
    operation({
      id: 'listInbox',
      tag: 'agents',
      method: 'GET',
      path: '/api/v1/inbox',
      summary: 'See what waits for people, soonest due first',
      description:
        'Tickets in the inboxes of agents of kind person, and plans and destructive tasks that wait for approval. A ticket is answered as any lease, with its `lease_id` and `fencing_token`. The key of an agent sees its own tickets.',
      query: {
        ...PAGE_QUERY,
        ...INSTANCE_QUERY,
        agent_id: { type: 'string', description: 'Only tickets of this person.' },
        ticket_id: { type: 'string', description: 'Only this ticket.' },
      },
      answer: {
        status: 200,
        description: 'A page of what waits.',
        schema: pageOf('InboxItem'),
        example: { items: [], next: null },
      },
      errors: ['INSTANCE_NOT_FOUND'],
      run: ({ who, query }) => inbox.list(who, query),
    }),
    operation({
      id: 'claimTicket',
      tag: 'agents',
      method: 'POST',
      path: '/api/v1/inbox/{ticket_id}/claim',
      summary: "Put a ticket into a person's inbox",
      description:
        'A ticket that is ready, or in the inbox of somebody else, whose lease then ends. Not one that an agent of another kind works on.',
      params: { ticket_id: 'Id of the ticket.' },
      body: {
        schema: {
          type: 'object',
          properties: { agent_id: { type: 'string', description: 'The person.' } },
          required: ['agent_id'],
        },
        example: { agent_id: 'ana' },
      },
      answer: {
        status: 200,
        description: 'It is theirs.',
        schema: shape({ ticket_id: text, agent_id: text, lease_id: text, fencing_token: { type: 'integer' } }),
        example: { ticket_id: 'ticket-1', agent_id: 'ana', lease_id: 'ticket-1-2', fencing_token: 2 },
      },
      errors: ['TICKET_NOT_FOUND', 'AGENT_NOT_FOUND', 'PLAN_STATE', 'QUEUE_FULL'],
      run: ({ who, params, body }) => inbox.claim(who, params.ticket_id, body),
    }),
  ];
}
