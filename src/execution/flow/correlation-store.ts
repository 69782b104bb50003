import type { Row, Scope, Sql, Store } from '../../platform/store/store.ts';
import type { Correlation } from '../plans/ticket-record.ts';

/** What an event of a plan does not say itself. */
export type PlanCorrelation = Correlation & {
  risk_band: string | null;
  /** By ticket number; compensations made later are not in it. */
  taskTypes: readonly string[];
};

export type PlanName = { instance: string; planId: string };

/** Plans kept. A plan of 100 tasks takes about 1 kB. */
const KEPT = 5_000;

const PLANS = `select p.key, p.instance, p.id as plan_id, p.created_at, p.header ->> 'intent_id' as intent_id,
    p.header ->> 'correlation_id' as correlation_id, p.header ->> 'trace_id' as trace_id, p.header ->> 'span_id' as span_id,
    p.header ->> 'risk_band' as risk_band, p.decision ->> 'decision_id' as decision_id
  from plan p join unnest($1::text[], $2::text[]) v(instance, id) on p.id = v.id and p.instance = v.instance`;
const TYPES = `select plan, array_agg(spec ->> 'task_type' order by n) as types from ticket where plan = any($1) group by plan`;

/** Where plans come from, read in batches and remembered. */
export class CorrelationStore {
  readonly #store: Store;
  readonly #kept = new Map<string, PlanCorrelation>();

  constructor(store: Store) {
    this.#store = store;
  }

  /** The correlation of each plan that exists, by `keyOf`; two queries at most, whatever their number. */
  async read(plans: readonly PlanName[], scope: Scope = { as: 'engine' }): Promise<Map<string, PlanCorrelation>> {
    const found = new Map<string, PlanCorrelation>();
    const missing = new Map<string, PlanName>();
    for (const plan of plans) {
      const key = keyOf(plan);
      const kept = this.#kept.get(key);
      if (kept === undefined) missing.set(key, plan);
      else {
        found.set(key, kept);
        this.#keep(key, kept); // the newest stand last
      }
    }
    if (missing.size === 0) return found;
    for (const correlation of await this.#store.read(scope, (sql) => readCorrelations(sql, [...missing.values()]))) {
      const key = keyOf({ instance: correlation.instance, planId: correlation.plan_id });
      found.set(key, correlation);
      this.#keep(key, correlation);
    }
    return found;
  }

  /** The plan has changed: it was replanned, or sent again after a rejection. */
  forget(plan: PlanName): void {
    this.#kept.delete(keyOf(plan));
  }

  #keep(key: string, correlation: PlanCorrelation): void {
    this.#kept.delete(key);
    this.#kept.set(key, correlation);
    if (this.#kept.size > KEPT) this.#kept.delete(this.#kept.keys().next().value!);
  }
}

/** No company name holds a line break. */
export const keyOf = ({ instance, planId }: PlanName): string => `${instance}\n${planId}`;

async function readCorrelations(sql: Sql, plans: readonly PlanName[]): Promise<PlanCorrelation[]> {
  const rows = await sql.query<Row & Omit<PlanCorrelation, 'taskTypes'>>(PLANS, [
    plans.map((plan) => plan.instance),
    plans.map((plan) => plan.planId),
  ]);
  const typed = await sql.query<Row & { plan: number; types: string[] }>(TYPES, [rows.map((row) => row.key)]);
  const types = new Map(typed.map((row) => [row.plan, row.types]));
  return rows.map((row) => ({ ...row, taskTypes: types.get(row.key) ?? [] }));
}
