import swagger from '@fastify/swagger';
import type { FastifyInstance } from 'fastify';
import { SHARED_SCHEMAS } from './answer-schemas.ts';
import { INSTANCE_SCHEMAS } from './instance-schemas.ts';
import { type DocSchema, type Operation, TAGS } from './operation.ts';
import type { Document } from './routes/process-routes.ts';
import { SCHEDULING_SCHEMAS } from './scheduling-schemas.ts';

const DESCRIPTION = `The control plane for a fleet of autonomous companies: it takes consolidated decisions, runs their plans as tickets on agents, and keeps the record.

Every call under \`/api/v1\` and \`/apis\` carries \`Authorization: Bearer <key>\`. What a key may not see is answered exactly as what is not there.

Errors are \`{"detail", "code", "faults"?, "request_id"}\`; \`code\` is stable. Lists come in pages: pass \`next\` of one as \`after\` of the next. Unknown fields of a body are ignored, and named in \`warnings\` where the answer has them.`;

/** Collects the routes that are added from now on into an OpenAPI 3.1 document. */
export function collectDocument(
  app: FastifyInstance,
  operations: () => readonly Operation[],
  version: string,
): Document {
  for (const schema of [...SHARED_SCHEMAS, ...SCHEDULING_SCHEMAS, ...INSTANCE_SCHEMAS]) app.addSchema(schema);
  app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: { title: 'Colmeia', version, description: DESCRIPTION },
      servers: [{ url: '/' }],
      tags: Object.entries(TAGS).map(([name, description]) => ({ name, description })),
      components: {
        securitySchemes: { key: { type: 'http', scheme: 'bearer', description: 'A key, as from POST /api/v1/keys.' } },
      },
    },
    refResolver: { buildLocalReference: (schema) => String(schema.$id) },
    stripBasePath: false,
    transformObject: (document) =>
      finish('openapiObject' in document ? (document.openapiObject as unknown as Paths) : { paths: {} }, operations()),
  });
  return { json: () => app.swagger(), yaml: () => app.swagger({ yaml: true }) };
}

type Body = { required: boolean; content: Record<string, { example?: unknown }> };
type Paths = { paths: Record<string, Record<string, { requestBody?: Body }>> };

/** What the plugin cannot say: that a body may be left out, and the example of one that is a reference. */
function finish(document: Paths, operations: readonly Operation[]): Partial<DocSchema> {
  for (const { path, method, body } of operations) {
    const shown = document.paths[path]?.[method.toLowerCase()]?.requestBody;
    if (body === undefined || shown === undefined) continue;
    shown.required = !body.optional;
    shown.content['application/json']!.example = body.example;
  }
  return document as unknown as DocSchema;
}
