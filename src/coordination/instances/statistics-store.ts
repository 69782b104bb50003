import type { Store } from '../../platform/store/store.ts';

export type Tally =
  | 'plans_received'
  | 'plans_completed'
  | 'plans_failed'
  | 'plans_cancelled'
  | 'tickets_completed'
  | 'tickets_failed';

/** What came about in one company since the last event that is counted. */
export type AddedStatistics = Record<Tally, number> & {
  instance: string;
  /** Number and time of the last event in it. */
  event: number;
  at: Date;
  cost_usd: number;
  /** Of the last event, as `2026-11` (UTC), and the cost in it. */
  month: string;
  month_cost_usd: number;
};

/** Up to which event each company's figures count. */
export async function readCounted(store: Store, instances: readonly string[]): Promise<Map<string, number>> {
  const rows = await store.read({ as: 'engine' }, (sql) =>
    sql.query('select instance, event from instance_statistics where instance = any($1)', [instances]),
  );
  return new Map(rows.map((row) => [row.instance as string, row.event as number]));
}

/** Adds what comes after the event that is counted already. A company that was deleted meanwhile is passed over. */
export async function addStatistics(store: Store, added: readonly AddedStatistics[]): Promise<void> {
  const column = <K extends keyof AddedStatistics>(name: K): AddedStatistics[K][] => added.map((one) => one[name]);
  await store.write({ as: 'engine' }, (sql) =>
    sql.query(
      `insert into instance_statistics as s (instance, event, last_event_at, plans_received, plans_completed, plans_failed,
         plans_cancelled, tickets_completed, tickets_failed, cost_usd, month, month_cost_usd)
       select v.* from unnest($1::text[], $2::int8[], $3::timestamptz[], $4::int8[], $5::int8[], $6::int8[], $7::int8[], $8::int8[],
         $9::int8[], $10::float8[], $11::text[], $12::float8[])
         v(instance, event, at, received, completed, failed, cancelled, tickets, tickets_failed, cost, month, month_cost)
       where exists (select 1 from instance i where i.name = v.instance)
       on conflict (instance) do update set event = excluded.event, last_event_at = excluded.last_event_at,
         plans_received = s.plans_received + excluded.plans_received,
         plans_completed = s.plans_completed + excluded.plans_completed,
         plans_failed = s.plans_failed + excluded.plans_failed,
         plans_cancelled = s.plans_cancelled + excluded.plans_cancelled,
         tickets_completed = s.tickets_completed + excluded.tickets_completed,
         tickets_failed = s.tickets_failed + excluded.tickets_failed,
         cost_usd = s.cost_usd + excluded.cost_usd,
         month_cost_usd = excluded.month_cost_usd + case when s.month = excluded.month then s.month_cost_usd else 0 end,
         month = excluded.month
       where s.event < excluded.event`,
      [
        column('instance'),
        column('event'),
        column('at'),
        column('plans_received'),
        column('plans_completed'),
        column('plans_failed'),
        column('plans_cancelled'),
        column('tickets_completed'),
        column('tickets_failed'),
        column('cost_usd'),
        column('month'),
        column('month_cost_usd'),
      ],
    ),
  );
}
