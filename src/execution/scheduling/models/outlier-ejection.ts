import type { SettingsOf, SettingTable } from '../setting.ts';

export const OUTLIER_SETTINGS = {
  outlier_volume: { default: 8, min: 1, max: 19, what: 'Recent attempts (of about 20) before an agent can be ejected' },
  outlier_peers: { default: 2, min: 1, max: 1_000, what: 'Other agents of the type that it is compared to, at least' },
  outlier_deviations: {
    default: 2.5,
    min: 0.5,
    max: 20,
    what: 'Standard deviations below the mean of its peers’ success rates that make an outlier',
  },
  outlier_least_deviation: {
    default: 0.08,
    min: 0.001,
    max: 1,
    what: 'What a standard deviation is at least: agents that are nearly alike have no outliers',
  },
  outlier_most_deviation: {
    default: 0.15,
    min: 0.001,
    max: 1,
    what: 'What a standard deviation is at most: several bad agents do not hide each other',
  },
  outlier_max_share: { default: 0.1, min: 0, max: 1, what: 'Share of the agents of a type that may be ejected' },
  outlier_eject_ms: { default: 30_000, min: 100, max: 86_400_000, what: 'How long the first ejection lasts, ms' },
  outlier_eject_max_ms: { default: 600_000, min: 100, max: 86_400_000, what: 'How long an ejection lasts at most, ms' },
} as const satisfies SettingTable;
export type OutlierSettings = SettingsOf<typeof OUTLIER_SETTINGS>;

/** An agent as it does one type. */
type Member = {
  /** Recent attempts and successes, each weighing less with every new one. */
  attempts: number;
  successes: number;
  /** Its rate as it is part of the type's sums; null = it is not. */
  counted: number | null;
  /** Epoch ms; 0 = it is not ejected. */
  ejectedUntil: number;
  /** Ejections that it has not made good for. */
  times: number;
};
type Type = { members: Map<string, Member>; counted: number; sum: number; squares: number; ejected: Set<Member> };
type MemberSnapshot = [
  type: string,
  agent: string,
  attempts: number,
  successes: number,
  ejectedUntil: number,
  times: number,
];
/** At most 100 bytes and the names for each of 50,000 agents of a type. */
export type OutlierSnapshot = MemberSnapshot[];

const KEEP = 0.95;
const MAX_MEMBERS = 50_000;
/** Attempts after an ejection before the agent is judged again, and successes that make good for one ejection. */
const PROBATION = 3;
const MADE_GOOD = 10;

/**
 * Ejects agents that fail far more than their peers at the same type (Envoy's outlier detection): from the type, for a time
 * that grows with repeats, at most a tenth of the type's agents (one when there are few, none when it is alone). After it
 * the agent is on probation: a few outcomes decide. Each outcome costs O(1).
 */
export class OutlierEjection {
  #settings: OutlierSettings;
  readonly #types = new Map<string, Type>();
  #size = 0;
  /** Ejections that are in force, or were and nothing came of the agent since. */
  ejected = 0;

  constructor(settings: OutlierSettings) {
    this.#settings = settings;
  }

  configure(settings: OutlierSettings): void {
    this.#settings = settings;
  }

  /** Epoch ms until which the agent gets none of the type; 0 = it may. */
  ejectedUntil(type: string, agent: string, now: number): number {
    const of = this.#types.get(type);
    if (of === undefined || of.ejected.size === 0) return 0;
    const member = of.members.get(agent);
    return member !== undefined && this.#isEjected(member, now) ? member.ejectedUntil : 0;
  }

