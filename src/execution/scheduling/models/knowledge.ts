import type { Estimates } from '../estimates.ts';
import { typeOf, type Outcome } from '../outcome.ts';
import type { SchedulerAgent } from '../scheduler-agent.ts';
import { defaultsOf, type SettingsOf } from '../setting.ts';
import { AgentGuards, GUARD_SETTINGS, type GuardSettings, type GuardsSnapshot } from './agent-guards.ts';
import type { Random } from './draws.ts';
import { DURATION_SETTINGS, DurationModel, type DurationSnapshot } from './duration-model.ts';
import { RecentMap } from './recent-map.ts';
import { TRAIL_SETTINGS, type TrailSettings } from './trail-settings.ts';
import { Trails, type TrailsSnapshot } from './trails.ts';

export type KnowledgeSettings = {
  durations: SettingsOf<typeof DURATION_SETTINGS>;
  trails: TrailSettings;
  guards: GuardSettings;
};

/** Plain JSON, tolerant of what is missing; bounded as its parts are. */
export type KnowledgeSnapshot = {
  durations?: Partial<DurationSnapshot>;
  trails?: Partial<TrailsSnapshot>;
  guards?: Partial<GuardsSnapshot>;
};

const knowledgeSettings = (): KnowledgeSettings => ({
  durations: defaultsOf(DURATION_SETTINGS),
  trails: defaultsOf(TRAIL_SETTINGS),
  guards: defaultsOf(GUARD_SETTINGS),
});

/** Types of companies whose last poisoned agent is remembered. */
const POISONED = 5_000;
/** Share of an agent's slowness that is not the task's; less than all, so that the two cannot drift apart. */
const BLAME = 0.9;
/** Added to what an attempt took and should have taken: of a short one most is overhead, that says little of its agent. */
const OVERHEAD_MS = 10;
/** The same before an agent counts as overloaded: commits and the network may take this long when the control plane is busy. */
const BUSY_OVERHEAD_MS = 250;
/** Agents that lose attempts so shortly after one another, ms, have lost them to something between them and us. */
const OUTAGE_MS = 1_000;

/**
 * What is learned from attempts, joined: how long tickets take on an agent of ordinary speed, how each agent does by type,
 * and which agents need protection from work, or work from them. O(1) per call and per outcome.
 */
export class Knowledge implements Estimates {
  readonly durations: DurationModel;
  readonly trails: Trails;
  readonly guards: AgentGuards;
  readonly #random: Random;
  /** Of a company's type: the agent that refused a ticket as poison last. */
  readonly #poisoned = new RecentMap<string>(POISONED);
  /** The agent that lost an attempt last, and when another one did before it, epoch ms. */
  #lost = { agent: '', at: -Infinity, otherAt: -Infinity };

  constructor(random: Random, settings = knowledgeSettings(), snapshot: KnowledgeSnapshot = {}) {
    this.#random = random;
    this.durations = new DurationModel(settings.durations, snapshot.durations);
    this.trails = new Trails(settings.trails);
    this.trails.restore(snapshot.trails ?? null);
    this.guards = new AgentGuards(settings.guards);
    this.guards.restore(snapshot.guards ?? null);
  }

  /** What was learned stays. */
  configure({ durations, trails, guards }: KnowledgeSettings): void {
    this.durations.configure(durations);
    this.trails.configure(trails);
    this.guards.configure(guards);
  }

  base(spec: Outcome['spec'], instance: string): number {
    return this.durations.expect(spec, instance);
  }

  upper(spec: Outcome['spec'], instance: string, agent: string | null, p: number, now: number): number {
    const bound = this.durations.upper(spec, instance, p);
    return agent === null ? bound : bound * this.trails.factor(typeOf(spec), agent, now);
  }

  factor(type: string, agent: string, now: number): number {
    return this.trails.factor(type, agent, now);
  }

  success(type: string, agent: string, now: number): number {
    return this.trails.success(type, agent, now);
  }

  sample(type: string, agent: string, now: number): { factor: number; success: number } {
    return this.trails.sample(type, agent, now, this.#random);
  }

  /** An agent joins or changes: labels `speed` and `speed:<type>` are what it says of itself. */
  setAgent(agent: SchedulerAgent): void {
    this.trails.declare(agent.key, declaredSpeed(agent));
    this.guards.setAgent(agent);
  }

  removeAgent(key: string): void {
    this.trails.declare(key, null);
    this.guards.removeAgent(key);
  }

  /** An attempt ended. What it says of the task is freed of what is known of the agent, and the other way round. */
  observe(outcome: Outcome): void {
    const { at, instance, type, spec, agent, durationMs, result, errorClass, retryAfterMs } = outcome;
    if (this.#isOutage(outcome)) return this.guards.released(agent);
    const ok = result === 'completed';
    const took = Math.max(1, durationMs);
    const ordinary = took / this.trails.factor(type, agent, at) ** BLAME;
    let telling: number | null = null;
    let variance: number | undefined;
    let overload: number | null = null;
    if (ok) {
      // Against the median: against the mean, durations and factors would drive each other apart without end.
      const expected = this.durations.observe(spec, instance, at, ordinary);
      const { medianMs } = expected;
      variance = expected.variance;
      telling = Math.log((took + OVERHEAD_MS) / (medianMs + OVERHEAD_MS));
      overload = Math.log((took + BUSY_OVERHEAD_MS) / (medianMs + BUSY_OVERHEAD_MS));
    } else if (errorClass === 'timeout') this.durations.observe(spec, instance, at, ordinary, true);
    if (ok || this.#blames(instance, type, agent, errorClass))
      this.trails.observe({ at, type, agent, ok, logRatio: telling, variance });
    this.guards.ended({ at, agent, type, errorClass, logRatio: overload, retryAfterMs });
  }

  snapshot(): Required<KnowledgeSnapshot> {
    return { durations: this.durations.snapshot(), trails: this.trails.snapshot(), guards: this.guards.snapshot() };
  }

  /** Whether it was lost when another agent has just lost one too. What the first of them loses counts against it. */
  #isOutage({ isLost, agent, at }: Outcome): boolean {
    if (!isLost) return false;
    const last = this.#lost;
    this.#lost = { agent, at, otherAt: last.agent === agent ? last.otherAt : last.at };
    return Math.abs(at - this.#lost.otherAt) <= OUTAGE_MS;
  }

  /**
   * A quota is nobody's fault. When two agents refuse the poison of one company's type it is the company's, so that bad
   * tickets spoil no agent's name; an agent that refuses everything stays alone with it.
   */
  #blames(instance: string, type: string, agent: string, errorClass: Outcome['errorClass']): boolean {
    if (errorClass !== 'poison') return errorClass !== 'quota';
    const key = `${instance}\n${type}`;
    const last = this.#poisoned.get(key);
    this.#poisoned.put(key, agent);
    return last === undefined || last === agent;
  }
}

function declaredSpeed({ labels }: SchedulerAgent): ((type: string) => number | null) | null {
  if (!Object.keys(labels).some((label) => label === 'speed' || label.startsWith('speed:'))) return null;
  return (type) => {
    const speed = Number(labels[`speed:${type}`] ?? labels.speed);
    return speed > 0 && Number.isFinite(speed) ? speed : null;
  };
}
