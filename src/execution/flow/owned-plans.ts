import { Deadlines } from '../../platform/deadlines.ts';
import type { Lease } from '../agents/agent.ts';
import type { AgentRegistry } from '../agents/agent-registry.ts';
import { leaseIdOf } from '../plans/plan.ts';
import type { Dispatcher } from '../scheduling/dispatcher.ts';
import { attemptsOf } from './attempt.ts';
import { leaseChanges, type FlowBatch } from './flow-batch.ts';
import { isEnded, type Attempt, type PlanState } from './flow-state.ts';
import type { PlanWatch } from './flow-engine-options.ts';
import type { CompanyStanding } from './company-standing.ts';
import type { LoadedCompany } from './flow-store.ts';
import { isPlanChanged, type DraftPlan, type LivePlan } from './live-plan.ts';
import { remember, type OwnedCompany } from './owned-company.ts';
import { OpenTickets } from './open-tickets.ts';
import { readyTicketOf } from './ready-ticket-of.ts';

/** The memory of a company's writer: its companies, their open plans, what is ready, and what is due. */
export class OwnedPlans {
  readonly companies = new Map<string, OwnedCompany>();
  readonly plans = new Map<number, LivePlan>();
  /** When each plan wants to be woken. */
  readonly timers = new Deadlines<number>();
  readonly #registry: AgentRegistry;
  readonly #dispatcher: Dispatcher;
  readonly #watch: PlanWatch | undefined;

  constructor(registry: AgentRegistry, dispatcher: Dispatcher, watch?: PlanWatch) {
    this.#registry = registry;
    this.#dispatcher = dispatcher;
    this.#watch = watch;
  }

  /** A company with its open plans, as the database holds them; leases of running tickets are granted again. */
  takeUp({ name, no, standing, head, plans }: LoadedCompany, now: number): void {
    const open = new OpenTickets();
    this.companies.set(name, { name, no, standing, head, plans: new Set(), open, known: new Map() });
    for (const plan of plans) {
      this.plans.set(plan.key, plan);
      open.count += plan.state.open;
      this.#keep(plan, plan.state);
      plan.state.tickets.forEach((ticket, n) => {
        attemptsOf(ticket).forEach((attempt) => {
          this.#grant(plan, n, attempt, plan.state);
          const { agent, startedAt: at } = attempt;
          this.#dispatcher.began({ plan: plan.key, n, instance: name, spec: plan.specs[n], agent, at });
        });
      });
      this.ripen(plan, now);
    }
  }

  drop(name: string): void {
    const company = this.companies.get(name);
    if (company === undefined) return;
    const keys = new Set([...company.plans].map((plan) => plan.key));
    for (const key of keys) {
      const plan = this.plans.get(key)!;
      plan.state.tickets.forEach((ticket, n) => {
        for (const { agent } of attemptsOf(ticket)) this.#dispatcher.unassign(key, n, agent);
      });
      this.#watch?.closed(plan, false);
      this.#dispatcher.removePlan(key);
      this.timers.delete(key);
      this.plans.delete(key);
    }
    this.#registry.forget((lease) => keys.has(lease.plan));
    this.companies.delete(name);
  }

  /** A plan that is not open, for an event that may open it; it goes with its company. */
  hold(plan: LivePlan, company: OwnedCompany): void {
    if (this.plans.has(plan.key)) return;
    this.plans.set(plan.key, plan);
    company.plans.add(plan);
  }

  /** Nothing happens while the plan is open. */
  letGo(key: number): void {
    const plan = this.plans.get(key);
    if (plan === undefined || !isEnded(plan.state.status)) return;
    this.plans.delete(key);
    this.timers.delete(key);
    this.#watch?.closed(plan, true);
    this.companies.get(plan.instance)?.plans.delete(plan);
  }

  /** False: tickets of the company do not begin now. */
  starts(instance: string): boolean {
    return this.companies.get(instance)?.standing === 'active';
  }

  /** What waits of a company goes out of the scheduler, or comes in again; what runs goes on. */
  stand(instance: string, standing: CompanyStanding, now: number): void {
    const company = this.companies.get(instance);
    if (company === undefined || company.standing === standing) return;
    company.standing = standing;
    for (const plan of company.plans) this.ripen(plan, now);
  }

