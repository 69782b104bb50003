import type { Random } from '../../platform/clock.ts';
import { Contingency, type ContingencySnapshot } from '../scheduling/contingency/contingency.ts';
import type { Dispatcher, Run } from '../scheduling/dispatcher.ts';
import { Switchback, type SwitchbackSnapshot } from '../scheduling/experiments/switchback.ts';
import type { CompanyLoad } from '../scheduling/models/company-share.ts';
import { Demand } from '../scheduling/models/demand.ts';
import { ErrorBudget, type ErrorBudgetSnapshot, type ModeChange } from '../scheduling/models/error-budget.ts';
import { ForecastError, idOfStart, type ForecastErrorSnapshot } from '../scheduling/models/forecast-error.ts';
import { Knowledge, type KnowledgeSnapshot } from '../scheduling/models/knowledge.ts';
import { RecentMap } from '../scheduling/models/recent-map.ts';
import { targetOf } from '../scheduling/models/service-objectives.ts';
import { mayRunTwice, shouldCopy } from '../scheduling/models/speculation.ts';
import type { Outcome } from '../scheduling/outcome.ts';
import { policyOf, type Policy, type Preset } from '../scheduling/policy.ts';
import type { ReadyTicket } from '../scheduling/ready-ticket.ts';
import { Scheduler } from '../scheduling/scheduler.ts';
import type { Assignment } from '../scheduling/scheduling-cycle.ts';
import type { SchedulerAgent } from '../scheduling/scheduler-agent.ts';
import { SYSTEM_INSTANCE } from '../../trust/identity/principal.ts';
import { agentKeyOf } from '../agents/agent.ts';
import { RunningAttempts } from './running-attempts.ts';
import type { SchedulingConfig } from './scheduling-config.ts';
import { contingencyEvent, modeEvent, type SwarmEvent } from './swarm-event.ts';

/** Plain JSON; each part as bounded as its model. */
export type SwarmSnapshot = KnowledgeSnapshot & {
  budget?: ErrorBudgetSnapshot;
  contingency?: Partial<ContingencySnapshot>;
  forecasts?: Partial<ForecastErrorSnapshot>;
  debts?: Record<string, number>;
};

export type SwarmOptions = {
  config: SchedulingConfig;
  random: Random;
  tierOf: (instance: string) => string;
  snapshot?: SwarmSnapshot;
  experiment?: SwitchbackSnapshot | null;
  /** Something began that wants `tick` about once a second, until it says that it is calm. */
  onBusy: () => void;
};

const DOUBT_EVERY_MS = 600_000;
/** An attempt that cannot be copied now is looked at again. */
const LOOK_AGAIN_MS = 5_000;

/**
 * The live side of the scheduler, one for each process: the scheduler with everything that it learned and is told, as the
 * flow sees it. It has no I/O and no clock of its own: the flow, the agents' registry and a timer of the process call it.
 */
export class Swarm implements Dispatcher {
  readonly scheduler: Scheduler;
  readonly knowledge: Knowledge;
  readonly contingency: Contingency;
  readonly forecastError: ForecastError;
  #config: SchedulingConfig;
  #budget: ErrorBudget;
  #experiment: Switchback | null;
  readonly #options: SwarmOptions;
  readonly #attempts = new RunningAttempts();
  #experimentPreset: Preset | null;
  #applied: { name: string; policy: Policy } | null = null;
  readonly #demand = new Demand();
  /** When what was learned of a company's type was doubted last. */
  readonly #doubted = new RecentMap<number>(1_000);
  /** Changes of modes since the last tick. */
  #changes: ModeChange[] = [];

