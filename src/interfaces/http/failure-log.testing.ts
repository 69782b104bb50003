import type { FastifyBaseLogger } from 'fastify';

/** A log of the edge that keeps faults of ours, and nothing else. */
export function logInto(failures: unknown[]): FastifyBaseLogger {
  const quiet = (): void => {};
  const error = (found: { err?: unknown }): void => void failures.push(found.err ?? found);
  const log = {
    level: 'error',
    error,
    fatal: error,
    warn: quiet,
    info: quiet,
    debug: quiet,
    trace: quiet,
    silent: quiet,
    child: () => log,
  };
  return log as unknown as FastifyBaseLogger;
}
