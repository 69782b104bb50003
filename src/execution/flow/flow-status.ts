import type { CommittedRow } from './flow-engine.ts';

/** Each bucket of the histogram is 8 % wider than the one before: a quantile is right to 4 %, from 1 ms to 30 days. */
const GROWTH = Math.log(1.08);
const BUCKETS = 285;

export type FlowStatusView = {
  /** Plans that ran and came to an end since this process started. */
  total_processed: number;
  /** Percent of them that completed; 100 before the first. */
  success_rate: number;
  average_latency_ms: number;
  p95_latency_ms: number;
  /** Plans that have not come to an end. */
  active_executions: number;
};

/** What the plans of one company came to: fixed in size but for the names of its open plans. */
class Tally {
  readonly open = new Set<string>();
  readonly buckets = new Uint32Array(BUCKETS);
  ended = 0;
  completed = 0;
  totalMs = 0;

  end(completed: boolean, durationMs: number): void {
    this.ended++;
    if (completed) this.completed++;
    this.totalMs += durationMs;
    this.buckets[bucketOf(durationMs)]++;
  }
}

/** GET /api/v1/flow-c/status from memory: fed with committed rows, by company. */
export class FlowStatus {
  readonly #companies = new Map<string, Tally>();

  /** Cheap and never throws; call it after each commit. */
  observe(rows: readonly CommittedRow[]): void {
    for (const { instance, events } of rows) {
      for (const { type, plan, data } of events) {
        switch (type) {
          case 'plan.received':
          case 'plan.retried':
            this.#of(instance).open.add(plan!);
            break;
          case 'plan.completed':
          case 'plan.failed':
          case 'plan.compensated':
          case 'plan.cancelled': {
            const tally = this.#of(instance);
            tally.open.delete(plan!);
            tally.end(type === 'plan.completed', Number(data?.duration_ms ?? 0));
            break;
          }
          case 'plan.rejected':
            this.#of(instance).open.delete(plan!);
        }
      }
    }
  }

  /** Open plans that were loaded from the database. */
  loaded(instance: string, planIds: Iterable<string>): void {
    const { open } = this.#of(instance);
    for (const planId of planIds) open.add(planId);
  }

  /** The company is another replica's now. */
  forget(instance: string): void {
    this.#companies.delete(instance);
  }

  /** Of one company, or of all. */
  view(instance: string | null): FlowStatusView {
    const tallies = instance === null ? [...this.#companies.values()] : [this.#companies.get(instance) ?? new Tally()];
    const sum = (of: (tally: Tally) => number): number => tallies.reduce((total, tally) => total + of(tally), 0);
    const ended = sum((tally) => tally.ended);
    return {
      total_processed: ended,
      success_rate: ended === 0 ? 100 : (100 * sum((tally) => tally.completed)) / ended,
      average_latency_ms: ended === 0 ? 0 : sum((tally) => tally.totalMs) / ended,
      p95_latency_ms: quantile(tallies, ended, 0.95),
      active_executions: sum((tally) => tally.open.size),
    };
  }

  #of(instance: string): Tally {
    let tally = this.#companies.get(instance);
    if (tally === undefined) this.#companies.set(instance, (tally = new Tally()));
    return tally;
  }
}

function bucketOf(ms: number): number {
  return ms <= 1 ? 0 : Math.min(BUCKETS - 1, Math.ceil(Math.log(ms) / GROWTH));
}

function quantile(tallies: readonly Tally[], count: number, share: number): number {
  if (count === 0) return 0;
  let left = Math.ceil(count * share);
  for (let bucket = 0; bucket < BUCKETS; bucket++) {
    for (const { buckets } of tallies) left -= buckets[bucket];
    if (left <= 0) return bucket === 0 ? 1 : Math.round(Math.exp((bucket - 0.5) * GROWTH));
  }
  return 0;
}
