import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { AUTHORIZED, colmeiaDouble } from './colmeia.testing.ts';
import { createHttpApp } from './http-app.ts';
import type { Operation } from './operation.ts';

const { app, operations } = await createHttpApp({ colmeia: colmeiaDouble(), host: '127.0.0.1' });
const document = (await app.inject('/openapi.json')).json();

/** The parts of OpenAPI 3.1 that we use, and no others. */
const text = { type: 'string', minLength: 1 };
const media = {
  type: 'object',
  minProperties: 1,
  additionalProperties: {
    type: 'object',
    required: ['schema'],
    properties: { schema: { $ref: 'https://json-schema.org/draft/2020-12/schema' } },
  },
};
const closed = (properties: object, required: string[]) => ({
  type: 'object',
  properties,
  required,
  additionalProperties: false,
});
const parameter = closed(
  {
    name: text,
    in: { enum: ['path', 'query', 'header'] },
    required: { type: 'boolean' },
    description: text,
    schema: { $ref: 'https://json-schema.org/draft/2020-12/schema' },
  },
  ['name', 'in', 'schema'],
);
const response = closed({ description: text, content: media, headers: { type: 'object' } }, ['description']);
const operationShape = closed(
  {
    operationId: { type: 'string', pattern: '^[a-z][A-Za-z]+$' },
    summary: text,
    description: text,
    tags: { type: 'array', items: text, minItems: 1, maxItems: 1 },
    security: { type: 'array', items: { type: 'object' } },
    parameters: { type: 'array', items: parameter },
    requestBody: closed({ required: { type: 'boolean' }, content: media, description: text }, ['required', 'content']),
    responses: { type: 'object', propertyNames: { pattern: '^[2-5][0-9]{2}$' }, additionalProperties: response },
  },
  ['operationId', 'summary', 'tags', 'security', 'responses'],
);
const OPENAPI = closed(
  {
    openapi: { const: '3.1.0' },
    info: closed({ title: text, version: text, description: text }, ['title', 'version']),
    servers: { type: 'array' },
    tags: { type: 'array', items: closed({ name: text, description: text }, ['name']) },
    paths: {
      type: 'object',
      propertyNames: { pattern: '^/' },
      additionalProperties: {
        type: 'object',
        propertyNames: { enum: ['get', 'post', 'put', 'delete', 'head'] },
        additionalProperties: operationShape,
      },
    },
    components: closed(
      {
        schemas: { type: 'object', additionalProperties: { $ref: 'https://json-schema.org/draft/2020-12/schema' } },
        securitySchemes: { type: 'object' },
      },
      ['schemas'],
    ),
  },
  ['openapi', 'info', 'paths', 'components'],
);

const ajv = new Ajv2020({ strict: false, validateFormats: false });
ajv.addSchema({ $id: 'document', ...document });

/** A validator of a schema inside the document, found by its JSON pointer. */
function validatorAt(...steps: string[]) {
  const pointer = steps.map((step) => encodeURIComponent(step.replaceAll('~', '~0').replaceAll('/', '~1'))).join('/');
  return ajv.compile({ $ref: `document#/${pointer}` });
}
const shownOf = ({ path, method }: Operation) => document.paths[path]?.[method.toLowerCase()];

test('the document has the form of OpenAPI 3.1, and its schemas that of JSON Schema', () => {
  const isValid = new Ajv2020({ strict: false }).compile(OPENAPI);
  assert.ok(isValid(document), JSON.stringify(isValid.errors?.slice(0, 3)));
});

test('every reference leads somewhere, and every example fits its schema', () => {
  for (const name of Object.keys(document.components.schemas)) validatorAt('components', 'schemas', name);
  for (const { path, method, body, answer, otherAnswers = [] } of operations) {
    const at = ['paths', path, method.toLowerCase()];
    if (body !== undefined) {
      const validate = validatorAt(...at, 'requestBody', 'content', 'application/json', 'schema');
      assert.ok(validate(body.example), `${path}: ${JSON.stringify(validate.errors?.slice(0, 2))}`);
    }
    for (const one of [answer, ...otherAnswers]) {
      if (one.schema === undefined) continue;
      const validate = validatorAt(
        ...at,
        'responses',
        String(one.status),
        'content',
        one.contentType ?? 'application/json',
        'schema',
      );
      assert.ok(
        one.example === undefined || validate(one.example),
        `${path}: ${JSON.stringify(validate.errors?.slice(0, 2))}`,
      );
    }
  }
});

test('every route is in the document, with an id of its own, error answers and its security', () => {
  const ids = new Set<string>();
  for (const operation of operations) {
    const shown = shownOf(operation);
    assert.ok(shown, operation.path);
    ids.add(shown.operationId);
    assert.deepEqual(shown.security, operation.public ? [] : [{ key: [] }], operation.path);
    const needed = operation.public ? ['400', '403', '500', '503'] : ['400', '401', '403', '500', '503'];
    const statuses = Object.keys(shown.responses);
    assert.deepEqual(
      needed.filter((status) => !statuses.includes(status)),
      [],
      operation.path,
    );
    const names = [...operation.path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name!);
    assert.deepEqual(
      (shown.parameters ?? [])
        .filter((one: { in: string }) => one.in === 'path')
        .map((one: { name: string }) => one.name),
      names,
    );
    assert.deepEqual(Object.keys(operation.params ?? {}), names, operation.path);
  }
  assert.equal(ids.size, operations.length);
  const routes = app.printRoutes({ commonPrefix: false }).match(/\b(GET|POST|DELETE|PUT|PATCH)\b/g)?.length;
  assert.equal(routes, operations.length, 'a route was added beside the operations');
});

test('every route answers its example with what the document says', async () => {
  for (const operation of operations) {
    if (operation.id === 'streamEvents') continue;
    const {
      path,
      method,
      body,
      answer,
      contentType = answer.contentType ?? 'application/json',
    } = { contentType: undefined, ...operation };
    const got = await app.inject({
      method,
      url: path.replace('{metric}', 'colmeia_backlog_seconds').replaceAll(/\{\w+\}/g, 'x1'),
      headers: AUTHORIZED,
      payload: body?.example as object,
    });
    assert.equal(got.statusCode, answer.status, `${path}: ${got.body}`);
    if (answer.schema === undefined) continue;
    assert.ok(got.headers['content-type']?.startsWith(contentType), path);
    const validate = validatorAt(
      'paths',
      path,
      method.toLowerCase(),
      'responses',
      String(answer.status),
      'content',
      contentType,
      'schema',
    );
    const value = contentType === 'application/json' ? got.json() : got.body;
    assert.ok(validate(value), `${path}: ${JSON.stringify(validate.errors?.slice(0, 2))}`);
  }
});
