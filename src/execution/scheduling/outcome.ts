import type { ErrorClass } from '../flow/flow-state.ts';
import type { TicketSpec } from '../plans/ticket.ts';

/**
 * One attempt that ended: all that the models ever learn from. Made from a journal event and the ticket's spec, so that a
 * model is the same after a restart and on every replica that has seen the same events.
 */
export type Outcome = {
  /** Epoch ms of its end. */
  at: number;
  instance: string;
  /** Plan key and ticket number. */
  plan: number;
  n: number;
  /** The caller's own name of the type, else the record's. */
  type: string;
  spec: TicketSpec;
  /** Key of the agent (agentKeyOf). */
  agent: string;
  /** How long the attempt took, ms. */
  durationMs: number;
  result: 'completed' | 'failed';
  /** Why it failed; null = it completed. */
  errorClass: ErrorClass | null;
  /** Nobody answered for it any more, and it used up no retry. */
  isLost: boolean;
  /** How long it is to be left alone after a failure of class quota; null = nothing was said. */
  retryAfterMs: number | null;
  /** Deadline − end when the ticket is done with; null = it will be tried again. */
  slackMs: number | null;
};

/** The name under which a ticket's type is learned. */
export const typeOf = (spec: Pick<TicketSpec, 'task_type' | 'metadata'>): string =>
  spec.metadata.task_type ?? spec.task_type;
