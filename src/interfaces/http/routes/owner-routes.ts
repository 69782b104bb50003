import type { Colmeia } from '../../../colmeia.ts';
import { shape } from '../answer-schemas.ts';
import { operation, type Operation } from '../operation.ts';

const NAME = { name: 'Name of the company.' } as const;
const ONE = { ...NAME, principal: 'Who, as user:ana@acme.example, team:ops, service:billing.' } as const;
const PATH = '/api/v1/instances/{name}/owners/{principal}';

export function ownerRoutes({ instances: { owners } }: Colmeia): Operation[] {
  const tag = 'instances';
  return [
    operation({
      id: 'listOwners',
      tag,
      method: 'GET',
      path: '/api/v1/instances/{name}/owners',
      summary: 'List who owns a company: at most 100',
      description: 'Owners may grant on behalf of their company.',
      params: NAME,
      answer: {
        status: 200,
        description: 'All of them.',
        schema: shape({ items: { type: 'array', items: { $ref: 'Owner#' } } }),
        example: {
          items: [
            {
              principal: 'user:ana@acme.example',
              added_by: 'operator:3f9a1c2b4d5e6f70',
              added_at: '2026-11-21T12:00:00.000Z',
            },
          ],
        },
      },
      errors: ['INSTANCE_NOT_FOUND'],
      run: async ({ who, params }) => ({ items: await owners.list(who, params.name) }),
    }),
    operation({
      id: 'addOwner',
      tag,
      method: 'PUT',
      path: PATH,
      summary: 'Make somebody an owner of a company',
      params: ONE,
      answer: { status: 204, description: 'An owner.' },
      errors: ['INSTANCE_NOT_FOUND'],
      run: ({ who, params }) => owners.add(who, params.name, params.principal),
    }),
    operation({
      id: 'removeOwner',
      tag,
      method: 'DELETE',
      path: PATH,
      summary: 'Make somebody an owner no more',
      description: 'The last one goes only by the key of an operator.',
      params: ONE,
      answer: { status: 204, description: 'No owner.' },
      errors: ['INSTANCE_NOT_FOUND'],
      run: ({ who, params }) => owners.remove(who, params.name, params.principal),
    }),
  ];
}
