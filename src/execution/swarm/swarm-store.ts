import type { Scope, Store } from '../../platform/store/store.ts';
import type { TicketSpec } from '../plans/ticket.ts';
import type { PlanSpecs } from './outcomes-of.ts';

/** What is kept under a name: what was learned, the policy in force, the experiment under way. */
export type StateName = 'knowledge' | 'policy' | 'experiment';

const ENGINE: Scope = { as: 'engine' };

/** null = nothing was kept. */
export async function readState(store: Store, name: StateName): Promise<unknown> {
  const [row] = await store.read(ENGINE, (sql) =>
    sql.query('select body from scheduler_state where name = $1', [name]),
  );
  return row?.body ?? null;
}

export const writeState = (name: StateName, body: unknown) => ({
  text: `insert into scheduler_state (name, body) values ($1, $2)
    on conflict (name) do update set body = excluded.body, at = now()`,
  values: [name, JSON.stringify(body)],
});

export async function keepKnowledge(store: Store, body: unknown): Promise<void> {
  const { text, values } = writeState('knowledge', body);
  await store.write(ENGINE, (sql) => sql.query(text, values));
}

/** The tickets of plans by company and id; two columns of one query, whatever the number of plans. */
export async function readSpecs(
  store: Store,
  instance: string,
  planIds: readonly string[],
): Promise<Map<string, PlanSpecs>> {
  const rows = await store.read(ENGINE, (sql) =>
    sql.query(
      `select p.id, p.key, t.n, t.spec from plan p join ticket t on t.plan = p.key
       where p.instance = $1 and p.id = any($2) order by p.key, t.n`,
      [instance, planIds],
    ),
  );
  const plans = new Map<string, PlanSpecs & { specs: TicketSpec[] }>();
  for (const { id, key, n, spec } of rows as unknown as { id: string; key: number; n: number; spec: TicketSpec }[]) {
    let plan = plans.get(id);
    if (plan === undefined) plans.set(id, (plan = { key, specs: [] }));
    plan.specs[n] = spec;
  }
  return plans;
}
