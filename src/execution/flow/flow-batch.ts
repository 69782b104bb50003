import {
  EMPTY_HEAD,
  journalBody,
  journalHash,
  type JournalEvent,
  type JournalHead,
} from '../../trust/audit/journal.ts';
import { agentIdOf, agentKeyOf, type Lease } from '../agents/agent.ts';
import type { TokenUsage } from '../agents/token-usage.ts';
import { ColmeiaError } from '../../platform/errors.ts';
import { compensationOf } from '../plans/generate-tickets.ts';
import { ticketIdOf } from '../plans/plan.ts';
import type { Dispatcher } from '../scheduling/dispatcher.ts';
import type { PlanRef } from './flow-store.ts';
import { attemptsOf, isHeld } from './attempt.ts';
import { consolidate } from './consolidate.ts';
import type { CommittedRow } from './flow-engine-options.ts';
import { decide } from './decide.ts';
import type { Attempt, FlowCommand, FlowEvent, PlanState } from './flow-state.ts';
import { FlushColumns, type JournalRow } from './flush-columns.ts';
import { inconsistency } from './incident.ts';
import type { TicketSpec } from '../plans/ticket.ts';
import type { DraftPlan, LivePlan, PlanContent } from './live-plan.ts';
import { readyTicketOf } from './ready-ticket-of.ts';

/** Agents that serve every company; in the journal the others are the company's `own`. */
const SHARED = agentKeyOf(null, '');

/** A journal row with the events it holds. */
export type SealedRow = JournalRow & { recorded: JournalEvent[] };

/** What an attempt used, and the key of the agent that did. */
export type AgentUsage = TokenUsage & { agent: string };

/** Who made an event happen, and why when a person said so. */
export type By = { by: string; why?: string };
export const ENGINE: By = { by: 'engine' };

/**
 * What one flush will make true. Decisions are made on drafts; the live plans change only after the commit, so that a
 * refused flush costs nothing but the drafts. Only the scheduler is ahead; `undo` and a new look at what is ready set it back.
 */
export class FlowBatch {
  /** Epoch ms of everything in the batch. */
  readonly at: number;
  readonly drafts = new Map<number, DraftPlan>();
  /** Leases per agent that end with this batch. */
  readonly freed = new Map<string, number>();
  /** Leases per agent that begin with this batch. */
  readonly taken = new Map<string, number>();
  /** By how much it changes the number of open tickets, by company. */
  readonly opened = new Map<string, number>();
  readonly timers = new Map<number, number>();
  /** What attempts that complete with this batch used, by `<plan>/<n>`. */
  readonly usage = new Map<string, AgentUsage>();
  /** Leases that ran out and whose attempts end with this batch. */
  readonly expired: Lease[] = [];
  /** Decisions in it. */
  readonly submits: PlanRef[] = [];
  /** Its journal rows, once it is sealed. */
  readonly rows: SealedRow[] = [];
  /** Leases it began that no poll took. */
  readonly undelivered: Lease[] = [];
  /** What to take back when the flush is refused. */
  readonly undo: (() => void)[] = [];
  readonly columns = new FlushColumns();
  readonly #dispatcher: Dispatcher;
  readonly #stateOfKey: (key: number) => PlanState | undefined;
  readonly #starts: (instance: string) => boolean;
  readonly #events = new Map<string, { events: JournalEvent[]; plans: Set<number>; given: number }>();

  /** `starts`: whether tickets of a company begin now. */
  constructor(
    at: number,
    dispatcher: Dispatcher,
    stateOfKey: (key: number) => PlanState | undefined,
    starts: (instance: string) => boolean,
  ) {
    this.#stateOfKey = stateOfKey;
    this.#starts = starts;
    this.at = at;
    this.#dispatcher = dispatcher;
  }

  /** The state a plan has within this batch. */
  stateOf(plan: LivePlan): PlanState {
    return this.drafts.get(plan.key)?.after ?? plan.state;
  }

