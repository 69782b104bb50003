import type { SchedulerAgent } from '../scheduler-agent.ts';
import { defaultsOf, type SettingsOf, type SettingTable } from '../setting.ts';

export const BURST_SETTINGS = {
  openSeconds: {
    default: 120,
    min: 0.1,
    max: 86_400,
    what: 'Seconds of backlog of a class from which burst agents join',
  },
  openAfterMs: { default: 30_000, min: 0, max: 3_600_000, what: 'How long the backlog must last before they join, ms' },
  closeSeconds: { default: 30, min: 0, max: 86_400, what: 'Seconds of backlog below which they leave' },
  minStayMs: { default: 300_000, min: 0, max: 86_400_000, what: 'Time they stay at least, ms' },
  agentSecondsPerDay: {
    default: 86_400,
    min: 0,
    max: 1e9,
    what: 'Seconds that burst agents may be joined in a UTC day, in all',
  },
  activationsPerDay: { default: 48, min: 0, max: 1e6, what: 'Times that they may join in a UTC day' },
} as const satisfies SettingTable;
export type BurstSettings = SettingsOf<typeof BURST_SETTINGS>;

/** absent: no agent is labelled burst; spent: the budget of the day is used up. */
export type BurstState = 'absent' | 'closed' | 'open' | 'spent';

export type BurstEvent = {
  /** Epoch ms. */
  at: number;
  /** The class of tickets that the burst agents join or leave. */
  class: string;
  kind: 'activated' | 'deactivated';
  why: 'backlog' | 'backlog is gone' | 'budget of the day is spent';
  /** Seconds of backlog of the class then. */
  seconds: number;
};

export type BurstSnapshot = {
  /** UTC day since 1970, and what is used of its budget. */
  day: number;
  agentSeconds: number;
  activationsToday: number;
  open: { class: string; since: number }[];
};

const DAY_MS = 86_400_000;
/** A longer silence between ticks (the process was down) is not charged: nobody worked then. */
const MAX_CHARGED_MS = 60_000;

export const isBurst = (agent: Pick<SchedulerAgent, 'labels'>): boolean => agent.labels.burst === 'true';

/**
 * When the agents labelled burst="true" help: they join a class whose backlog stays long, and leave when it is short
 * again, within a budget for each UTC day. State: the classes with a long backlog.
 */
export class BurstPool {
  readonly #settings: BurstSettings;
  /** Class → since when its backlog is long. */
  readonly #long = new Map<string, number>();
  /** Class → since when it is open. */
  readonly #open = new Map<string, number>();
  #agents = 0;
  #day: number;
  #agentSeconds: number;
  #activationsToday: number;
  #at: number | null = null;

  constructor(settings: BurstSettings = defaultsOf(BURST_SETTINGS), snapshot: Partial<BurstSnapshot> = {}) {
    this.#settings = settings;
    this.#day = snapshot.day ?? 0;
    this.#agentSeconds = snapshot.agentSeconds ?? 0;
    this.#activationsToday = snapshot.activationsToday ?? 0;
    for (const one of snapshot.open ?? []) this.#open.set(one.class, one.since);
  }

  /** May burst agents take tickets of the class now? O(1). */
  isOpen(key: string): boolean {
    return this.#open.has(key);
  }

  get state(): BurstState {
    if (this.#open.size > 0) return 'open';
    if (this.#agents === 0) return 'absent';
    return this.#isSpent() ? 'spent' : 'closed';
  }

  /**
   * Call every second or so. `classes`: seconds of backlog of each (a class not there has none); `agents`: how many burst
   * agents there are, joined or not.
   */
  tick(classes: readonly { class: string; seconds: number }[], agents: number, now: number): BurstEvent[] {
    this.#charge(now);
    this.#agents = agents;
    this.#at = now;
    const seconds = new Map(classes.map((one) => [one.class, one.seconds]));
    return [...this.#close(seconds, now), ...this.#activate(seconds, now)];
  }

  snapshot(): BurstSnapshot {
    return {
      day: this.#day,
      agentSeconds: this.#agentSeconds,
      activationsToday: this.#activationsToday,
      open: [...this.#open].map(([key, since]) => ({ class: key, since })),
    };
  }

  #charge(now: number): void {
    const day = Math.floor(now / DAY_MS);
    if (day > this.#day) {
      this.#agentSeconds = 0;
      this.#activationsToday = 0;
      this.#day = day;
    } else if (day < this.#day - 1) this.#day = day; // A clock that swings over midnight must not fill the budget again.
    if (this.#open.size === 0 || this.#at === null) return;
    this.#agentSeconds += (this.#agents * Math.min(MAX_CHARGED_MS, Math.max(0, now - this.#at))) / 1000;
  }

  #close(seconds: ReadonlyMap<string, number>, now: number): BurstEvent[] {
    const events: BurstEvent[] = [];
    const broke = this.#agentSeconds >= this.#settings.agentSecondsPerDay;
    for (const [key, opened] of this.#open) {
      const since = Math.min(opened, now);
      this.#open.set(key, since);
      const left = seconds.get(key) ?? 0;
      const done = left < this.#settings.closeSeconds && now - since >= this.#settings.minStayMs;
      if (!broke && !done) continue;
      this.#open.delete(key);
      const why = broke ? 'budget of the day is spent' : 'backlog is gone';
      events.push({ at: now, class: key, kind: 'deactivated', why, seconds: left });
    }
    return events;
  }

  #activate(seconds: ReadonlyMap<string, number>, now: number): BurstEvent[] {
    const events: BurstEvent[] = [];
    for (const key of this.#long.keys()) {
      if ((seconds.get(key) ?? 0) < this.#settings.openSeconds) this.#long.delete(key);
    }
    for (const [key, backlog] of seconds) {
      if (backlog < this.#settings.openSeconds || this.#open.has(key)) continue;
      const since = Math.min(this.#long.get(key) ?? now, now);
      this.#long.set(key, since);
      if (this.#agents === 0 || now - since < this.#settings.openAfterMs || this.#isSpent()) continue;
      this.#open.set(key, now);
      this.#activationsToday++;
      events.push({ at: now, class: key, kind: 'activated', why: 'backlog', seconds: backlog });
    }
    return events;
  }

  #isSpent(): boolean {
    const { agentSecondsPerDay, activationsPerDay } = this.#settings;
    return this.#agentSeconds >= agentSecondsPerDay || this.#activationsToday >= activationsPerDay;
  }
}
