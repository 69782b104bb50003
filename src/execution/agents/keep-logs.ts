import type { Lease } from './agent.ts';

/** Lines of log kept per attempt; the oldest go first. */
const LOG_LINES = 1_000;
/** Characters kept of one line. */
const LOG_LINE_LENGTH = 4_000;

export function keepLogs(lease: Lease, logs: readonly string[]): void {
  for (const line of logs) lease.logs.push(line.length > LOG_LINE_LENGTH ? `${line.slice(0, LOG_LINE_LENGTH)}…` : line);
  if (lease.logs.length > LOG_LINES) lease.logs.splice(0, lease.logs.length - LOG_LINES);
}
