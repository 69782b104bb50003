import type { Colmeia } from '../../../colmeia.ts';
import { STRATEGIES, TIERS } from '../../../coordination/instances/instance-views.ts';
import { PAGE_QUERY, pageOf, shape, textList } from '../answer-schemas.ts';
import { operation, type Operation } from '../operation.ts';
import { BEGUN, EXAMPLE_OPERATION } from './operation-routes.ts';

type Instances = Colmeia['instances'];

const tag = 'instances';
const NAME = { name: 'Name of the company.' } as const;
const CHANGES = ['INSTANCE_NOT_FOUND', 'INSTANCE_STATE', 'INSTANCE_BUSY'] as const;
const TIER = { type: 'string', description: `Its share of the agents: ${TIERS.join(', ')}.` } as const;
const BUDGET = {
  type: ['number', 'null'],
  description: 'US dollars a month for language models; null = no limit.',
} as const;
const REASON = {
  optional: true,
  schema: {
    type: 'object',
    properties: { reason: { type: 'string', description: 'Goes into the audit.' } },
  },
  example: { reason: 'holidays' },
} as const;

const EXAMPLE = {
  name: 'padaria',
  tier: 'bronze',
  strategy: 'hybrid',
  template: 'default',
  state: 'active',
  initialized: false,
  health: 'unknown',
  budget_usd: null,
  created_at: '2026-11-21T12:00:00.000Z',
};
const ONE = { status: 200, description: 'The company.', schema: { $ref: 'Instance#' }, example: EXAMPLE };

export function instanceRoutes({ instances }: Colmeia): Operation[] {
  return [
    ...registryRoutes(instances),
    ...lookRoutes(instances),
    ...stateRoutes(instances),
    ...lifeRoutes(instances),
    ...copyRoutes(instances),
    ...fleetRoutes(instances),
  ];
}

