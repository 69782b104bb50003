import { Deadlines } from '../../platform/deadlines.ts';
import type { SettingsOf, SettingTable } from '../scheduling/setting.ts';

export const AGENT_LIFE_SETTINGS = {
  gone_after_intervals: {
    default: 2,
    min: 1.5,
    max: 100,
    what: 'Heartbeat intervals of silence after which an agent is gone and its leases end; suspect after three quarters.',
  },
  steady_after_intervals: {
    default: 60,
    min: 1,
    max: 10_000,
    what: 'Heartbeat intervals without going away after which earlier absences are forgotten.',
  },
  longest_hold_ms: {
    default: 300_000,
    min: 0,
    max: 86_400_000,
    what: 'Longest time that an agent which keeps going away waits for work after it came back, ms.',
  },
} as const satisfies SettingTable;

/** `suspect`: silent too long, gets nothing new. `gone`: silent for longer, its leases have ended. */
export type Life = 'alive' | 'suspect' | 'gone';

/** Signs of life of one agent. Times in epoch ms. */
export type LifeState = {
  life: Life;
  lastSeenAt: number;
  /** Its last own heartbeat; null = none yet. */
  lastBeatAt: number | null;
  /** It has sent two heartbeats within an interval: from then on it is held to that, open polls or not. */
  keepsInterval: boolean;
  /** Absences of late that cost something. */
  absences: number;
  goneAt: number | null;
  /** Back, and waits to be trusted again; 0 = it does not. */
  heldUntil: number;
  /** Its absence was reported, and its return was not yet. */
  isReported: boolean;
};

type Living = {
  life: LifeState;
  leases: ReadonlySet<unknown>;
  polls: ReadonlySet<unknown>;
  spec: { readonly kind: string };
};

/** What a look found. `gone` and `returned` are to be reported; `left` are all that are gone, reported or not. */
export type LifeChanges<A> = { suspected: A[]; left: A[]; gone: A[]; returned: A[]; opened: A[]; forgotten: A[] };

/** A gone agent is remembered for this long. */
const FORGET_MS = 3_600_000;

export const newLife = (now: number): LifeState => ({
  life: 'alive',
  lastSeenAt: now,
  lastBeatAt: null,
  keepsInterval: false,
  absences: 0,
  goneAt: null,
  heldUntil: 0,
  isReported: false,
});

/**
 * Who is alive: active → suspect → gone, by silence. A sign of life costs O(1) and moves no timer; an agent is looked at when
 * it could have been silent for too long. People are always alive, and so is an agent with an open poll until it has shown
 * that it keeps the heartbeat interval. An agent without heartbeats may be silent for a whole lease.
 * Growing waits bound what a flapping agent costs: at most one absence and one return are reported for each.
 * When a look comes late, this process was away or its clock leapt, and silence counts from then.
 */
export class AgentLives<A extends Living> {
  readonly #intervalMs: number;
  readonly #leaseMs: number;
  readonly #settings: SettingsOf<typeof AGENT_LIFE_SETTINGS>;
  readonly #looks = new Deadlines<A>();
  #awakeSince = 0;

  constructor(intervalMs: number, leaseMs: number, settings: SettingsOf<typeof AGENT_LIFE_SETTINGS>) {
    this.#intervalMs = intervalMs;
    this.#leaseMs = leaseMs;
    this.#settings = settings;
  }

  add(agent: A): void {
    if (agent.spec.kind === 'person') this.#looks.delete(agent);
    else this.#looks.set(agent, agent.life.lastSeenAt + this.#suspectMs(agent));
  }

  delete(agent: A): void {
    this.#looks.delete(agent);
  }

  /** When to look next; Infinity = never. */
  next(): number {
    return this.#looks.next();
  }

