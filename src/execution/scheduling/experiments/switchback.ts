import {
  addOutcome,
  type Arm,
  type ExperimentBlock,
  type ExperimentOutcome,
  measureOf,
  newBlock,
  onTimeShare,
} from './experiment-block.ts';
import { defaultsOf } from '../setting.ts';
import { EXPERIMENT_SETTINGS, type ExperimentSettings, METRICS } from './experiment-settings.ts';
import { meanInterval } from './student-t.ts';

export type StopReason =
  /** All planned pairs are there. */
  | 'planned end'
  /** The difference was certain before. */
  | 'certain'
  /** An error budget burnt too fast. */
  | 'burn rate'
  /** One preset met fewer deadlines than the guard allows. */
  | 'on-time share'
  /** Gaps between ticks and steps of the clock spoiled as many blocks as were planned. */
  | 'interrupted'
  | 'stopped by hand';

/** What is known of the difference. */
export type ExperimentFinding = {
  /** B against A; its unit is that of the metric, or a share of A (METRICS). Null = fewer than two pairs count. */
  difference: number | null;
  /** At the confidence of the settings; null as above. */
  interval: [number, number] | null;
  /** Pairs that count, and blocks that were begun. */
  pairs: number;
  blocks: number;
  /** Results that count. */
  results: Record<Arm, number>;
  /** Null = no results. */
  onTime: Record<Arm, number | null>;
};

export type ExperimentResult = ExperimentFinding & {
  /** Name of the preset; null = no difference was found, or it was stopped for another reason than finding one. */
  winner: string | null;
  stopped: StopReason;
  /** Name of the preset that did harm, when that is why it was stopped and it is known. */
  harmful: string | null;
  startedAt: number;
  endedAt: number;
};

export type SwitchbackSnapshot = {
  settings: ExperimentSettings;
  startedAt: number;
  tickedAt: number;
  spoiled: number;
  blocks: ExperimentBlock[];
  result: ExperimentResult | null;
};

/** Pairs before the on-time guard may judge, and its confidence (two-sided). */
const GUARD_PAIRS = 3;
const GUARD_CONFIDENCE = 0.95;
/** Looks before the end need the risk of error of the end divided by this, so that looking often costs nothing (Haybittle and Peto). */
const EARLY = 50;
/** Blocks back that a result may have begun in and still count. */
const REMEMBERED_BLOCKS = 4;
/** A clock that goes back by less is disorder, not a step. */
const STEP_MS = 2_000;

/**
 * A switchback experiment on live work: time is cut into blocks under preset A or B, in pairs of random order, so that load
 * that comes and goes hits both alike; the start of each block does not count, because work of the block before is still
 * there. The difference is that of the blocks of a pair, its interval Student's over pairs. Source: Bojinov, Simchi-Levi,
 * Zhao, "Design and analysis of switchback experiments". At most 400 blocks are held.
 */
export class Switchback {
  readonly settings: ExperimentSettings;
  readonly #startedAt: number;
  readonly #blocks: ExperimentBlock[];
  #tickedAt: number;
  #spoiled: number;
  #result: ExperimentResult | null;

