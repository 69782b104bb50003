import { once } from 'node:events';
import type { Colmeia } from '../../../colmeia.ts';
import type { OpenCalls } from '../open-calls.ts';
import { INSTANCE_QUERY, PAGE_QUERY, pageOf, whole } from '../answer-schemas.ts';
import { operation, type AnswerSpec, type Operation } from '../operation.ts';

const ID = { operation_id: 'Id of the operation.' } as const;
const LONGEST_WAIT_MS = 60_000;

export const EXAMPLE_OPERATION = {
  id: '0mi8y1c3k-5f0c9d2e1a7b',
  instance: 'padaria',
  kind: 'init',
  state: 'running',
  steps: [],
  result: null,
  error: null,
  by: 'operator:3f9a1c2b4d5e6f70',
  rev: 1,
  started_at: '2026-11-21T12:00:00.000Z',
  ended_at: null,
};

/** Answer of every call that begins an operation. */
export const BEGUN = {
  status: 202,
  description: 'Begun; it goes on by itself. Follow it at /api/v1/operations/{operation_id}.',
  schema: { $ref: 'CompanyOperation#' },
  example: EXAMPLE_OPERATION,
} as const satisfies AnswerSpec;

export function operationRoutes({ instances }: Colmeia, polls: OpenCalls): Operation[] {
  const tag = 'operations';
  return [
    operation({
      id: 'listOperations',
      tag,
      method: 'GET',
      path: '/api/v1/operations',
      summary: 'List operations over companies, the newest first',
      query: { ...PAGE_QUERY, ...INSTANCE_QUERY },
      answer: {
        status: 200,
        description: 'A page of operations.',
        schema: pageOf('CompanyOperation'),
        example: { items: [], next: null },
      },
      errors: ['INSTANCE_NOT_FOUND'],
      run: ({ who, query }) => instances.operations(who, query),
    }),
    operation({
      id: 'getOperation',
      tag,
      method: 'GET',
      path: '/api/v1/operations/{operation_id}',
      summary: 'See an operation, or wait for its next change',
      params: ID,
      query: {
        after_rev: { ...whole, description: 'Answer once `rev` is greater than this, or the operation has ended.' },
        wait_ms: {
          type: 'integer',
          minimum: 0,
          maximum: LONGEST_WAIT_MS,
          description: 'Longest wait for that.',
          default: 0,
        },
      },
      answer: {
        status: 200,
        description: 'As it stands.',
        schema: { $ref: 'CompanyOperation#' },
        example: EXAMPLE_OPERATION,
      },
      errors: ['OPERATION_NOT_FOUND'],
      run: async ({ who, params: { operation_id: id }, query, reply }) => {
        const changed = instances.operation(who, id, query);
        if (!query.wait_ms) return changed;
        const signal = polls.open(reply.raw);
        const closing = signal.aborted ? Promise.resolve() : once(signal, 'abort');
        return Promise.race([changed, closing.then(() => instances.operation(who, id, {}))]);
      },
    }),
    operation({
      id: 'resumeOperation',
      tag,
      method: 'POST',
      path: '/api/v1/operations/{operation_id}/resume',
      summary: 'Go on with an operation that failed, at the step where it failed',
      params: ID,
      answer: BEGUN,
      errors: ['OPERATION_NOT_FOUND', 'OPERATION_STATE', 'INSTANCE_BUSY'],
      run: ({ who, params }) => instances.resumeOperation(who, params.operation_id),
    }),
    operation({
      id: 'undoOperation',
      tag,
      method: 'POST',
      path: '/api/v1/operations/{operation_id}/undo',
      summary: 'Take back what an operation made that failed or completed',
      params: ID,
      answer: BEGUN,
      errors: ['OPERATION_NOT_FOUND', 'OPERATION_STATE', 'INSTANCE_BUSY'],
      run: ({ who, params }) => instances.undoOperation(who, params.operation_id),
    }),
  ];
}