  /** The agent was heard of. True = that changed its life: it may be open again. */
  seen(agent: A, now: number, isBeat: boolean): boolean {
    const { life } = agent;
    life.lastSeenAt = now;
    if (isBeat) {
      const isNext = life.lastBeatAt !== null && now - life.lastBeatAt <= 1.5 * this.#intervalMs;
      if (isNext && !life.keepsInterval) {
        life.keepsInterval = true;
        this.#looks.set(agent, now + this.#suspectMs(agent));
      }
      life.lastBeatAt = now;
    }
    if (life.life === 'alive') return false;
    if (life.life === 'gone' && life.isReported) life.heldUntil = now + this.#holdMs(life);
    life.life = 'alive';
    this.#look(agent, now + this.#suspectMs(agent));
    return true;
  }

  /** Gives the agent no work until then. */
  hold(agent: A, until: number): void {
    agent.life.heldUntil = until;
    this.#looks.set(agent, until);
  }

  /** Looks at those whose time has come. */
  look(now: number): LifeChanges<A> {
    const changes: LifeChanges<A> = { suspected: [], left: [], gone: [], returned: [], opened: [], forgotten: [] };
    if (now - this.#looks.next() > this.#intervalMs / 2) this.#awakeSince = now;
    for (const agent of this.#looks.take(now)) this.#lookAt(agent, now, changes);
    return changes;
  }

  #lookAt(agent: A, now: number, changes: LifeChanges<A>): void {
    const { life } = agent;
    if (life.life === 'gone') {
      if (agent.leases.size === 0) changes.forgotten.push(agent);
      else this.#looks.set(agent, now + FORGET_MS);
      return;
    }
    if (life.heldUntil !== 0 && life.heldUntil <= now) {
      life.heldUntil = 0;
      changes.opened.push(agent);
      if (life.isReported) changes.returned.push(agent);
      life.isReported = false;
    }
    if (agent.spec.kind === 'person') return;
    if (life.lastSeenAt > now || (agent.polls.size > 0 && !life.keepsInterval)) life.lastSeenAt = now;
    const from = Math.max(life.lastSeenAt, this.#awakeSince);
    const suspectMs = this.#suspectMs(agent);
    if (now - from < suspectMs) {
      life.life = 'alive';
      return this.#look(agent, from + suspectMs);
    }
    if (now - from < this.#goneMs(agent)) {
      if (life.life === 'alive') changes.suspected.push(agent);
      life.life = 'suspect';
      return this.#look(agent, from + this.#goneMs(agent));
    }
    this.#leave(agent, now, changes);
  }

  #leave(agent: A, now: number, changes: LifeChanges<A>): void {
    const { life } = agent;
    const hasCost = life.keepsInterval || agent.leases.size > 0;
    const steadyMs = this.#settings.steady_after_intervals * this.#intervalMs;
    if (life.goneAt === null || now - life.goneAt > steadyMs + this.#holdMs(life)) life.absences = 0;
    if (hasCost) {
      life.absences++;
      if (!life.isReported) changes.gone.push(agent);
      life.isReported = true;
      life.goneAt = now;
    }
    life.life = 'gone';
    life.keepsInterval = false;
    life.lastBeatAt = null;
    life.heldUntil = 0;
    changes.left.push(agent);
    this.#looks.set(agent, now + FORGET_MS);
  }

  /** At the time given, or when its hold ends before. */
  #look(agent: A, at: number): void {
    const { heldUntil } = agent.life;
    this.#looks.set(agent, heldUntil === 0 ? at : Math.min(at, heldUntil));
  }

  #goneMs({ life }: A): number {
    const ms = this.#settings.gone_after_intervals * this.#intervalMs;
    return life.keepsInterval ? ms : Math.max(ms, this.#leaseMs);
  }

  #suspectMs(agent: A): number {
    return 0.75 * this.#goneMs(agent);
  }

  /** None after the first absence, then an interval, two, four … */
  #holdMs({ absences }: LifeState): number {
    if (absences <= 1) return 0;
    return Math.min(this.#settings.longest_hold_ms, this.#intervalMs * 2 ** Math.min(absences - 2, 30));
  }
}
