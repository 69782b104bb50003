import type { TicketSpec } from '../../plans/ticket.ts';
import { defaultsOf, type SettingsOf, type SettingTable } from '../setting.ts';
import type { BurstState } from './burst-pool.ts';
import { SATURATION_LEVELS, type SaturationLevel } from './saturation.ts';

/** The published order in which service is reduced when there is more work than agents. Each step adds to those before. */
export const DEGRADATION_ORDER = [
  { step: 1, name: 'no-exploration', from: 'busy', what: 'Exploration and speculative copies stop.' },
  { step: 2, name: 'burst-pool', from: 'saturated', what: 'Agents labelled burst join the classes that need them.' },
  { step: 3, name: 'best-effort-waits', from: 'saturated', what: 'Tickets of low priority and low risk wait.' },
  { step: 4, name: 'secondary-cluster', from: 'overloaded', what: 'Tickets are diverted to a secondary cluster.' },
  { step: 5, name: 'people', from: 'overloaded', what: 'Tickets are offered to people.' },
  {
    step: 6,
    name: 'refuse-bronze',
    from: 'overloaded',
    what: 'New decisions of bronze companies over their share of the queue are refused, with Retry-After.',
  },
  {
    step: 7,
    name: 'refuse-silver',
    from: 'overloaded',
    what: 'The same for silver companies. Those of gold are refused at the cap of their queue only.',
  },
] as const satisfies readonly { step: number; name: string; from: SaturationLevel; what: string }[];
export type DegradationName = (typeof DEGRADATION_ORDER)[number]['name'];

/** What is served at every step. */
export const NEVER_DEGRADED = [
  'Results and heartbeats of agents are taken.',
  'Cancellations and approvals are taken.',
  'Everything can be read.',
  'Work that was accepted is never dropped.',
  'Decisions of gold companies are refused at the cap of their queue only.',
] as const;

export const DEGRADATION_SETTINGS = {
  riseAfterMs: { default: 20_000, min: 0, max: 3_600_000, what: 'Time that a step gets to work before the next, ms' },
  fallAfterMs: { default: 60_000, min: 0, max: 3_600_000, what: 'Time below a step before it is left, ms' },
} as const satisfies SettingTable;
export type DegradationSettings = SettingsOf<typeof DEGRADATION_SETTINGS>;

/** The highest step reached (0 = none) and when each one up to it was. Epoch ms; at most seven. */
export type DegradationState = {
  step: number;
  /** When the step changed last. */
  changedAt: number;
  /** Since when the level has asked for less; null = it does not. */
  lessSince: number | null;
  /** By step − 1. */
  since: number[];
};
export const NOT_DEGRADED: DegradationState = { step: 0, changedAt: 0, lessSince: null, since: [] };

/** What there is to fall back on. */
export type DegradationInput = {
  /** Of all classes together. */
  level: SaturationLevel;
  burst: BurstState;
  /** A secondary cluster is registered and open. */
  secondary: boolean;
  /** People are registered. */
  people: boolean;
};

/** One step as the API and `/ready` show it. */
export type DegradationStep = {
  step: number;
  name: DegradationName;
  what: string;
  active: boolean;
  /** Epoch ms; null = it is not reached. */
  since: number | null;
  why: string;
};

/**
 * The state after a measurement. Up one step at a time, each with time to work; a step with nothing behind it (no burst
 * agents, no people) costs no time. Down one at a time when less was asked for long enough.
 */
export function degrade(
  state: DegradationState,
  input: DegradationInput,
  now: number,
  settings: DegradationSettings = defaultsOf(DEGRADATION_SETTINGS),
): DegradationState {
  const asked = highestStep(input.level);
  const changedAt = Math.min(state.changedAt, now);
  if (asked > state.step) {
    const hold = state.step === 0 ? 0 : settings.riseAfterMs;
    if (now - changedAt < hold) return { ...state, changedAt, lessSince: null };
    let step = state.step + 1;
    while (step < asked && !isAvailable(step, input)) step++;
    const since = [...state.since, ...Array<number>(step - state.step).fill(now)];
    return { step, changedAt: now, lessSince: null, since };
  }
  if (asked === state.step) return state.lessSince === null ? state : { ...state, changedAt, lessSince: null };
  const lessSince = Math.min(state.lessSince ?? now, now);
  if (now - lessSince < settings.fallAfterMs) return { ...state, changedAt, lessSince };
  const step = state.step - 1;
  return { step, changedAt: now, lessSince: step > asked ? now : null, since: state.since.slice(0, step) };
}

