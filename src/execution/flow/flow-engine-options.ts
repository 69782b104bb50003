import type { Clock, Random } from '../../platform/clock.ts';
import type { ColmeiaError } from '../../platform/errors.ts';
import type { Store } from '../../platform/store/store.ts';
import type { JournalEvent } from '../../trust/audit/journal.ts';
import type { AgentRegistry } from '../agents/agent-registry.ts';
import type { Dispatcher } from '../scheduling/dispatcher.ts';
import type { Assignment } from '../scheduling/scheduling-cycle.ts';
import type { LivePlan } from './live-plan.ts';

export type CommittedRow = {
  instance: string;
  seq: number;
  at: Date;
  firstEvent: number;
  events: readonly JournalEvent[];
  /** What an event's plan is correlated with, when the flow did it. */
  planOf: (planId: string) => LivePlan | undefined;
};

/** Looks after open plans, as the deadlines that are in danger. Its events become true with the next commit. */
export type PlanWatch = {
  /** A plan is open, or has changed since. Called after the commit. */
  opened(plan: LivePlan): void;
  /** It has ended, or (`isOurs` false) another process has its company now. */
  closed(plan: LivePlan, isOurs: boolean): void;
  /** Epoch ms; Infinity = there is nothing to look at. */
  nextAt(): number;
  take(now: number): readonly { plan: LivePlan; event: Omit<JournalEvent, 'plan' | 'by'> }[];
};

export type FlowEngineOptions = {
  store: Store;
  clock: Clock;
  random: Random;
  registry: AgentRegistry;
  /** Who decides which agent gets which ticket. Default: a scheduler that learns nothing. */
  dispatcher?: Dispatcher;
  /** What is to be said of open plans as time goes by. Default: nothing. */
  watch?: PlanWatch;
  /** After each commit, in order; must not throw or wait. */
  onCommitted: (rows: readonly CommittedRow[]) => void;
  /** Companies came with their open plans, or went. */
  onOwned?: (change: { taken: { name: string; planIds: string[] }[]; given: string[] }) => void;
  /** How long the database took for a commit, and how many events it held. */
  onFlushed?: (ms: number, events: number) => void;
  /** How long a pass of the scheduler took, and what it gave to agents. */
  onScheduled?: (ms: number, assignments: readonly Assignment[]) => void;
  /** Open tickets that a company may have, see OpenTickets. Default 100,000. */
  maxOpenTicketsPerCompany?: number;
  /** Whether new decisions of a company are taken now; null = they are. */
  admit?: (instance: string) => ColmeiaError | null;
  /** A change was refused because too much waits. */
  onQueueFull?: () => void;
  log: (level: 'info' | 'warn' | 'error', data: Record<string, unknown>, message: string) => void;
};
