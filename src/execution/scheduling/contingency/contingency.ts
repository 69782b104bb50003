import type { SchedulerAgent } from '../scheduler-agent.ts';
import { BurstPool, isBurst, type BurstEvent, type BurstSettings, type BurstSnapshot } from './burst-pool.ts';
import {
  degrade,
  degradationSteps,
  isActive,
  NOT_DEGRADED,
  refusal,
  type DegradationInput,
  type DegradationName,
  type DegradationSettings,
  type DegradationState,
  type DegradationStep,
} from './degradation.ts';
import { Saturation, type ClassLoad, type SaturationSettings } from './saturation.ts';

export type ContingencySettings = {
  saturation: SaturationSettings;
  burst: BurstSettings;
  degradation: DegradationSettings;
};

export type ContingencySnapshot = { burst: Partial<BurstSnapshot>; degradation: DegradationState };

/** Something of the contingency has changed, to be journalled. */
export type ContingencyEvent =
  | ({ type: 'burst' } & BurstEvent)
  | { type: 'degradation'; at: number; from: number; to: number; level: string };

/** Agents of another Colmeia, which work when nothing else can. */
export const isLastResort = (agent: Pick<SchedulerAgent, 'labels'>): boolean => agent.labels.last_resort === 'true';
/** People who may be offered tickets that did not ask for a person. */
const isFallback = (agent: Pick<SchedulerAgent, 'labels' | 'kind'>): boolean =>
  agent.kind === 'person' && agent.labels.fallback === 'true';

/**
 * What happens when there is more work than agents: how full the fleet is, whether the burst pool helps, and how far the
 * published order of degradation has gone. State: the classes with a backlog.
 */
export class Contingency {
  #settings: ContingencySettings;
  #saturation: Saturation;
  #burst: BurstPool;
  #state: DegradationState;
  #input: DegradationInput = { level: 'normal', burst: 'absent', secondary: false, people: false };

  constructor(settings: ContingencySettings, snapshot: Partial<ContingencySnapshot> = {}) {
    this.#settings = settings;
    this.#saturation = new Saturation(settings.saturation);
    this.#burst = new BurstPool(settings.burst, snapshot.burst);
    this.#state = snapshot.degradation ?? NOT_DEGRADED;
  }

  /** What was measured is measured anew; where things stand they stay. */
  configure(settings: ContingencySettings): void {
    this.#settings = settings;
    this.#saturation = new Saturation(settings.saturation);
    this.#burst = new BurstPool(settings.burst, this.#burst.snapshot());
  }

  /** Call every second or so. `capacity`: slots × speed that there are in ordinary times, each agent's once. */
  tick(
    loads: readonly ClassLoad[],
    capacity: number,
    agents: Iterable<SchedulerAgent>,
    now: number,
  ): ContingencyEvent[] {
    this.#saturation.observe(loads, capacity, now);
    let burst = 0;
    let secondary = false;
    let people = false;
    for (const agent of agents) {
      if (!agent.open) continue;
      if (isBurst(agent)) burst++;
      secondary ||= isLastResort(agent);
      people ||= isFallback(agent);
    }
    const drains = this.#saturation.classes().map(({ class: key, seconds }) => ({ class: key!, seconds }));
    const events: ContingencyEvent[] = this.#burst
      .tick(drains, burst, now)
      .map((event) => ({ type: 'burst', ...event }));
    const { level } = this.#saturation.drain(null);
    this.#input = { level, burst: this.#burst.state, secondary, people };
    const before = this.#state.step;
    this.#state = degrade(this.#state, this.#input, now, this.#settings.degradation);
    const { step } = this.#state;
    if (step !== before) events.push({ type: 'degradation', at: now, from: before, to: step, level });
    return events;
  }

  isActive(name: DegradationName): boolean {
    return isActive(name, this.#state, this.#input);
  }

  burstOpen(key: string): boolean {
    return this.#burst.isOpen(key);
  }

  /** May agents of last resort take tickets of the class? At its step, or when the class alone is overloaded. */
  lastResortOpen(key: string): boolean {
    return this.isActive('secondary-cluster') || this.#saturation.drain(key).level === 'overloaded';
  }

  get step(): number {
    return this.#state.step;
  }

  /** Nothing of it is in force that time would end. */
  get isCalm(): boolean {
    return this.#state.step === 0 && this.#burst.state !== 'open';
  }

  steps(): DegradationStep[] {
    return degradationSteps(this.#state, this.#input);
  }

  /** Whether a new decision is refused now; null = it is taken. */
  refusal(company: { tier: string; open: number; share: number }): { retryAfterMs: number } | null {
    const { seconds } = this.#saturation.drain(null);
    return refusal(this.#state, { ...company, drainSeconds: seconds });
  }

  snapshot(): ContingencySnapshot {
    return { burst: this.#burst.snapshot(), degradation: this.#state };
  }
}
