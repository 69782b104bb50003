import type { Fault } from '../../platform/errors.ts';

/** Exit codes of `colmeia`; docs/cli.md explains them to scripts. */
export const EXIT = {
  ok: 0,
  failed: 1,
  usage: 2,
  notFound: 3,
  refused: 4,
  unavailable: 5,
  unauthenticated: 6,
} as const;
export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** Ends a command with a message for its user. `code` is the server's error code; null = the CLI's own word. */
export class CliError extends Error {
  readonly exit: ExitCode;
  readonly code: string | null;
  readonly faults: readonly Fault[];

  constructor(
    exit: ExitCode,
    message: string,
    more: { code?: string | null; faults?: readonly Fault[]; cause?: unknown } = {},
  ) {
    super(message, more.cause === undefined ? undefined : { cause: more.cause });
    this.name = 'CliError';
    this.exit = exit;
    this.code = more.code ?? null;
    this.faults = more.faults ?? [];
  }
}

/** Lists of faults longer than this are cut for people, never for programs. */
const FAULTS_SHOWN = 50;

/** The error for standard error: lines for a person, or one JSON document. */
export function describeError(error: CliError, json: boolean): string {
  if (json)
    return `${JSON.stringify({ error: { code: error.code ?? 'CLI', message: error.message, faults: error.faults, exit: error.exit } })}\n`;
  const shown = error.faults
    .slice(0, FAULTS_SHOWN)
    .map((fault) => `  ${fault.path === '' ? '' : `${fault.path}: `}${fault.message}\n`);
  if (error.faults.length > FAULTS_SHOWN)
    shown.push(`  … and ${error.faults.length - FAULTS_SHOWN} more (--json lists all)\n`);
  return `colmeia: ${error.message}${error.code === null ? '' : ` (${error.code})`}\n${shown.join('')}`;
}

/** What an HTTP status means to a script. */
export function exitOfStatus(status: number): ExitCode {
  if (status === 401 || status === 403) return EXIT.unauthenticated;
  if (status === 404) return EXIT.notFound;
  if ([400, 409, 410, 413, 415, 422].includes(status)) return EXIT.refused;
  if ([429, 502, 503, 504, 507].includes(status)) return EXIT.unavailable;
  return EXIT.failed;
}