/** The order with what is active now, since when and why. */
export function degradationSteps(state: DegradationState, input: DegradationInput): DegradationStep[] {
  return DEGRADATION_ORDER.map(({ step, name, from, what }) => ({
    step,
    name,
    what,
    active: isActive(name, state, input),
    since: step <= state.step ? state.since[step - 1] : null,
    why: reason(step, from, step <= state.step, input),
  }));
}

export function isActive(name: DegradationName, state: DegradationState, input: DegradationInput): boolean {
  // Burst agents come and go by the backlog of a class, not by this order.
  if (name === 'burst-pool') return input.burst === 'open';
  const step = DEGRADATION_ORDER.findIndex((one) => one.name === name) + 1;
  return step <= state.step && isAvailable(step, input);
}

/** Best effort: what waits first. */
export const isBestEffort = ({ priority, risk_band }: Pick<TicketSpec, 'priority' | 'risk_band'>): boolean =>
  priority === 'LOW' && risk_band === 'low';

/** Step from which new decisions of a tier are refused; a tier that is not here is as bronze. */
const REFUSED_FROM: ReadonlyMap<string, number> = new Map([
  ['bronze', 6],
  ['silver', 7],
  ['gold', Infinity],
]);
/** Room comes long before the whole backlog is gone. */
const RETRY_SHARE = 0.1;
const MIN_RETRY_MS = 1_000;
const MAX_RETRY_MS = 300_000;

/**
 * Whether a new decision of a company is refused now: how long to wait, or null = it is taken. `open` and `share`: its
 * open tickets, and how many are its part of the queue; `drainSeconds`: how long the backlog of all lasts.
 */
export function refusal(
  state: DegradationState,
  { tier, open, share, drainSeconds }: { tier: string; open: number; share: number; drainSeconds: number },
): { retryAfterMs: number } | null {
  if (state.step < (REFUSED_FROM.get(tier) ?? REFUSED_FROM.get('bronze')!) || open <= share) return null;
  return { retryAfterMs: Math.min(MAX_RETRY_MS, Math.max(MIN_RETRY_MS, Math.ceil(drainSeconds * 1000 * RETRY_SHARE))) };
}

function highestStep(level: SaturationLevel): number {
  const rank = SATURATION_LEVELS.indexOf(level);
  return DEGRADATION_ORDER.filter(({ from }) => SATURATION_LEVELS.indexOf(from) <= rank).length;
}

function isAvailable(step: number, { burst, secondary, people }: DegradationInput): boolean {
  const { name } = DEGRADATION_ORDER[step - 1];
  if (name === 'burst-pool') return burst === 'open' || burst === 'closed';
  if (name === 'secondary-cluster') return secondary;
  return name !== 'people' || people;
}

function reason(step: number, from: SaturationLevel, reached: boolean, input: DegradationInput): string {
  const { name } = DEGRADATION_ORDER[step - 1];
  if (name === 'burst-pool' && input.burst !== 'closed') {
    if (input.burst === 'absent') return 'No agent is labelled burst.';
    return input.burst === 'open' ? 'The backlog of a class is long.' : 'The burst budget of the day is spent.';
  }
  if (name === 'burst-pool') return 'No class has had a long backlog for long enough.';
  if (!reached) return `Begins when the fleet stays ${from}.`;
  if (name === 'secondary-cluster' && !input.secondary) return 'No secondary cluster is registered and open.';
  if (name === 'people' && !input.people) return 'No people are registered.';
  return `The fleet is ${input.level}.`;
}