  /** From a snapshot it goes on where it was; the block that was under way begins again when the gap was long. */
  constructor(start: { settings: ExperimentSettings; at: number } | SwitchbackSnapshot) {
    this.settings = { ...defaultsOf(EXPERIMENT_SETTINGS), ...start.settings };
    const isNew = 'at' in start;
    this.#startedAt = isNew ? start.at : start.startedAt;
    this.#tickedAt = isNew ? start.at : start.tickedAt;
    this.#spoiled = isNew ? 0 : (start.spoiled ?? 0);
    this.#blocks = isNew ? [] : structuredClone(start.blocks ?? []);
    if (this.#blocks.length === 0) this.#blocks.push(newBlock(armOf(this.settings.seed, 0), this.#tickedAt));
    this.#result = isNew ? null : (start.result ?? null);
  }

  /** Epoch ms. */
  get startedAt(): number {
    return this.#startedAt;
  }

  /** Null = it goes on. */
  get result(): ExperimentResult | null {
    return this.#result;
  }

  /** The preset of the block under way; null = it has ended. */
  get preset(): string | null {
    return this.#result === null ? this.settings[this.#current.arm] : null;
  }

  /** Results of the start of a block, and of before the experiment, do not count. O(1). */
  observe(outcome: ExperimentOutcome): void {
    const { startedAt } = outcome;
    const oldest = Math.max(0, this.#blocks.length - REMEMBERED_BLOCKS);
    for (let n = this.#blocks.length - 1; n >= oldest; n--) {
      const block = this.#blocks[n];
      if (startedAt < block.from || startedAt >= (block.to ?? Infinity)) continue;
      if (startedAt >= block.from + this.settings.washoutMs) addOutcome(block, outcome, this.settings.metric);
      return;
    }
  }

  /**
   * Call every second or so. `burn`: the fastest burn of an error budget (1 = as fast as it lasts). Returns the preset to
   * use from now on; null = the experiment has ended: use the configured one.
   */
  tick(now: number, burn: number): { preset: string | null; result: ExperimentResult | null } {
    if (this.#result === null && burn >= this.settings.guardBurn) this.#end(now, 'burn rate', null);
    if (this.#result === null) this.#advance(now);
    return { preset: this.preset, result: this.#result };
  }

  /** Ends it by hand; nothing happens when it has ended. */
  stop(now: number): ExperimentResult {
    return this.#result ?? this.#end(now, 'stopped by hand', null);
  }

  /** What is known so far; looking has no effect. */
  finding(): ExperimentFinding {
    const interval = meanInterval(this.#differences(), this.settings.confidence);
    const back = METRICS[this.settings.metric].ratio ? Math.expm1 : (value: number): number => value;
    return {
      difference: interval === null ? null : back(interval.mean),
      interval: interval === null ? null : [back(interval.low), back(interval.high)],
      pairs: this.#pairs('values').length,
      blocks: this.#blocks.length,
      results: { a: this.#sum('a', 'results'), b: this.#sum('b', 'results') },
      onTime: { a: this.#onTime('a'), b: this.#onTime('b') },
    };
  }

  snapshot(): SwitchbackSnapshot {
    return {
      settings: this.settings,
      startedAt: this.#startedAt,
      tickedAt: this.#tickedAt,
      spoiled: this.#spoiled,
      blocks: structuredClone(this.#blocks),
      result: this.#result,
    };
  }

  get #current(): ExperimentBlock {
    return this.#blocks[this.#blocks.length - 1];
  }

  #advance(now: number): void {
    const { blockMs, washoutMs, pairs, seed } = this.settings;
    const elapsedMs = now - this.#tickedAt;
    this.#tickedAt = now;
    if (elapsedMs < -STEP_MS || elapsedMs > blockMs / 2) return this.#spoil(now);
    const last = this.#blocks.length === 2 * pairs;
    const before = this.#current.ranMs;
    this.#current.ranMs += Math.max(0, elapsedMs);
    const { ranMs } = this.#current;
    if (last) {
      if (ranMs >= blockMs) this.#current.to ??= now;
      // Results of the last block get the time to come that those of the others had.
      if (ranMs >= blockMs + washoutMs) this.#judge(now, true);
    } else if (ranMs >= blockMs) {
      this.#current.to = now;
      this.#blocks.push(newBlock(armOf(seed, this.#blocks.length), now));
      if (washoutMs === 0 && this.#blocks.length % 2 === 1) this.#judge(now, false);
    } else if (before < washoutMs && ranMs >= washoutMs && this.#blocks.length % 2 === 1 && this.#blocks.length > 1) {
      this.#judge(now, false);
    }
  }

  /** What came of a block that was interrupted cannot be told from the interruption: it begins again. */
  #spoil(now: number): void {
    this.#spoiled++;
    if (this.#spoiled >= 2 * this.settings.pairs) this.#end(now, 'interrupted', null);
    else this.#blocks[this.#blocks.length - 1] = newBlock(this.#current.arm, now);
  }

  #judge(now: number, isEnd: boolean): void {
    const { confidence, guardDrop, minPairs } = this.settings;
    const onTime = this.#pairs('results').map(([a, b]) => onTimeShare(b) - onTimeShare(a));
    const guard = onTime.length < GUARD_PAIRS ? null : meanInterval(onTime, GUARD_CONFIDENCE);
    if (guard !== null && guard.high < -guardDrop) this.#end(now, 'on-time share', 'b');
    else if (guard !== null && guard.low > guardDrop) this.#end(now, 'on-time share', 'a');
    else if (isEnd) this.#end(now, 'planned end', null);
    else {
      const differences = this.#differences();
      const early = meanInterval(differences, 1 - (1 - confidence) / EARLY);
      if (differences.length >= minPairs && early !== null && excludesZero([early.low, early.high]))
        this.#end(now, 'certain', null);
    }
  }

  #end(now: number, stopped: StopReason, harmful: Arm | null): ExperimentResult {
    const finding = this.finding();
    this.#result = {
      ...finding,
      winner: this.#winner(stopped, harmful, finding),
      stopped,
      harmful: harmful === null ? null : this.settings[harmful],
      startedAt: this.#startedAt,
      endedAt: now,
    };
    return this.#result;
  }

  #winner(stopped: StopReason, harmful: Arm | null, { pairs, interval }: ExperimentFinding): string | null {
    const { metric, minPairs, a, b } = this.settings;
    if (harmful !== null && metric === 'on_time') return harmful === 'a' ? b : a;
    if ((stopped !== 'planned end' && stopped !== 'certain') || interval === null || pairs < minPairs) return null;
    if (!excludesZero(interval)) return null;
    return interval[0] > 0 === (METRICS[metric].better === 'higher') ? b : a;
  }

  /** [A, B] of the pairs that have ended with enough results, or values of the metric, in both blocks. */
  #pairs(enough: 'results' | 'values'): [ExperimentBlock, ExperimentBlock][] {
    const pairs: [ExperimentBlock, ExperimentBlock][] = [];
    for (let n = 1; n < this.#blocks.length; n += 2) {
      const [one, other] = [this.#blocks[n - 1], this.#blocks[n]];
      if (other.to === null || Math.min(one[enough], other[enough]) < this.settings.minResults) continue;
      pairs.push(one.arm === 'a' ? [one, other] : [other, one]);
    }
    return pairs;
  }

  /** B − A of each pair, or the logarithm of B ÷ A. */
  #differences(): number[] {
    const { metric } = this.settings;
    return this.#pairs('values').map(([a, b]) => {
      const [x, y] = [measureOf(a, metric), measureOf(b, metric)];
      return METRICS[metric].ratio ? Math.log(Math.max(1, y) / Math.max(1, x)) : y - x;
    });
  }

  #sum(arm: Arm, field: 'results' | 'onTime'): number {
    return this.#blocks.reduce((sum, block) => sum + (block.arm === arm ? block[field] : 0), 0);
  }

  #onTime(arm: Arm): number | null {
    const results = this.#sum(arm, 'results');
    return results === 0 ? null : this.#sum(arm, 'onTime') / results;
  }
}

const excludesZero = ([low, high]: readonly [number, number]): boolean => low > 0 || high < 0;

/** Which preset a block is under: the order within each pair is drawn from the seed. Source of the mixing: MurmurHash3. */
function armOf(seed: number, block: number): Arm {
  let mixed = Math.imul(seed ^ Math.imul((block >> 1) + 1, 0x9e3779b1), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  const aFirst = ((mixed ^ (mixed >>> 16)) & 1) === 0;
  return aFirst === (block % 2 === 0) ? 'a' : 'b';
}
