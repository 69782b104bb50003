import { defaultsOf } from '../setting.ts';
import {
  BURN_SETTINGS,
  burnOf,
  type BurnSettings,
  type Mode,
  MODES,
  raisedMode,
  type Reader,
  relaxedMode,
} from './burn-mode.ts';
import { RecentMap } from './recent-map.ts';
import { type BurnWindow, TimeBuckets, type TimeBucketsSnapshot, type WindowCounts } from './time-buckets.ts';

/** A change of a company's mode, to be journalled. */
export type ModeChange = {
  /** Epoch ms. */
  at: number;
  instance: string;
  /** Task class whose results raised it; null = all of the company together, or it relaxed. */
  type: string | null;
  from: Mode;
  to: Mode;
  /** Burn rates of what raised it, or (relaxed) of the whole company. */
  burn: { '5m': number; '30m': number; '1h': number; '6h': number };
};

/** A result as the error budget sees it: whether it came within its deadline. One that failed for good is late. */
export type BudgetResult = { at: number; instance: string; type: string; onTime: boolean };

type Company = { mode: Mode; since: number; all: TimeBuckets; classes: RecentMap<TimeBuckets> };

export type CompanyBudgetSnapshot = {
  instance: string;
  mode: Mode;
  since: number;
  all: TimeBucketsSnapshot;
  classes: [string, TimeBucketsSnapshot][];
};
export type ErrorBudgetSnapshot = { at: number; companies: CompanyBudgetSnapshot[] };

type Options = {
  /** Share of results of the type that must be on time, in (0, 1). */
  targetOf: (instance: string, type: string) => number;
  settings?: BurnSettings;
  snapshot?: ErrorBudgetSnapshot;
};

/** How long the counts of a company that is not normal may be left unread, ms. */
const CHECK_EVERY_MS = 5_000;
/** A clock that goes back by less is disorder, not a step. */
const STEP_MS = 2_000;

/**
 * What each company has spent of its error budget, and the mode that follows from it. A company's results change its own
 * mode only. At most `series` counts of 2 KB; the company that was silent longest is forgotten first, and the class of
 * a company likewise (its results stay in the company's own counts).
 */
export class ErrorBudget {
  readonly #targetOf: Options['targetOf'];
  readonly #settings: BurnSettings;
  /** The company that was silent longest comes first. */
  readonly #companies = new Map<string, Company>();
  readonly #raised = new Set<string>();
  #series = 0;
  #now: number;
  #checkAt = -Infinity;
  /** Companies that were forgotten while they were not normal; told at the next tick. */
  #forgotten: ModeChange[] = [];

  constructor({ targetOf, settings = defaultsOf(BURN_SETTINGS), snapshot }: Options) {
    this.#targetOf = targetOf;
    this.#settings = settings;
    this.#now = snapshot?.at ?? 0;
    for (const one of snapshot?.companies ?? []) this.restore(one);
  }

