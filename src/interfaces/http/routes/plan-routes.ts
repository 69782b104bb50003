import type { Colmeia, PlanRef } from '../../../colmeia.ts';
import type { JsonSchema } from '../../../platform/contracts/json-schema.ts';
import { flag, INSTANCE_QUERY, PAGE_QUERY, pageOf, shape, text, textList } from '../answer-schemas.ts';
import { EXAMPLE_PLAN } from '../example-records.ts';
import { operation, type Operation } from '../operation.ts';

const PLAN_ID = { plan_id: 'Id of the plan.' } as const;
const REASON = { type: 'string', description: 'Why; it goes into the journal.' } as const satisfies JsonSchema;
const TASK_ID = {
  type: 'string',
  description: 'Only this destructive task; left out: the whole plan.',
} as const satisfies JsonSchema;
const PLAN_ERRORS = ['PLAN_NOT_FOUND', 'PLAN_AMBIGUOUS', 'INSTANCE_NOT_FOUND'] as const;
const STEER_ERRORS = [...PLAN_ERRORS, 'PLAN_STATE', 'QUEUE_FULL'] as const;

const refOf = (params: { plan_id: string }, query: { instance?: string }): PlanRef => ({
  planId: params.plan_id,
  instance: query.instance,
});

export function planRoutes(colmeia: Colmeia): Operation[] {
  return [...readOperations(colmeia), ...steerOperations(colmeia), replanOperation(colmeia)];
}

function readOperations({ plans }: Colmeia): Operation[] {
  return [
    operation({
      id: 'listPlans',
      tag: 'plans',
      method: 'GET',
      path: '/api/v1/plans',
      summary: 'List plans, newest first',
      query: {
        ...PAGE_QUERY,
        ...INSTANCE_QUERY,
        status: { type: 'string', description: 'Only plans of this status, as `running`.' },
      },
      answer: {
        status: 200,
        description: 'A page of plans.',
        schema: pageOf('PlanSummary'),
        example: { items: [], next: null },
      },
      errors: ['INSTANCE_NOT_FOUND'],
      run: ({ who, query }) => plans.list(who, query),
    }),
    operation({
      id: 'getPlan',
      tag: 'plans',
      method: 'GET',
      path: '/api/v1/plans/{plan_id}',
      summary: 'See one plan',
      params: PLAN_ID,
      query: INSTANCE_QUERY,
      answer: { status: 200, description: 'The plan and where it stands.', schema: { $ref: 'PlanDetail#' } },
      errors: PLAN_ERRORS,
      run: ({ who, params, query }) => plans.get(who, refOf(params, query)),
    }),
    operation({
      id: 'explainPlan',
      tag: 'plans',
      method: 'GET',
      path: '/api/v1/plans/{plan_id}/explain',
      summary: 'Ask when a plan will end, and why then',
      params: PLAN_ID,
      query: INSTANCE_QUERY,
      answer: {
        status: 200,
        description: 'The forecast, what it is made of, and how right such forecasts were so far.',
        schema: { $ref: 'Explanation#' },
      },
      errors: PLAN_ERRORS,
      run: ({ who, params, query }) => plans.explain(who, refOf(params, query)),
    }),
  ];
}

type Steer = { verb: 'pause' | 'resume' | 'retry'; summary: string; description: string };
const STEERS: readonly Steer[] = [
  {
    verb: 'pause',
    summary: 'Pause a plan',
    description: 'No ticket of it is leased any more; attempts under way go on.',
  },
  { verb: 'resume', summary: 'Resume a paused plan', description: 'Its tickets are leased again.' },
  {
    verb: 'retry',
    summary: 'Try the failed tickets again',
    description: 'Failed tickets of the plan start over, with all their retries.',
  },
];