  constructor(options: SwarmOptions) {
    const { config, random, tierOf, snapshot = {}, experiment } = options;
    this.#options = options;
    this.#config = config;
    this.knowledge = new Knowledge(random, config.settings, snapshot);
    this.contingency = new Contingency(config.settings, snapshot.contingency);
    this.forecastError = new ForecastError(snapshot.forecasts);
    this.#budget = this.#newBudget(snapshot.budget);
    this.#experiment = experiment ? new Switchback(experiment) : null;
    this.#experimentPreset = (this.#experiment?.preset ?? null) as Preset | null;
    this.scheduler = new Scheduler({
      policy: config.policy,
      estimates: this.knowledge,
      random,
      tierOf,
      modeOf: (instance) => this.#budget.modeOf(instance),
      guard: (agent, type, now) => this.knowledge.guards.guardOf(agent, type, now),
      burstOpen: (key) => this.contingency.burstOpen(key),
      lastResortOpen: (key) => this.contingency.lastResortOpen(key),
      peopleOpen: () => this.contingency.isActive('people'),
    });
    if (snapshot.debts) this.scheduler.restoreDebts(snapshot.debts);
    this.#applyPolicy();
  }

  // — as the flow sees it ————————————————————————————————————————————————————————————————————————————————————

  get size(): number {
    return this.scheduler.size;
  }

  get wakeAt(): number | null {
    return this.scheduler.wakeAt;
  }

  get running(): number {
    return this.#attempts.size;
  }

  base(spec: Run['spec'], instance: string): number {
    return this.knowledge.base(spec, instance);
  }

  add(ticket: ReadyTicket, now: number): void {
    this.scheduler.add(ticket, now);
    this.#options.onBusy();
  }

  remove(plan: number, n: number): void {
    this.scheduler.remove(plan, n);
  }

  removePlan(plan: number): void {
    this.scheduler.removePlan(plan);
  }

  schedule(agents: readonly SchedulerAgent[], now: number, limit: number): Assignment[] {
    const assignments = this.scheduler.schedule(agents, now, limit);
    for (const { ticket, agent } of assignments) {
      const { plan, n, instance, spec } = ticket;
      this.#note({ plan, n, instance, spec, agent, at: now });
    }
    return assignments;
  }

  began(run: Run): void {
    this.scheduler.began(run);
    this.#note(run);
    this.#options.onBusy();
  }

  ended(plan: number, n: number, agent: string, at: number, hasResult: boolean): void {
    this.scheduler.ended(plan, n, agent, at);
    this.#forget(plan, n, agent, hasResult);
  }

  resumed(run: Run, endedAt: number): void {
    this.scheduler.resumed(run, endedAt);
    this.began(run); // the rest of what follows a beginning
  }

  unassign(plan: number, n: number, agent: string): void {
    this.scheduler.unassign(plan, n, agent);
    this.#forget(plan, n, agent, false);
  }

