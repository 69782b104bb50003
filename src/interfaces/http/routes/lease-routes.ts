import type { Colmeia } from '../../../colmeia.ts';
import { decodeAvro } from '../../../platform/contracts/avro-codec.ts';
import type { JsonSchema } from '../../../platform/contracts/json-schema.ts';
import { flag, shape, text, textList, time, whole } from '../answer-schemas.ts';
import { EXAMPLE_RESULT } from '../example-records.ts';
import { operation, type Operation } from '../operation.ts';
import { AVRO_TYPES } from './decision-routes.ts';

const LEASE_ID = { lease_id: 'Id of the lease.' } as const;
const FENCING_TOKEN = {
  ...whole,
  description: 'As the lease came with; a stale one is answered 409 and changes nothing.',
} as const;
const LOGS = {
  type: 'array',
  items: { type: 'string' },
  description: 'Log lines, oldest first.',
} as const satisfies JsonSchema;
const LEASE_ERRORS = ['LEASE_NOT_FOUND', 'LEASE_FENCED', 'TOO_LARGE'] as const;
const LEASE_STATE = shape({ expires_at: time, cancel: flag });
const TICKET_STATE = shape({ ticket_id: text, status: text });
const COMPLETION = shape(
  {
    ticket_id: text,
    status: text,
    warnings: { ...textList, description: 'Usage in the metadata that could not be counted.' },
  },
  ['warnings'],
);

/** The answer to what an agent says of its lease. */
const saysTicketIs = (status: string, description: string) =>
  ({
    status: 200,
    description,
    schema: TICKET_STATE,
    example: { ticket_id: 'ticket-1', status },
    serialisedBy: TICKET_STATE,
  }) as const;

export function leaseRoutes({ leases }: Colmeia): Operation[] {
  return [
    operation({
      id: 'heartbeatLease',
      tag: 'leases',
      method: 'POST',
      path: '/api/v1/leases/{lease_id}/heartbeat',
      summary: 'Extend a lease',
      params: LEASE_ID,
      body: {
        schema: {
          type: 'object',
          properties: {
            fencing_token: FENCING_TOKEN,
            progress: { type: 'number', description: 'From 0 to 1.' },
            logs: LOGS,
          },
          required: ['fencing_token'],
        },
        example: { fencing_token: 7, progress: 0.5, logs: ['half way'] },
      },
      answer: {
        status: 200,
        description: 'Extended. With `cancel`, the attempt should stop.',
        schema: LEASE_STATE,
        example: { expires_at: 1_780_000_030_000, cancel: false },
        serialisedBy: LEASE_STATE,
      },
      errors: LEASE_ERRORS,
      run: ({ who, params, body }) => leases.heartbeat(who, params.lease_id, body),
    }),
    operation({
      id: 'completeLease',
      tag: 'leases',
      method: 'POST',
      path: '/api/v1/leases/{lease_id}/complete',
      summary: 'Say that the work is done',
      description: 'Answered after the commit; a repeat with the same fencing token gets the same answer.',
      params: LEASE_ID,
      body: {
        schema: {
          type: 'object',
          properties: {
            fencing_token: FENCING_TOKEN,
            output: { type: 'object' },
            metadata: { type: 'object' },
            logs: LOGS,
          },
          required: ['fencing_token', 'output'],
        },
        example: { fencing_token: 7, output: { image: 'billing:1.4.2' }, metadata: {}, logs: [] },
      },
      answer: {
        status: 200,
        description: 'It counts.',
        schema: COMPLETION,
        example: { ticket_id: 'ticket-1', status: 'COMPLETED' },
        serialisedBy: COMPLETION,
      },
      errors: [...LEASE_ERRORS, 'QUEUE_FULL'],
      run: ({ who, params, body }) => leases.complete(who, params.lease_id, body),
    }),
    operation({
      id: 'releaseLease',
      tag: 'leases',
      method: 'POST',
      path: '/api/v1/leases/{lease_id}/release',
      summary: 'Give a ticket back unstarted',
      description:
        'No attempt is counted, and it goes to whoever can do it. A person is offered nothing for a minute, so that it goes to somebody else first.',
      params: LEASE_ID,
      body: {
        schema: {
          type: 'object',
          properties: {
            fencing_token: FENCING_TOKEN,
            reason: { type: 'string', description: 'Kept in the journal.' },
          },
          required: ['fencing_token'],
        },
        example: { fencing_token: 7, reason: 'on holiday' },
      },
      answer: saysTicketIs('PENDING', 'It waits again.'),
      errors: [...LEASE_ERRORS, 'QUEUE_FULL'],
      run: ({ who, params, body }) => leases.release(who, params.lease_id, body),
    }),
    operation({
      id: 'failLease',
      tag: 'leases',
      method: 'POST',
      path: '/api/v1/leases/{lease_id}/fail',
      summary: 'Say that the attempt failed',
      description: `What happens next depends on \`error_class\`: transient and timeout are tried again later, quota after \`retry_after_ms\`, auth and poison are not.`,
      params: LEASE_ID,
      body: {
        schema: {
          type: 'object',
          properties: {
            fencing_token: FENCING_TOKEN,
            error_message: { type: 'string' },
            error_class: { type: 'string', enum: ['transient', 'quota', 'auth', 'poison', 'timeout'] },
            retry_after_ms: whole,
          },
          required: ['fencing_token', 'error_message', 'error_class'],
        },
        example: { fencing_token: 7, error_message: 'the registry does not answer', error_class: 'transient' },
      },
      answer: saysTicketIs('PENDING', 'It counts.'),
      errors: [...LEASE_ERRORS, 'QUEUE_FULL'],
      run: ({ who, params, body }) => leases.fail(who, params.lease_id, body),
    }),
    operation({
      id: 'reportResult',
      tag: 'leases',
      method: 'POST',
      path: '/api/v1/results',
      summary: 'Report a result without a lease',
      description: `An ExecutionResult, from agents that speak no leases. \`result.metadata.fencing_token\`, when given, must be the current one. It may also come in Avro binary, plain or in the Confluent wire format.`,
      body: { shown: { $ref: 'ExecutionResult#' }, example: EXAMPLE_RESULT, binary: AVRO_TYPES },
      answer: saysTicketIs('COMPLETED', 'It counts.'),
      errors: ['TICKET_NOT_FOUND', 'LEASE_FENCED', 'QUEUE_FULL'],
      run: ({ who, body }) =>
        leases.result(who, Buffer.isBuffer(body) ? decodeAvro('ExecutionResult', body).record : body),
    }),
  ];
}
