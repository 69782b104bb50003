import { ERROR_CODES } from '../../platform/errors.ts';
import { RECORDS } from '../../platform/contracts/generated/records.ts';
import { SCOPES } from '../../trust/identity/principal.ts';
import type { DocSchema, Fields } from './operation.ts';

export const text = { type: 'string' } as const;
export const flag = { type: 'boolean' } as const;
export const textOrNull = { type: ['string', 'null'] } as const;
export const time = { type: 'integer', description: 'Epoch milliseconds.' } as const;
export const timeOrNull = { type: ['integer', 'null'], description: 'Epoch milliseconds.' } as const;
/** Any JSON value. */
export const anything = { type: ['null', 'boolean', 'number', 'string', 'array', 'object'] } as const;
export const textList = { type: 'array', items: text } as const;
export const textMap = { type: 'object', additionalProperties: text } as const;
export const openObject = { type: 'object', additionalProperties: true } as const;
/** A whole number of an epoch time or a counter. */
export const whole = { type: 'integer', minimum: 0, maximum: Number.MAX_SAFE_INTEGER } as const;

/** An object that has all of these fields, and may have more. */
export function shape(fields: { readonly [name: string]: unknown }, optional: readonly string[] = []): DocSchema {
  return {
    type: 'object',
    properties: fields,
    required: Object.keys(fields).filter((name) => !optional.includes(name)),
  };
}

export function pageOf(item: string): DocSchema {
  return shape({
    items: { type: 'array', items: { $ref: `${item}#` } },
    next: { type: ['string', 'null'], description: 'Goes into `after` of the next call; null = the end.' },
  });
}

/** Query of every list. */
export const PAGE_QUERY = {
  limit: { type: 'integer', minimum: 1, maximum: 100, description: 'Most items of the page.', default: 50 },
  after: { type: 'string', description: '`next` of the page before.' },
} as const satisfies Fields;

/** Lets an operator name the company; the key of a company always means its own. */
export const INSTANCE_QUERY = {
  instance: { type: 'string', description: 'The company, where the key is of no single one.' },
} as const satisfies Fields;

const submission = {
  plan_id: text,
  workflow_id: text,
  status: { ...text, description: 'Where the plan stands; `rejected` when the decision itself was no.' },
  instance: text,
  duplicate: { ...flag, description: 'The same decision was here before; it runs once.' },
  warnings: { ...textList, description: 'Unknown fields that were ignored, and the like.' },
};

const refusal = {
  description: 'Why this one was refused; absent = it was taken.',
  ...shape({ code: text, detail: text, faults: { type: 'array', items: shape({ path: text, message: text }) } }),
};

/** Serialises a Submission and a batch alike: a choice between two schemas would be validated first. */
export const SUBMISSION_OR_BATCH: DocSchema = {
  type: 'object',
  properties: {
    ...submission,
    results: { type: 'array', items: shape({ ...submission, error: refusal }, ['error']) },
  },
};

const planSummary = {
  plan_id: text,
  workflow_id: text,
  instance: text,
  intent_id: text,
  decision_id: text,
  correlation_id: textOrNull,
  trace_id: textOrNull,
  status: {
    ...text,
    description: 'waiting_approval, running, compensating, completed, failed, compensated, cancelled or rejected.',
  },
  paused: flag,
  risk_band: text,
  revision: { type: 'integer' },
  tickets: { type: 'integer', description: 'How many there are.' },
  created_at: time,
  ended_at: timeOrNull,
};

const agent = {
  agent_id: text,
  kind: text,
  task_types: textList,
  capabilities: textList,
  concurrency: { type: 'integer' },
  labels: textMap,
  region: textOrNull,
  version: textOrNull,
  instance: { ...textOrNull, description: 'null = it serves every company.' },
  state: { type: 'string', enum: ['active', 'draining', 'cordoned', 'suspect', 'gone'] },
  life: { type: 'string', enum: ['alive', 'suspect', 'gone'], description: 'By its signs of life.' },
  held_until: { ...timeOrNull, description: 'It keeps going away, and gets no work before then.' },
  last_seen_at: timeOrNull,
  running: { type: 'integer', description: 'Attempts under way.' },
  telemetry: {
    type: ['object', 'null'],
    description: 'The last that it sent.',
    properties: { at: time, values: { type: 'object', additionalProperties: { type: 'number' } } },
  },
};

