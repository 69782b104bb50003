import { ERROR_CODES, type ErrorCode } from '../../platform/errors.ts';
import type { AnswerSpec, DocSchema, Operation } from './operation.ts';
import { UNSUPPORTED_MEDIA_TYPE } from './send-error.ts';
import { STATUS_OF } from './status-of.ts';

/** An operation as @fastify/swagger wants to read it. */
export function describeOperation(operation: Operation): DocSchema {
  const { id, tag, summary, description, params, query, headers, body } = operation;
  return {
    operationId: id,
    tags: [tag],
    summary,
    ...(description === undefined ? {} : { description }),
    security: operation.public ? [] : [{ key: [] }],
    ...(params === undefined
      ? {}
      : { params: fieldsOf(mapValues(params, (text) => ({ type: 'string', description: text }))) }),
    ...(query === undefined ? {} : { querystring: fieldsOf(query) }),
    ...(headers === undefined ? {} : { headers: fieldsOf(headers) }),
    ...(body === undefined ? {} : { body: bodyOf(body) }),
    response: { ...errorAnswers(operation), ...answersOf(operation) },
  };
}

/** Every code that a route may answer, by status. */
export function codesOf(operation: Operation): Map<number, ErrorCode[]> {
  const codes = new Set<ErrorCode>(operation.errors ?? []);
  // A caller in a browser under a foreign name is refused on every route.
  codes.add('FORBIDDEN').add('INTERNAL').add('SHUTTING_DOWN').add('INVALID_REQUEST');
  if (!operation.public) for (const code of ['UNAUTHENTICATED', 'STORE_UNAVAILABLE'] as const) codes.add(code);
  if (operation.body !== undefined) codes.add('TOO_LARGE');
  if (operation.method !== 'GET' && !operation.public) codes.add('NOT_OWNER').add('STORE_FULL');
  const byStatus = Map.groupBy(codes, (code) => STATUS_OF[code]);
  if (operation.body !== undefined) byStatus.set(UNSUPPORTED_MEDIA_TYPE, ['INVALID_REQUEST']);
  return byStatus;
}

function errorAnswers(operation: Operation): Record<string, DocSchema> {
  const answers: Record<string, DocSchema> = {};
  for (const [status, codes] of [...codesOf(operation)].toSorted(([one], [other]) => one - other)) {
    const said = codes.map(
      (code) =>
        `- \`${code}\`: ${status === UNSUPPORTED_MEDIA_TYPE ? 'The content type is not one of these.' : ERROR_CODES[code]}`,
    );
    answers[status] = {
      description: said.join('\n'),
      ...(status === 429 || status === 503
        ? { headers: { 'Retry-After': { type: 'integer', description: 'Seconds.' } } }
        : {}),
      content: {
        'application/json': {
          schema: {
            allOf: [{ $ref: 'Error#' }, { type: 'object', properties: { code: { type: 'string', enum: codes } } }],
          },
        },
      },
    };
  }
  return answers;
}

function answersOf({ answer, otherAnswers = [] }: Operation): Record<string, DocSchema> {
  return Object.fromEntries([answer, ...otherAnswers].map((one) => [String(one.status), answerOf(one)]));
}

function answerOf({ description, schema, example, contentType = 'application/json' }: AnswerSpec): DocSchema {
  if (schema === undefined) return { description, type: 'null' };
  return { description, content: { [contentType]: { schema, ...(example === undefined ? {} : { example }) } } };
}

function bodyOf({ schema, shown, binary = [] }: NonNullable<Operation['body']>): DocSchema {
  const content: Record<string, DocSchema> = { 'application/json': { schema: shown ?? schema } };
  for (const type of binary) content[type] = { schema: { type: 'string', format: 'binary' } };
  return { content };
}

/** The plugin wants `required` on the field itself; here no field of a query is required. */
function fieldsOf(properties: { readonly [name: string]: unknown }): DocSchema {
  return { type: 'object', properties };
}

function mapValues<From, To>(
  fields: { readonly [name: string]: From },
  to: (value: From) => To,
): { [name: string]: To } {
  return Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, to(value)]));
}