function steerOperations({ plans }: Colmeia): Operation[] {
  const answer = {
    status: 200,
    description: 'Done; where the plan stands now.',
    schema: { $ref: 'PlanState#' },
  } as const;
  const example = { plan_id: 'plan-7f3a', status: 'running' };
  return [
    ...STEERS.map(({ verb, summary, description }) =>
      operation({
        id: `${verb}Plan`,
        tag: 'plans',
        method: 'POST',
        path: `/api/v1/plans/{plan_id}/${verb}`,
        summary,
        description,
        params: PLAN_ID,
        query: INSTANCE_QUERY,
        body: {
          schema: { type: 'object', properties: { reason: REASON } },
          example: { reason: 'the supplier is down' },
          optional: true,
        },
        answer: { ...answer, example },
        errors: STEER_ERRORS,
        run: ({ who, params, query, body }) => plans[verb](who, refOf(params, query), body),
      }),
    ),
    operation({
      id: 'cancelPlan',
      tag: 'plans',
      method: 'POST',
      path: '/api/v1/plans/{plan_id}/cancel',
      summary: 'Cancel a plan',
      description:
        'Attempts under way are told to stop; nothing new starts. With `compensate`, what is done is undone.',
      params: PLAN_ID,
      query: INSTANCE_QUERY,
      body: {
        schema: { type: 'object', properties: { reason: REASON, compensate: { type: 'boolean' } } },
        example: { reason: 'no longer wanted', compensate: true },
        optional: true,
      },
      answer: { ...answer, example: { plan_id: 'plan-7f3a', status: 'cancelled' } },
      errors: STEER_ERRORS,
      run: ({ who, params, query, body }) => plans.cancel(who, refOf(params, query), body),
    }),
    operation({
      id: 'approvePlan',
      tag: 'plans',
      method: 'POST',
      path: '/api/v1/plans/{plan_id}/approve',
      summary: 'Let a plan or a destructive task go ahead',
      params: PLAN_ID,
      query: INSTANCE_QUERY,
      body: {
        schema: { type: 'object', properties: { reason: REASON, task_id: TASK_ID } },
        example: { reason: 'checked with the owner', task_id: 'drop-table' },
        optional: true,
      },
      answer: { ...answer, example },
      errors: STEER_ERRORS,
      run: ({ who, params, query, body }) => plans.approve(who, refOf(params, query), body),
    }),
    operation({
      id: 'rejectPlan',
      tag: 'plans',
      method: 'POST',
      path: '/api/v1/plans/{plan_id}/reject',
      summary: 'Say no to a plan or a destructive task that waits for a person',
      params: PLAN_ID,
      query: INSTANCE_QUERY,
      body: {
        schema: { type: 'object', properties: { reason: REASON, task_id: TASK_ID }, required: ['reason'] },
        example: { reason: 'not during the sale' },
      },
      answer: { ...answer, example: { plan_id: 'plan-7f3a', status: 'rejected' } },
      errors: STEER_ERRORS,
      run: ({ who, params, query, body }) => plans.reject(who, refOf(params, query), body),
    }),
  ];
}

function replanOperation({ plans }: Colmeia): Operation {
  return operation({
    id: 'replan',
    tag: 'plans',
    method: 'POST',
    path: '/api/v1/plans/{plan_id}/replan',
    summary: 'Replace the rest of a plan',
    description:
      'The body has a whole CognitivePlan with the same plan id. Tasks that are done or running, and did not change, are kept.',
    params: PLAN_ID,
    query: INSTANCE_QUERY,
    body: {
      schema: {
        type: 'object',
        properties: {
          cognitive_plan: { type: 'object', description: 'The whole plan.' },
          reason: REASON,
        },
        required: ['cognitive_plan'],
      },
      shown: shape({ cognitive_plan: { $ref: 'CognitivePlan#' }, reason: REASON }, ['reason']),
      example: { cognitive_plan: EXAMPLE_PLAN, reason: 'a step is missing' },
    },
    answer: {
      status: 200,
      description: 'The new revision is in force.',
      schema: shape({ plan_id: text, status: text, revision: { type: 'integer' }, warnings: textList }),
      example: { plan_id: 'plan-7f3a', status: 'running', revision: 2, warnings: [] },
    },
    errors: [...STEER_ERRORS, 'INVALID_DECISION'],
    run: ({ who, params, query, body }) => plans.replan(who, refOf(params, query), body),
  });
}