function registryRoutes(instances: Instances): Operation[] {
  return [
    operation({
      id: 'createInstance',
      tag,
      method: 'POST',
      path: '/api/v1/instances',
      summary: 'Found a company',
      description: 'It takes work at once. Its own database and accounts are made by init.',
      body: {
        schema: {
          type: 'object',
          properties: {
            name: { type: 'string', description: 'Lower-case letters, digits and single hyphens, at most 40.' },
            strategy: { type: 'string', description: `${STRATEGIES.join(', ')}; default hybrid.` },
            tier: { ...TIER, description: `${TIER.description} Default bronze.` },
            template: { type: 'string', description: 'What its folder begins with; default: default.' },
            budget_usd: BUDGET,
          },
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
      tag,
      method: 'GET',
      path: '/api/v1/instances',
      summary: 'List companies with health and figures, by name',
      query: {
        ...PAGE_QUERY,
        state: { type: 'string', description: 'Only active, paused or deleting ones.' },
        health: { type: 'string', description: 'Only unknown, healthy, degraded or unhealthy ones.' },
      },
      answer: {
        status: 200,
        description: 'A page of companies.',
        schema: pageOf('InstanceSummary'),
        example: { items: [], next: null },
      },
      run: ({ who, query }) => instances.list(who, query),
    }),
    operation({
      id: 'updateInstance',
      tag,
      method: 'PUT',
      path: '/api/v1/instances/{name}',
      summary: 'Change tier or budget of a company',
      description: 'What is left out stays.',
      params: NAME,
      body: {
        schema: { type: 'object', properties: { tier: TIER, budget_usd: BUDGET } },
        example: { tier: 'gold', budget_usd: 200 },
      },
      answer: ONE,
      errors: CHANGES,
      run: ({ who, params, body }) => instances.update(who, params.name, body),
    }),
    operation({
      id: 'deleteInstance',
      tag,
      method: 'DELETE',
      path: '/api/v1/instances/{name}',
      summary: 'Delete a company, and all that was made for it',
      description:
        'It takes no work from now on and does not come back. Its last export is written first, unless told not to.',
      params: NAME,
      query: {
        confirm: { type: 'string', description: 'The name again.' },
        export: { type: 'boolean', description: 'Default true.' },
        force: {
          type: 'boolean',
          description: 'Leave what cannot be taken away, as its site is away, and say so. Default false.',
        },
      },
      answer: BEGUN,
      errors: CHANGES,
      run: ({ who, params, query: { confirm = '', ...query } }) =>
        instances.remove(who, params.name, { confirm, ...query }),
    }),
  ];
}

function lookRoutes(instances: Instances): Operation[] {
  return [
    operation({
      id: 'getInstance',
      tag,
      method: 'GET',
      path: '/api/v1/instances/{name}',
      summary: 'See one company',
      params: NAME,
      answer: { status: 200, description: 'The company.', schema: { $ref: 'InstanceDetail#' } },
      errors: ['INSTANCE_NOT_FOUND'],
      run: ({ who, params }) => instances.get(who, params.name),
    }),
    operation({
      id: 'getInstanceStats',
      tag,
      method: 'GET',
      path: '/api/v1/instances/{name}/stats',
      summary: 'See the figures of a company, and what its own data takes up',
      params: NAME,
      answer: { status: 200, description: 'Figures.', schema: { $ref: 'InstanceStats#' } },
      errors: ['INSTANCE_NOT_FOUND'],
      run: ({ who, params }) => instances.stats(who, params.name),
    }),
    operation({
      id: 'validateInstance',
      tag,
      method: 'POST',
      path: '/api/v1/instances/{name}/validate',
      summary: 'Find everything that is wrong in a company, now',
      description: 'Also the state of its connectors: checks of Supabase, Jira and Confluence that are off say why.',
      params: NAME,
      answer: { status: 200, description: 'Every fault, with its remedy.', schema: { $ref: 'Validation#' } },
      errors: ['INSTANCE_NOT_FOUND', 'INSTANCE_STATE'],
      run: ({ who, params }) => instances.validate(who, params.name),
    }),
  ];
}

function stateRoutes(instances: Instances): Operation[] {
  return [
    operation({
      id: 'pauseInstance',
      tag,
      method: 'POST',
      path: '/api/v1/instances/{name}/pause',
      summary: 'Start no ticket of a company',
      description: 'What runs goes on to its end; what comes waits.',
      params: NAME,
      body: REASON,
      answer: ONE,
      errors: CHANGES,
      run: ({ who, params, body }) => instances.pause(who, params.name, body),
    }),
    operation({
      id: 'resumeInstance',
      tag,
      method: 'POST',
      path: '/api/v1/instances/{name}/resume',
      summary: 'Let a paused company go on',
      params: NAME,
      body: REASON,
      answer: ONE,
      errors: CHANGES,
      run: ({ who, params, body }) => instances.resume(who, params.name, body),
    }),
  ];
}

function lifeRoutes(instances: Instances): Operation[] {
  return [
    operation({
      id: 'initInstance',
      tag,
      method: 'POST',
      path: '/api/v1/instances/{name}/init',
      summary: 'Make the database and the accounts of a company',
      description: 'May be repeated: it brings about what is not there yet.',
      params: NAME,
      answer: BEGUN,
      errors: CHANGES,
      run: ({ who, params }) => instances.init(who, params.name),
    }),
    operation({
      id: 'seedInstance',
      tag,
      method: 'POST',
      path: '/api/v1/instances/{name}/seed',
      summary: 'Run the seeds of the folder of a company that have not run yet',
      params: NAME,
      answer: {
        status: 200,
        description: 'Names of those that ran now.',
        schema: shape({ applied: textList }),
        example: { applied: ['company/customers'] },
      },
      errors: ['INSTANCE_NOT_FOUND', 'INSTANCE_STATE', 'DATABASE_MIGRATION', 'DATABASE_DENIED', 'DATABASE_FOREIGN'],
      run: ({ who, params }) => instances.seed(who, params.name),
    }),
    operation({
      id: 'renameInstance',
      tag,
      method: 'POST',
      path: '/api/v1/instances/{name}/rename',
      summary: 'Give a company another name',
      description: 'Its keys and plans go along. The journal and its chain say so; the database keeps its name.',
      params: NAME,
      body: {
        schema: { type: 'object', properties: { to: { type: 'string' } }, required: ['to'] },
        example: { to: 'padaria-central' },
      },
      answer: BEGUN,
      errors: [...CHANGES, 'INSTANCE_EXISTS'],
      run: ({ who, params, body }) => instances.rename(who, params.name, body),
    }),
  ];
}

function copyRoutes(instances: Instances): Operation[] {
  return [
    operation({
      id: 'cloneInstance',
      tag,
      method: 'POST',
      path: '/api/v1/instances/{name}/clone',
      summary: 'Make a new company that is a copy of this one',
      description: 'Without its secrets. The source stays usable; in the end a proof says whether both are equal.',
      params: NAME,
      query: { dry_run: { type: 'boolean', description: 'Only say what would be done. Default false.' } },
      body: {
        schema: { type: 'object', properties: { target: { type: 'string' } }, required: ['target'] },
        example: { target: 'padaria-central' },
      },
      answer: { ...BEGUN, example: { ...EXAMPLE_OPERATION, kind: 'clone' } },
      otherAnswers: [
        { status: 200, description: 'With dry_run: steps, sizes, calls.', schema: { $ref: 'OperationPlan#' } },
      ],
      errors: [...CHANGES, 'INSTANCE_EXISTS', 'OUTSIDE_REFUSED', 'OUTSIDE_TIMEOUT', 'OUTSIDE_UNAVAILABLE'],
      run: ({ who, params, query, body, reply }) => {
        if (query.dry_run !== true) return instances.clone(who, params.name, body);
        reply.code(200);
        return instances.planClone(who, params.name, body);
      },
    }),
  ];
}

const DIFFERENCES = {
  status: 200,
  schema: shape({ items: { type: 'array', items: { $ref: 'InstanceDifference#' } } }),
  example: { items: [{ name: 'padaria', kind: 'setting', setting: 'tier', registry: 'bronze', folder: 'gold' }] },
} as const;

function fleetRoutes(instances: Instances): Operation[] {
  return [
    operation({
      id: 'listDifferences',
      tag,
      method: 'GET',
      path: '/api/v1/differences',
      summary: 'Where the folders of companies and the registry say different things',
      answer: { ...DIFFERENCES, description: 'All of them.' },
      run: async ({ who }) => ({ items: await instances.differences(who) }),
    }),
    operation({
      id: 'reconcileInstances',
      tag,
      method: 'POST',
      path: '/api/v1/differences/reconcile',
      summary: 'Take over what the folders say',
      description:
        'Settings go from the folder into the registry, a folder that is missing is laid out, one that is not registered becomes a company.',
      body: {
        optional: true,
        schema: {
          type: 'object',
          properties: { name: { type: 'string', description: 'Only this company.' } },
        },
        example: { name: 'padaria' },
      },
      answer: { ...DIFFERENCES, description: 'Those that were settled.' },
      errors: ['INSTANCE_EXISTS', 'INSTANCE_STATE', 'INSTANCE_INVALID'],
      run: async ({ who, body }) => ({ items: await instances.reconcile(who, body) }),
    }),
  ];
}
