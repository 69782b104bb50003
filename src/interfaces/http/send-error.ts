import type { FastifyReply, FastifyRequest } from 'fastify';
import { ColmeiaError, type ErrorCode, type Fault } from '../../platform/errors.ts';
import { knownSecrets } from '../../trust/secrets/redact.ts';
import { STATUS_OF } from './status-of.ts';

/** What every refused call is answered with. Source: contracts.md, REST. */
export type ErrorBody = { detail: string; code: ErrorCode; faults?: Fault[]; request_id: string };

/** A wrong content type is the one fault of a request that has a status of its own. */
export const UNSUPPORTED_MEDIA_TYPE = 415;

/** Answers any error of a call. What is not a ColmeiaError is a fault of ours: it is logged, and the caller learns nothing of it. */
export function sendError(error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const refusal = refusalOf(error);
  const status = isWrongContentType(error) ? UNSUPPORTED_MEDIA_TYPE : STATUS_OF[refusal.code];
  if (status >= 500) logFailure(error, request, status);
  if (refusal.code === 'UNAUTHENTICATED') reply.header('www-authenticate', 'Bearer');
  if (refusal.code === 'SHUTTING_DOWN') reply.header('connection', 'close');
  if (refusal.retryAfterMs !== null) reply.header('retry-after', String(Math.ceil(refusal.retryAfterMs / 1000)));
  return reply
    .code(status)
    .type('application/json; charset=utf-8')
    .send(knownSecrets.redact(JSON.stringify(errorBody(refusal, status, request.id))));
}

function errorBody({ code, message, faults }: ColmeiaError, status: number, requestId: string): ErrorBody {
  const detail = withPhrase(message, status);
  return faults.length === 0
    ? { detail, code, request_id: requestId }
    : { detail, code, faults, request_id: requestId };
}

/** Older callers look for these words instead of the code. */
function withPhrase(message: string, status: number): string {
  const phrase = status === 404 ? 'not found' : status === 503 ? 'not available' : '';
  return message.includes(phrase) ? message : `${message} (${phrase})`;
}

/** The error as a caller may know it. */
function refusalOf(error: unknown): ColmeiaError {
  if (error instanceof ColmeiaError && STATUS_OF[error.code] !== 500) return error;
  const { code, statusCode, message } = (error ?? {}) as { code?: unknown; statusCode?: unknown; message?: string };
  if (code === 'FST_ERR_CTP_BODY_TOO_LARGE')
    return new ColmeiaError('TOO_LARGE', 'the body is larger than the server takes');
  if (code === 'ECONNRESET' && statusCode === 400)
    return new ColmeiaError('INVALID_REQUEST', 'the body ends too early');
  if (code === 'FST_ERR_CTP_INVALID_MEDIA_TYPE') {
    return new ColmeiaError(
      'INVALID_REQUEST',
      'the content type of the body is not supported here; send application/json',
    );
  }
  if (
    typeof code === 'string' &&
    code.startsWith('FST_ERR_') &&
    typeof statusCode === 'number' &&
    statusCode >= 400 &&
    statusCode < 500
  ) {
    return new ColmeiaError('INVALID_REQUEST', (message ?? 'the request cannot be read').slice(0, 200));
  }
  return new ColmeiaError(
    'INTERNAL',
    'this is a fault of Colmeia itself; its log has the details under the request id',
  );
}

function isWrongContentType(error: unknown): boolean {
  return (error as { code?: unknown } | null)?.code === 'FST_ERR_CTP_INVALID_MEDIA_TYPE';
}

function logFailure(err: unknown, request: FastifyRequest, status: number): void {
  const { method } = request;
  // The route, not the URL: what a caller wrote there is none of the log's business.
  const said = { method, route: request.routeOptions?.url ?? null, status };
  if (status === 500) request.log.error({ err, ...said }, 'a call failed');
  else request.log.warn({ ...said, code: (err as { code?: unknown } | null)?.code }, 'a call was not possible'); // and the store says why
}
