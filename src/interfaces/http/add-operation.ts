import type { FastifyInstance } from 'fastify';
import { checkInput, unknownFieldsOf } from './check-input.ts';
import { describeOperation } from './describe-operation.ts';
import type { Operation } from './operation.ts';

/** Adds the route of an operation: check what came, run, answer. Validation is ours, so fastify gets no schemas for it. */
export function addOperation(app: FastifyInstance, operation: Operation): void {
  const { answer } = operation;
  const described = describeOperation(operation);
  app.route({
    method: operation.method,
    url: operation.path.replaceAll(/\{(\w+)\}/g, ':$1'),
    exposeHeadRoute: operation.public === true,
    ...(answer.serialisedBy === undefined ? {} : { schema: { response: { [answer.status]: answer.serialisedBy } } }),
    config: {
      public: operation.public === true,
      swaggerTransform: ({ url }: { url: string }) => ({ schema: described as never, url }),
    },
    handler: async (request, reply) => {
      const { query, body } = checkInput(operation, request);
      reply.code(answer.status);
      const result = await operation.run({
        who: request.who!, // null only where `run` does not look
        params: request.params as Record<string, string>,
        query,
        body,
        request,
        reply,
      });
      return withWarnings(operation, body, result);
    },
  });
}

/** Names the ignored fields of a body that was checked here, where the answer has a place for it. */
function withWarnings(operation: Operation, body: unknown, result: unknown): unknown {
  const { warnings } = (result ?? {}) as { warnings?: unknown };
  if (!Array.isArray(warnings)) return result;
  const unknown = unknownFieldsOf(operation, body);
  if (unknown.length === 0) return result;
  const named = unknown.map((name) => `unknown field ${JSON.stringify(name.slice(0, 60))} ignored`);
  return { ...(result as object), warnings: [...warnings, ...named] };
}
