import type { HeapItem, Heap } from '../../platform/heap.ts';
import type { TicketSpec } from '../plans/ticket.ts';
import type { Mode } from './models/burn-mode.ts';
import type { ReadyTicket } from './ready-ticket.ts';
import type { SchedulerAgent } from './scheduler-agent.ts';

/** What protection says of an agent for a type of ticket. */
export type Guard = {
  /** False: the breaker is open, or it is ejected. */
  allows: boolean;
  /** How many it may run at once now, at most its concurrency. */
  limit: number;
  /** Why not, or why fewer; null = nothing is wrong. */
  why: string | null;
};

/** A company's account: what it has used, by its weight. */
export type Account = HeapItem & {
  instance: string;
  /** Virtual time: running time ÷ weight, in whole µs, so that a refund is exact. */
  used: number;
  /** Tickets it was given. */
  turns: number;
  /** The part of `used` that was charged for what still runs: a share of what is expected. */
  pending: number;
  /** Expected running time of what waits, ms. */
  waitingMs: number;
  weight: number;
  running: number;
  /** Its lines that are not empty and have agents; 0 = it does not compete. */
  competing: number;
  lines: Line[];
  /** The one whose first ticket goes first; null = to be looked for. */
  firstLine: Line | null;
  mode: Mode;
  /** The cycle in which it is left out. */
  skipped: number;
  /** Counts changes of its mode: lines of another count are to be put in order again. */
  orderVersion: number;
};

/** What the agents of a class must be. */
export type Wanted = {
  taskType: TicketSpec['task_type'];
  /** The caller's own name of the type when the record has none for it. */
  customType: string | null;
  capabilities: readonly string[];
  securityLevel: TicketSpec['security_level'];
  /** The region it must run in; null = any. */
  region: string | null;
};

/** Tickets that the same agents can do, and these agents. */
export type TicketClass = Wanted & {
  key: string;
  /** Under which its durations and trails are learned. */
  type: string;
  size: number;
  /** Sum of the expected durations of what waits, ms. */
  backlogMs: number;
  lines: Line[];
  byInstance: Map<string, Line>;
  /** Since when something waits. */
  busySince: number;
  /** When an agent other than of last resort had room. */
  roomAt: number;
  // agents; not kept up to date while `stale`
  stale: boolean;
  shared: AgentState[];
  bound: Map<string, AgentState[]>;
  /** How many agents it has. */
  members: number;
  /** Sum of the concurrency of all its agents. */
  slots: number;
  /** Its fastest shared agents as of `fastestAt`, when it has many. */
  fastest: AgentState[];
  fastestAt: number;
  // what holds for one cycle
  cycle: number;
  free: FreeList;
  passed: number;
  holds: number;
  // the ticket that goes first, see class-head.ts; `accounts`, the first two keys of each line and since when its oldest
  // ticket is ready stand as the lines do, so that a look at all companies touches little memory
  accounts: Account[];
  firstKeys: number[];
  secondKeys: number[];
  oldestAt: number[];
  head: Entry | null;
  headAccount: Account | null;
  headFirst: number;
  headSecond: number;
  headStale: boolean;
  /** null = to be looked for. */
  leastAccount: Account | null;
  leastUsed: number;
  /** From which limit on another company could come in. */
  nextUsed: number;
};

/** Agents that ask, the first `size` of the list; the list itself is used again and again. */
export type FreeList = { states: AgentState[]; size: number };

/** The tickets of one company in one class, in order. */
export type Line = {
  class: TicketClass;
  /** Its place among the lines of the class. */
  at: number;
  /** By these its first ticket stands against those of others. */
  standing: readonly number[];
  account: Account;
  entries: Heap<Entry>;
  /** By time of coming; null = empty. */
  oldest: Entry | null;
  newest: Entry | null;
  orderVersion: number;
};

/** A ticket that waits. */
export type Entry = HeapItem & {
  ticket: ReadyTicket;
  line: Line;
  /** One for each order plugin. */
  keys: number[];
  /** Expected duration on an ordinary agent, ms. */
  base: number;
  /** Counts what comes. */
  order: number;
  step: Step | null;
  older: Entry | null;
  newer: Entry | null;
  /** Until when it may be held for a better agent, epoch ms; 0 = it was not held yet. */
  holdUntil: number;
  /** For whom it was held last. */
  heldFor: string | null;
};

/** When the keys of an entry change. */
export type Step = HeapItem & { at: number; entry: Entry };

/** A ticket that runs. */
export type Run = HeapItem & {
  plan: number;
  n: number;
  agent: string;
  account: Account;
  at: number;
  /** When it should end. */
  end: number;
  /** What the account was charged, ms of running time. */
  charged: number;
  weight: number;
  /** Caps by label that it counts for. */
  labels: readonly string[];
  /** What it was before it ran; null = it was not given by this scheduler. */
  entry: Entry | null;
};

export type AgentState = {
  agent: SchedulerAgent;
  /** The classes it can do, with its place in their lists. */
  fits: Map<TicketClass, number>;
  runs: Heap<Run>;
  /** The cycle in which it asks, and how many more it takes. */
  cycle: number;
  left: number;
  /** When its slots are expected free, epoch ms, as of `slotsCycle`, with what is held for it. */
  slots: number[];
  slotsCycle: number;
  /** Tickets that wait for one of its slots, as of `pressureCycle`. */
  pressure: number;
  pressureCycle: number;
  /** Counts assignments: when it was last given one. */
  turn: number;
  // read from its labels
  clearance: number;
  lastResort: boolean;
  burst: boolean;
  costPerHour: number;
  /** Its labels that have a cap. */
  capped: readonly string[];
};
