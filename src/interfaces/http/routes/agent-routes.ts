import type { Colmeia } from '../../../colmeia.ts';
import { AGENT_KINDS } from '../../../execution/agents/agent.ts';
import { anything, INSTANCE_QUERY, PAGE_QUERY, pageOf, shape, text, textList, textMap } from '../answer-schemas.ts';
import type { OpenCalls } from '../open-calls.ts';
import { operation, type Operation } from '../operation.ts';

const LEASES = shape({ leases: { type: 'array', items: { $ref: 'Lease#' } } });
const AGENT_ID = { agent_id: 'Id that the agent gave itself.' } as const;

export function agentRoutes(colmeia: Colmeia, openCalls: OpenCalls): Operation[] {
  return [...lifeOperations(colmeia), ...readOperations(colmeia), leaseOperation(colmeia, openCalls)];
}

function lifeOperations({ agents }: Colmeia): Operation[] {
  return [
    operation({
      id: 'registerAgent',
      tag: 'agents',
      method: 'POST',
      path: '/api/v1/agents',
      summary: 'Register an agent, or change what it said of itself',
      body: {
        shown: shape(
          {
            agent_id: text,
            kind: { type: 'string', enum: AGENT_KINDS },
            task_types: { ...textList, description: 'As BUILD.' },
            capabilities: { ...textList, description: 'A ticket comes only to agents that have all it requires.' },
            concurrency: { type: 'integer', minimum: 1, default: 1, description: 'Tickets it takes at once.' },
            labels: textMap,
            region: text,
            version: text,
            held: {
              ...textList,
              description:
                'Leases it still works on: others that it had end at once and are tried again. Left out: they stay until they run out.',
            },
          },
          ['concurrency', 'labels', 'region', 'version', 'held'],
        ),
        example: {
          agent_id: 'builder-1',
          kind: 'service',
          task_types: ['BUILD', 'TEST'],
          capabilities: ['node'],
          concurrency: 4,
          labels: {},
        },
      },
      answer: {
        status: 200,
        description: 'How often to send heartbeats, and how long a lease lasts.',
        schema: shape({
          agent_id: text,
          heartbeat_interval_ms: { type: 'integer' },
          lease_duration_ms: { type: 'integer' },
        }),
        example: { agent_id: 'builder-1', heartbeat_interval_ms: 10_000, lease_duration_ms: 30_000 },
      },
      errors: ['QUEUE_FULL'],
      run: ({ who, body }) => agents.register(who, body),
    }),
    operation({
      id: 'heartbeatAgent',
      tag: 'agents',
      method: 'POST',
      path: '/api/v1/agents/{agent_id}/heartbeat',
      summary: 'Say that an agent is alive',
      params: AGENT_ID,
      body: {
        schema: {
          type: 'object',
          properties: {
            telemetry: {
              ...anything,
              description:
                'Up to 32 numbers by name. `queue` and `errors` count; `cpu` and `memory` are shares from 0 to 1.',
            },
          },
        },
        example: { telemetry: { queue: 3, cpu: 0.4, memory: 0.6, errors: 0 } },
        optional: true,
      },
      answer: {
        status: 200,
        description: 'Heard.',
        schema: { $ref: 'AgentState#' },
        example: { agent_id: 'builder-1', state: 'active' },
      },
      errors: ['AGENT_NOT_FOUND'],
      run: ({ who, params, body }) => agents.heartbeat(who, params.agent_id, body),
    }),
    operation({
      id: 'drainAgent',
      tag: 'agents',
      method: 'POST',
      path: '/api/v1/agents/{agent_id}/drain',
      summary: 'Give an agent no more leases',
      description: 'Its open polls end empty; what it runs, it may finish. Registering it again makes it active.',
      params: AGENT_ID,
      body: { schema: { type: 'object', properties: {} }, example: {}, optional: true },
      answer: {
        status: 200,
        description: 'It drains.',
        schema: { $ref: 'AgentState#' },
        example: { agent_id: 'builder-1', state: 'draining' },
      },
      errors: ['AGENT_NOT_FOUND'],
      run: ({ who, params }) => agents.drain(who, params.agent_id),
    }),
    ...(['cordon', 'uncordon'] as const).map((verb) => cordonOperation(agents, verb)),
    operation({
      id: 'removeAgent',
      tag: 'agents',
      method: 'DELETE',
      path: '/api/v1/agents/{agent_id}',
      summary: 'Forget an agent',
      description: 'Its leases run out, and their tickets go to others.',
      params: AGENT_ID,
      answer: { status: 204, description: 'Forgotten.' },
      errors: ['AGENT_NOT_FOUND'],
      run: ({ who, params }) => agents.remove(who, params.agent_id),
    }),
  ];
}

