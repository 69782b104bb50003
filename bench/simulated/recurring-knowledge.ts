import type { Random } from '../../src/platform/clock.ts';
import type { Estimates } from '../../src/execution/scheduling/estimates.ts';
import { Knowledge } from '../../src/execution/scheduling/models/knowledge.ts';
import type { Outcome } from '../../src/execution/scheduling/outcome.ts';
import { simulatedSpec } from '../../src/execution/scheduling/simulation/scenario.ts';

/** Observations that the mean of a type in other runs counts as. */
const PRIOR_WEIGHT = 3;
const BEFORE = 1.7e12 - 60_000;

/** The models of production, with the types' means of other runs told beforehand, and the agents' speeds when they are given. */
export class RecurringKnowledge implements Estimates {
  readonly #knowledge: Knowledge;
  readonly #factor: ((type: string, agent: string) => number) | null;

  constructor(
    priorsMs: Iterable<[string, number | null]>,
    factor: ((type: string, agent: string) => number) | null,
    random: Random,
  ) {
    this.#knowledge = new Knowledge(random);
    this.#factor = factor;
    for (const [type, mean] of priorsMs)
      for (let i = 0; mean !== null && i < PRIOR_WEIGHT; i++)
        this.#knowledge.durations.observe(simulatedSpec(type), 'acme', BEFORE, Math.max(1, mean));
  }

  observe(outcome: Outcome): void {
    if (this.#factor === null) return this.#knowledge.observe(outcome);
    const { spec, instance, at, durationMs, type, agent } = outcome;
    this.#knowledge.durations.observe(spec, instance, at, Math.max(1, durationMs / this.#factor(type, agent)));
  }

  base: Estimates['base'] = (spec, instance) => this.#knowledge.base(spec, instance);
  upper: Estimates['upper'] = (spec, instance, agent, p, now) => this.#knowledge.upper(spec, instance, agent, p, now);
  factor: Estimates['factor'] = (type, agent, now) =>
    this.#factor === null ? this.#knowledge.factor(type, agent, now) : this.#factor(type, agent);
  success: Estimates['success'] = (type, agent, now) => this.#knowledge.success(type, agent, now);
  sample: Estimates['sample'] = (type, agent, now) =>
    this.#factor === null
      ? this.#knowledge.sample(type, agent, now)
      : { factor: this.#factor(type, agent), success: this.#knowledge.success(type, agent, now) };
}
