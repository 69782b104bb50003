import { randomBytes } from 'node:crypto';
import { STATUS_CODES } from 'node:http';
import fastify, { type FastifyBaseLogger, type FastifyInstance, LogController } from 'fastify';
import type { Colmeia } from '../../colmeia.ts';
import { ColmeiaError } from '../../platform/errors.ts';
import { addOperation } from './add-operation.ts';
import { hostGuard } from './allowed-host.ts';
import { authenticateCalls, provedBy } from './authenticate.ts';
import { DEFAULT_HTTP_LIMITS, type HttpLimits } from './http-limits.ts';
import { OpenCalls } from './open-calls.ts';
import type { Operation } from './operation.ts';
import { agentRoutes } from './routes/agent-routes.ts';
import { auditRoutes } from './routes/audit-routes.ts';
import { autoscalingRoutes } from './routes/autoscaling-routes.ts';
import { decisionRoutes } from './routes/decision-routes.ts';
import { eventRoutes } from './routes/event-routes.ts';
import { exportRoutes } from './routes/export-routes.ts';
import { inboxRoutes } from './routes/inbox-routes.ts';
import { instanceRoutes } from './routes/instance-routes.ts';
import { keyRoutes } from './routes/key-routes.ts';
import { leaseRoutes } from './routes/lease-routes.ts';
import { operationRoutes } from './routes/operation-routes.ts';
import { ownerRoutes } from './routes/owner-routes.ts';
import { planRoutes, workflowRoutes } from './routes/plan-routes.ts';
import { processRoutes } from './routes/process-routes.ts';
import { schedulingRoutes } from './routes/scheduling-routes.ts';
import { secretRoutes } from './routes/secret-routes.ts';
import { ticketRoutes } from './routes/ticket-routes.ts';
import { sendError } from './send-error.ts';
import { collectDocument } from './serve-document.ts';

export type HttpAppOptions = {
  colmeia: Colmeia;
  /** Where it listens; loopback answers only to names of loopback. */
  host: string;
  /** Further names it answers to on loopback, as behind a reverse proxy. */
  allowedHosts?: readonly string[];
  /** Only failures of ours are logged; default: nowhere. */
  log?: FastifyBaseLogger;
  limits?: Partial<HttpLimits>;
};

export type HttpApp = {
  app: FastifyInstance;
  operations: readonly Operation[];
  limits: HttpLimits;
  /** From now on new calls are refused, and polls and streams end. */
  beginClosing: () => void;
};

/** The HTTP API without a listener: every route, with authentication, checks and the document. */
export async function createHttpApp(options: HttpAppOptions): Promise<HttpApp> {
  const { colmeia } = options;
  const limits = { ...DEFAULT_HTTP_LIMITS, ...options.limits };
  const polls = new OpenCalls();
  const streams = new OpenCalls();
  const app = createFastify(options, limits);
  const operations: Operation[] = [];
  guardCalls(app, options, polls);
  takeBodies(app);
  const document = collectDocument(app, () => operations, colmeia.health().version);
  operations.push(
    ...decisionRoutes(colmeia),
    ...planRoutes(colmeia),
    ...workflowRoutes(colmeia),
    ...ticketRoutes(colmeia),
    ...agentRoutes(colmeia, polls),
    ...leaseRoutes(colmeia),
    ...inboxRoutes(colmeia),
    ...schedulingRoutes(colmeia),
    ...autoscalingRoutes(colmeia),
    ...instanceRoutes(colmeia),
    ...ownerRoutes(colmeia),
    ...exportRoutes(colmeia),
    ...operationRoutes(colmeia, polls),
    ...keyRoutes(colmeia),
    ...secretRoutes(colmeia),
    ...auditRoutes(colmeia),
    ...eventRoutes(colmeia, streams, limits),
    ...processRoutes(colmeia, document),
  );
  addOperations(app, operations);
  await app.ready();
  return {
    app,
    operations,
    limits,
    beginClosing: () => {
      polls.endAll();
      streams.endAll();
    },
  };
}

