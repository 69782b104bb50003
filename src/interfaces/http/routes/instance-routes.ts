import type { Colmeia } from '../../../colmeia.ts';
import { PAGE_QUERY, pageOf } from '../answer-schemas.ts';
import { operation, type Operation } from '../operation.ts';

const EXAMPLE = { name: 'padaria', tier: 'bronze', state: 'active', created_at: '2026-11-21T12:00:00.000Z' };

export function instanceRoutes({ instances }: Colmeia): Operation[] {
  return [
    operation({
      id: 'createInstance',
      tag: 'instances',
      method: 'POST',
      path: '/api/v1/instances',
      summary: 'Found a company',
      body: {
        schema: {
          type: 'object',
          properties: { name: { type: 'string' }, tier: { type: 'string' } },
          required: ['name'],
        },
        example: { name: 'padaria' },
      },
      answer: { status: 201, description: 'Founded.', schema: { $ref: 'Instance#' }, example: EXAMPLE },
      errors: ['INSTANCE_EXISTS'],
      run: ({ who, body }) => instances.create(who, body),
    }),
    operation({
      id: 'listInstances',
      tag: 'instances',
      method: 'GET',
      path: '/api/v1/instances',
      summary: 'List companies, by name',
      query: PAGE_QUERY,
      answer: {
        status: 200,
        description: 'A page of companies.',
        schema: pageOf('Instance'),
        example: { items: [EXAMPLE], next: null },
      },
      run: ({ who, query }) => instances.list(who, query),
    }),
    operation({
      id: 'getInstance',
      tag: 'instances',
      method: 'GET',
      path: '/api/v1/instances/{name}',
      summary: 'See one company',
      params: { name: 'Name of the company.' },
      answer: { status: 200, description: 'The company.', schema: { $ref: 'Instance#' }, example: EXAMPLE },
      errors: ['INSTANCE_NOT_FOUND'],
      run: ({ who, params }) => instances.get(who, params.name),
    }),
  ];
}