const usage = {
  results: { type: 'integer', description: 'Results that named any.' },
  input_tokens: { type: 'integer' },
  output_tokens: { type: 'integer' },
  cost_usd: { type: 'number' },
  since: timeOrNull,
};

const numberOrNull = { type: ['number', 'null'] } as const;
const agentDetail = {
  ...agent,
  registered_at: time,
  versions: {
    type: 'array',
    description: 'The last ten, oldest first.',
    items: shape({ version: textOrNull, at: time }),
  },
  telemetry_history: {
    type: 'array',
    description: 'Of the last minutes, oldest first.',
    items: shape({ at: time, queue: numberOrNull, cpu: numberOrNull, memory: numberOrNull, errors: numberOrNull }),
  },
  history: {
    type: ['object', 'null'],
    description: 'What it did since this process knows it.',
    properties: {
      since: time,
      completed: { type: 'integer' },
      failed: { type: 'integer' },
      recent: {
        type: 'array',
        items: shape({
          at: time,
          instance: text,
          plan_id: text,
          task_id: text,
          result: { type: 'string', enum: ['completed', 'failed'] },
          duration_ms: { type: 'integer' },
          error_class: textOrNull,
        }),
      },
    },
  },
  usage: { description: 'What its results said of tokens.', ...shape(usage) },
};

const inboxItem = {
  kind: {
    type: 'string',
    enum: ['ticket', 'task', 'plan'],
    description: 'A ticket to be done; a destructive task, or a whole plan, to be approved.',
  },
  instance: text,
  plan_id: text,
  ticket_id: textOrNull,
  task_id: textOrNull,
  description: text,
  required_capabilities: textList,
  due_at: time,
  since: timeOrNull,
  agent_id: { ...textOrNull, description: 'Whose inbox it is in.' },
  lease_id: { ...textOrNull, description: 'For its result, together with the token.' },
  fencing_token: { type: ['integer', 'null'] },
  expires_at: { ...timeOrNull, description: 'When the attempt ends by itself.' },
};

const key = {
  key_id: text,
  kind: { type: 'string', enum: ['operator', 'company', 'agent'] },
  instance: { ...textOrNull, description: 'null = all companies.' },
  agent_id: textOrNull,
  scopes: { type: 'array', items: { type: 'string', enum: [...SCOPES] } },
  subject: { ...textOrNull, description: 'Who holds it, as user:ana@acme.example.' },
  replaces: { ...textOrNull, description: 'Key that it was rotated from.' },
  created_at: text,
  expires_at: textOrNull,
  revoked_at: textOrNull,
  last_used_at: { ...textOrNull, description: 'To the minute, when other replicas took it.' },
};

const event = {
  instance: text,
  seq: { type: 'integer', description: 'Row of the journal: the commit.' },
  n: { type: 'integer', description: 'Number of the event in its company, from 1 without gaps.' },
  at: { type: 'string', format: 'date-time' },
  type: text,
  by: { ...text, description: 'Who made it happen, or `engine`.' },
  plan: text,
  ticket: { type: 'integer', description: 'Number of the ticket in its plan.' },
  why: text,
  data: openObject,
};
const eventOptional = ['plan', 'ticket', 'why', 'data'];
const { $id: _decisionId, ...decisionSchema } = RECORDS.ConsolidatedDecision.schema;

