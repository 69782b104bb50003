/** One thing wrong with what a caller sent. `path` is as in `tasks[3].dependencies[0]`; '' means the whole body. */
export type Fault = { path: string; message: string };

/**
 * Every stable error code, with what it means. docs/errors.md explains each one; a test fails when one is missing there.
 * Status codes of HTTP live at the edge (interfaces/http/status-of.ts).
 */
export const ERROR_CODES = {
  INVALID_DECISION: 'The decision or its plan breaks the contract; every fault is listed. It is stored as rejected.',
  INVALID_REQUEST: 'A parameter, header or body breaks the contract of the call; every fault is listed.',
  INVALID_POLICY: 'The scheduling policy is wrong; every fault is listed. The one in force stays.',
  EXPERIMENT_RUNNING: 'An experiment is under way already.',
  EXPERIMENT_NOT_FOUND: 'There was no experiment.',
  TOO_LARGE: 'The body, plan or result is larger than the configured cap.',
  PLAN_CONFLICT: 'Another decision with the same plan id and a different content was accepted before.',
  PLAN_AMBIGUOUS: 'Several companies have a plan with this id; name the instance.',
  PLAN_STATE: 'The plan is in a state that does not allow this action.',
  PLAN_NOT_FOUND: 'No such plan for this caller.',
  TICKET_NOT_FOUND: 'No such ticket for this caller.',
  WORKFLOW_NOT_FOUND: 'No such workflow for this caller.',
  INSTANCE_NOT_FOUND: 'No such company for this caller.',
  INSTANCE_EXISTS: 'A company of this name exists.',
  INSTANCE_INVALID: 'The folder of the company has faults that stand in the way; every one is listed.',
  INSTANCE_BUSY: 'Another operation on the company is under way.',
  INSTANCE_STATE: 'The company is in a state that does not allow this.',
  OPERATION_NOT_FOUND: 'No such operation for this caller.',
  OPERATION_STATE: 'The operation is in a state that does not allow this.',
  AGENT_NOT_FOUND: 'No such agent for this caller.',
  KEY_NOT_FOUND: 'No such key for this caller.',
  LEASE_NOT_FOUND: 'No such lease for this caller.',
  SECRET_NOT_FOUND: 'No such secret for this caller.',
  SECRETS_LOCKED: 'The master key of the secrets is missing or another one; all that needs no secret goes on.',
  LEASE_FENCED:
    'The fencing token is stale: another attempt owns the ticket, or the ticket has ended. Nothing was changed.',
  UNAUTHENTICATED: 'The call carries no valid key.',
  FORBIDDEN: 'The key does not allow this call.',
  ROUTE_NOT_FOUND: 'There is no such route.',
  QUEUE_FULL: 'A queue is at its cap; try again after the time in Retry-After.',
  STORE_UNAVAILABLE: 'The database is not available; nothing was changed. The call may be repeated.',
  STORE_FULL: 'The disk of the database is full; nothing was changed.',
  OUTSIDE_UNAVAILABLE:
    'A site outside (Supabase, Jira, Confluence) cannot be reached or answers wrongly; the call may be repeated.',
  OUTSIDE_TIMEOUT: 'A site outside did not answer in time; the call may be repeated.',
  OUTSIDE_REFUSED: 'A site outside refused the call; the message has its words.',
  DATABASE_DENIED: "A login of a company's database lacks a right; the message says which.",
  DATABASE_FOREIGN: "The database is not this company's, or was not made by Colmeia; nothing was changed.",
  DATABASE_MIGRATION: "A migration or seed of a company's database failed, or was changed after it was applied.",
  DATABASE_NOT_PORTABLE: "A company's database holds what cannot be carried over; everything of that kind is listed.",
  EXPORT_INVALID: 'The file of an export is damaged, cut short, made up or of a newer version; nothing was changed.',
  CLONE_DIFFERS: 'The copy of a company is not equal to what it was made from; its proof lists the differences.',
  NOT_OWNER: 'The company is moving between replicas; the call may be repeated.',
  SHUTTING_DOWN: 'The process is stopping; the call may be repeated elsewhere or later.',
  CONFIG_INVALID: 'The configuration is wrong; every fault is listed.',
  DATA_FOLDER_LOCKED: 'Another process has the data folder open.',
  DATA_FOLDER_NEWER: 'The data was written by a newer version of Colmeia.',
  INTERNAL: 'A fault of Colmeia itself; the log has the details under the request id.',
} as const;
export type ErrorCode = keyof typeof ERROR_CODES;

/** The one error class of Colmeia: a stable code for programs, a sentence for people, data for both. */
export class ColmeiaError extends Error {
  readonly code: ErrorCode;
  readonly faults: Fault[];
  /** How long to wait before a repeat makes sense; null = no advice. */
  readonly retryAfterMs: number | null;

  constructor(
    code: ErrorCode,
    message: string,
    more: { faults?: Fault[]; retryAfterMs?: number; cause?: unknown } = {},
  ) {
    super(message, more.cause === undefined ? undefined : { cause: more.cause });
    this.name = 'ColmeiaError';
    this.code = code;
    this.faults = more.faults ?? [];
    this.retryAfterMs = more.retryAfterMs ?? null;
  }
}

/** True for a ColmeiaError, of one code when given. */
export function isColmeiaError(error: unknown, code?: ErrorCode): error is ColmeiaError {
  return error instanceof ColmeiaError && (code === undefined || error.code === code);
}
