/**
 * Version of decide(); stamped on every plan, so that a deploy never strands a running one. 2: tickets may have a copy.
 * 3: attempts may be lost without using up a retry. Plans of earlier versions go on by the same rules: neither is in their
 * notes nor in what happened to them yet.
 */
export const FLOW_VERSION = 3;

/**
 * `received`, `validated`, `ticketed` and `consolidating` pass within one commit: they are events, never at rest.
 * `waiting_approval`: the whole plan waits for a person. `compensating`: it cannot finish and what is done is being undone.
 */
export type PlanStatus =
  | 'waiting_approval'
  | 'running'
  | 'compensating'
  | 'consolidating'
  | 'completed'
  | 'failed'
  | 'compensated'
  | 'cancelled'
  | 'rejected';

export type TicketStatus =
  | 'waiting' // for its dependencies
  | 'approval' // for a person
  | 'ready' // for an agent
  | 'backoff' // for the time of its next attempt
  | 'running'
  | 'completed'
  | 'failed'
  | 'cancelled'
  | 'compensating' // completed, and its compensation ticket is under way
  | 'compensated';

export type ErrorClass = 'transient' | 'quota' | 'auth' | 'poison' | 'timeout';

/** What is fixed about a ticket when it is made. All times in ms. */
export type TicketRules = {
  /** Numbers of the tickets it waits for. */
  deps: readonly number[];
  /** Longest time of one attempt. */
  timeoutMs: number;
  /** Attempts after the first. */
  maxRetries: number;
  /** Destructive: waits for a person before it starts. */
  gated: boolean;
  /** Has a compensation that undoes it. */
  compensable: boolean;
  /** May run twice at once: AT_LEAST_ONCE, and neither destructive nor a compensation. */
  copyable: boolean;
  /** For a compensation ticket: the number of the ticket it undoes; null = an ordinary ticket. */
  undoes: number | null;
};

/** One attempt that runs: its fencing token, the key of its agent, and since when (epoch ms). */
export type Attempt = { fence: number; agent: string; startedAt: number };

/** What decide() remembers of a ticket beside its columns. Absent = no. */
export type TicketNote = {
  error?: string;
  errorClass?: ErrorClass | 'declined';
  approved?: true;
  /** Its deadline passed before its end; said once. */
  late?: true;
  /** When its running attempt was told to stop. */
  stopAt?: number;
  /** The second attempt while two run; its token is `fence`. */
  copy?: Attempt;
  /** Token of the attempt that `agent` and `startedAt` speak of; absent = `fence`, the last one that was given. */
  token?: number;
  /** This attempt has had its copy. */
  copied?: true;
  /** Attempts that were lost and used up no retry. */
  lost?: number;
  /** Replaced by a later revision of the plan. */
  superseded?: true;
  /** Number of the ticket that undoes it, or undid it last. */
  undoneBy?: number;
  /** Its compensation failed for good. */
  undoFailed?: true;
  /** It was undone, and is done again after what depended on it. */
  redone?: true;
};

export type TicketState = {
  status: TicketStatus;
  /** Dependencies that have not completed. */
  waits: number;
  /** Attempts started. */
  attempt: number;
  /** The last fencing token that was given; 0 = never leased. */
  fence: number;
  agent: string | null;
  /** backoff: when the next attempt may start; else null. */
  due: number | null;
  /** End of its SLA, epoch ms. */
  deadline: number;
  startedAt: number | null;
  endedAt: number | null;
  note: TicketNote | null;
};

export type Backoff = {
  /** Wait after the first failure; doubles with each one. Default 1,000. */
  baseMs: number;
  /** Longest wait. Default 60,000. */
  maxMs: number;
  /** Wait after a quota failure that names no time. Default 30,000. */
  quotaMs: number;
};

/** What decide() remembers of a plan beside its tickets: the `control` column. */
export type PlanControl = {
  paused: boolean;
  /** Why no further ticket starts; null = they do. */
  stopping: 'failed' | 'cancelled' | null;
  /** Undo what is done once everything stopped. */
  undo: boolean;
  validUntil: number | null;
  backoff: Backoff;
  /** How long a running attempt has to stop before it is fenced. */
  stopGraceMs: number;
  /** The plan may not start before a person says so; outlives a cancellation. Absent = no. */
  unapproved?: boolean;
};

/** State of one plan: plain data, small, serialisable; never changed in place. */
export type PlanState = {
  flow: number;
  status: PlanStatus;
  control: PlanControl;
  rules: readonly TicketRules[];
  /** For each ticket, who waits for it. Derived from the rules. */
  dependents: readonly (readonly number[])[];
  tickets: readonly TicketState[];
  /** Tickets not at an end. Derived. */
  open: number;
  /** Tickets at an agent. Derived. */
  running: number;
  /** While compensating: for each ticket, dependents not yet undone. Derived. */
  undoWaits: readonly number[] | null;
  /** When decide() wants a `due` event; null = never. Derived. */
  timerAt: number | null;
};

