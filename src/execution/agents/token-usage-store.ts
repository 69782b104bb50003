import type { Row, Scope, Store } from '../../platform/store/store.ts';
import type { TokenUsage } from './token-usage.ts';

/** Totals of results; `since` is null when there are none. */
export type KeptUsage = TokenUsage & { results: number; since: number | null };
/** `agent` is the key; null = of all agents. */
export type UsageRow = KeptUsage & { instance: string; agent: string | null };

/** What one agent used for one company since the last event that counts. */
export type AddedUsage = TokenUsage & { instance: string; agent: string; results: number; event: number; at: Date };

const SUMS = `coalesce(sum(results), 0)::int8 as results, coalesce(sum(input_tokens), 0)::int8 as input_tokens,
  coalesce(sum(output_tokens), 0)::int8 as output_tokens, coalesce(sum(cost_usd), 0)::float8 as cost_usd, min(since) as since`;

const usageOf = (row: Row): KeptUsage => ({
  results: row.results as number,
  input_tokens: row.input_tokens as number,
  output_tokens: row.output_tokens as number,
  cost_usd: row.cost_usd as number,
  since: (row.since as Date | null)?.getTime() ?? null,
});

/** Of one agent, over the companies that the scope sees. */
export async function usageOfAgent(store: Store, scope: Scope, agentKey: string): Promise<KeptUsage> {
  const [row] = await store.read(scope, (sql) =>
    sql.query(`select ${SUMS} from token_usage where agent = $1`, [agentKey]),
  );
  return usageOf(row);
}

/** By company, or by company and agent. */
export async function listUsage(
  store: Store,
  scope: Scope,
  query: { instance: string | null; byAgent: boolean; after: { instance: string; agent: string }; limit: number },
): Promise<UsageRow[]> {
  const agent = query.byAgent ? 'agent' : `''`;
  const rows = await store.read(scope, (sql) =>
    sql.query(
      `select instance, ${agent} as agent, ${SUMS} from token_usage
       where (instance, ${agent}) > ($1, $2) and ($3::text is null or instance = $3)
       group by 1, 2 order by 1, 2 limit $4`,
      [query.after.instance, query.after.agent, query.instance, query.limit],
    ),
  );
  return rows.map((row) => ({
    ...usageOf(row),
    instance: row.instance as string,
    agent: query.byAgent ? (row.agent as string) : null,
  }));
}

/** Up to which event the usage of each company's agents is kept, by `<instance>\n<agent>`. */
export async function readCounted(store: Store, instances: readonly string[]): Promise<Map<string, number>> {
  const rows = await store.read({ as: 'engine' }, (sql) =>
    sql.query('select instance, agent, event from token_usage where instance = any($1)', [instances]),
  );
  return new Map(rows.map((row) => [`${String(row.instance)}\n${String(row.agent)}`, row.event as number]));
}

/** Adds what comes after the event that is counted already. */
export async function addUsage(store: Store, added: readonly AddedUsage[]): Promise<void> {
  const column = <K extends keyof AddedUsage>(name: K): AddedUsage[K][] => added.map((one) => one[name]);
  await store.write({ as: 'engine' }, (sql) =>
    sql.query(
      `insert into token_usage as u (instance, agent, results, input_tokens, output_tokens, cost_usd, event, since)
       select * from unnest($1::text[], $2::text[], $3::int8[], $4::int8[], $5::int8[], $6::float8[], $7::int8[], $8::timestamptz[])
         v(instance, agent, results, input_tokens, output_tokens, cost_usd, event, since)
       where exists (select 1 from instance i where i.name = v.instance) -- it may have been deleted meanwhile
       on conflict (agent, instance) do update set results = u.results + excluded.results,
         input_tokens = u.input_tokens + excluded.input_tokens, output_tokens = u.output_tokens + excluded.output_tokens,
         cost_usd = u.cost_usd + excluded.cost_usd, event = excluded.event
       where u.event < excluded.event`,
      [
        column('instance'),
        column('agent'),
        column('results'),
        column('input_tokens'),
        column('output_tokens'),
        column('cost_usd'),
        column('event'),
        column('at'),
      ],
    ),
  );
}
