import type { Colmeia } from '../../../colmeia.ts';
import { flag, INSTANCE_QUERY, PAGE_QUERY, pageOf, shape } from '../answer-schemas.ts';
import { operation, type Operation } from '../operation.ts';

export function ticketRoutes({ tickets }: Colmeia): Operation[] {
  return [
    operation({
      id: 'listTickets',
      tag: 'tickets',
      method: 'GET',
      path: '/api/v1/tickets',
      summary: 'List tickets',
      description:
        'A page may be short, or even empty, and still have a `next`: each call looks at a bounded number of rows.',
      query: {
        ...PAGE_QUERY,
        ...INSTANCE_QUERY,
        plan_id: { type: 'string' },
        status: { type: 'string', description: 'A status of the record (RUNNING) or a state (backoff).' },
        task_type: { type: 'string', description: 'As BUILD.' },
      },
      answer: {
        status: 200,
        description: 'A page of tickets.',
        schema: pageOf('TicketView'),
        example: { items: [], next: null },
      },
      errors: ['INSTANCE_NOT_FOUND', 'PLAN_NOT_FOUND', 'PLAN_AMBIGUOUS'],
      run: ({ who, query }) => tickets.list(who, query),
    }),
    operation({
      id: 'getTicket',
      tag: 'tickets',
      method: 'GET',
      path: '/api/v1/tickets/{ticket_id}',
      summary: 'See one ticket',
      params: { ticket_id: 'Id of the ticket.' },
      answer: { status: 200, description: 'The ticket.', schema: { $ref: 'TicketView#' } },
      errors: ['TICKET_NOT_FOUND'],
      run: ({ who, params }) => tickets.get(who, params.ticket_id),
    }),
    operation({
      id: 'whyTicket',
      tag: 'tickets',
      method: 'GET',
      path: '/api/v1/tickets/{ticket_id}/why',
      summary: 'Ask why a ticket waits, and when it will run',
      description:
        'Reckoned when asked for, from the state of the moment. A company is told of other companies and their agents as `others` only.',
      params: { ticket_id: 'Id of the ticket.' },
      answer: { status: 200, description: 'What it waits for.', schema: { $ref: 'Why#' } },
      errors: ['TICKET_NOT_FOUND'],
      run: ({ who, params }) => tickets.why(who, params.ticket_id),
    }),
    operation({
      id: 'listTicketsOfPlan',
      tag: 'tickets',
      method: 'GET',
      path: '/api/v1/tickets/by-plan/{plan_id}',
      summary: 'List the tickets of a plan, in the order of their tasks',
      params: { plan_id: 'Id of the plan.' },
      query: {
        ...INSTANCE_QUERY,
        limit: PAGE_QUERY.limit,
        offset: { type: 'integer', minimum: 0, maximum: 1_000_000, default: 0 },
      },
      answer: {
        status: 200,
        description: 'Some of its tickets.',
        schema: shape({
          tickets: { type: 'array', items: { $ref: 'TicketView#' } },
          total: { type: 'integer' },
          cached: flag,
          limit: { type: 'integer' },
          offset: { type: 'integer' },
          has_more: flag,
        }),
        example: { tickets: [], total: 0, cached: false, limit: 50, offset: 0, has_more: false },
      },
      errors: ['PLAN_NOT_FOUND', 'PLAN_AMBIGUOUS', 'INSTANCE_NOT_FOUND'],
      run: ({ who, params, query: { instance, limit, offset } }) =>
        tickets.byPlan(who, { planId: params.plan_id, instance }, { limit, offset }),
    }),
  ];
}
