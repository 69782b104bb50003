import type { InboxItem } from '../../colmeia.ts';
import type { ErrorClass, PlanStatus, FlowEvent } from './flow-state.ts';
import type { CompanyChange, Statements } from './flow-store.ts';
import type { PlanContent } from './live-plan.ts';
import type { Submission, Submitted } from './submission.ts';
import type { By } from './flow-batch.ts';
import type { ClassBacklog } from '../scheduling/why.ts';
import type { ExplainView, WhyView } from '../swarm/scheduling-views.ts';
import type { AgentSpec, AgentState, Lease } from '../agents/agent.ts';
import type { InboxSearch } from '../agents/inbox.ts';
import type { ReportedUsage } from '../agents/token-usage.ts';
import type { GeneratedTickets } from '../plans/generate-tickets.ts';
import type { ExecutionTicket } from '../../platform/contracts/generated/records.ts';
import type { JournalEvent } from '../../trust/audit/journal.ts';
import type { PlanControl } from './flow-state.ts';

type WithoutTime<T> = T extends { at: number } ? Omit<T, 'at'> : never;
/** What a person or a signal does to a plan; the writer adds the time. */
export type PlanAction = WithoutTime<
  Extract<FlowEvent, { type: 'approved' | 'declined' | 'paused' | 'resumed' | 'cancelled' | 'retried' }>
>;

export type LeaseRef = { instance: string; key: number; n: number; fence: number };
export type GrantedLease = Pick<Lease, 'leaseId' | 'fence' | 'attempt' | 'expiresAt'> & { ticket: ExecutionTicket };
export type KnownAgent = { instance: string | null; spec: AgentSpec; state: AgentState };
/** What replicas hear of an agent. `held`: the leases it still works on; absent = nothing is said of them. */
export type AgentNews = (KnownAgent & { held?: string[] }) | { instance: string | null; agentId: string };

/**
 * What can be asked of the one writer of a company, in this process or on the replica that owns it: all inputs and
 * answers are plain JSON data. Throws NOT_OWNER when the company has moved; nothing was changed then.
 */
export type CompanyWriter = {
  submit(submission: Submission): Promise<Submitted>;
  act(input: { instance: string; key: number; action: PlanAction; who: By }): Promise<PlanStatus>;
  replan(input: {
    instance: string;
    key: number;
    tickets: GeneratedTickets;
    gate: boolean;
    control: PlanControl;
    content: PlanContent;
    who: By;
  }): Promise<PlanStatus>;
  complete(input: LeaseRef & { result: string; logs: string[]; usage?: ReportedUsage; who: By }): Promise<void>;
  fail(
    input: LeaseRef & { errorClass: ErrorClass; error: string; retryAfterMs: number | null; who: By },
  ): Promise<void>;
  /** The ticket goes back unstarted: no attempt is counted. */
  release(input: LeaseRef & { who: By }): Promise<void>;
  /** Gives a ticket to a person past the scheduler; answers the fencing token. Throws PLAN_STATE. */
  claim(input: { instance: string; key: number; n: number; agent: string; who: By }): Promise<number>;
  heartbeat(input: LeaseRef & { progress?: number; logs?: string[] }): Promise<{ expiresAt: number; cancel: boolean }>;
  /** Why a ticket of an open plan does not run; null = the plan is not open. */
  why(input: { instance: string; key: number; n: number }): Promise<WhyView | null>;
  /** When an open plan ends, and why then; null = it is not open. */
  explain(input: { instance: string; key: number }): Promise<ExplainView | null>;
  /** Takes every row of the company away, see FlowEngine.changeCompany. */
  changeCompany(input: CompanyChange): Promise<Record<string, number>>;
  append(input: { instance: string; events: readonly JournalEvent[]; statements: Statements }): Promise<void>;
};

/** Finds the writer of a company. */
export type CompanyWriters = {
  /** Runs `ask` on the company's writer, wherever it is; waits up to five seconds while the company moves. */
  at<T>(instance: string, ask: (writer: CompanyWriter) => Promise<T>): Promise<T>;
  /** Work for an agent from every replica; resolves empty after `waitMs`. */
  poll(agent: KnownAgent, max: number, waitMs: number, signal?: AbortSignal): Promise<GrantedLease[]>;
  /** What waits for people, from every replica that can be reached; in no order. */
  inbox(search: InboxSearch): Promise<InboxItem[]>;
  /** What waits, of each replica that answers. */
  backlogs(): Promise<ClassBacklog[][]>;
  /** An agent has changed or gone: every replica hears of it. */
  agentChanged(news: AgentNews): void;
};