  #note(run: Run): void {
    const begun = this.#attempts.begin(run);
    if (begun === 'known') return;
    const { plan, n, agent, at, spec } = run;
    if (begun === 'new') this.knowledge.guards.began(agent, at);
    if (this.forecastError.awaits('start')) this.forecastError.happened('start', idOfStart(plan, n), at);
    // What ends sooner is not worth a bound.
    if (mayRunTwice(spec)) this.#attempts.lookAt(run, at + this.#config.settings.speculation.copies_min_ms + 1);
  }

  #forget(plan: number, n: number, agent: string, hasResult: boolean): void {
    if (this.#attempts.end(plan, n, agent, hasResult) && !hasResult) this.knowledge.guards.released(agent);
  }

  // — agents —————————————————————————————————————————————————————————————————————————————————————————————————

  /** null = it is not known any more. */
  setAgent(agent: SchedulerAgent | null, key: string): void {
    if (agent === null) {
      this.scheduler.removeAgent(key);
      this.knowledge.removeAgent(key);
      return;
    }
    this.knowledge.setAgent(agent);
    this.scheduler.setAgent(agent);
  }

  // — learning ———————————————————————————————————————————————————————————————————————————————————————————————

  /** `isOurs`: this process has run it, so that its company was charged already. */
  learn(outcome: Outcome, isOurs: boolean): void {
    const { at, instance, type, agent, durationMs, slackMs, result, spec, errorClass } = outcome;
    this.knowledge.observe(outcome);
    if (isOurs) this.#attempts.learned(outcome.plan, outcome.n, agent);
    if (!isOurs) this.scheduler.charge(instance, durationMs);
    this.#demand.add(instance, durationMs, at);
    if (slackMs === null) return;
    const onTime = result === 'completed' && slackMs >= 0;
    // A ticket that was bad from the start is no promise that was broken.
    if (errorClass !== 'poison' && errorClass !== 'auth') {
      const change = this.#budget.observe({ at, instance, type, onTime });
      if (change !== null && isOurs) this.#changes.push(change);
    }
    this.#experiment?.observe({
      startedAt: at - durationMs,
      onTime,
      latencyMs: spec.timeout_ms - slackMs, // the deadline stands so long after the plan began
      slackMs,
      cost: this.#costOf(agent, durationMs),
    });
  }

  /** An incident touched a task type of a company: what was learned of it weighs half, at most once in a while. */
  doubt(instance: string, type: string, at: number): void {
    const key = `${instance}\n${type}`;
    if (at - (this.#doubted.get(key) ?? -Infinity) < DOUBT_EVERY_MS) return;
    this.#doubted.put(key, at);
    this.knowledge.durations.doubt(type, instance);
  }

  /** The company is gone, or has another name: nothing that was learned of it stays under this one. */
  forget(instance: string): void {
    this.scheduler.forget(instance);
    this.knowledge.durations.forget(instance);
    this.knowledge.trails.forget(agentKeyOf(instance, ''));
    this.forecastError.forget(instance);
    this.#budget.forget(instance);
  }

  /** Work that an agent of a known price did, in the operator's currency; null = it has none. */
  #costOf(agent: string, durationMs: number): number | null {
    const perHour = this.scheduler.costPerHour(agent);
    return perHour > 0 ? (perHour * durationMs) / 3_600_000 : null;
  }

  /** The other companies of the same agents: what they have, and what they needed of late. */
  otherLoads(instance: string, now: number): CompanyLoad[] {
    return this.scheduler
      .loads()
      .filter((load) => load.instance !== instance)
      .map(({ instance: other, weight, waitingMs, runningMs }) => ({
        weight,
        backlogMs: waitingMs + runningMs,
        arriving: this.#demand.of(other, now),
      }));
  }

  // — as time goes by ————————————————————————————————————————————————————————————————————————————————————————

  /**
   * About once a second while there is work: what is to be written down, and whether all is calm now. `owns`: of the companies
   * that it does not write, another process says what changes, and of the fleet's own that runs the experiment.
   */
  tick(now: number, owns: (instance: string) => boolean): { events: SwarmEvent[]; calm: boolean } {
    const events = this.contingency
      .tick(this.scheduler.backlog(now), this.scheduler.capacity(now), this.scheduler.agents(), now)
      .map(contingencyEvent);
    for (const change of [...this.#changes.splice(0), ...this.#budget.tick(now)])
      if (owns(change.instance)) events.push(modeEvent(change));
    if (owns(SYSTEM_INSTANCE)) events.push(...this.#tickExperiment(now));
    this.#applyPolicy();
    const idle = this.scheduler.size === 0 && this.#attempts.size === 0;
    const calm = idle && this.contingency.isCalm && this.#budget.raised().length === 0 && !this.isExperimenting;
    return { events, calm };
  }

  /** Attempts that take too long, each with another agent, named once, for a copy: it begins before the next is asked for. */
  *takeOverdue(now: number, free: readonly SchedulerAgent[]): Generator<{ plan: number; n: number; agent: string }> {
    let left = free;
    const { speculation } = this.#config.settings;
    for (const run of this.#attempts.takeLooks(now)) {
      const { plan, n, spec, instance, agent, at } = run;
      const upperP95Ms = this.knowledge.upper(spec, instance, agent, 0.95, now);
      const attempts = this.#attempts.isCopied(run) ? 2 : 1;
      const seen = {
        spec,
        elapsedMs: now - at,
        upperP95Ms,
        attempts,
        running: this.running,
        copies: this.#attempts.copies,
      };
      const isWanted = !this.contingency.isActive('no-exploration') && shouldCopy(seen, speculation);
      const other = isWanted ? this.scheduler.placeCopy({ spec, instance, not: agent }, left, now) : null;
      if (other !== null) {
        left = left.filter(({ key }) => key !== other);
        yield { plan, n, agent: other };
      } else if (attempts === 1)
        this.#attempts.lookAt(run, at + upperP95Ms > now ? at + upperP95Ms + 1 : now + LOOK_AGAIN_MS);
    }
  }

  get overdueAt(): number {
    return this.#attempts.nextLook;
  }

  /** Whether a new decision of a company is refused now, because the fleet is far over what it can carry. */
  refusal(company: { instance: string; open: number; share: number }): { retryAfterMs: number } | null {
    return this.contingency.refusal({ ...company, tier: this.#options.tierOf(company.instance) });
  }

  // — what is in force ———————————————————————————————————————————————————————————————————————————————————————

  /** The preset in force: that of the configuration, or the one an experiment tries. */
  get preset(): Preset {
    return this.#experimentPreset ?? this.#config.policy.preset;
  }

  tierOf(instance: string): string {
    return this.#options.tierOf(instance);
  }

  get config(): SchedulingConfig {
    return this.#config;
  }

  /** Takes effect at the next cycle; what waits, runs, and was learned stays. */
  configure(config: SchedulingConfig): void {
    this.#config = config;
    this.knowledge.configure(config.settings);
    this.contingency.configure(config.settings);
    this.#budget = this.#newBudget(this.#budget.snapshot());
    this.#applyPolicy();
  }

  /** The policy of the configuration or of the experiment, less what the order of degradation takes away. */
  #applyPolicy(): void {
    const { policy } = this.#config;
    const preset = this.#experimentPreset;
    const chosen = preset === null ? policy : { ...policyOf(preset), caps: policy.caps, tiers: policy.tiers };
    const isNarrow = this.contingency.isActive('no-exploration');
    const isBestEffortLast = this.contingency.isActive('best-effort-waits');
    const name = `${preset} ${isNarrow} ${isBestEffortLast}`;
    if (name === this.#applied?.name && this.#applied.policy === policy) return;
    this.#applied = { name, policy };
    this.scheduler.policy = {
      ...chosen,
      exploration: chosen.exploration && !isNarrow,
      order: isBestEffortLast ? ['best-effort-last', ...chosen.order] : chosen.order,
    };
  }

  #newBudget(snapshot?: ErrorBudgetSnapshot): ErrorBudget {
    const { tierOf } = this.#options;
    const { objectives, settings } = this.#config;
    return new ErrorBudget({
      targetOf: (instance, type) => targetOf(objectives, instance, tierOf(instance), type),
      settings: settings.burn,
      snapshot,
    });
  }

  get budget(): ErrorBudget {
    return this.#budget;
  }

  // — experiments ————————————————————————————————————————————————————————————————————————————————————————————

  get experiment(): Switchback | null {
    return this.#experiment;
  }

  get isExperimenting(): boolean {
    return this.#experiment !== null && this.#experiment.result === null;
  }

  /** A new one; the one there was is forgotten. */
  begin(experiment: Switchback): void {
    this.#experiment = experiment;
    this.#options.onBusy();
  }

  /** As another process goes on with it, or it was kept; null = there is none. */
  follow(experiment: Switchback | null): void {
    this.#experiment = experiment;
    this.#experimentPreset = (experiment?.preset ?? null) as Preset | null;
    this.#applyPolicy();
    if (this.isExperimenting) this.#options.onBusy();
  }

  #tickExperiment(now: number): SwarmEvent[] {
    if (!this.isExperimenting) return [];
    const before = this.#experimentPreset;
    const { preset, result } = this.#experiment!.tick(now, this.#budget.worst(now).burn);
    this.#experimentPreset = preset as Preset | null;
    if (result !== null) return [{ instance: null, type: 'experiment.ended', data: { ...result } }];
    return preset === before ? [] : [{ instance: null, type: 'experiment.switched', data: { preset } }];
  }

  // — what survives ——————————————————————————————————————————————————————————————————————————————————————————

  snapshot(): Required<SwarmSnapshot> {
    return {
      ...this.knowledge.snapshot(),
      budget: this.#budget.snapshot(),
      contingency: this.contingency.snapshot(),
      forecasts: this.forecastError.snapshot(),
      debts: this.scheduler.debts(),
    };
  }
}
