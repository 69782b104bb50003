import { Deadlines } from '../../platform/deadlines.ts';
import type { PlanWatch } from '../flow/flow-engine-options.ts';
import { attemptsOf } from '../flow/attempt.ts';
import { isOpen, type PlanState } from '../flow/flow-state.ts';
import { incidentOf } from '../flow/incident.ts';
import type { LivePlan } from '../flow/live-plan.ts';
import { ticketIdOf } from '../plans/plan.ts';
import { upwardRanks } from '../plans/upward-rank.ts';
import { idOfStart, type ForecastRange, type ForecastRecord } from '../scheduling/models/forecast-error.ts';
import {
  forecastPlan,
  forecastStarts,
  leftMs,
  type CompanyQueue,
  type OpenTicket,
  type PlanForecast,
} from '../scheduling/models/plan-forecast.ts';
import { nextSlaCheck, slaWarning, type SlaWarning } from '../scheduling/models/sla-warning.ts';
import type { Swarm } from './swarm.ts';

export type ForecasterOptions = {
  swarm: Swarm;
  now: () => number;
  /** Open plans of a company. */
  plansOf: (instance: string) => Iterable<LivePlan>;
};

export type PlanOutlook = {
  /** By when its last ticket should have ended, epoch ms; null = nothing of it is open. */
  deadline: number | null;
  forecast: PlanForecast;
  /** ms from now. */
  finish: ForecastRange;
  /** ms from now, of its next ticket that waits; null = none waits. */
  start: ForecastRange | null;
  warning: SlaWarning | null;
  record: ForecastRecord;
  /** Of the open tickets, from the first to the last. */
  criticalPath: OpenTicket[];
};

/** A plan's own forecast is remembered to be judged by its end, for one plan of a company in this time. */
const JUDGE_EVERY_MS = 200;
/** And for one plan of all companies in this time, as each look costs more the more companies there are. */
const JUDGE_ANY_EVERY_MS = 20;
/** Plans of a company that are looked at for one forecast; more are reckoned with in proportion. */
const MOST_PLANS = 2_000;
/** Looks in one turn of the flow, at most: the others follow in the next. */
const MOST_CHECKS = 100;
/** Tickets that an incident names, at most. */
const MOST_NAMED = 100;

/**
 * When plans end, and which deadlines are in danger: looks at each open plan when half of its time is spent, and again at
 * half of what is left. A warning is said once for each level. For a plan that ends before nothing is computed, but for the
 * few whose forecasts are judged by how they end.
 */
export class Forecaster implements PlanWatch {
  readonly #options: ForecasterOptions;
  readonly #checks = new Deadlines<LivePlan>();
  readonly #said = new Map<number, SlaWarning['level']>();
  readonly #open = new Set<number>();
  readonly #judgedAt = new Map<string, number>();
  #judgedAnyAt = -Infinity;
  /** By plan: the ticket whose start will show how right its forecast was. */
  readonly #judgedStart = new Map<number, number>();
  /** Work left of a plan by its state, which is another object after each change. */
  readonly #left = new WeakMap<PlanState, number>();

  constructor(options: ForecasterOptions) {
    this.#options = options;
  }

