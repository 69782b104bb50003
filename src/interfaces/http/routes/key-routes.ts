import type { Colmeia } from '../../../colmeia.ts';
import { INSTANCE_QUERY, PAGE_QUERY, pageOf } from '../answer-schemas.ts';
import { operation, type Operation } from '../operation.ts';

export function keyRoutes({ keys }: Colmeia): Operation[] {
  return [
    operation({
      id: 'createKey',
      tag: 'keys',
      method: 'POST',
      path: '/api/v1/keys',
      summary: 'Make a key',
      description: 'The key itself is answered this once; only its hash is kept.',
      body: {
        schema: {
          type: 'object',
          properties: {
            kind: { type: 'string', enum: ['operator', 'company', 'agent'] },
            instance: { type: 'string', description: 'The company it is bound to; required for a company.' },
            agent_id: { type: 'string', description: 'The one agent that it may act as.' },
            expires_at: { type: 'string', description: 'ISO 8601; left out: it does not expire.' },
          },
          required: ['kind'],
        },
        example: { kind: 'company', instance: 'padaria' },
      },
      answer: {
        status: 201,
        description: 'Made.',
        schema: { $ref: 'NewKey#' },
        example: {
          key_id: '3f9a1c2b4d5e6f70',
          kind: 'company',
          instance: 'padaria',
          agent_id: null,
          created_at: '2026-11-21T12:00:00.000Z',
          expires_at: null,
          revoked_at: null,
          key: 'colmeia_<key id>_<secret>',
        },
      },
      errors: ['INSTANCE_NOT_FOUND'],
      run: ({ who, body }) => keys.create(who, body),
    }),
    operation({
      id: 'listKeys',
      tag: 'keys',
      method: 'GET',
      path: '/api/v1/keys',
      summary: 'List keys, without their secrets',
      query: { ...PAGE_QUERY, ...INSTANCE_QUERY },
      answer: {
        status: 200,
        description: 'A page of keys.',
        schema: pageOf('Key'),
        example: { items: [], next: null },
      },
      errors: ['INSTANCE_NOT_FOUND'],
      run: ({ who, query }) => keys.list(who, query),
    }),
    operation({
      id: 'revokeKey',
      tag: 'keys',
      method: 'DELETE',
      path: '/api/v1/keys/{key_id}',
      summary: 'Revoke a key at once',
      params: { key_id: 'Public part of the key.' },
      answer: { status: 204, description: 'Revoked.' },
      errors: ['KEY_NOT_FOUND'],
      run: ({ who, params }) => keys.revoke(who, params.key_id),
    }),
  ];
}