/** Schemas that the document names. The records of the wire are there as they are. */
export const SHARED_SCHEMAS: readonly ({ $id: string } & DocSchema)[] = [
  ...Object.values(RECORDS).map(({ schema }) => schema as unknown as { $id: string } & DocSchema),
  {
    ...(decisionSchema as unknown as DocSchema),
    $id: 'Decision',
    title: 'Decision',
    description:
      'A ConsolidatedDecision whose plan may also be an object. Its `metadata.instance` names the company; left out: the default one, or that of the key.',
    properties: {
      ...decisionSchema.properties,
      cognitive_plan: {
        description: 'The plan, as JSON text or as an object; only a rejection may come without.',
        anyOf: [{ $ref: 'CognitivePlan#' }, { type: 'string' }, { type: 'null' }],
      },
    },
  },
  {
    $id: 'Error',
    title: 'Error',
    ...shape(
      {
        detail: { ...text, description: 'One sentence for people.' },
        code: { type: 'string', enum: Object.keys(ERROR_CODES), description: 'Stable, for programs.' },
        faults: {
          type: 'array',
          description: 'Everything that is wrong, each with its place.',
          items: shape({ path: { ...text, examples: ['body.tasks[3].dependencies[0]'] }, message: text }),
        },
        request_id: { ...text, description: 'The log has more under this id.' },
      },
      ['faults'],
    ),
  },
  { $id: 'Submission', title: 'Submission', ...shape(submission) },
  {
    $id: 'BatchItem',
    title: 'BatchItem',
    ...shape({ ...submission, error: refusal }, ['error']),
  },
  { $id: 'PlanSummary', title: 'PlanSummary', ...shape(planSummary) },
  {
    $id: 'PlanDetail',
    title: 'PlanDetail',
    ...shape({
      ...planSummary,
      progress: { type: 'object', additionalProperties: { type: 'integer' }, description: 'Tickets by state.' },
      waits_for_approval: { ...textList, description: 'Task ids that wait for a person; ["*"] = the whole plan.' },
      result: {
        type: ['object', 'null'],
        additionalProperties: true,
        description: 'Its consolidation; null while it runs.',
      },
    }),
  },
  {
    $id: 'PlanState',
    title: 'PlanState',
    ...shape({ plan_id: text, status: text }),
  },
  {
    $id: 'TicketView',
    title: 'TicketView',
    description: 'The ExecutionTicket, and what only Colmeia knows of it.',
    allOf: [
      { $ref: 'ExecutionTicket#' },
      shape({
        cached: flag,
        instance: text,
        priority_score: { type: 'number' },
        state: {
          ...text,
          description:
            'waiting, approval, ready, backoff, running, completed, failed, cancelled, compensating or compensated.',
        },
        agent_id: textOrNull,
        attempt: { type: 'integer' },
        fencing_token: { type: 'integer' },
        next_attempt_at: timeOrNull,
        progress: { type: ['number', 'null'] },
        result: {
          type: ['object', 'null'],
          description: 'Of the attempt that counted; null before.',
          properties: { output: textMap, metadata: textMap, logs: textList },
        },
      }),
    ],
  },
  {
    $id: 'Workflow',
    title: 'Workflow',
    ...shape({
      workflow_id: text,
      status: {
        type: 'string',
        enum: ['RUNNING', 'COMPLETED', 'FAILED', 'CANCELED', 'TERMINATED', 'CONTINUED_AS_NEW', 'TIMED_OUT'],
      },
      cached: flag,
      start_time: time,
      close_time: timeOrNull,
      execution_time: { type: ['integer', 'null'], description: 'Milliseconds; null while it runs.' },
      workflow_type: { type: 'string', enum: ['OrchestrationWorkflow'] },
      task_queue: text,
    }),
  },
  { $id: 'Agent', title: 'Agent', ...shape(agent) },
  { $id: 'AgentDetail', title: 'AgentDetail', ...shape(agentDetail) },
  {
    $id: 'TokenUsage',
    title: 'TokenUsage',
    ...shape({ instance: text, agent_id: { ...textOrNull, description: 'null = of all agents.' }, ...usage }),
  },
  { $id: 'InboxItem', title: 'InboxItem', ...shape(inboxItem) },
  { $id: 'AgentState', title: 'AgentState', ...shape({ agent_id: text, state: text }) },
  {
    $id: 'Lease',
    title: 'Lease',
    description: 'The right to run one attempt of one ticket until `expires_at`.',
    ...shape({
      lease_id: text,
      fencing_token: { type: 'integer' },
      attempt: { type: 'integer', description: '1 = the first.' },
      expires_at: time,
      ticket: { $ref: 'ExecutionTicket#' },
    }),
  },
  { $id: 'TicketState', title: 'TicketState', ...shape({ ticket_id: text, status: text }) },
  { $id: 'Key', title: 'Key', ...shape(key) },
  {
    $id: 'Secret',
    title: 'Secret',
    ...shape({ name: text, version: { type: 'integer' }, created_by: text, created_at: text }),
  },
  {
    $id: 'NewKey',
    title: 'NewKey',
    ...shape({ ...key, key: { ...text, description: 'The key itself, shown this once.' } }),
  },
  { $id: 'Event', title: 'Event', ...shape(event, eventOptional) },
  {
    $id: 'ChainVerdict',
    title: 'ChainVerdict',
    ...shape({
      instance: text,
      ok: flag,
      rows: { type: 'integer' },
      events: { type: 'integer' },
      fault: { ...textOrNull, description: 'Where the chain breaks, and how.' },
    }),
  },
  {
    $id: 'Checks',
    title: 'Checks',
    type: 'object',
    additionalProperties: shape({ status: text, detail: text }, ['detail']),
  },
];
