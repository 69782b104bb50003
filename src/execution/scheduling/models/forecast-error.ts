import { ConformalBound, type ConformalSnapshot } from './conformal-bound.ts';
import { learn, noMoments, type DecayedMoments } from './decayed-moments.ts';
import { RecentMap } from './recent-map.ts';

/** What is forecast: the start of a ticket, the end of a plan. */
export type ForecastKind = 'start' | 'finish';
/** ms from now that are kept with probability 0.05, 0.5 and 0.9. */
export type ForecastRange = { p5: number; p50: number; p90: number };
/** How right the forecasts of a company were so far; recent ones count more. */
export type ForecastRecord = {
  /** Decayed number of forecasts that came to their end. */
  n: number;
  /** Geometric mean of actual ÷ forecast; 1 = right on the whole. */
  bias: number;
  /** Typical factor by which a forecast is off, in either direction; 1 = exact. */
  off: number;
  /** Share of the ends that came by the p90. */
  kept: number;
};
export type ForecastErrorSnapshot = {
  bounds: Record<ForecastKind, ConformalSnapshot>;
  records: [string, Record<'log' | 'off' | 'kept', DecayedMoments>][];
  open: [string, Made][];
};

type Made = { instance: string; at: number; forecastMs: number; p90: number };

const RECORDS = 2_000;
const OPEN = 10_000;
const FORGOTTEN_MS = 30 * 86_400_000;
/** Below this a wait is as good as none, and its ratio says nothing. */
const OFFSET_MS = 1_000;
/** Standard deviation of log(actual ÷ forecast) that is assumed at first. */
const SPREAD = 0.5;
const SPREAD_WEIGHT = 10;
const KEEP = 2 ** (-1 / 200);

/**
 * Learns actual ÷ forecast of each company and kind, so that forecasts come as p50 and p90 that are kept as often as they
 * say (adaptive conformal bounds), and with the error that they had so far. Bounded: 10,000 forecasts of each kind whose end is awaited
 * (further ones are not learned from), 2,000 companies.
 */
export class ForecastError {
  readonly #bounds: Record<ForecastKind, ConformalBound>;
  readonly #records = new RecentMap<Record<'log' | 'off' | 'kept', DecayedMoments>>(RECORDS);
  /** By id. */
  readonly #open: Record<ForecastKind, Map<string, Made>> = { start: new Map(), finish: new Map() };

  constructor(snapshot?: Partial<ForecastErrorSnapshot>) {
    const bounds = snapshot?.bounds;
    this.#bounds = { start: new ConformalBound(bounds?.start), finish: new ConformalBound(bounds?.finish) };
    for (const [key, { log, off, kept }] of snapshot?.records ?? [])
      this.#records.put(key, { log: { ...log }, off: { ...off }, kept: { ...kept } });
    for (const [key, made] of snapshot?.open ?? []) {
      const [kind, id] = key.split('\n');
      this.#open[kind as ForecastKind]?.set(id, { ...made });
    }
  }

  /** The forecast with what was learned of its error. */
  range(kind: ForecastKind, instance: string, forecastMs: number): ForecastRange {
    const spread = this.#spread(kind, instance);
    const of = (p: number): number =>
      Math.max(
        0,
        (forecastMs + OFFSET_MS) * Math.exp(spread * this.#bounds[kind].bound(groupOf(instance, forecastMs), p)) -
          OFFSET_MS,
      );
    return { p5: of(0.05), p50: of(0.5), p90: of(0.9) };
  }

  record(kind: ForecastKind, instance: string): ForecastRecord {
    const one = this.#records.get(keyOf(kind, instance));
    if (one === undefined) return { n: 0, bias: 1, off: 1, kept: 1 };
    return { n: one.log.n, bias: Math.exp(one.log.mean), off: Math.exp(one.off.mean), kept: one.kept.mean };
  }

  /** A forecast was given at `at` (epoch ms) and will be judged by its end; the first one for an `id` counts. */
  made(kind: ForecastKind, id: string, instance: string, at: number, forecastMs: number): void {
    const open = this.#open[kind];
    if (open.has(id) || !Number.isFinite(forecastMs)) return;
    if (open.size >= OPEN) {
      const [oldest, { at: madeAt }] = open.entries().next().value!;
      if (at - madeAt < FORGOTTEN_MS) return;
      open.delete(oldest);
    }
    open.set(id, { instance, at, forecastMs, p90: this.range(kind, instance, forecastMs).p90 });
  }

  /** Whether the end of any forecast of the kind is awaited. */
  awaits(kind: ForecastKind): boolean {
    return this.#open[kind].size > 0;
  }

  /** What was forecast happened at `at`. */
  happened(kind: ForecastKind, id: string, at: number): void {
    const made = this.#open[kind].get(id);
    if (made === undefined) return;
    this.dropped(kind, id);
    const actualMs = Math.max(0, at - made.at);
    const log = Math.log((actualMs + OFFSET_MS) / (made.forecastMs + OFFSET_MS));
    const key = keyOf(kind, made.instance);
    this.#bounds[kind].observe(groupOf(made.instance, made.forecastMs), log / this.#spread(kind, made.instance));
    const one = this.#records.get(key) ?? { log: noMoments(), off: noMoments(), kept: noMoments() };
    learn(one.log, log, at, KEEP);
    learn(one.off, Math.abs(log), at, KEEP);
    learn(one.kept, actualMs <= made.p90 ? 1 : 0, at, KEEP);
    this.#records.put(key, one);
  }

  /** It will not happen (cancelled): nothing is learned. */
  dropped(kind: ForecastKind, id: string): void {
    this.#open[kind].delete(id);
  }

  /** The company is gone: nothing that was learned of its forecasts stays. */
  forget(instance: string): void {
    for (const kind of ['start', 'finish'] as const) {
      this.#bounds[kind].drop((group) => group === instance || group.startsWith(`${instance}\n`));
      for (const [id, made] of this.#open[kind]) if (made.instance === instance) this.#open[kind].delete(id);
    }
    this.#records.drop((key) => key === keyOf('start', instance) || key === keyOf('finish', instance));
  }

  snapshot(): ForecastErrorSnapshot {
    return structuredClone({
      bounds: { start: this.#bounds.start.snapshot(), finish: this.#bounds.finish.snapshot() },
      records: [...this.#records.entries()],
      open: (['start', 'finish'] as const).flatMap((kind) =>
        [...this.#open[kind]].map(([id, made]): [string, Made] => [keyOf(kind, id), made]),
      ),
    });
  }

  /** Root mean square of log(actual ÷ forecast): what the scores of the bounds are measured in. */
  #spread(kind: ForecastKind, instance: string): number {
    const log = this.#records.get(keyOf(kind, instance))?.log ?? noMoments();
    const square = log.squares + log.n * log.mean * log.mean;
    return Math.sqrt((square + SPREAD * SPREAD * SPREAD_WEIGHT) / (log.n + SPREAD_WEIGHT));
  }
}

/** The id of the forecast of when a ticket starts; that of when a plan ends is its key. */
export const idOfStart = (plan: number, n: number): string => `${plan}/${n}`;

const keyOf = (kind: ForecastKind, of: string): string => `${kind}\n${of}`;

/** What should start at once does so, or not, for other reasons than what has to wait. */
const groupOf = (instance: string, forecastMs: number): string =>
  forecastMs < OFFSET_MS ? `${instance}\nat once` : instance;
