import type { TicketSpec } from '../plans/ticket.ts';

/** A ticket that waits for an agent. Times are epoch ms. */
export type ReadyTicket = {
  plan: number;
  n: number;
  instance: string;
  spec: TicketSpec;
  createdAt: number;
  /** When it should have ended. */
  deadline: number;
  /** When its plan should have ended. */
  planDeadline: number;
  /** Since when it can run. */
  readyAt: number;
  /** Upward rank: expected ms from its start to the end of the plan along the longest path; 0 = not known. */
  rank: number;
  /** Keys of the agents that did what it depends on. */
  near: readonly string[];
};
