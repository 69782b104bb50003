import type { Estimates } from '../../src/execution/scheduling/estimates.ts';
import { type Outcome, typeOf } from '../../src/execution/scheduling/outcome.ts';

/**
 * The plainest models that learn: the mean of the type with a prior, and of (type, agent) the mean ratio to it, shrunk to the
 * agent's own mean ratio and that to 1. Baselines use them; speeds may be given instead of learned.
 */
export class LearnedEstimates implements Estimates {
  readonly #types = new Map<string, { sum: number; weight: number }>();
  readonly #agents = new Map<string, { log: number; n: number }>();
  readonly #all = { sum: 0, weight: 0 };
  readonly #known: ((type: string, agent: string) => number) | null;

  constructor(priorsMs: Iterable<[string, number | null]>, known: ((type: string, agent: string) => number) | null) {
    this.#known = known;
    for (const [type, mean] of priorsMs)
      if (mean !== null) {
        this.#types.set(type, { sum: 3 * mean, weight: 3 });
        this.#all.sum += mean;
        this.#all.weight++;
      }
  }

  observe({ type, agent, durationMs, result, at }: Outcome): void {
    if (result !== 'completed') return;
    const base = this.#mean(type);
    if (this.#known === null && base !== null) {
      const ratio = Math.log(Math.max(1e-3, durationMs) / Math.max(1e-3, base));
      for (const key of [agent, `${type} ${agent}`]) {
        const seen = this.#agents.get(key) ?? { log: 0, n: 0 };
        seen.log += ratio;
        seen.n++;
        this.#agents.set(key, seen);
      }
    }
    const ordinary = durationMs / this.factor(type, agent, at);
    const seen = this.#types.get(type) ?? { sum: 0, weight: 0 };
    seen.sum += ordinary;
    seen.weight++;
    this.#types.set(type, seen);
    this.#all.sum += ordinary;
    this.#all.weight++;
  }

  #mean(type: string): number | null {
    const seen = this.#types.get(type) ?? this.#all;
    return seen.weight === 0 ? null : Math.max(1, seen.sum / seen.weight);
  }

  base: Estimates['base'] = (spec) => this.#mean(typeOf(spec)) ?? 60_000;
  upper: Estimates['upper'] = (spec) => 3 * (this.#mean(typeOf(spec)) ?? 60_000);
  factor: Estimates['factor'] = (type, agent) => {
    if (this.#known !== null) return this.#known(type, agent);
    const own = this.#agents.get(agent);
    const mean = own === undefined ? 0 : own.log / (own.n + 2);
    const here = this.#agents.get(`${type} ${agent}`);
    return Math.exp(here === undefined ? mean : (here.log + 2 * mean) / (here.n + 2));
  };
  success: Estimates['success'] = () => 0.99;
  sample: Estimates['sample'] = (type, agent, now) => ({ factor: this.factor(type, agent, now), success: 0.99 });
}
