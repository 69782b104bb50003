import type { Colmeia } from '../../../colmeia.ts';
import { SCOPES } from '../../../trust/identity/principal.ts';
import { INSTANCE_QUERY, PAGE_QUERY, pageOf } from '../answer-schemas.ts';
import { operation, type Operation } from '../operation.ts';

const EXAMPLE = {
  key_id: '3f9a1c2b4d5e6f70',
  kind: 'company',
  instance: 'padaria',
  agent_id: null,
  scopes: [...SCOPES],
  subject: null,
  replaces: null,
  created_at: '2026-11-21T12:00:00.000Z',
  expires_at: null,
  revoked_at: null,
  last_used_at: null,
};

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
            scopes: {
              type: 'array',
              items: { type: 'string' },
              description: `Of ${SCOPES.join(', ')}; default all, of an agent read and run. Never more than those of the key that calls.`,
            },
            subject: { type: 'string', description: 'Who holds it, as user:ana@acme.example.' },
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
          ...EXAMPLE,
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
      id: 'rotateKey',
      tag: 'keys',
      method: 'POST',
      path: '/api/v1/keys/{key_id}/rotate',
      summary: 'Make a key that takes the place of another',
      description: 'It may do the same. The old one counts until the overlap is over, so that its holders can change.',
      params: { key_id: 'Public part of the key.' },
      body: {
        optional: true,
        schema: {
          type: 'object',
          properties: {
            overlap_seconds: { type: 'integer', description: 'How long both count: 0 to 30 days. Default an hour.' },
          },
        },
        example: { overlap_seconds: 3_600 },
      },
      answer: {
        status: 201,
        description: 'Made; the key itself is answered this once.',
        schema: { $ref: 'NewKey#' },
        example: { ...EXAMPLE, replaces: '0123456789abcdef', key: 'colmeia_<key id>_<secret>' },
      },
      errors: ['KEY_NOT_FOUND'],
      run: ({ who, params, body }) => keys.rotate(who, params.key_id, body),
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
