import type { TicketSpec } from '../../plans/ticket.ts';
import { typeOf } from '../outcome.ts';
import { defaultsOf, type SettingsOf, type SettingTable } from '../setting.ts';
import { ConformalBound, type ConformalSnapshot } from './conformal-bound.ts';
import { keepAfter, learn, noMoments, variance, weaken, type DecayedMoments } from './decayed-moments.ts';
import {
  effectOf,
  learnEffects,
  noEffects,
  restoreEffects,
  snapshotEffects,
  type ParameterEffects,
  type ParameterEffectsSnapshot,
} from './parameter-effects.ts';
import { RecentMap } from './recent-map.ts';

export const DURATION_SETTINGS = {
  duration_half_life_results: {
    default: 200,
    min: 5,
    max: 100_000,
    what: 'Results of a task type after which an older duration weighs half.',
  },
  duration_half_life_hours: {
    default: 336,
    min: 0.1,
    max: 100_000,
    what: 'Hours after which an older duration weighs half.',
  },
  duration_unknown_ms: {
    default: 60_000,
    min: 1,
    max: 86_400_000,
    what: 'Expected duration in ms of a ticket of which nothing is known.',
  },
} satisfies SettingTable;

/** A task type of a company. */
type TypeModel = {
  /** Log-durations. */
  log: DecayedMoments;
  /** Errors of the predictions that were made, log. */
  error: DecayedMoments;
  /** Mean of actual ÷ predicted median (Duan's smearing): from the median to the mean. */
  smear: DecayedMoments;
  effects: ParameterEffects;
};
/** Log-duration: its median, its variance, and which type model it came from. */
type Prediction = { log: number; variance: number; model: TypeModel | undefined };

/** What was expected of a duration: the median in ms, and the variance of its logarithm. */
type Expected = { medianMs: number; variance: number };

export type DurationSnapshot = {
  all: Record<'log' | 'within' | 'estimates' | 'smear', DecayedMoments>;
  types: [string, DecayedMoments][];
  sources: [string, DecayedMoments][];
  models: [string, { log: DecayedMoments; error: DecayedMoments; smear: DecayedMoments } & ParameterEffectsSnapshot][];
  bounds: ConformalSnapshot;
};

const TYPES = 2_000;
const SOURCES = 1_000;
const MODELS = 2_000;
const SHORTEST_MS = 1;
/** Before anything was learned: variances (log) of types around each other, of a type's durations, of an estimate's error. */
const BETWEEN_VARIANCE = 4;
const WITHIN_VARIANCE = 0.3;
const ESTIMATE_VARIANCE = 1;
/** Actual ÷ predicted counts as no more than this, so that one outlier does not rule the mean. */
const LARGEST_SMEAR = 10;

/**
 * How long tickets take, on an agent of ordinary speed: log-durations, each level shrunk to the one above by their variances
 * (empirical Bayes): all → type → the company's type → its parameters, required capabilities and estimate. While a type is
 * new the task's own estimate stands in, corrected by what was learned of its source (`metadata.estimate_source`, else the
 * company) and trusted by how right the source was. Recent results count more. O(1) per call.
 *
 * Bounded: 2,000 types of companies, 2,000 types, 1,000 sources of estimates, 4,096 bounds; the least recent are dropped.
 */
export class DurationModel {
  #settings: SettingsOf<typeof DURATION_SETTINGS>;
  readonly #all: DurationSnapshot['all'];
  readonly #types = new RecentMap<DecayedMoments>(TYPES);
  readonly #sources = new RecentMap<DecayedMoments>(SOURCES);
  readonly #models = new RecentMap<TypeModel>(MODELS);
  readonly #bounds: ConformalBound;
  #instance = '';
  #type: string | null = null;
  #key = '';

