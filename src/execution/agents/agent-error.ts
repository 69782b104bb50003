import type { ErrorClass } from './agent-transport.ts';

/** Thrown by a handler to say how its attempt failed. Any other error counts as transient. */
export class AgentError extends Error {
  /** Default `transient`: it may work when tried again. */
  readonly errorClass: ErrorClass;
  /** When a repeat makes sense; null = the control plane decides. */
  readonly retryAfterMs: number | null;

  constructor(
    message: string,
    errorClass: ErrorClass = 'transient',
    more: { retryAfterMs?: number | null; cause?: unknown } = {},
  ) {
    super(message, more.cause === undefined ? undefined : { cause: more.cause });
    this.name = 'AgentError';
    this.errorClass = errorClass;
    this.retryAfterMs = more.retryAfterMs ?? null;
  }
}

/** Why the signal of an attempt was aborted. It is the `reason` of the signal. */
export class AttemptStopped extends Error {
  readonly why: 'cancelled' | 'fenced' | 'expired' | 'stopping';

  constructor(why: AttemptStopped['why']) {
    super(
      {
        cancelled: 'the attempt was cancelled',
        fenced: 'the lease is lost: another attempt counts, or the ticket has ended',
        expired: 'the lease ran out while the control plane could not be reached',
        stopping: 'the agent is stopping',
      }[why],
    );
    this.name = 'AttemptStopped';
    this.why = why;
  }
}

/** Thrown by a handler whose work goes on without it: nothing is reported, and the next start takes the lease up again. */
export class LeaseLeft extends Error {}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
