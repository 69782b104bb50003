import { defaultsOf, type SettingsOf, type SettingTable } from '../setting.ts';
import { nextLevel, type SteadyLevel } from './steady-level.ts';

/** Work that waits in one class of tickets, and what can do it. */
export type ClassLoad = {
  class: string;
  /** Expected ms of the tickets that wait, on an agent of ordinary speed. */
  backlogMs: number;
  /** Slots × speed of the open agents that can do the class. Agents of several classes count in each. */
  capacity: number;
};

export const SATURATION_LEVELS = ['normal', 'busy', 'saturated', 'overloaded'] as const;
export type SaturationLevel = (typeof SATURATION_LEVELS)[number];

export const SATURATION_SETTINGS = {
  busySeconds: { default: 60, min: 0.1, max: 86_400, what: 'Seconds of backlog from which a class is busy' },
  saturatedSeconds: { default: 300, min: 0.1, max: 86_400, what: 'Seconds of backlog from which it is saturated' },
  overloadedSeconds: { default: 1_800, min: 0.1, max: 86_400, what: 'Seconds of backlog from which it is overloaded' },
  exitShare: { default: 0.5, min: 0, max: 1, what: 'Share of a threshold below which its level is left' },
  dwellMs: { default: 30_000, min: 0, max: 3_600_000, what: 'Time at a level before it is left downwards, ms' },
  smoothingMs: {
    default: 15_000,
    min: 0,
    max: 3_600_000,
    what: 'Half-life of the smoothing of the backlog seconds, ms',
  },
} as const satisfies SettingTable;
export type SaturationSettings = SettingsOf<typeof SATURATION_SETTINGS>;

/** What nothing can drain counts as a day of backlog, so that it can be compared and smoothed. */
export const MAX_DRAIN_SECONDS = 86_400;

/** How long the backlog lasts, smoothed (in logarithms, from calm), at most a day. `class` null = of all classes together. */
export type Drain = { class: string | null; seconds: number; level: SaturationLevel; since: number };

type Tracked = { seconds: number; steady: SteadyLevel };

/** How full the fleet is, per class and in all: backlog ÷ capacity, smoothed, with levels that do not flap. Soft state. */
export class Saturation {
  readonly #settings: SaturationSettings;
  readonly #classes = new Map<string, Tracked>();
  #all: Tracked | null = null;
  #at = -Infinity;

  constructor(settings: SaturationSettings = defaultsOf(SATURATION_SETTINGS)) {
    this.#settings = settings;
  }

  /**
   * Takes a measurement; call every second or so. `capacity`: slots × speed of all open agents, each once. A class that is
   * not in `loads` has no backlog and is forgotten when it is calm. A class that no agent can do is overloaded by itself;
   * it does not count in what is said of all, unless there is no agent at all: then the backlog is reckoned as for one slot,
   * so that a few tickets that wait for the first agent are no overload.
   */
  observe(loads: readonly ClassLoad[], capacity: number, now: number): void {
    const keep = this.#keep(now);
    const seen = new Set<string>();
    let backlogMs = 0;
    for (const load of loads) {
      seen.add(load.class);
      if (load.capacity > 0 || capacity <= 0) backlogMs += load.backlogMs;
      const tracked = this.#next(this.#classes.get(load.class), drainSeconds(load.backlogMs, load.capacity), keep, now);
      this.#classes.set(load.class, tracked);
    }
    for (const [key, tracked] of this.#classes) {
      if (seen.has(key)) continue;
      const next = this.#next(tracked, 0, keep, now);
      if (next.steady.level === 0 && next.seconds < 1) this.#classes.delete(key);
      else this.#classes.set(key, next);
    }
    this.#all = this.#next(this.#all ?? undefined, drainSeconds(backlogMs, capacity > 0 ? capacity : 1), keep, now);
    this.#at = now;
  }

  /** Of a class, or (null) of all together. O(1). */
  drain(key: string | null): Drain {
    const tracked = key === null ? this.#all : this.#classes.get(key);
    if (tracked === null || tracked === undefined) return { class: key, seconds: 0, level: 'normal', since: 0 };
    return view(key, tracked);
  }

  /** The classes with a backlog, or that had one just now. */
  classes(): Drain[] {
    return [...this.#classes].map(([key, tracked]) => view(key, tracked));
  }

  /** Share of the old value that stays. A clock set back counts as no time. */
  #keep(now: number): number {
    if (this.#settings.smoothingMs === 0) return 0;
    return this.#at === -Infinity ? 1 : 2 ** (-Math.max(0, now - this.#at) / this.#settings.smoothingMs);
  }

  #next(tracked: Tracked | undefined, measured: number, keep: number, now: number): Tracked {
    const { busySeconds, saturatedSeconds, overloadedSeconds } = this.#settings;
    // Logarithms, so that a moment without agents (a day of backlog) is not an hour of it for minutes.
    const seconds = Math.expm1(keep * Math.log1p(tracked?.seconds ?? 0) + (1 - keep) * Math.log1p(measured));
    const enter = [busySeconds, saturatedSeconds, overloadedSeconds];
    return {
      seconds,
      steady: nextLevel(tracked?.steady ?? { level: 0, since: now }, seconds, enter, this.#settings, now),
    };
  }
}

/** How long the capacity takes for the backlog, s; 0 without backlog, at most a day. */
export function drainSeconds(backlogMs: number, capacity: number): number {
  if (!(backlogMs > 0)) return 0;
  return capacity > 0 ? Math.min(MAX_DRAIN_SECONDS, backlogMs / capacity / 1000) : MAX_DRAIN_SECONDS;
}

const view = (key: string | null, { seconds, steady }: Tracked): Drain => ({
  class: key,
  seconds,
  level: SATURATION_LEVELS[steady.level],
  since: steady.since,
});
