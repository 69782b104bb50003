import { ColmeiaError } from '../errors.ts';

/** SQLSTATEs that mean that the server, not the statement, is the trouble; class 08 beside them. */
const SERVER_AWAY = new Set(['57P01', '57P02', '57P03', '57P05', '53300', '25P03', '28000', '28P01', '3D000']);
/** What Node says of a connection. */
const NETWORK = new Set(
  'ECONNREFUSED ECONNRESET ECONNABORTED EPIPE ETIMEDOUT ENOTFOUND EAI_AGAIN EHOSTUNREACH ENETUNREACH ENOENT'.split(' '),
);
/** The driver gives no codes for these. */
const DRIVER =
  /connection terminated|connection ended|timeout exceeded|timeout expired|query read timeout|not queryable|was closed/i;

/** True when the connection is lost, refused, or in an unknown state. */
export function isConnectionLoss(error: unknown): boolean {
  const { code, message } = error as { code?: string; message?: string };
  if (code !== undefined && (SERVER_AWAY.has(code) || NETWORK.has(code) || /^08...$/.test(code))) return true;
  return code === undefined && DRIVER.test(message ?? '');
}

export function storeUnavailable(reason: string, cause?: unknown): ColmeiaError {
  const message = `The database is not available: ${reason}.`;
  return new ColmeiaError('STORE_UNAVAILABLE', message, { retryAfterMs: 1000, cause });
}

/** A sentence for people out of whatever the driver or Node threw; Node's AggregateError has no message of its own. */
export function reasonOf(error: unknown): string {
  const { message, code } = error as { message?: string; code?: string };
  return (message || code || String(error)).replace(/\.$/, '');
}

/** What a caller is told: STORE_UNAVAILABLE or STORE_FULL for the server's own trouble; errors of SQL pass as they are. */
export function explainServerError(error: unknown, intent: 'read' | 'write'): unknown {
  if (error instanceof ColmeiaError) return error;
  const { code } = error as { code?: string };
  if (code === '53100') {
    return new ColmeiaError('STORE_FULL', 'The database is not available: its disk is full.', {
      retryAfterMs: 5000,
      cause: error,
    });
  }
  if (isConnectionLoss(error)) return storeUnavailable(reasonOf(error), error);
  if (code === '25006' && intent === 'write') return storeUnavailable('the server is a read-only standby', error);
  return error;
}
