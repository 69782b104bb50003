import type { FastifyReply } from 'fastify';
import type { Colmeia } from '../../../colmeia.ts';
import { shape, text, time } from '../answer-schemas.ts';
import { DOCS_POLICY, renderDocsPage } from '../docs-page.ts';
import { type DocSchema, operation, type Operation } from '../operation.ts';

/** The document as an object and as YAML; it exists once every route does. */
export type Document = { json: () => object; yaml: () => string };

const HEALTH = shape({
  status: { type: 'string', enum: ['healthy', 'unhealthy'] },
  service: text,
  version: text,
  timestamp: time,
  checks: { $ref: 'Checks#' },
});
const READINESS = shape({
  status: { type: 'string', enum: ['ready', 'not_ready'] },
  mode: { type: 'string', enum: ['full', 'degraded'] },
  checks: { $ref: 'Checks#' },
});
const LINKS = {
  documentation: '/docs',
  openapi: '/openapi.json',
  health: '/health',
  ready: '/ready',
  metrics: '/metrics',
  api: '/api/v1',
};

export function processRoutes(colmeia: Colmeia, document: Document): Operation[] {
  return [...probeOperations(colmeia), ...documentOperations(colmeia, document)];
}

function probeOperations(colmeia: Colmeia): Operation[] {
  return [
    operation({
      id: 'getHealth',
      tag: 'process',
      method: 'GET',
      path: '/health',
      summary: 'Whether the process lives',
      description: 'Always 200 while it can answer: a process whose database is away must not be restarted for that.',
      public: true,
      answer: {
        status: 200,
        description: 'It lives.',
        schema: HEALTH,
        example: {
          status: 'healthy',
          service: 'colmeia',
          version: '0.1.0',
          timestamp: 1_780_000_000_000,
          checks: { store: { status: 'ok' } },
        },
      },
      run: () => colmeia.health(),
    }),
    operation({
      id: 'getReadiness',
      tag: 'process',
      method: 'GET',
      path: '/ready',
      summary: 'Whether it takes work',
      public: true,
      answer: {
        status: 200,
        description: 'It does.',
        schema: READINESS,
        example: { status: 'ready', mode: 'full', checks: {} },
      },
      otherAnswers: [
        {
          status: 503,
          description: 'Not now.',
          schema: READINESS,
          example: { status: 'not_ready', mode: 'degraded', checks: { store: { status: 'away' } } },
        },
      ],
      run: ({ reply }) => {
        const answer = colmeia.ready();
        if (answer.status !== 'ready') reply.code(503);
        return answer;
      },
    }),
    operation({
      id: 'getMetrics',
      tag: 'process',
      method: 'GET',
      path: '/metrics',
      summary: 'Metrics for Prometheus',
      public: true,
      answer: {
        status: 200,
        description: 'Prometheus text.',
        schema: text,
        contentType: 'text/plain',
        example: 'orchestration_workflows_active 3\n',
      },
      run: async ({ reply }) => {
        const { contentType, text: metrics } = await colmeia.metrics();
        reply.type(contentType);
        return metrics;
      },
    }),
  ];
}

function documentOperations(colmeia: Colmeia, document: Document): Operation[] {
  let page: string | undefined;
  let json: string | undefined;
  const show = (
    id: string,
    path: string,
    summary: string,
    contentType: string,
    body: (reply: FastifyReply) => string,
  ): Operation =>
    operation({
      id,
      tag: 'process',
      method: 'GET',
      path,
      summary,
      public: true,
      answer: {
        status: 200,
        description: summary,
        schema: contentType === 'application/json' ? { type: 'object' } : text,
        contentType,
      },
      run: ({ reply }) => {
        reply.type(`${contentType}; charset=utf-8`);
        return body(reply);
      },
    });
  return [
    show(
      'getOpenApi',
      '/openapi.json',
      'This document (OpenAPI 3.1)',
      'application/json',
      () => (json ??= JSON.stringify(document.json())),
    ),
    show('getOpenApiYaml', '/openapi.yaml', 'This document as YAML', 'application/yaml', () => document.yaml()),
    show('getDocs', '/docs', 'This document as a page to read', 'text/html', (reply) => {
      reply.headers(DOCS_POLICY);
      return (page ??= renderDocsPage(document.json() as DocSchema));
    }),
    operation({
      id: 'getRoot',
      tag: 'process',
      method: 'GET',
      path: '/',
      summary: 'Where to go from here',
      description: 'A browser is sent to the page of the documentation.',
      public: true,
      answer: {
        status: 200,
        description: 'Links.',
        schema: shape({ service: text, version: text, links: { type: 'object', additionalProperties: text } }),
        example: { service: 'colmeia', version: '0.1.0', links: LINKS },
      },
      otherAnswers: [{ status: 302, description: 'To /docs, for browsers.' }],
      run: ({ request, reply }) => {
        if (request.headers.accept?.includes('text/html')) return reply.redirect('/docs', 302);
        const { service, version } = colmeia.health();
        return { service, version, links: LINKS };
      },
    }),
  ];
}