export type Consolidation = {
  success: boolean;
  duration_ms: number;
  /** Sum of what the attempts that counted took. */
  work_ms: number;
  tickets: { total: number; completed: number; failed: number; cancelled: number; compensated: number };
  retries: number;
  sla: { compliant: boolean; violations: number };
  /** What does not add up; empty = all checks hold. */
  inconsistencies: string[];
};

/** What happens to a plan. `at` is epoch ms; chance comes in with the event. */
export type FlowEvent =
  | {
      type: 'submitted';
      at: number;
      rules: readonly TicketRules[];
      deadlines: readonly number[];
      gate: boolean;
      control: PlanControl;
    }
  | { type: 'leased'; at: number; leases: readonly { n: number; agent: string }[] }
  | { type: 'completed'; at: number; n: number; fence: number }
  | {
      type: 'failed';
      at: number;
      n: number;
      fence: number;
      errorClass: ErrorClass;
      error: string;
      retryAfterMs: number | null;
      jitter: number;
    }
  /** Nothing is heard of the attempt any more. It uses up no retry, unless many of the ticket were lost. */
  | { type: 'lost'; at: number; n: number; fence: number; error: string; retryAfterMs: number | null; jitter: number }
  /** A second attempt at another agent while the first still runs; refused when the ticket does not allow it any more. */
  | { type: 'copied'; at: number; n: number; agent: string }
  /** An agent gives a ticket back unstarted: no attempt is counted. */
  | { type: 'released'; at: number; n: number; fence: number }
  /** The timer went off. */
  | { type: 'due'; at: number; jitter: number }
  /** n null: the whole plan and every destructive task in it. */
  | { type: 'approved'; at: number; n: number | null }
  | { type: 'declined'; at: number; n: number | null; why: string }
  | { type: 'paused'; at: number }
  | { type: 'resumed'; at: number }
  | { type: 'cancelled'; at: number; undo: boolean; why: string }
  /** An ended plan goes on from its failed tickets. */
  | { type: 'retried'; at: number }
  /** A new revision: `keep[i]` is the number of the ticket that already does task i, null = a new ticket. Only a ticket that completed or has started can be kept. deps are task positions. */
  | {
      type: 'replanned';
      at: number;
      rules: readonly TicketRules[];
      deadlines: readonly number[];
      keep: readonly (number | null)[];
      gate: boolean;
      control: PlanControl;
    }
  | { type: 'consolidated'; at: number; result: Consolidation };

/** What the interpreter has to do; order matters, the commit comes first. */
export type FlowCommand =
  | { type: 'ticket.ready'; n: number }
  /** No longer ready: take it out of the scheduler. */
  | { type: 'ticket.withdraw'; n: number }
  /** Tell the agent that runs it to stop. */
  | { type: 'ticket.stop'; n: number }
  /** Wake the plan with `due`; replaces an earlier timer. */
  | { type: 'timer.set'; at: number }
  /** Make ticket n, which undoes ticket `of`. */
  | { type: 'compensate'; n: number; of: number }
  | { type: 'consolidate' }
  | { type: 'publish'; event: string; n: number | null; data: Record<string, unknown> }
  | { type: 'finish'; status: PlanStatus }
  /** The event does not fit the state; nothing changed. */
  | { type: 'refuse'; code: 'LEASE_FENCED' | 'PLAN_STATE'; message: string };

/** The event of one type. */
export type Of<T extends FlowEvent['type']> = Extract<FlowEvent, { type: T }>;

export type Decision = { state: PlanState; commands: FlowCommand[] };

const ENDED: ReadonlySet<PlanStatus> = new Set(['completed', 'failed', 'compensated', 'cancelled', 'rejected']);
export const isEnded = (status: PlanStatus): boolean => ENDED.has(status);

/** True while the ticket has not come to an end. */
export function isOpen(status: TicketStatus): boolean {
  return (
    status === 'waiting' || status === 'approval' || status === 'ready' || status === 'backoff' || status === 'running'
  );
}

/** True when what waits for the ticket may start, as far as this ticket goes. */
const hasCompleted = (status: TicketStatus): boolean =>
  status === 'completed' || status === 'compensating' || status === 'compensated';

/** How many dependencies have not completed; those that do not exist yet count too. */
export function waitsOf({ deps }: TicketRules, tickets: readonly { status: TicketStatus }[]): number {
  return deps.filter((dep) => dep >= tickets.length || !hasCompleted(tickets[dep].status)).length;
}

export function dependentsOf(rules: readonly TicketRules[]): number[][] {
  const dependents: number[][] = rules.map(() => []);
  rules.forEach((rule, n) => rule.deps.forEach((dep) => dependents[dep].push(n)));
  return dependents;
}