  /** O(1). The change when the result raises the company's mode; null = it stays. */
  observe({ at, instance, type, onTime }: BudgetResult): ModeChange | null {
    const company = this.#companyOf(instance, at);
    const ofClass = this.#classOf(company, type, at);
    const allowed = 1 - this.#targetOf(instance, type);
    company.all.add(at, !onTime, allowed);
    ofClass.add(at, !onTime, allowed);
    // Only a late result makes the budget burn faster.
    if (onTime || company.mode === 'critical') return null;
    const now = Math.max(at, this.#now);
    return this.#raise(instance, company, type, ofClass, now) ?? this.#raise(instance, company, null, company.all, now);
  }

  /**
   * Relaxes modes whose time has come; call about once a second. Reads the companies that are not normal only, every
   * 5 s. After the clock was set back what was counted in the future counts as of now.
   */
  tick(now: number): ModeChange[] {
    if (now < this.#now - STEP_MS) this.#setBack(now);
    this.#now = now;
    if (now < this.#checkAt) return [];
    this.#checkAt = now + CHECK_EVERY_MS;
    const changes = this.#forgotten;
    this.#forgotten = [];
    for (const instance of this.#raised) {
      const company = this.#companies.get(instance)!;
      if (now - company.since < this.#settings.dwellMs) continue;
      const to = this.#relaxed(company, now);
      if (to !== company.mode) changes.push(this.#change(instance, company, null, to, company.all, now));
    }
    return changes;
  }

  /** O(1). */
  modeOf(instance: string): Mode {
    return this.#companies.get(instance)?.mode ?? 'normal';
  }

  /** Of a class, or (null) of all the company did. 1 = as fast as the budget lasts; 0 = nothing late, or nothing known. */
  burnRate(instance: string, window: BurnWindow, now: number, type: string | null = null): number {
    const series = this.#seriesOf(instance, type);
    return series === undefined ? 0 : burnOf(series.counts(window, now));
  }

  /** What is left of the budget of 28 days, in [0, 100]; 100 when nothing is known. */
  remainingPercent(instance: string, now: number, type: string | null = null): number {
    const series = this.#seriesOf(instance, type);
    return series === undefined ? 100 : remaining(series.counts('28d', now));
  }

  /** Classes of the company that are counted apart. */
  classes(instance: string): string[] {
    return [...(this.#companies.get(instance)?.classes.entries() ?? [])].map(([type]) => type);
  }

  /**
   * The fastest burn over an hour and the least budget left, of all companies with enough results to say; for the two
   * metrics and the guard of experiments. O(companies).
   */
  worst(now: number): { burn: number; remainingPercent: number } {
    const worst = { burn: 0, remainingPercent: 100 };
    for (const { all } of this.#companies.values()) {
      const period = all.counts('28d', now);
      if (period.total < this.#settings.minEvents) continue;
      worst.remainingPercent = Math.min(worst.remainingPercent, remaining(period));
      const hour = all.counts('1h', now);
      if (hour.total >= this.#settings.minEvents) worst.burn = Math.max(worst.burn, burnOf(hour));
    }
    return worst;
  }

  /** Companies that are not normal. */
  raised(): { instance: string; mode: Mode; since: number }[] {
    return [...this.#raised].map((instance) => {
      const { mode, since } = this.#companies.get(instance)!;
      return { instance, mode, since };
    });
  }

  snapshot(): ErrorBudgetSnapshot {
    const companies = [...this.#companies].map(([instance, { mode, since, all, classes }]) => ({
      instance,
      mode,
      since,
      all: all.snapshot(),
      classes: [...classes.entries()].map(([type, counts]): [string, TimeBucketsSnapshot] => [type, counts.snapshot()]),
    }));
    return { at: this.#now, companies };
  }

  /** Takes a company over from another replica's snapshot, or this one's of before; what was known of it goes. */
  restore({ instance, mode, since, all, classes }: CompanyBudgetSnapshot): void {
    this.forget(instance);
    const company = this.#companyOf(instance, this.#now);
    if (all !== undefined) company.all = TimeBuckets.restore(all);
    for (const [type, counts] of classes ?? []) this.#put(company, type, TimeBuckets.restore(counts));
    company.since = since ?? this.#now;
    if (MODES.includes(mode)) company.mode = mode;
    if (company.mode !== 'normal') this.#raised.add(instance);
  }

  /** The company is another replica's now. */
  forget(instance: string): void {
    const company = this.#companies.get(instance);
    if (company === undefined) return;
    this.#series -= 1 + company.classes.size;
    this.#companies.delete(instance);
    this.#raised.delete(instance);
  }

  #raise(instance: string, company: Company, type: string | null, series: TimeBuckets, now: number): ModeChange | null {
    const to = raisedMode(reader(series, now), this.#settings);
    if (MODES.indexOf(to) <= MODES.indexOf(company.mode)) return null;
    return this.#change(instance, company, type, to, series, now);
  }

  #relaxed(company: Company, now: number): Mode {
    let to = relaxedMode(company.mode, reader(company.all, now), this.#settings);
    for (const [, counts] of company.classes.entries()) {
      if (to === company.mode) break;
      to = relaxedMode(company.mode, reader(counts, now), this.#settings);
    }
    return to;
  }

  #change(
    instance: string,
    company: Company,
    type: string | null,
    to: Mode,
    series: TimeBuckets,
    at: number,
  ): ModeChange {
    const change = { at, instance, type, from: company.mode, to, burn: burns(series, at) };
    company.mode = to;
    company.since = at;
    if (to === 'normal') this.#raised.delete(instance);
    else this.#raised.add(instance);
    return change;
  }

  #companyOf(instance: string, at: number): Company {
    let company = this.#companies.get(instance);
    if (company === undefined) {
      const classes = new RecentMap<TimeBuckets>(this.#settings.classesPerCompany);
      company = { mode: 'normal', since: at, all: new TimeBuckets(at), classes };
      this.#series++;
    } else this.#companies.delete(instance);
    this.#companies.set(instance, company);
    return company;
  }

  #classOf(company: Company, type: string, at: number): TimeBuckets {
    const counts = company.classes.get(type) ?? new TimeBuckets(at);
    this.#put(company, type, counts);
    return counts;
  }

  #put(company: Company, type: string, counts: TimeBuckets): void {
    const before = company.classes.size;
    company.classes.put(type, counts);
    this.#series += company.classes.size - before;
    for (const [instance, silent] of this.#companies) {
      if (this.#series <= this.#settings.series || silent === company) return;
      if (silent.mode !== 'normal') {
        this.#forgotten.push(this.#change(instance, silent, null, 'normal', silent.all, this.#now));
      }
      this.forget(instance);
    }
  }

  #seriesOf(instance: string, type: string | null): TimeBuckets | undefined {
    const company = this.#companies.get(instance);
    return type === null ? company?.all : company?.classes.get(type);
  }

  #setBack(now: number): void {
    this.#checkAt = now;
    for (const company of this.#companies.values()) {
      company.since = Math.min(company.since, now);
      company.all.setBack(now);
      for (const [, counts] of company.classes.entries()) counts.setBack(now);
    }
  }
}

const reader =
  (series: TimeBuckets, now: number): Reader =>
  (window) =>
    series.counts(window, now);

const burns = (series: TimeBuckets, now: number): ModeChange['burn'] => ({
  '5m': burnOf(series.counts('5m', now)),
  '30m': burnOf(series.counts('30m', now)),
  '1h': burnOf(series.counts('1h', now)),
  '6h': burnOf(series.counts('6h', now)),
});

const remaining = (period: WindowCounts): number => 100 * Math.max(0, 1 - burnOf(period));