  /** Status of an open plan; undefined = it is not open. */
  statusOf(key: number): string | undefined {
    return (this.drafts.get(key)?.after ?? this.#stateOfKey(key))?.status;
  }

  /** A plan that begins with this batch; its first event is `submitted`. */
  begin(plan: LivePlan, content: PlanContent, event: FlowEvent, who: By, replaces: PlanState | null): void {
    const decision = decide(null, event);
    const draft: DraftPlan = {
      plan,
      before: replaces,
      after: decision.state,
      specs: [...plan.specs],
      content,
      results: new Map(),
      consolidation: null,
    };
    this.drafts.set(plan.key, draft);
    this.#countOpen(plan, decision.state.open);
    this.#carryOut(draft, decision.commands, who);
  }

  /** Runs one event through decide(). Returns the refusal, or null when the event took effect. */
  step(
    plan: LivePlan,
    event: FlowEvent,
    who: By,
    revised?: { content: PlanContent; specs: readonly TicketSpec[] },
  ): Extract<FlowCommand, { type: 'refuse' }> | null {
    let draft = this.drafts.get(plan.key);
    const known = (draft?.after ?? plan.state).tickets.length;
    const decision = decide(draft?.after ?? plan.state, event);
    if (decision.commands[0]?.type === 'refuse') return decision.commands[0];
    if (draft === undefined) {
      draft = {
        plan,
        before: plan.state,
        after: plan.state,
        specs: plan.specs as DraftPlan['specs'],
        content: null,
        results: new Map(),
        consolidation: null,
      };
      this.drafts.set(plan.key, draft);
    }
    this.#countOpen(plan, decision.state.open - draft.after.open);
    draft.after = decision.state;
    if (revised !== undefined && event.type === 'replanned') {
      draft.content = { ...revised.content, digest: plan.digest }; // the decision that began it still answers with it
      draft.specs = [...draft.specs.slice(0, known), ...revised.specs.filter((_, task) => event.keep[task] === null)];
    }
    this.#carryOut(draft, decision.commands, who);
    return null;
  }

  planOf(instance: string, planId: string): LivePlan | undefined {
    for (const { plan } of this.drafts.values()) if (plan.plan_id === planId && plan.instance === instance) return plan;
    return undefined;
  }

  /** True while an attempt with this token runs. */
  holds(plan: LivePlan, n: number, fence: number): boolean {
    const ticket = this.stateOf(plan).tickets[n];
    return ticket !== undefined && isHeld(ticket, fence);
  }

  /** Begins a second attempt of a running ticket; false = the ticket does not allow it any more. */
  copy(plan: LivePlan, n: number, agent: string): boolean {
    if (!this.#starts(plan.instance)) return false;
    if (this.step(plan, { type: 'copied', at: this.at, n, agent }, ENGINE) !== null) return false;
    this.taken.set(agent, (this.taken.get(agent) ?? 0) + 1);
    return true;
  }

  /** An event that ends an attempt; throws LEASE_FENCED when it is not the one that runs. */
  endAttempt(plan: LivePlan, n: number, event: FlowEvent, who: By): void {
    const before = this.stateOf(plan).tickets[n];
    const refusal = this.step(plan, event, who);
    if (refusal) throw new ColmeiaError(refusal.code, refusal.message);
    const after = this.stateOf(plan).tickets[n];
    for (const { agent, fence } of attemptsOf(before))
      if (!isHeld(after, fence)) this.freed.set(agent, (this.freed.get(agent) ?? 0) + 1);
  }

  /** The next number of a plan in its company. */
  give(instance: string, head: JournalHead): number {
    return head.plans + ++this.#linesOf(instance).given;
  }

  log(instance: string, event: JournalEvent, planKey?: number): void {
    const lines = this.#linesOf(instance);
    lines.events.push(event);
    if (planKey !== undefined) lines.plans.add(planKey);
  }

  get isEmpty(): boolean {
    return this.#events.size === 0;
  }

  /** Makes `rows`, and returns the arguments of colmeia_flush. */
  seal(headOf: (instance: string) => JournalHead): string[] {
    for (const draft of this.drafts.values()) this.columns.plan(draft);
    const at = new Date(this.at).toISOString();
    for (const [instance, { events, plans, given }] of this.#events) {
      const head = headOf(instance) ?? EMPTY_HEAD;
      const body = journalBody(events, head.events);
      const seq = head.seq + 1;
      const keys = [...plans];
      const hash = journalHash(head.hash, instance, seq, at, keys, body);
      const row = {
        instance,
        seq,
        at,
        plans: keys,
        body,
        hash,
        events: head.events + events.length,
        given: head.plans + given,
        recorded: events,
      };
      this.columns.journal(row);
      this.rows.push(row);
    }
    return this.columns.args();
  }

  /** What listeners hear of it once it is true. */
  committed(): CommittedRow[] {
    return this.rows.map(({ instance, seq, at, events, recorded }) => ({
      instance,
      seq,
      at: new Date(at),
      firstEvent: events - recorded.length + 1,
      events: recorded,
      planOf: (planId) => this.planOf(instance, planId),
    }));
  }

  #countOpen({ instance }: LivePlan, change: number): void {
    if (change !== 0) this.opened.set(instance, (this.opened.get(instance) ?? 0) + change);
  }

  #linesOf(instance: string) {
    let lines = this.#events.get(instance);
    if (lines === undefined) this.#events.set(instance, (lines = { events: [], plans: new Set(), given: 0 }));
    return lines;
  }

