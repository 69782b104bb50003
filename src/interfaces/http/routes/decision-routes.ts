import type { Colmeia } from '../../../colmeia.ts';
import { decodeAvro } from '../../../platform/contracts/avro-codec.ts';
import { shape, SUBMISSION_OR_BATCH, text, textList } from '../answer-schemas.ts';
import { EXAMPLE_DECISION, EXAMPLE_PLAN } from '../example-records.ts';
import { operation, type Operation } from '../operation.ts';

/** Content types of a record in Avro binary, plain or in the Confluent wire format. */
export const AVRO_TYPES = ['application/avro', 'avro/binary'] as const;

const SUBMISSION = {
  plan_id: 'plan-7f3a',
  workflow_id: 'orchestration-plan-7f3a',
  status: 'running',
  instance: 'default',
  duplicate: false,
  warnings: [],
};

export function decisionRoutes(colmeia: Colmeia): Operation[] {
  return [
    operation({
      id: 'submitDecision',
      tag: 'decisions',
      method: 'POST',
      path: '/api/v1/decisions',
      summary: 'Hand in a decision, or up to 1,000 at once',
      description: `Takes a ConsolidatedDecision. Its plan, \`cognitive_plan\`, is JSON text or an object. The answer comes after the commit: a decision that was answered survives a crash.

The same decision may be sent again: it runs once, and the answer says \`duplicate\`. A decision that breaks its contract is answered 422 with every fault at once, and is kept as rejected.

An array is a batch. It is answered 202 with \`{"results": [...]}\` in the order of the array; each item has its own \`status\`, and an \`error\` when it was refused. Refused items do not hold up the others.

One decision may also come in Avro binary, plain or in the Confluent wire format.`,
      body: {
        shown: {
          oneOf: [{ $ref: 'Decision#' }, { type: 'array', items: { $ref: 'Decision#' }, minItems: 1, maxItems: 1000 }],
        },
        example: EXAMPLE_DECISION,
        binary: AVRO_TYPES,
      },
      answer: {
        status: 202,
        description: 'Taken. For a batch: `{"results": [...]}`.',
        schema: {
          anyOf: [{ $ref: 'Submission#' }, shape({ results: { type: 'array', items: { $ref: 'BatchItem#' } } })],
        },
        example: SUBMISSION,
        serialisedBy: SUBMISSION_OR_BATCH,
      },
      errors: ['INVALID_DECISION', 'PLAN_CONFLICT', 'INSTANCE_NOT_FOUND', 'QUEUE_FULL'],
      run: async ({ who, body }) => {
        if (Buffer.isBuffer(body))
          return colmeia.decisions.submit(who, decodeAvro('ConsolidatedDecision', body).record);
        if (Array.isArray(body)) return { results: await colmeia.decisions.submitAll(who, body) };
        return colmeia.decisions.submit(who, body);
      },
    }),
    operation({
      id: 'startWorkflow',
      tag: 'decisions',
      method: 'POST',
      path: '/api/v1/workflows/start',
      summary: 'Start a plan as if it had been approved',
      description: `For callers that have a plan and no decision. The plan's \`metadata.decision_id\`, or else the correlation id, becomes the id of the decision. The workflow also answers to \`orchestration-flow-c-{correlation_id}\`.`,
      body: {
        shown: shape(
          {
            cognitive_plan: { $ref: 'CognitivePlan#' },
            correlation_id: text,
            priority: { type: 'integer', minimum: 1, maximum: 10, default: 5 },
            sla_deadline_seconds: { type: 'integer', minimum: 1, maximum: 31_536_000, default: 14_400 },
          },
          ['correlation_id', 'priority', 'sla_deadline_seconds'],
        ),
        example: { cognitive_plan: EXAMPLE_PLAN, correlation_id: 'corr-42', priority: 5, sla_deadline_seconds: 14_400 },
      },
      answer: {
        status: 200,
        description: 'Started, or started before.',
        schema: shape({
          workflow_id: text,
          status: { type: 'string', enum: ['started'] },
          correlation_id: text,
          warnings: textList,
        }),
        example: {
          workflow_id: 'orchestration-flow-c-corr-42',
          status: 'started',
          correlation_id: 'corr-42',
          warnings: [],
        },
      },
      errors: ['INVALID_DECISION', 'PLAN_CONFLICT', 'INSTANCE_NOT_FOUND', 'QUEUE_FULL'],
      run: ({ who, body }) => colmeia.decisions.start(who, body),
    }),
  ];
}