  constructor(settings = defaultsOf(DURATION_SETTINGS), snapshot?: Partial<DurationSnapshot>) {
    this.#settings = settings;
    const all = snapshot?.all;
    this.#all = {
      log: { ...(all?.log ?? noMoments()) },
      within: { ...(all?.within ?? noMoments()) },
      estimates: { ...(all?.estimates ?? noMoments()) },
      smear: { ...(all?.smear ?? noMoments()) },
    };
    for (const [key, one] of snapshot?.types ?? []) this.#types.put(key, { ...one });
    for (const [key, one] of snapshot?.sources ?? []) this.#sources.put(key, { ...one });
    for (const [key, { log, error, smear, ...effects }] of snapshot?.models ?? []) {
      const own = { log: { ...log }, error: { ...error }, smear: { ...smear } };
      this.#models.put(key, { ...own, effects: restoreEffects(effects) });
    }
    this.#bounds = new ConformalBound(snapshot?.bounds);
  }

  /** What was learned stays. */
  configure(settings: SettingsOf<typeof DURATION_SETTINGS>): void {
    this.#settings = settings;
  }

  /** Expected duration in ms: the mean, not the median. */
  expect(spec: TicketSpec, instance: string): number {
    const { log, model } = this.#predict(spec, instance);
    return Math.exp(log) * this.#smear(model);
  }

  /** Duration in ms that is kept with probability `p`: 0.5 (the median), 0.9 or 0.95. */
  upper(spec: TicketSpec, instance: string, p: number): number {
    const { log, variance: spread } = this.#predict(spec, instance);
    return Math.exp(log + this.#bounds.bound(this.#keyOf(spec, instance), p) * Math.sqrt(spread));
  }

  /**
   * @param at epoch ms
   * @param durationMs divided by the agent's factor, so that it is that of an ordinary agent
   * @param censored it was stopped at this time (its timeout) and would have taken longer
   * @returns what was expected before: the median in ms, as `upper` says with p = 0.5, and the variance of its logarithm
   */
  observe(spec: TicketSpec, instance: string, at: number, durationMs: number, censored = false): Expected {
    const { log, variance: spread } = this.#predict(spec, instance);
    const key = this.#keyOf(spec, instance);
    const deviation = Math.sqrt(spread);
    const median = Math.exp(log + this.#bounds.bound(key, 0.5) * deviation);
    let actual = Math.log(Math.max(SHORTEST_MS, durationMs));
    this.#bounds.observe(key, (actual - log) / deviation, censored);
    if (censored) actual = log + deviation * beyond((actual - log) / deviation);
    this.#learnEstimate(spec, instance, at, actual);
    this.#learnType(spec, instance, at, actual, log);
    return { medianMs: median, variance: spread };
  }

  /** Something was wrong with results of the type (an incident): what was learned of it weighs half, its bounds widen. */
  doubt(type: string, instance: string): void {
    const model = this.#models.get(`${instance}\n${type}`);
    if (model === undefined) return;
    weaken(model.log, 2);
    weaken(model.error, 2);
    model.error.squares += model.error.n * WITHIN_VARIANCE;
  }

  snapshot(): DurationSnapshot {
    return structuredClone({
      all: this.#all,
      types: [...this.#types.entries()],
      sources: [...this.#sources.entries()],
      models: [...this.#models.entries()].map(([key, { effects, ...own }]) => [
        key,
        { ...own, ...snapshotEffects(effects) },
      ]),
      bounds: this.#bounds.snapshot(),
    } satisfies DurationSnapshot);
  }

  /** The company is gone: nothing that was learned of it alone stays. */
  forget(instance: string): void {
    const isIts = (key: string): boolean => key === instance || key.startsWith(`${instance}\n`);
    for (const part of [this.#sources, this.#models, this.#bounds]) part.drop(isIts);
  }

  #predict(spec: TicketSpec, instance: string): Prediction {
    const model = this.#models.get(this.#keyOf(spec, instance));
    const prior = this.#prior(spec, instance);
    if (model === undefined || model.log.n === 0) return { ...prior, model };
    const within = this.#within(model);
    const { n, mean } = model.log;
    // The variance of the type itself, effects included, says how far its mean can be off.
    const own = variance(model.log, within, 2) / n;
    const trust = prior.variance / (prior.variance + own);
    const log = prior.log + trust * (mean - prior.log) + effectOf(model.effects, spec);
    return { log, variance: within + (1 - trust) * prior.variance, model };
  }

  /** Before the company's type is known: the type elsewhere or the corrected estimate, by precision. */
  #prior(spec: TicketSpec, instance: string): { log: number; variance: number } {
    const { log: known } = this.#all;
    const between = variance(known, BETWEEN_VARIANCE, 3);
    const unknown = Math.log(this.#settings.duration_unknown_ms);
    let log = (known.mean * known.n + unknown * 3) / (known.n + 3);
    let spread = between;
    const type = this.#types.get(typeOf(spec));
    if (type !== undefined) {
      const own = variance(type, between, 1) * (0.25 + 1 / (type.n + 1)); // other companies' type is only akin
      const trust = spread / (spread + own);
      log += trust * (type.mean - log);
      spread = trust * own;
    }
    if (spec.estimated_duration_ms === null) return { log, variance: spread };
    const estimate = this.#estimate(spec, instance, spec.estimated_duration_ms);
    const trust = spread / (spread + estimate.variance);
    return { log: log + trust * (estimate.log - log), variance: trust * estimate.variance };
  }

  #estimate(spec: TicketSpec, instance: string, estimateMs: number): { log: number; variance: number } {
    const all = this.#all.estimates;
    const error = this.#sources.get(spec.metadata.estimate_source ?? instance) ?? noMoments();
    const usual = variance(all, ESTIMATE_VARIANCE, 3);
    const common = (all.mean * all.n) / (all.n + 10);
    const bias = (error.mean * error.n + common * 2) / (error.n + 2);
    return { log: Math.log(Math.max(SHORTEST_MS, estimateMs)) + bias, variance: variance(error, usual, 3) };
  }

  #within(model: TypeModel): number {
    const usual = (this.#all.within.mean * this.#all.within.n + WITHIN_VARIANCE * 3) / (this.#all.within.n + 3);
    const { n, mean, squares } = model.error;
    return Math.max(1e-6, (squares + n * mean * mean + usual * 2) / (n + 2));
  }

  #smear(model: TypeModel | undefined): number {
    const usual = (this.#all.smear.mean * this.#all.smear.n + 3) / (this.#all.smear.n + 3);
    if (model === undefined) return usual;
    return (model.smear.mean * model.smear.n + usual * 5) / (model.smear.n + 5);
  }

  #learnEstimate(spec: TicketSpec, instance: string, at: number, actual: number): void {
    if (spec.estimated_duration_ms === null) return;
    const key = spec.metadata.estimate_source ?? instance;
    const own = this.#sources.get(key) ?? noMoments();
    const error = actual - Math.log(Math.max(SHORTEST_MS, spec.estimated_duration_ms));
    learn(own, error, at, this.#keep(own, at));
    this.#sources.put(key, own);
    learn(this.#all.estimates, error, at, this.#keep(this.#all.estimates, at));
  }

  #learnType(spec: TicketSpec, instance: string, at: number, actual: number, predicted: number): void {
    const key = this.#keyOf(spec, instance);
    const model = this.#models.get(key) ?? {
      log: noMoments(),
      error: noMoments(),
      smear: noMoments(),
      effects: noEffects(),
    };
    this.#models.put(key, model);
    const before = model.log.n;
    if (before > 0) {
      const error = actual - predicted;
      // The first errors are those of a guess, and say little of the spread to come.
      const weight = before / (before + 2);
      learn(model.error, error, at, this.#keep(model.error, at), weight);
      learn(this.#all.within, error * error, at, this.#keep(this.#all.within, at), weight);
      const smear = Math.min(LARGEST_SMEAR, Math.exp(error));
      learn(model.smear, smear, at, this.#keep(model.smear, at));
      learn(this.#all.smear, smear, at, this.#keep(this.#all.smear, at));
      if (learnEffects(model.effects, spec, actual - model.log.mean, this.#keep(model.log, at))) {
        // Predictions are of another kind from now on: the errors of the old kind count little.
        weaken(model.error, 8);
        weaken(model.smear, 8);
      }
    }
    learn(model.log, actual, at, this.#keep(model.log, at));
    const type = typeOf(spec);
    const everywhere = this.#types.get(type) ?? noMoments();
    learn(everywhere, actual, at, this.#keep(everywhere, at));
    this.#types.put(type, everywhere);
    learn(this.#all.log, actual, at, this.#keep(this.#all.log, at));
  }

  /** The same string again while the same type is asked for: joining and hashing it costs as much as a prediction. */
  #keyOf(spec: TicketSpec, instance: string): string {
    const type = typeOf(spec);
    if (type !== this.#type || instance !== this.#instance) {
      this.#type = type;
      this.#instance = instance;
      this.#key = `${instance}\n${type}`;
    }
    return this.#key;
  }

  #keep(moments: DecayedMoments, at: number): number {
    const { duration_half_life_results: results, duration_half_life_hours: hours } = this.#settings;
    return keepAfter(moments.at === 0 ? 0 : at - moments.at, results, hours * 3_600_000);
  }
}

/** Mean of a standard normal given that it is at least `z` (inverse Mills ratio). */
function beyond(z: number): number {
  if (z > 4) return z + 1 / z;
  if (z < -4) return 0;
  const density = Math.exp((-z * z) / 2) / Math.sqrt(2 * Math.PI);
  return density / tail(z);
}

/** P(standard normal > z), Abramowitz and Stegun 26.2.17. */
function tail(z: number): number {
  const t = 1 / (1 + 0.2316419 * Math.abs(z));
  const series = t * (0.31938153 + t * (-0.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429))));
  const upper = (series * Math.exp((-z * z) / 2)) / Math.sqrt(2 * Math.PI);
  return z >= 0 ? upper : 1 - upper;
}
