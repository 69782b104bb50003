import type { Random } from '../../../platform/clock.ts';
import { defaultsOf } from '../setting.ts';
import { drawBeta, drawNormal } from './draws.ts';
import type { PairSnapshot, Trail, TrailObservation, TrailsSnapshot } from './trail.ts';
import { learnLevel, levelOf, levelSnapshot, newLevel, rounded, type TrailLevel } from './trail-level.ts';
import { TRAIL_SETTINGS, type TrailSettings } from './trail-settings.ts';
import { deposit, FIELD, FIELDS, TrailTable } from './trail-table.ts';

export type { Trail, TrailObservation, TrailsSnapshot } from './trail.ts';

type TypeLevel = TrailLevel & {
  /** Outcomes so far. */ clock: number;
  /** Agents that are remembered for it. */ pairs: number;
};
type Declared = { speedOf: (type: string) => number | null; logs: Map<string, number> };

const HOUR_MS = 3_600_000;
const TYPE_DISCOUNT = 0.998;
const AGENT_DISCOUNT = 0.98;
/** Expected successes elsewhere that weigh as much as the type: failing at one type says little of another. */
const AGENT_SUCCESSES = 20;
const NOISE_DISCOUNT = 0.999;
/** Variance of log-ratios before any was seen, and the observations that it weighs as much as. */
const NOISE_PRIOR = 0.16;
const NOISE_WEIGHT = 20;
/** Variance of a task's log-duration at which its outcome counts as one observation of the agent's speed. */
const PAIR_VARIANCE = 0.25;
const LEAST_WEIGHT = 0.01;
const MOST_WEIGHT = 4;
/** Of the agent at large such an outcome says more: agents differ more from each other than one does between types. */
const AGENT_WEIGHT = 2.8;
/** Outcomes of a type up to which trying other agents costs more than knowing their speed will bring. */
const RARE_TYPE = 100;
/** An outcome tells no more than a thousandfold. */
const MAX_LOG = Math.log(1_000);
/** One slow run alone is no alarm. */
const MAX_DEVIATION = 3;
const MAX_DECLARED = 1_000;
/** So that a lone agent is not forgotten by its own outcomes. */
const MIN_PEERS = 2;
const RECENT = [FIELD.successes, FIELD.failures, FIELD.logs, FIELD.logWeight, FIELD.changed] as const;
const LASTING = [FIELD.lastingSuccesses, FIELD.lastingFailures, FIELD.lastingLogs, FIELD.lastingLogWeight] as const;

/**
 * How agents do, by task type: the seeds' digital pheromones. A success deposits, a failure is a penalty, time evaporates.
 * Of each pair it keeps recent evidence, that drift replaces fast (a CUSUM finds that an agent got worse and drops what was
 * before), and a lasting memory, to which the belief returns when nothing recent is known: so a degraded agent is tried
 * again. A pair without a past is expected to be as the agent is elsewhere and others are on the type.
 * `factor` and `success` cost a few look-ups and allocate nothing.
 */
export class Trails {
  #settings: TrailSettings;
  readonly #table: TrailTable;
  readonly #types = new Map<string, TypeLevel>();
  readonly #declared = new Map<string, Declared>();
  readonly #all: TrailLevel = newLevel();
  #noiseWeight = 0;
  #noiseSquares = 0;
  /** What #believe found: Beta(#good, #bad) for success, Normal(#log, variance ÷ #logWeight) for the log factor. */
  #good = 1;
  #bad = 1;
  #log = 0;
  #logWeight = 1;
  /** Whom and when #believe was last asked for, so that the next question on it costs nothing; null = ask anew. */
  #agent: string | null = null;
  #type = '';
  #at = 0;
  /** What #expect found for a pair without a past. */
  #priorSuccess = 1;
  #priorLog = 0;

  constructor(settings: TrailSettings = defaultsOf(TRAIL_SETTINGS)) {
    this.#settings = settings;
    this.#table = new TrailTable(settings.max_pairs, settings.max_types_of_agent, (type) => this.#pairLeft(type));
  }