function createFastify({ colmeia, log }: HttpAppOptions, limits: HttpLimits): FastifyInstance {
  return fastify({
    ...(log === undefined ? { logger: false } : { loggerInstance: log }),
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: limits.bodyBytes,
    keepAliveTimeout: limits.idleConnectionMs,
    requestTimeout: 60_000,
    exposeHeadRoutes: false,
    return503OnClosing: false,
    requestIdHeader: false,
    genReqId: requestIds(),
    routerOptions: { maxParamLength: 1_024 },
    // Errors before there is a route, as of a URL that cannot be decoded: whoever has no key learns only that.
    frameworkErrors: (error, request, reply) => {
      const known = request.url.startsWith('/api/')
        ? provedBy(colmeia, request.headers.authorization)
        : Promise.resolve();
      known.then(
        () => sendError(error, request, reply),
        (refusal) => sendError(refusal, request, reply),
      );
    },
    clientErrorHandler: refuseBytes,
  });
}

/** Unique in the process by its number, and among processes by its beginning. */
function requestIds(): () => string {
  const start = randomBytes(5).toString('base64url');
  let count = 0;
  return () => `${start}-${(++count).toString(36)}`;
}

function guardCalls(app: FastifyInstance, { colmeia, host, allowedHosts }: HttpAppOptions, polls: OpenCalls): void {
  const isAllowed = hostGuard(host, allowedHosts);
  app.addHook('onRequest', async (request, reply) => {
    reply.header('x-request-id', request.id);
    reply.header('x-content-type-options', 'nosniff');
    if (!isAllowed(request.headers.host)) {
      throw new ColmeiaError(
        'FORBIDDEN',
        'this server answers only to names of this machine; the Host header names another',
      );
    }
    if (polls.ended && request.routeOptions.config?.public !== true) {
      throw new ColmeiaError('SHUTTING_DOWN', 'the process is stopping and is not available', { retryAfterMs: 1_000 });
    }
  });
  authenticateCalls(app, colmeia);
  app.setErrorHandler((error, request, reply) => sendError(error, request, reply));
  app.setNotFoundHandler((request, reply) =>
    sendError(new ColmeiaError('ROUTE_NOT_FOUND', 'route not found'), request, reply),
  );
}

/** JSON only: another content type is refused, which also keeps the forms of foreign web pages out. */
function takeBodies(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();
  const parse = app.getDefaultJsonParser('error', 'error');
  app.addContentTypeParser('application/json', { parseAs: 'string' }, (request, text: string, done) => {
    if (text.length === 0) return done(null, undefined);
    void parse(request, text, (error, body) => (error === null ? done(null, body) : done(notJson(text), undefined)));
  });
}

function notJson(text: string): ColmeiaError {
  let message = 'has a key "__proto__", or a "constructor" with a "prototype", which no body may have';
  try {
    JSON.parse(text);
  } catch (error) {
    // Without the piece of the body that the runtime quotes: it may be a secret.
    const why = (error as Error).message.replace(/, "[\s\S]*" is not valid JSON$|, \.{3}"[\s\S]*$/, '');
    message = `is not valid JSON: ${why.slice(0, 160)}`;
  }
  return new ColmeiaError('INVALID_REQUEST', `the body ${message}`, { faults: [{ path: 'body', message }] });
}

/** Routes that also take bytes live in a context of their own, so that no other route takes them. */
function addOperations(app: FastifyInstance, operations: readonly Operation[]): void {
  const register = (types: readonly string[], some: readonly Operation[]): void => {
    app.register(async (context) => {
      if (types.length > 0)
        context.addContentTypeParser([...types], { parseAs: 'buffer' }, (_request, bytes, done) => done(null, bytes));
      for (const operation of some) addOperation(context, operation);
    });
  };
  for (const [types, some] of Map.groupBy(operations, ({ body }) => body?.binary ?? NO_TYPES)) register(types, some);
}
const NO_TYPES: readonly string[] = [];

type RawSocket = { writable: boolean; destroy: () => void; end: (text: string) => void };

/** Bytes that are no HTTP: answered in the form of every other error, where there is still someone to answer. */
function refuseBytes(error: Error & { code?: string }, socket: RawSocket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) return socket.destroy();
  const status = error.code === 'HPE_HEADER_OVERFLOW' ? 431 : error.code === 'ERR_HTTP_REQUEST_TIMEOUT' ? 408 : 400;
  const body = JSON.stringify({ detail: 'the request is not valid HTTP', code: 'INVALID_REQUEST', request_id: '' });
  const headers = `content-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close`;
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${headers}\r\n\r\n${body}`);
}