  /** Puts the ready tickets and the timer of a plan where they belong by its state. */
  ripen(plan: LivePlan, now: number): void {
    const { key, state, specs } = plan;
    this.#dispatcher.removePlan(key);
    const isHeld = state.control.paused || !this.starts(plan.instance);
    state.tickets.forEach(({ status }, n) => {
      if (status !== 'ready' || isHeld) return;
      this.#dispatcher.add(readyTicketOf({ plan, state, specs }, n, null, this.#dispatcher), now);
    });
    if (state.timerAt !== null) this.timers.set(key, state.timerAt);
  }

  /** The next batch follows the rows of this one. */
  advanceHeads(batch: FlowBatch): void {
    for (const row of batch.rows) {
      const company = this.companies.get(row.instance);
      if (company === undefined) continue;
      const before = company.head;
      company.head = { seq: row.seq, events: row.events, plans: row.given, hash: row.hash };
      batch.undo.push(() => (company.head = before));
    }
  }

  /** Memory goes ahead of the database, for the next batch to build on; `undo` of the batch takes it back. */
  promote(batch: FlowBatch): void {
    for (const draft of batch.drafts.values()) {
      const { plan } = draft;
      const { state, specs, rev } = plan;
      Object.assign(plan, { state: draft.after, specs: draft.specs, rev: rev + Number(isPlanChanged(draft)) });
      const isNew = !this.plans.has(plan.key);
      this.plans.set(plan.key, plan);
      batch.undo.push(() => {
        Object.assign(plan, { state, specs, rev });
        if (isNew) this.plans.delete(plan.key);
      });
    }
    for (const [name, change] of batch.opened) {
      const company = this.companies.get(name);
      if (company === undefined) continue;
      company.open.count += change;
      batch.undo.push(() => (company.open.count -= change));
    }
  }

  /** Memory as it was before the batch. */
  takeBack(batch: FlowBatch): void {
    for (const undo of batch.undo.splice(0).reverse()) undo();
    for (const key of batch.drafts.keys()) this.#dispatcher.removePlan(key);
  }

  /** The batch is true: leases end and begin, timers run, plans that ended go. */
  settle(batch: FlowBatch): void {
    const granted = new Map<string, Lease[]>();
    for (const draft of batch.drafts.values()) {
      for (const lease of this.#changeLeases(draft)) {
        const leases = granted.get(lease.agent);
        if (leases) leases.push(lease);
        else granted.set(lease.agent, [lease]);
      }
      this.#keep(draft.plan, draft.after);
      this.companies.get(draft.plan.instance)?.open.ended(endsOf(draft), batch.at);
    }
    this.setTimers(batch);
    for (const [agent, leases] of granted) batch.undelivered.push(...this.#registry.deliver(agent, leases));
  }

  setTimers(batch: FlowBatch): void {
    for (const [key, at] of batch.timers) if (this.plans.has(key)) this.timers.set(key, at);
  }

  #changeLeases(draft: DraftPlan): Lease[] {
    const { plan, after } = draft;
    const { ended, begun, stopped } = leaseChanges(draft);
    for (const { n, attempt } of ended) this.#registry.end(leaseIdOf(plan.key, n, attempt.fence));
    for (const { n, attempt } of stopped) {
      const lease = this.#registry.lease(leaseIdOf(plan.key, n, attempt.fence));
      if (lease) lease.stop = true;
    }
    return begun.map(({ n, attempt }) => this.#grant(plan, n, attempt, after));
  }

  #grant({ key }: LivePlan, n: number, { fence, agent, startedAt }: Attempt, state: PlanState): Lease {
    const { attempt, note } = state.tickets[n];
    const until = startedAt + state.rules[n].timeoutMs;
    const lease = { leaseId: leaseIdOf(key, n, fence), plan: key, n, fence, attempt, agent, until };
    return this.#registry.grant(lease, note?.stopAt !== undefined);
  }

  #keep(plan: LivePlan, { status }: PlanState): void {
    const company = this.companies.get(plan.instance);
    if (company === undefined) return;
    const { key, digest, rev } = plan;
    const known = company.known.get(plan.plan_id);
    if (known) Object.assign(known, { status, rev });
    else remember(company, plan.plan_id, { key, digest, status, rev, invalid: false, faults: [] });
    if (isEnded(status)) this.letGo(key);
    else {
      company.plans.add(plan);
      this.#watch?.opened(plan);
    }
  }
}

/** Tickets that came to an end with the draft. */
function endsOf({ before, after }: DraftPlan): number {
  const made = after.tickets.length - (before?.tickets.length ?? 0);
  return Math.max(0, (before?.open ?? 0) + made - after.open);
}