  opened(plan: LivePlan): void {
    if (this.#open.has(plan.key)) return;
    this.#open.add(plan.key);
    const now = this.#options.now();
    const deadline = deadlineOf(plan.state);
    const at = deadline === null ? null : nextSlaCheck(plan.created_at, deadline, now);
    if (at !== null) this.#checks.set(plan, at);
    const { instance } = plan;
    if (isWithin(JUDGE_ANY_EVERY_MS, this.#judgedAnyAt, now)) return;
    if (isWithin(JUDGE_EVERY_MS, this.#judgedAt.get(instance) ?? -Infinity, now)) return;
    this.#judgedAnyAt = now;
    this.#judgedAt.set(instance, now);
    const error = this.#options.swarm.forecastError;
    const { forecast, tickets, queue } = this.#forecast(plan, now);
    error.made('finish', String(plan.key), instance, now, forecast.finishMs);
    let first: [number, number] | null = null;
    for (const [n, startMs] of forecastStarts(tickets, queue))
      if (first === null || startMs < first[1]) first = [n, startMs];
    if (first === null) return;
    error.made('start', idOfStart(plan.key, first[0]), instance, now, first[1]);
    this.#judgedStart.set(plan.key, first[0]);
  }

  closed(plan: LivePlan, isOurs: boolean): void {
    const { key } = plan;
    this.#open.delete(key);
    this.#said.delete(key);
    this.#checks.delete(plan);
    const { swarm, now } = this.#options;
    const error = swarm.forecastError;
    if (isOurs && plan.state.status === 'completed') error.happened('finish', String(key), now());
    else error.dropped('finish', String(key));
    const n = this.#judgedStart.get(key);
    if (n !== undefined) error.dropped('start', idOfStart(key, n)); // when it never began
    this.#judgedStart.delete(key);
  }

  nextAt(): number {
    return this.#checks.next();
  }

  take(now: number): ReturnType<PlanWatch['take']> {
    const said: ReturnType<PlanWatch['take']>[number][] = [];
    for (const plan of this.#checks.take(now, MOST_CHECKS)) {
      const { warning, deadline } = this.outlook(plan, now);
      if (deadline === null) continue;
      const before = this.#said.get(plan.key);
      if (warning !== null && warning.level !== before && before !== 'certain') {
        this.#said.set(plan.key, warning.level);
        said.push(...eventsOf(plan, warning, deadline, now, before === undefined).map((event) => ({ plan, event })));
      }
      const again = nextSlaCheck(plan.created_at, deadline, now);
      if (again !== null && this.#said.get(plan.key) !== 'certain') this.#checks.set(plan, again);
    }
    return said;
  }

  /** What is expected of an open plan now, and why. */
  outlook(plan: LivePlan, now: number): PlanOutlook {
    const { forecastError: error, config } = this.#options.swarm;
    const { instance } = plan;
    const deadline = deadlineOf(plan.state);
    const { forecast, tickets, queue } = this.#forecast(plan, now);
    const finish = error.range('finish', instance, forecast.finishMs);
    const { finishMs: forecastMs, soonestMs } = forecast;
    const isLate = deadline !== null && deadline <= now;
    const warning =
      deadline === null || isLate
        ? null
        : slaWarning({ deadline, now, forecastMs, range: finish, soonestMs }, config.settings.sla);
    const starts = [...forecastStarts(tickets, queue).values()];
    const start = starts.length === 0 ? null : error.range('start', instance, Math.min(...starts));
    const record = error.record('finish', instance);
    return { deadline, forecast, finish, start, warning, record, criticalPath: criticalPathOf(plan.state, tickets) };
  }

  #forecast(plan: LivePlan, now: number): { forecast: PlanForecast; tickets: OpenTicket[]; queue: CompanyQueue } {
    const tickets = this.#openTickets(plan, now);
    const queue = this.#queueOf(plan, tickets, now);
    return { forecast: forecastPlan(tickets, queue), tickets, queue };
  }

  #openTickets({ state, specs, instance }: LivePlan, now: number): OpenTicket[] {
    const { knowledge } = this.#options.swarm;
    const open: OpenTicket[] = [];
    state.tickets.forEach((ticket, n) => {
      if (!isOpen(ticket.status)) return;
      const [attempt] = attemptsOf(ticket);
      open.push({
        n,
        deps: state.rules[n].deps,
        expectedMs: knowledge.base(specs[n], instance),
        elapsedMs: attempt === undefined ? null : Math.max(0, now - attempt.startedAt),
      });
    });
    return open;
  }

  #queueOf(plan: LivePlan, tickets: readonly OpenTicket[], now: number): CompanyQueue {
    const { plansOf, swarm } = this.#options;
    const { instance } = plan;
    const deadline = deadlineOf(plan.state) ?? Infinity;
    let aheadMs = 0;
    let seen = 0;
    let all = 0;
    for (const other of plansOf(instance)) {
      if (++all > MOST_PLANS) continue;
      seen++;
      const others = deadlineOf(other.state);
      if (other.key === plan.key || others === null || others > deadline) continue;
      aheadMs += this.#leftOf(other, now);
    }
    let slots = Infinity;
    for (const { n } of tickets) slots = Math.min(slots, swarm.scheduler.capacityFor(plan.specs[n], now));
    return {
      aheadMs: seen === 0 ? 0 : (aheadMs * all) / seen,
      weight: swarm.scheduler.weightOf(instance),
      others: swarm.otherLoads(instance, now),
      slots: slots === Infinity ? 0 : slots,
    };
  }

  #leftOf(plan: LivePlan, now: number): number {
    const known = this.#left.get(plan.state);
    if (known !== undefined) return known;
    let left = 0;
    for (const ticket of this.#openTickets(plan, now)) left += leftMs(ticket);
    this.#left.set(plan.state, left);
    return left;
  }
}

/** The longest path of what is left, from its first ticket to its last. */
function criticalPathOf({ dependents }: PlanState, tickets: readonly OpenTicket[]): OpenTicket[] {
  const open = new Map(tickets.map((ticket) => [ticket.n, ticket]));
  const ranks = upwardRanks(
    dependents,
    dependents.map((_, n) => (open.has(n) ? leftMs(open.get(n)!) : 0)),
  );
  const longest = (of: Iterable<number>): OpenTicket | undefined => {
    let best: number | null = null;
    for (const n of of) if (open.has(n) && (best === null || ranks[n] > ranks[best])) best = n;
    return best === null ? undefined : open.get(best);
  };
  const path: OpenTicket[] = [];
  for (let at = longest(open.keys()); at !== undefined; at = longest(dependents[at.n])) path.push(at);
  return path;
}

/** A clock that was set back ends every time. */
const isWithin = (ms: number, since: number, now: number): boolean => now >= since && now - since < ms;

/** By when the last open ticket should have ended; null = none is open. */
function deadlineOf({ tickets }: PlanState): number | null {
  let last: number | null = null;
  for (const { status, deadline } of tickets) if (isOpen(status) && (last === null || deadline > last)) last = deadline;
  return last;
}

function eventsOf(
  plan: LivePlan,
  { level, score, forecastMs, leftMs: left }: SlaWarning,
  deadline: number,
  now: number,
  first: boolean,
) {
  const data = {
    level,
    first,
    deadline,
    left_ms: left,
    // null = nobody can do what is left
    forecast_ms: Number.isFinite(forecastMs) ? Math.round(forecastMs) : null,
    score: Number.isFinite(score) ? Number(score.toFixed(3)) : null,
  };
  const warning = { type: 'plan.at_risk', data: data as Record<string, unknown> };
  if (level !== 'certain') return [warning];
  const open = plan.state.tickets.flatMap(({ status }, n) => (isOpen(status) ? [ticketIdOf(plan.key, n)] : []));
  const details = [
    `the deadline in ${Math.round(left)} ms will be missed: what is left takes ${Math.round(forecastMs)} ms`,
  ];
  const incident = incidentOf(
    plan,
    { incident_type: 'SLA_VIOLATION', severity: 'medium', details, affected_tickets: open.slice(0, MOST_NAMED) },
    now,
  );
  return [warning, { type: 'incident.raised', data: { incident } as Record<string, unknown> }];
}