  /** True when this outcome ejected the agent. */
  observe({ at, type, agent, ok }: { at: number; type: string; agent: string; ok: boolean }): boolean {
    const member = this.#memberOf(type, agent);
    const of = this.#types.get(type)!;
    if (this.#isEjected(member, at)) return false; // of attempts from before
    if (member.ejectedUntil > 0) this.#readmit(of, member);
    this.#count(of, member, false);
    member.attempts = member.attempts * KEEP + 1;
    member.successes = member.successes * KEEP + Number(ok);
    if (ok && member.times > 0 && member.successes >= MADE_GOOD) {
      member.times--;
      member.successes = member.attempts = 0;
    }
    const volume = member.times > 0 ? PROBATION : this.#settings.outlier_volume;
    if (!ok && member.attempts >= volume - 0.5 && this.#isOutlier(of, member) && this.#mayEject(of, at)) {
      const { outlier_eject_ms, outlier_eject_max_ms } = this.#settings;
      member.ejectedUntil = at + Math.min(outlier_eject_max_ms, outlier_eject_ms * 2 ** member.times);
      member.times = Math.min(member.times + 1, 30);
      of.ejected.add(member);
      this.ejected++;
      return true;
    }
    this.#count(of, member, member.attempts > 0);
    return false;
  }

  /** Those ejected now. */
  list(now: number): { type: string; agent: string; until: number }[] {
    const found: { type: string; agent: string; until: number }[] = [];
    for (const [type, { members, ejected }] of this.#types) {
      if (ejected.size === 0) continue;
      for (const [agent, member] of members)
        if (this.#isEjected(member, now)) found.push({ type, agent, until: member.ejectedUntil });
    }
    return found;
  }

  snapshot(): OutlierSnapshot {
    const rows: OutlierSnapshot = [];
    for (const [type, { members }] of this.#types)
      for (const [agent, { attempts, successes, ejectedUntil, times }] of members)
        rows.push([type, agent, Number(attempts.toFixed(3)), Number(successes.toFixed(3)), ejectedUntil, times]);
    return rows;
  }

  /** In place of what is there; a row that is not as expected is left out. */
  restore(rows: readonly unknown[]): void {
    this.#types.clear();
    this.#size = this.ejected = 0;
    for (const row of rows) {
      if (!isRow(row)) continue;
      const [type, agent, attempts, successes, ejectedUntil, times] = row;
      const member = this.#memberOf(type, agent);
      const of = this.#types.get(type)!;
      Object.assign(member, { attempts, successes, ejectedUntil, times });
      if (ejectedUntil > 0) {
        of.ejected.add(member);
        this.ejected++;
      } else this.#count(of, member, attempts > 0);
    }
  }

  #isOutlier(of: Type, member: Member): boolean {
    const { outlier_peers, outlier_deviations, outlier_least_deviation, outlier_most_deviation } = this.#settings;
    if (of.counted < outlier_peers) return false;
    const mean = of.sum / of.counted;
    const deviation = Math.sqrt(Math.max(0, of.squares / of.counted - mean * mean));
    const counted = Math.min(outlier_most_deviation, Math.max(outlier_least_deviation, deviation));
    return rateOf(member) < mean - outlier_deviations * counted;
  }

  #mayEject(of: Type, at: number): boolean {
    const agents = of.members.size;
    const most = agents < 2 ? 0 : Math.max(1, Math.floor(this.#settings.outlier_max_share * agents));
    if (of.ejected.size < most) return true;
    for (const member of of.ejected) if (!this.#isEjected(member, at)) this.#readmit(of, member);
    return of.ejected.size < most;
  }

  /** A clock that was put back must not make it long. */
  #isEjected({ ejectedUntil }: Member, now: number): boolean {
    return ejectedUntil > now && ejectedUntil - now <= this.#settings.outlier_eject_max_ms;
  }

  #readmit(of: Type, member: Member): void {
    member.ejectedUntil = 0;
    member.attempts = member.successes = 0;
    of.ejected.delete(member);
    this.ejected--;
  }

  #count(of: Type, member: Member, counts: boolean): void {
    if (member.counted !== null) {
      of.counted--;
      of.sum -= member.counted;
      of.squares -= member.counted ** 2;
    }
    member.counted = counts ? rateOf(member) : null;
    if (member.counted === null) return;
    of.counted++;
    of.sum += member.counted;
    of.squares += member.counted ** 2;
  }

  /** Its type is there too from now on. */
  #memberOf(type: string, agent: string): Member {
    const known = this.#types.get(type)?.members.get(agent);
    if (known !== undefined) return known;
    if (this.#size >= MAX_MEMBERS) this.#dropOne();
    let of = this.#types.get(type);
    if (of === undefined)
      this.#types.set(type, (of = { members: new Map(), counted: 0, sum: 0, squares: 0, ejected: new Set() }));
    const member: Member = { attempts: 0, successes: 0, counted: null, ejectedUntil: 0, times: 0 };
    of.members.set(agent, member);
    this.#size++;
    return member;
  }

  /** What was known longest of the type known longest. */
  #dropOne(): void {
    for (const [type, of] of this.#types) {
      for (const [agent, member] of of.members) {
        this.#count(of, member, false);
        if (of.ejected.delete(member)) this.ejected--;
        of.members.delete(agent);
        this.#size--;
        if (of.members.size === 0) this.#types.delete(type);
        return;
      }
    }
  }
}

/** Success rate with one success and a bit of what nobody has seen, so that few attempts say little. */
function rateOf({ attempts, successes }: Member): number {
  return (successes + 1) / (attempts + 1.1);
}

function isRow(row: unknown): row is MemberSnapshot {
  if (!Array.isArray(row) || row.length < 6) return false;
  return typeof row[0] === 'string' && typeof row[1] === 'string' && row.slice(2, 6).every(Number.isFinite);
}