const WORKFLOW_ID = { workflow_id: '`orchestration-{plan_id}`, or `orchestration-flow-c-{correlation_id}`.' } as const;
const WORKFLOW_ERRORS = ['WORKFLOW_NOT_FOUND', 'PLAN_AMBIGUOUS', 'INSTANCE_NOT_FOUND'] as const;
const ARGS = { type: 'array', description: 'Arguments, in order.', default: [] } as const satisfies JsonSchema;

export function workflowRoutes({ plans, status }: Colmeia): Operation[] {
  return [
    operation({
      id: 'getWorkflow',
      tag: 'workflows',
      method: 'GET',
      path: '/api/v1/workflows/{workflow_id}',
      summary: 'See a plan as a workflow',
      params: WORKFLOW_ID,
      query: INSTANCE_QUERY,
      answer: { status: 200, description: 'The workflow.', schema: { $ref: 'Workflow#' } },
      errors: WORKFLOW_ERRORS,
      run: ({ who, params, query }) => plans.workflow(who, params.workflow_id, query.instance),
    }),
    operation({
      id: 'queryWorkflow',
      tag: 'workflows',
      method: 'POST',
      path: '/api/v1/workflows/{workflow_id}/query',
      summary: 'Ask a workflow: get_status, get_tickets',
      params: WORKFLOW_ID,
      query: INSTANCE_QUERY,
      body: {
        schema: {
          type: 'object',
          properties: { query_name: { type: 'string' }, args: ARGS },
          required: ['query_name'],
        },
        example: { query_name: 'get_status', args: [] },
      },
      answer: {
        status: 200,
        description: 'The result of the query.',
        schema: shape({ workflow_id: text, query_name: text, result: {} }),
        example: { workflow_id: 'orchestration-plan-7f3a', query_name: 'get_status', result: { status: 'running' } },
      },
      errors: WORKFLOW_ERRORS,
      run: ({ who, params, query, body }) => plans.query(who, params.workflow_id, body, query.instance),
    }),
    operation({
      id: 'signalWorkflow',
      tag: 'workflows',
      method: 'POST',
      path: '/api/v1/workflows/{workflow_id}/signal',
      summary: 'Signal a workflow: cancel_workflow, ticket_completed',
      description: '`cancel_workflow` takes no arguments; `ticket_completed` takes a ticket id and its result.',
      params: WORKFLOW_ID,
      query: INSTANCE_QUERY,
      body: {
        schema: {
          type: 'object',
          properties: { signal_name: { type: 'string' }, args: ARGS },
          required: ['signal_name'],
        },
        example: { signal_name: 'cancel_workflow', args: [] },
      },
      answer: {
        status: 200,
        description: 'The signal was taken in.',
        schema: shape({ workflow_id: text, signal_name: text, status: text }),
        example: { workflow_id: 'orchestration-plan-7f3a', signal_name: 'cancel_workflow', status: 'cancelled' },
      },
      errors: [...WORKFLOW_ERRORS, 'PLAN_STATE', 'TICKET_NOT_FOUND', 'LEASE_FENCED'],
      run: ({ who, params, query, body }) => plans.signal(who, params.workflow_id, body, query.instance),
    }),
    operation({
      id: 'getFlowStatus',
      tag: 'workflows',
      method: 'GET',
      path: '/api/v1/flow-c/status',
      summary: 'How plans fare, over all that the caller sees',
      answer: {
        status: 200,
        description: 'Counts and latencies.',
        schema: shape({
          total_processed: { type: 'integer' },
          success_rate: { type: 'number', description: 'Percent.' },
          average_latency_ms: { type: 'number' },
          p95_latency_ms: { type: 'number' },
          active_executions: { type: 'integer' },
          cached: flag,
        }),
        example: {
          total_processed: 120,
          success_rate: 99.2,
          average_latency_ms: 840,
          p95_latency_ms: 2100,
          active_executions: 3,
          cached: false,
        },
      },
      run: ({ who }) => status(who),
    }),
  ];
}
