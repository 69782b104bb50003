import type { Colmeia } from '../../../colmeia.ts';
import { EXPERIMENT_SETTINGS, METRICS } from '../../../execution/scheduling/experiments/experiment-settings.ts';
import { PRESETS } from '../../../execution/scheduling/policy.ts';
import { ColmeiaError } from '../../../platform/errors.ts';
import { INSTANCE_QUERY, PAGE_QUERY, pageOf, shape, text } from '../answer-schemas.ts';
import { operation, type Fields, type Operation } from '../operation.ts';
import { POLICY_SCHEMA, settingsSchema } from '../policy-schema.ts';

const TRAIL_QUERY = {
  task_type: { type: 'string', description: 'Only of this task type.' },
  agent_id: { type: 'string', description: 'Only of this agent.' },
} as const satisfies Fields;

export function schedulingRoutes({ scheduling }: Colmeia): Operation[] {
  return [
    ...policyOperations(scheduling),
    ...stateOperations(scheduling),
    ...trailOperations(scheduling),
    ...experimentOperations(scheduling),
  ];
}

function policyOperations(scheduling: Colmeia['scheduling']): Operation[] {
  return [
    operation({
      id: 'getPolicy',
      tag: 'scheduling',
      method: 'GET',
      path: '/api/v1/scheduling/policy',
      summary: 'See how tickets are ordered and placed',
      answer: { status: 200, description: 'The policy in force.', schema: { $ref: 'Policy#' } },
      run: ({ who }) => scheduling.policy(who),
    }),
    operation({
      id: 'setPolicy',
      tag: 'scheduling',
      method: 'PUT',
      path: '/api/v1/scheduling/policy',
      summary: 'Order and place tickets in another way from now on',
      description:
        'The body is the whole document: what it does not say has the default of its preset. What waits and what is owed stay. The change is an event of the audit; a wrong document changes nothing. Only for operators.',
      body: { shown: POLICY_SCHEMA, example: { preset: 'adaptive', lag_seconds: 1_800 } },
      answer: { status: 200, description: 'It is in force.', schema: { $ref: 'Policy#' } },
      errors: ['INVALID_POLICY', 'QUEUE_FULL'],
      run: ({ who, body }) => scheduling.setPolicy(who, body),
    }),
  ];
}

function stateOperations(scheduling: Colmeia['scheduling']): Operation[] {
  return [
    operation({
      id: 'getBacklog',
      tag: 'scheduling',
      method: 'GET',
      path: '/api/v1/scheduling/backlog',
      summary: 'See what waits for agents, by class, and what could do it',
      answer: {
        status: 200,
        description: 'The classes in which something waits.',
        schema: { $ref: 'Backlog#' },
        example: { at: 1_780_000_000_000, classes: [] },
      },
      run: ({ who }) => scheduling.backlog(who),
    }),
    operation({
      id: 'listBudgets',
      tag: 'scheduling',
      method: 'GET',
      path: '/api/v1/scheduling/budgets',
      summary: 'List error budgets: how much may still be late',
      query: { ...PAGE_QUERY, ...INSTANCE_QUERY },
      answer: {
        status: 200,
        description: 'A page of budgets, one for each company and task type.',
        schema: pageOf('Budget'),
        example: { items: [], next: null },
      },
      errors: ['INSTANCE_NOT_FOUND'],
      run: ({ who, query }) => scheduling.budgets(who, query),
    }),
    operation({
      id: 'getDegradation',
      tag: 'scheduling',
      method: 'GET',
      path: '/api/v1/scheduling/degradation',
      summary: 'See the order in which service is reduced, and how far it has gone',
      answer: { status: 200, description: 'Every step, and what is never given up.', schema: { $ref: 'Degradation#' } },
      run: ({ who }) => scheduling.degradation(who),
    }),
  ];
}

function trailOperations(scheduling: Colmeia['scheduling']): Operation[] {
  return [
    operation({
      id: 'listTrails',
      tag: 'scheduling',
      method: 'GET',
      path: '/api/v1/scheduling/trails',
      summary: 'List what was learned of agents, by task type',
      query: { ...PAGE_QUERY, ...TRAIL_QUERY },
      answer: {
        status: 200,
        description: 'A page of trails.',
        schema: pageOf('Trail'),
        example: { items: [], next: null },
      },
      run: ({ who, query }) => scheduling.trails(who, query),
    }),
    operation({
      id: 'resetTrails',
      tag: 'scheduling',
      method: 'DELETE',
      path: '/api/v1/scheduling/trails',
      summary: 'Forget what was learned of agents',
      description: 'Without a filter: all of it. The reset is an event of the audit. Only for operators.',
      query: TRAIL_QUERY,
      answer: {
        status: 200,
        description: 'Forgotten.',
        schema: shape({ removed: { type: 'integer', description: 'Trails.' } }),
        example: { removed: 12 },
      },
      errors: ['QUEUE_FULL'],
      run: ({ who, query }) => scheduling.resetTrails(who, query),
    }),
  ];
}

const EXPERIMENT_PATH = '/api/v1/scheduling/experiment';
const preset = { type: 'string', enum: PRESETS } as const;

function experimentOperations(scheduling: Colmeia['scheduling']): Operation[] {
  return [
    operation({
      id: 'getExperiment',
      tag: 'scheduling',
      method: 'GET',
      path: EXPERIMENT_PATH,
      summary: 'See the experiment under way, or the last one',
      answer: { status: 200, description: 'The experiment.', schema: { $ref: 'Experiment#' } },
      errors: ['EXPERIMENT_NOT_FOUND'],
      run: async ({ who }) => {
        const experiment = await scheduling.experiment(who);
        if (experiment === null) throw new ColmeiaError('EXPERIMENT_NOT_FOUND', 'experiment not found: there was none');
        return experiment;
      },
    }),
    operation({
      id: 'startExperiment',
      tag: 'scheduling',
      method: 'POST',
      path: EXPERIMENT_PATH,
      summary: 'Compare two presets on live work',
      description:
        'They take turns in blocks of time, in random order within each pair. It ends by itself: when the difference is certain, when all pairs are done, or when an error budget burns too fast. Only for operators.',
      body: {
        shown: shape(
          {
            a: preset,
            b: preset,
            metric: { type: 'string', enum: Object.keys(METRICS), default: 'on_time' },
            ...settingsSchema(EXPERIMENT_SETTINGS),
          },
          ['metric', ...Object.keys(settingsSchema(EXPERIMENT_SETTINGS))],
        ),
        example: { a: 'adaptive', b: 'fairness', metric: 'on_time', block_ms: 600_000, pairs: 24 },
      },
      answer: { status: 201, description: 'It is under way.', schema: { $ref: 'Experiment#' } },
      errors: ['INVALID_POLICY', 'EXPERIMENT_RUNNING', 'QUEUE_FULL'],
      run: ({ who, body }) => scheduling.startExperiment(who, body),
    }),
    operation({
      id: 'stopExperiment',
      tag: 'scheduling',
      method: 'DELETE',
      path: EXPERIMENT_PATH,
      summary: 'End the experiment; the configured policy holds again',
      description: 'Nothing happens when it has ended. Only for operators.',
      query: { reason: { ...text, description: 'Why; it goes into the journal.' } },
      answer: { status: 200, description: 'What was found.', schema: { $ref: 'Experiment#' } },
      errors: ['EXPERIMENT_NOT_FOUND', 'QUEUE_FULL'],
      run: ({ who, query }) => scheduling.stopExperiment(who, query),
    }),
  ];
}