function cordonOperation(agents: Colmeia['agents'], verb: 'cordon' | 'uncordon'): Operation {
  const isCordon = verb === 'cordon';
  return operation({
    id: `${verb}Agent`,
    tag: 'agents',
    method: 'POST',
    path: `/api/v1/agents/{agent_id}/${verb}`,
    summary: isCordon ? 'Give an agent nothing new until it is uncordoned' : 'Give an agent work again',
    description: isCordon
      ? 'It stays: its polls stay open and come back empty, what it runs goes on, and registering again changes nothing.'
      : 'Ends a cordon, or a drain.',
    params: AGENT_ID,
    body: { schema: { type: 'object', properties: {} }, example: {}, optional: true },
    answer: {
      status: 200,
      description: 'Done.',
      schema: { $ref: 'AgentState#' },
      example: { agent_id: 'builder-1', state: isCordon ? 'cordoned' : 'active' },
    },
    errors: ['AGENT_NOT_FOUND', 'QUEUE_FULL'],
    run: ({ who, params }) => agents[verb](who, params.agent_id),
  });
}

function readOperations({ agents }: Colmeia): Operation[] {
  return [
    operation({
      id: 'listTokenUsage',
      tag: 'agents',
      method: 'GET',
      path: '/api/v1/token-usage',
      summary: 'What results said of tokens and their cost',
      description: 'Added up from the journal, about a second behind.',
      query: {
        ...PAGE_QUERY,
        ...INSTANCE_QUERY,
        by: {
          type: 'string',
          enum: ['company', 'agent'],
          default: 'company',
          description: 'One line for each company, or for each agent of each company.',
        },
      },
      answer: {
        status: 200,
        description: 'A page of totals.',
        schema: pageOf('TokenUsage'),
        example: { items: [], next: null },
      },
      errors: ['INSTANCE_NOT_FOUND'],
      run: ({ who, query }) => agents.usage(who, query),
    }),
    operation({
      id: 'listAgents',
      tag: 'agents',
      method: 'GET',
      path: '/api/v1/agents',
      summary: 'List agents',
      query: { ...PAGE_QUERY, ...INSTANCE_QUERY },
      answer: {
        status: 200,
        description: 'A page of agents.',
        schema: pageOf('Agent'),
        example: { items: [], next: null },
      },
      errors: ['INSTANCE_NOT_FOUND'],
      run: ({ who, query }) => agents.list(who, query),
    }),
    operation({
      id: 'getAgent',
      tag: 'agents',
      method: 'GET',
      path: '/api/v1/agents/{agent_id}',
      summary: 'See one agent',
      params: AGENT_ID,
      answer: { status: 200, description: 'The agent.', schema: { $ref: 'AgentDetail#' } },
      errors: ['AGENT_NOT_FOUND'],
      run: ({ who, params }) => agents.get(who, params.agent_id),
    }),
  ];
}

function leaseOperation({ agents }: Colmeia, openCalls: OpenCalls): Operation {
  return operation({
    id: 'leaseTickets',
    tag: 'agents',
    method: 'POST',
    path: '/api/v1/agents/{agent_id}/leases',
    summary: 'Wait for work',
    description: `A long poll: it answers as soon as there is work, or after \`wait_ms\` with an empty list. A poll whose client went away takes no work.

Send the same \`Idempotency-Key\` when a poll is repeated because its answer was lost: within a minute it is answered with the same leases.`,
    params: AGENT_ID,
    headers: { 'idempotency-key': { type: 'string', description: 'Names this poll, so that it may be repeated.' } },
    body: {
      schema: {
        type: 'object',
        properties: {
          max: { type: 'integer', minimum: 1, maximum: 1_000, default: 1, description: 'Most leases to answer.' },
          wait_ms: {
            type: 'integer',
            minimum: 0,
            maximum: 60_000,
            default: 30_000,
            description: 'How long the answer may wait for work.',
          },
        },
      },
      example: { max: 1, wait_ms: 30_000 },
      optional: true,
    },
    answer: {
      status: 200,
      description: 'The leases; empty when nothing came.',
      schema: LEASES,
      example: { leases: [] },
      serialisedBy: LEASES,
    },
    errors: ['AGENT_NOT_FOUND', 'QUEUE_FULL'],
    run: async ({ who, params, body, request, reply }) => {
      const key = request.headers['idempotency-key'];
      const signal = openCalls.open(reply.raw);
      try {
        return await agents.lease(who, params.agent_id, body, {
          idempotencyKey: typeof key === 'string' ? key : undefined,
          signal,
        });
      } catch (error) {
        if (signal.aborted) return { leases: [] };
        throw error;
      }
    },
  });
}