  /** What was observed stays. */
  configure(settings: TrailSettings): void {
    this.#settings = settings;
    this.#table.bound(settings.max_pairs, settings.max_types_of_agent);
  }

  /** Pairs that are remembered. */
  get size(): number {
    return this.#table.size;
  }

  /**
   * What the agent says of its speed (2 = twice as fast as ordinary; null = nothing): believed until there is evidence.
   * null instead of the function = it says nothing more.
   */
  declare(agent: string, speedOf: ((type: string) => number | null) | null): void {
    if (speedOf === null) this.#declared.delete(agent);
    else this.#declared.set(agent, { speedOf, logs: new Map() });
    this.#agent = null;
  }

  observe(outcome: TrailObservation): void {
    const { at, type, agent, ok, logRatio, variance } = outcome;
    const log = ok && logRatio !== null && Number.isFinite(logRatio) ? clamp(logRatio, -MAX_LOG, MAX_LOG) : null;
    this.#believe(agent, type, at);
    const success = clamp(this.#good / (this.#good + this.#bad), 0.02, 0.98);
    const weight = variance === undefined ? 1 : clamp(PAIR_VARIANCE / variance, LEAST_WEIGHT, MOST_WEIGHT);
    const deviation = log === null ? 0 : (log - this.#log) * Math.sqrt(weight / this.#noise());
    if (log !== null && this.#table.find(agent, type) >= 0) this.#learnNoise(deviation);
    const row = this.#use(agent, type);
    const typeLevel = this.#types.get(type)!;
    typeLevel.clock++;
    this.#learnPair(row, at, typeLevel, ok, log, weight);
    this.#watch(row, success, ok, log, weight, deviation);
    this.#learnLevels(agent, typeLevel, outcome, log, weight);
    this.#agent = null;
  }

  /** Multiple of the ordinary duration that the agent takes: below 1 = faster. */
  factor(type: string, agent: string, now: number): number {
    this.#believe(agent, type, now);
    return Math.exp(this.#log);
  }

  /** Probability in (0, 1) that an attempt succeeds. */
  success(type: string, agent: string, now: number): number {
    this.#believe(agent, type, now);
    return clamp(this.#good / (this.#good + this.#bad), 0.001, 0.999);
  }

  /** A draw from what is believed (Thompson sampling), so that what is uncertain is tried; of rare types speeds less. */
  sample(type: string, agent: string, now: number, random: Random): { factor: number; success: number } {
    this.#believe(agent, type, now);
    const confidence = this.#settings.sampling_confidence;
    const success = drawBeta(this.#good * confidence, this.#bad * confidence, random);
    const rarity = 1 + (RARE_TYPE / (1 + (this.#types.get(type)?.clock ?? 0))) ** 2;
    const spread = Math.sqrt(this.#noise() / (this.#logWeight * confidence * rarity));
    return {
      factor: Math.exp(this.#log + spread * drawNormal(random)),
      success: clamp(success, 0.001, 0.999),
    };
  }

  /** A page in order of agent and type. `after` is the `next` of the page before; `next` null = that was all. */
  list(
    { type, agent, after, limit }: { type?: string; agent?: string; after?: string; limit: number },
    now: number,
  ): { trails: Trail[]; next: string | null } {
    const keys: { key: string; agent: string; type: string }[] = [];
    for (const pair of this.#table.pairs(agent ?? null)) {
      const key = `${pair.agent}\n${pair.type}`;
      if ((type === undefined || pair.type === type) && (after === undefined || key > after))
        keys.push({ key, agent: pair.agent, type: pair.type });
    }
    keys.sort((a, b) => (a.key < b.key ? -1 : 1));
    const page = keys.slice(0, limit);
    const next = keys.length > limit && page.length > 0 ? page[page.length - 1].key : null;
    return { trails: page.map((one) => this.#trail(one.agent, one.type, now)), next };
  }

  /** Forgets the pairs of the type, of the agent, of both, or (neither given) everything. Returns how many pairs. */
  reset({ type, agent }: { type?: string; agent?: string } = {}): number {
    const before = this.#table.size;
    this.#agent = null;
    for (const pair of [...this.#table.pairs(agent ?? null)])
      if (type === undefined || pair.type === type) this.#table.drop(pair.agent, pair.type);
    if (type === undefined && agent === undefined) {
      Object.assign(this.#all, newLevel());
      this.#noiseWeight = this.#noiseSquares = 0;
    }
    return before - this.#table.size;
  }

  /** Agents whose keys begin so are gone, with all that was learned of them. */
  forget(prefix: string): void {
    for (const agent of [...this.#table.agents.keys()]) if (agent.startsWith(prefix)) this.reset({ agent });
  }

  snapshot(): TrailsSnapshot {
    const { numbers } = this.#table;
    const pairs: PairSnapshot[] = [];
    for (const { agent, type, at } of this.#table.pairs(null))
      pairs.push([agent, type, ...Array.from(numbers.subarray(at, at + FIELDS), rounded)]);
    return {
      version: 1,
      noise: [rounded(this.#noiseWeight), rounded(this.#noiseSquares)],
      all: levelSnapshot(this.#all),
      types: [...this.#types].map(([type, level]) => [type, level.clock, ...levelSnapshot(level)]),
      agents: [...this.#table.agents].map(([agent, { level }]) => [agent, ...levelSnapshot(level)]),
      pairs,
    };
  }

  /** Takes on a snapshot in place of what was learned; null, or parts that are not as expected = nothing of that. */
  restore(snapshot: Partial<TrailsSnapshot> | null): void {
    this.reset();
    if (snapshot === null || snapshot.version !== 1) return;
    for (const [agent, type, ...values] of snapshot.pairs ?? []) {
      if (typeof agent !== 'string' || typeof type !== 'string') continue;
      if (values.length < FIELDS || !values.every(Number.isFinite)) continue;
      const row = this.#use(agent, type);
      this.#table.numbers.set(values.slice(0, FIELDS), row);
    }
    for (const [type, clock, ...level] of snapshot.types ?? []) {
      const known = this.#types.get(type);
      if (known !== undefined && Number.isFinite(clock)) Object.assign(known, levelOf(level), { clock });
    }
    for (const [agent, ...level] of snapshot.agents ?? []) {
      const known = this.#table.agents.get(agent)?.level;
      if (known !== undefined) Object.assign(known, levelOf(level));
    }
    if (snapshot.all !== undefined) Object.assign(this.#all, levelOf(snapshot.all));
    [this.#noiseWeight, this.#noiseSquares] = snapshot.noise?.every(Number.isFinite) ? snapshot.noise : [0, 0];
    this.#agent = null;
  }

  #trail(agent: string, type: string, now: number): Trail {
    const row = this.#table.find(agent, type);
    const { numbers } = this.#table;
    const left = this.#left(row, this.#types.get(type)!, now);
    return {
      type,
      agent,
      successes: rounded(numbers[row + FIELD.successes] * left),
      failures: rounded(numbers[row + FIELD.failures] * left),
      factor: rounded(this.factor(type, agent, now)),
      success: rounded(this.success(type, agent, now)),
      lastSeen: numbers[row + FIELD.at],
      degraded: numbers[row + FIELD.changed] * left > 0.5,
    };
  }

  /** Sets #good, #bad, #log and #logWeight. */
  #believe(agent: string, type: string, now: number): void {
    const { lasting_weight, lasting_log_weight, changed_weight, prior_weight } = this.#settings;
    if (agent === this.#agent && type === this.#type && now === this.#at) return;
    this.#agent = agent;
    this.#type = type;
    this.#at = now;
    const typeLevel = this.#types.get(type);
    const ofAgent = this.#table.agents.get(agent);
    this.#expect(agent, type, typeLevel, ofAgent?.level, now);
    const found = typeLevel === undefined ? undefined : ofAgent?.rows.get(type);
    if (found === undefined) {
      this.#good = lasting_weight * this.#priorSuccess;
      this.#bad = lasting_weight * (1 - this.#priorSuccess);
      this.#log = this.#priorLog;
      this.#logWeight = lasting_log_weight;
      return;
    }
    const row = found * FIELDS;
    const { numbers } = this.#table;
    const left = this.#left(row, typeLevel!, now);
    const trust = 1 - (1 - changed_weight) * numbers[row + FIELD.changed] * left;
    const past = numbers[row + FIELD.lastingSuccesses];
    const tries = past + numbers[row + FIELD.lastingFailures];
    const lasting = (past + prior_weight * this.#priorSuccess) / (tries + prior_weight);
    const pastWeight = numbers[row + FIELD.lastingLogWeight];
    const lastingLog = (numbers[row + FIELD.lastingLogs] + prior_weight * this.#priorLog) / (pastWeight + prior_weight);
    const weight = lasting_weight * trust;
    const logWeight = lasting_log_weight * trust;
    const successes = numbers[row + FIELD.successes] * left;
    this.#good = successes + weight * lasting;
    this.#bad = numbers[row + FIELD.failures] * left + weight * (1 - lasting);
    this.#logWeight = numbers[row + FIELD.logWeight] * left + logWeight;
    this.#log = (numbers[row + FIELD.logs] * left + logWeight * lastingLog) / this.#logWeight;
  }

  /** Sets #priorSuccess and #priorLog: as others are on the type, changed by how the agent is elsewhere. */
  #expect(
    agent: string,
    type: string,
    typeLevel: TypeLevel | undefined,
    level: TrailLevel | undefined,
    now: number,
  ): void {
    const { prior_weight, success_prior } = this.#settings;
    const all = shrunk(this.#all.successes, this.#all.expected, success_prior, prior_weight);
    let success = all;
    let log = this.#declaredLog(agent, type);
    if (typeLevel !== undefined) {
      success = shrunk(typeLevel.successes, typeLevel.expected, all, prior_weight);
      log += typeLevel.logs / (typeLevel.weight + prior_weight);
    }
    if (level !== undefined) {
      const left = halved(Math.max(0, now - level.at) / (this.#settings.half_life_h * HOUR_MS));
      success *= (level.successes * left + AGENT_SUCCESSES) / (level.expected * left + AGENT_SUCCESSES);
      log += (level.logs * left) / (level.weight * left + prior_weight);
    }
    this.#priorSuccess = clamp(success, 0.01, 0.99);
    this.#priorLog = log;
  }

  #declaredLog(agent: string, type: string): number {
    if (this.#declared.size === 0) return 0;
    const declared = this.#declared.get(agent);
    if (declared === undefined) return 0;
    let log = declared.logs.get(type);
    if (log === undefined) {
      if (declared.logs.size >= MAX_DECLARED) declared.logs.clear();
      const speed = declared.speedOf(type);
      log = speed !== null && speed > 0 && Number.isFinite(speed) ? clamp(-Math.log(speed), -MAX_LOG, MAX_LOG) : 0;
      declared.logs.set(type, log);
    }
    return log;
  }

  /** What remains of the pair's evidence by time and by the type's outcomes since. */
  #left(row: number, { clock, pairs }: TypeLevel, now: number): number {
    const { half_life_h, half_life_visits } = this.#settings;
    const { numbers } = this.#table;
    const ms = Math.max(0, now - numbers[row + FIELD.at]);
    const visits = Math.max(0, clock - numbers[row + FIELD.clock]) / Math.max(MIN_PEERS, pairs);
    return halved(ms / (half_life_h * HOUR_MS) + visits / half_life_visits);
  }

  #learnPair(row: number, at: number, level: TypeLevel, ok: boolean, log: number | null, weight: number): void {
    const { numbers } = this.#table;
    const { discount, lasting_discount } = this.#settings;
    const keep = discount * this.#left(row, level, at);
    for (const field of RECENT) numbers[row + field] *= keep;
    for (const field of LASTING) numbers[row + field] *= lasting_discount;
    numbers[row + FIELD.at] = Math.max(numbers[row + FIELD.at], at);
    numbers[row + FIELD.clock] = level.clock;
    deposit(numbers, row + FIELD.successes, ok, log, weight);
    deposit(numbers, row + FIELD.lastingSuccesses, ok, log, weight);
  }

  /** CUSUM (Page 1954): what came since the pair last looked as expected replaces the rest once it is too unlikely. */
  #watch(row: number, success: number, ok: boolean, log: number | null, weight: number, deviation: number): void {
    const { alarm, alarm_success, alarm_slower } = this.#settings;
    const { numbers } = this.#table;
    let evidence = ok ? Math.log(alarm_success) : Math.log((1 - success * alarm_success) / (1 - success));
    if (log !== null) evidence += alarm_slower * Math.min(deviation, MAX_DEVIATION) - (alarm_slower * alarm_slower) / 2;
    const sum = numbers[row + FIELD.alarm] + evidence;
    numbers[row + FIELD.alarm] = Math.max(0, sum);
    if (sum <= 0) {
      numbers.fill(0, row + FIELD.runSuccesses, row + FIELD.runLogWeight + 1);
      return;
    }
    deposit(numbers, row + FIELD.runSuccesses, ok, log, weight);
    if (sum < alarm) return;
    numbers.copyWithin(row + FIELD.successes, row + FIELD.runSuccesses, row + FIELD.runLogWeight + 1);
    numbers.fill(0, row + FIELD.alarm, row + FIELD.runLogWeight + 1);
    numbers[row + FIELD.changed] = 1;
  }

  /** Each level learns what the others do not explain of it. */
  #learnLevels(
    agent: string,
    typeLevel: TypeLevel,
    outcome: TrailObservation,
    log: number | null,
    weight: number,
  ): void {
    const { at, ok, type } = outcome;
    const { prior_weight, success_prior } = this.#settings;
    const level = this.#table.agents.get(agent)!.level;
    const ofAgent = level.logs / (level.weight + prior_weight);
    const ofType = typeLevel.logs / (typeLevel.weight + prior_weight);
    const own = log === null ? null : log - this.#declaredLog(agent, type);
    const expected = shrunk(typeLevel.successes, typeLevel.expected, success_prior, prior_weight);
    learnLevel(typeLevel, TYPE_DISCOUNT, { at, ok, expected: 1, log: own === null ? null : own - ofAgent, weight });
    const ofLevel = outcome.variance === undefined ? 1 : weight * AGENT_WEIGHT;
    learnLevel(level, AGENT_DISCOUNT, { at, ok, expected, log: own === null ? null : own - ofType, weight: ofLevel });
    learnLevel(this.#all, TYPE_DISCOUNT, { at, ok, expected: 1, log: null, weight: 0 });
  }

  #learnNoise(deviation: number): void {
    const squared = Math.min(deviation * deviation, MAX_DEVIATION * MAX_DEVIATION) * this.#noise();
    this.#noiseWeight = this.#noiseWeight * NOISE_DISCOUNT + 1;
    this.#noiseSquares = this.#noiseSquares * NOISE_DISCOUNT + squared;
  }

  /** Variance of log-ratios around what was expected. */
  #noise(): number {
    return shrunk(this.#noiseSquares, this.#noiseWeight, NOISE_PRIOR, NOISE_WEIGHT);
  }

  /** Where the pair's numbers are; its levels are there too from now on. */
  #use(agent: string, type: string): number {
    const known = this.#table.find(agent, type) >= 0;
    const row = this.#table.use(agent, type);
    if (known) return row;
    let level = this.#types.get(type);
    if (level === undefined) this.#types.set(type, (level = { ...newLevel(), clock: 0, pairs: 0 }));
    level.pairs++;
    return row;
  }

  #pairLeft(type: string): void {
    const level = this.#types.get(type)!;
    if (--level.pairs === 0) this.#types.delete(type);
  }
}

/** What remains after so many half-lives. */
const halved = (halfLives: number): number => Math.exp(-Math.LN2 * halfLives);

/** sum ÷ weight, drawn to the prior as if that were `priorWeight` observations. */
function shrunk(sum: number, weight: number, prior: number, priorWeight: number): number {
  return (sum + prior * priorWeight) / (weight + priorWeight);
}

function clamp(value: number, low: number, high: number): number {
  return Math.min(high, Math.max(low, value));
}