  #carryOut(draft: DraftPlan, commands: readonly FlowCommand[], who: By): void {
    const { plan } = draft;
    for (const command of commands) {
      switch (command.type) {
        case 'publish': {
          const { event: type, n, data } = command;
          if (typeof data.agent === 'string') {
            this.#trackAttempt(draft, type, n!, data.agent);
            if (!data.agent.startsWith(SHARED)) data.own = true;
            data.agent = agentIdOf(data.agent);
          }
          const about =
            n === null
              ? { data: this.#aboutPlan(draft, type, data) }
              : { ticket: n, data: this.#aboutTicket(draft, type, n, data) };
          this.log(plan.instance, { type, ...who, plan: plan.plan_id, ...about }, plan.key);
          break;
        }
        case 'ticket.ready': {
          if (!this.#starts(plan.instance)) break; // it comes in again when the company does
          const at = { plan, state: draft.after, specs: draft.specs };
          this.#dispatcher.add(readyTicketOf(at, command.n, this.at, this.#dispatcher), this.at);
          break;
        }
        case 'ticket.withdraw':
          this.#dispatcher.remove(plan.key, command.n);
          break;
        case 'timer.set':
          this.timers.set(plan.key, command.at);
          break;
        case 'compensate':
          if (draft.specs === plan.specs) draft.specs = [...draft.specs];
          draft.specs[command.n] = compensationOf(
            draft.specs[command.of],
            command.of,
            ticketIdOf(plan.key, command.of),
          );
          break;
        case 'consolidate':
          this.#consolidate(draft, who);
          break;
        case 'finish':
          this.#dispatcher.removePlan(plan.key);
          break;
        case 'ticket.stop': // found again by what changed, when the batch is true
        case 'refuse':
      }
    }
  }

  /** The scheduler hears of each attempt that begins or ends, by the event that says it and names the agent. */
  #trackAttempt({ plan, specs }: DraftPlan, type: string, n: number, agent: string): void {
    const { key, instance } = plan;
    const run = { plan: key, n, instance, spec: specs[n], agent, at: this.at };
    if (type === 'ticket.leased' || type === 'ticket.copied') {
      this.#dispatcher.began(run);
      this.undo.push(() => this.#dispatcher.unassign(key, n, agent));
    } else {
      this.#dispatcher.ended(key, n, agent, this.at, RESULTS.has(type));
      const ticket = plan.state.tickets[n];
      const began = ticket && attemptsOf(ticket).find((attempt) => attempt.agent === agent);
      this.undo.push(() => this.#dispatcher.resumed({ ...run, at: began?.startedAt ?? this.at }, this.at));
    }
  }

  #aboutPlan({ specs }: DraftPlan, type: string, data: Record<string, unknown>): Record<string, unknown> {
    if (type !== 'plan.ticketed') return data;
    const types: Record<string, number> = {};
    for (const { task_type } of specs) types[task_type] = (types[task_type] ?? 0) + 1;
    return { ...data, types, risk_band: specs[0]?.risk_band };
  }

  #aboutTicket(
    { plan, specs, after }: DraftPlan,
    type: string,
    n: number,
    data: Record<string, unknown>,
  ): Record<string, unknown> {
    const { task_id, risk_band } = specs[n];
    if (type === 'ticket.completed') {
      const usage = this.usage.get(`${plan.key}/${n}`);
      const slack_ms = after.tickets[n].deadline - this.at;
      return { task: task_id, ...data, slack_ms, ...(usage === undefined ? {} : { usage }) };
    }
    return type === 'ticket.late' ? { task: task_id, ...data, risk_band } : { task: task_id, ...data };
  }

  #consolidate(draft: DraftPlan, who: By): void {
    const { plan } = draft;
    draft.consolidation = consolidate(draft.after, plan.created_at, this.at);
    if (draft.consolidation.inconsistencies.length > 0) {
      const incident = inconsistency(plan, draft.after, draft.consolidation, this.at);
      this.log(plan.instance, { type: 'incident.raised', ...ENGINE, plan: plan.plan_id, data: { incident } }, plan.key);
    }
    const decision = decide(draft.after, { type: 'consolidated', at: this.at, result: draft.consolidation });
    draft.after = decision.state;
    this.#carryOut(draft, decision.commands, who);
  }
}

/** Events at which an attempt ends that says something of its agent. */
const RESULTS: ReadonlySet<string> = new Set([
  'ticket.completed',
  'ticket.retrying',
  'ticket.failed',
  'ticket.copy_failed',
]);

type LeaseChange = { n: number; attempt: Attempt };

/** Leases that end, begin, and are told to stop when the draft becomes true. */
export function leaseChanges({ before, after }: DraftPlan): Record<'ended' | 'begun' | 'stopped', LeaseChange[]> {
  const changes = { ended: [] as LeaseChange[], begun: [] as LeaseChange[], stopped: [] as LeaseChange[] };
  const known = before?.tickets ?? [];
  for (let n = 0; n < after.tickets.length; n++) {
    const was = known[n];
    const is = after.tickets[n];
    if (was === is || (was?.status !== 'running' && is.status !== 'running')) continue;
    for (const attempt of was === undefined ? [] : attemptsOf(was))
      if (!isHeld(is, attempt.fence)) changes.ended.push({ n, attempt });
    const isStopped = is.note?.stopAt !== undefined && was?.note?.stopAt === undefined;
    for (const attempt of attemptsOf(is)) {
      if (was === undefined || !isHeld(was, attempt.fence)) changes.begun.push({ n, attempt });
      else if (isStopped) changes.stopped.push({ n, attempt });
    }
  }
  return changes;
}
