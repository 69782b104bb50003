import type { Colmeia } from '../../../colmeia.ts';
import { PAGE_QUERY, pageOf } from '../answer-schemas.ts';
import { operation, type Operation } from '../operation.ts';

const NAME = { name: 'Name of the company.' };
const SECRET = { secret: 'Name of the secret.' };
const VALUE = {
  schema: {
    type: 'object',
    properties: { value: { type: 'string', description: 'Text of 1 byte to 64 KiB.' } },
    required: ['value'],
  },
  example: { value: '<the secret>' },
} as const;
const EXAMPLE = {
  name: 'atlassian_api_token',
  version: 1,
  created_by: 'operator:3f9a1c2b4d5e6f70',
  created_at: '2026-11-21T12:00:00.000Z',
};
const ONE = { status: 200, description: 'Without its value.', schema: { $ref: 'Secret#' }, example: EXAMPLE };
const PAGE = {
  status: 200,
  description: 'A page of secrets, without values.',
  schema: pageOf('Secret'),
  example: { items: [EXAMPLE], next: null },
};
const ROTATED = {
  status: 200,
  description: 'Sealed anew.',
  schema: { type: 'object', properties: { secrets: { type: 'integer' } }, required: ['secrets'] },
  example: { secrets: 3 },
};
const SET = 'Its value is never answered. The configuration refers to it as `secret:<name>`.';

export function secretRoutes({ secrets }: Colmeia): Operation[] {
  return [...companyRoutes(secrets), ...fleetRoutes(secrets)];
}

function companyRoutes(secrets: Colmeia['secrets']): Operation[] {
  const tag = 'secrets';
  return [
    operation({
      id: 'listSecrets',
      tag,
      method: 'GET',
      path: '/api/v1/instances/{name}/secrets',
      summary: 'List the secrets of a company, by name',
      params: NAME,
      query: PAGE_QUERY,
      answer: PAGE,
      errors: ['INSTANCE_NOT_FOUND'],
      run: ({ who, params, query }) => secrets.list(who, { ...query, instance: params.name }),
    }),
    operation({
      id: 'rotateSecrets',
      tag,
      method: 'POST',
      path: '/api/v1/instances/{name}/secrets/rotate',
      summary: 'Seal the secrets of a company anew, under a new data key',
      params: NAME,
      answer: ROTATED,
      errors: ['INSTANCE_NOT_FOUND', 'SECRETS_LOCKED'],
      run: ({ who, params }) => secrets.rotate(who, { instance: params.name }),
    }),
    operation({
      id: 'getSecret',
      tag,
      method: 'GET',
      path: '/api/v1/instances/{name}/secrets/{secret}',
      summary: 'See that a company has a secret',
      params: { ...NAME, ...SECRET },
      answer: ONE,
      errors: ['INSTANCE_NOT_FOUND', 'SECRET_NOT_FOUND'],
      run: ({ who, params }) => secrets.get(who, { instance: params.name, secret: params.secret }),
    }),
    operation({
      id: 'setSecret',
      tag,
      method: 'PUT',
      path: '/api/v1/instances/{name}/secrets/{secret}',
      summary: 'Set a secret of a company',
      description: SET,
      params: { ...NAME, ...SECRET },
      body: VALUE,
      answer: ONE,
      errors: ['INSTANCE_NOT_FOUND', 'SECRETS_LOCKED'],
      run: ({ who, params, body }) => secrets.set(who, { instance: params.name, secret: params.secret }, body),
    }),
    operation({
      id: 'removeSecret',
      tag,
      method: 'DELETE',
      path: '/api/v1/instances/{name}/secrets/{secret}',
      summary: 'Remove a secret of a company',
      params: { ...NAME, ...SECRET },
      answer: { status: 204, description: 'Removed.' },
      errors: ['INSTANCE_NOT_FOUND', 'SECRET_NOT_FOUND'],
      run: ({ who, params }) => secrets.remove(who, { instance: params.name, secret: params.secret }),
    }),
  ];
}

function fleetRoutes(secrets: Colmeia['secrets']): Operation[] {
  const tag = 'secrets';
  return [
    operation({
      id: 'listFleetSecrets',
      tag,
      method: 'GET',
      path: '/api/v1/secrets',
      summary: 'List the secrets of the fleet, by name',
      description: 'Secrets that all companies share; of operators only, as is every call on them.',
      query: PAGE_QUERY,
      answer: PAGE,
      run: ({ who, query }) => secrets.list(who, query),
    }),
    operation({
      id: 'rotateFleetSecrets',
      tag,
      method: 'POST',
      path: '/api/v1/secrets/rotate',
      summary: 'Seal the secrets of the fleet anew, under a new data key',
      answer: ROTATED,
      errors: ['SECRETS_LOCKED'],
      run: ({ who }) => secrets.rotate(who, {}),
    }),
    operation({
      id: 'rotateMasterKey',
      tag,
      method: 'POST',
      path: '/api/v1/secrets/rotate-master',
      summary: 'Wrap all data keys with the master key in force',
      description:
        'A master key in a file of Colmeia’s own is made anew first; one from outside is changed there before. May be repeated.',
      answer: {
        status: 200,
        description: 'Wrapped.',
        schema: {
          type: 'object',
          properties: {
            master: { type: 'string', description: 'Fingerprint of the master key.' },
            keys: { type: 'integer', description: 'Data keys that were wrapped.' },
          },
          required: ['master', 'keys'],
        },
        example: { master: '9b1f0c4de2a87356', keys: 12 },
      },
      errors: ['SECRETS_LOCKED'],
      run: ({ who }) => secrets.rotateMaster(who),
    }),
    operation({
      id: 'getFleetSecret',
      tag,
      method: 'GET',
      path: '/api/v1/secrets/{secret}',
      summary: 'See that the fleet has a secret',
      params: SECRET,
      answer: ONE,
      errors: ['SECRET_NOT_FOUND'],
      run: ({ who, params }) => secrets.get(who, { secret: params.secret }),
    }),
    operation({
      id: 'setFleetSecret',
      tag,
      method: 'PUT',
      path: '/api/v1/secrets/{secret}',
      summary: 'Set a secret of the fleet',
      description: SET,
      params: SECRET,
      body: VALUE,
      answer: ONE,
      errors: ['SECRETS_LOCKED'],
      run: ({ who, params, body }) => secrets.set(who, { secret: params.secret }, body),
    }),
    operation({
      id: 'removeFleetSecret',
      tag,
      method: 'DELETE',
      path: '/api/v1/secrets/{secret}',
      summary: 'Remove a secret of the fleet',
      params: SECRET,
      answer: { status: 204, description: 'Removed.' },
      errors: ['SECRET_NOT_FOUND'],
      run: ({ who, params }) => secrets.remove(who, { secret: params.secret }),
    }),
  ];
}
