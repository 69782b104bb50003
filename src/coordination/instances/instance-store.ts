import type { Row, Scope, Store } from '../../platform/store/store.ts';
import type {
  CompanyFault,
  Health,
  InstanceState,
  InstanceStatistics,
  ResourceView,
  Strategy,
  Tier,
} from './instance-views.ts';

/** A company as the registry has it. */
export type KeptInstance = {
  name: string;
  no: number;
  tier: Tier;
  strategy: Strategy;
  template: string;
  state: InstanceState;
  budgetUsd: number | null;
  /** null = under its name in the folder of all companies. */
  folder: string | null;
  createdAt: Date;
  initializedAt: Date | null;
  health: Health;
  validatedAt: Date | null;
  statistics: InstanceStatistics;
};

/** What everything of a company outside of Colmeia's tables is called after: unlike its name it stays, and no other company has it, in this hive or in another. */
export const placeIdOf = ({ createdAt, no }: Pick<KeptInstance, 'createdAt' | 'no'>): string =>
  `${createdAt.getTime().toString(36)}${no}`;

export type NewRow = Pick<KeptInstance, 'name' | 'tier' | 'strategy' | 'template' | 'budgetUsd' | 'folder'>;

type Statement = { text: string; values: readonly unknown[] };
const COORDINATOR: Scope = { as: 'coordinator' };

/** Open plans are counted where they are: a plan may open again after it has ended. */
const COLUMNS = `i.name, i.no, i.tier, i.strategy, i.template, i.state, i.budget_usd, i.folder, i.created_at, i.initialized_at,
  i.health, i.validated_at, s.plans_received, s.plans_completed, s.plans_failed, s.plans_cancelled, s.tickets_completed,
  s.tickets_failed, s.cost_usd, case when s.month = to_char(now() at time zone 'utc', 'YYYY-MM') then s.month_cost_usd end as month_cost_usd,
  s.last_event_at, (select count(*) from plan p where p.instance = i.name
    and p.status in ('waiting_approval', 'running', 'compensating', 'consolidating')) as plans_open`;
const FROM = 'from instance i left join instance_statistics s on s.instance = i.name';

function instanceOf(row: Row): KeptInstance {
  const count = (value: unknown): number => Number(value ?? 0);
  return {
    name: row.name as string,
    no: row.no as number,
    tier: row.tier as Tier,
    strategy: row.strategy as Strategy,
    template: row.template as string,
    state: row.state as InstanceState,
    budgetUsd: row.budget_usd as number | null,
    folder: row.folder as string | null,
    createdAt: row.created_at as Date,
    initializedAt: row.initialized_at as Date | null,
    health: row.health as Health,
    validatedAt: row.validated_at as Date | null,
    statistics: {
      plans_received: count(row.plans_received),
      plans_open: count(row.plans_open),
      plans_completed: count(row.plans_completed),
      plans_failed: count(row.plans_failed),
      plans_cancelled: count(row.plans_cancelled),
      tickets_completed: count(row.tickets_completed),
      tickets_failed: count(row.tickets_failed),
      cost_usd: count(row.cost_usd),
      month_cost_usd: count(row.month_cost_usd),
      last_event_at: (row.last_event_at as Date | null)?.toISOString() ?? null,
    },
  };
}

/** null = it is not there, or not for this scope. */
export async function findInstance(store: Store, scope: Scope, name: string): Promise<KeptInstance | null> {
  const [row] = await store.read(scope, (sql) =>
    sql.query(`select ${COLUMNS} ${FROM} where i.name = $1 and i.name not like '$%'`, [name.replaceAll('\u0000', '')]),
  );
  return row === undefined ? null : instanceOf(row);
}

/** By name, with health and figures, as one query. */
export async function listInstances(
  store: Store,
  scope: Scope,
  query: { after: string; limit: number; state: string | null; health: string | null },
): Promise<KeptInstance[]> {
  const rows = await store.read(scope, (sql) =>
    sql.query(
      `select ${COLUMNS} ${FROM} where i.name > $1 and i.name not like '$%' and ($2::text is null or i.state = $2)
         and ($3::text is null or i.health = $3) order by i.name limit $4`,
      [query.after, query.state, query.health, query.limit],
    ),
  );
  return rows.map(instanceOf);
}

/** What the last validation found of companies that are not being deleted. */
export async function findHealths(
  store: Store,
  names: readonly string[],
): Promise<(Pick<KeptInstance, 'name' | 'folder' | 'health'> & { faults: CompanyFault[] })[]> {
  return store.read(COORDINATOR, (sql) =>
    sql.query(
      `select name, folder, health, faults from instance where name = any($1) and name not like '$%' and state <> 'deleting'`,
      [names],
    ),
  );
}

export type InstanceMore = { faults: CompanyFault[]; owners: string[]; resources: ResourceView[] };

/** What only the view of one company has. */
export async function readMore(store: Store, scope: Scope, name: string): Promise<InstanceMore> {
  const [row] = await store.read(scope, (sql) =>
    sql.query(
      `select i.faults,
         coalesce((select array_agg(o.principal order by o.principal) from instance_owner o where o.instance = i.name), '{}') as owners,
         coalesce((select jsonb_agg(jsonb_build_object('kind', r.kind, 'id', r.id, 'site', r.site) order by r.created_at, r.kind)
           from instance_resource r where r.instance = i.name), '[]') as resources
       from instance i where i.name = $1`,
      [name],
    ),
  );
  if (row === undefined) return { faults: [], owners: [], resources: [] };
  const { faults, owners, resources } = row as Row & InstanceMore;
  return { faults, owners, resources };
}

/** What belongs to a company in Colmeia's own tables. */
export async function countBelongings(
  store: Store,
  scope: Scope,
  name: string,
): Promise<{ agents: number; keys: number; secrets: number }> {
  const [row] = await store.read(scope, (sql) =>
    sql.query(
      `select (select count(*) from agent where instance = $1) as agents,
         (select count(key_id) from api_key where instance = $1 and revoked_at is null) as keys,
         (select count(name) from secret where instance = $1) as secrets`,
      [name],
    ),
  );
  return { agents: Number(row.agents), keys: Number(row.keys), secrets: Number(row.secrets) };
}

/** Statements that make a company: its row, the head of its journal and its figures. Fail with 23505 when it exists. */
export const insertInstance = ({ name, tier, strategy, template, budgetUsd, folder }: NewRow): Statement[] => [
  {
    text: 'insert into instance (name, tier, strategy, template, budget_usd, folder) values ($1, $2, $3, $4, $5, $6)',
    values: [name, tier, strategy, template, budgetUsd, folder],
  },
  { text: 'insert into journal_head (instance) values ($1)', values: [name] },
  { text: 'insert into instance_statistics (instance) values ($1)', values: [name] },
];

/** Settings that are named change; `budgetUsd` null = no limit. */
export const updateInstance = (
  name: string,
  change: { tier?: Tier; budgetUsd?: number | null; strategy?: Strategy },
): Statement => ({
  text: `update instance set tier = coalesce($2, tier), strategy = coalesce($3, strategy),
      budget_usd = case when $4 then $5::float8 else budget_usd end where name = $1`,
  values: [
    name,
    change.tier ?? null,
    change.strategy ?? null,
    change.budgetUsd !== undefined,
    change.budgetUsd ?? null,
  ],
});

/** Fails with 22012, a division by zero, unless it is in one of the states `from`: nothing is changed then. */
export const setState = (name: string, from: readonly InstanceState[], to: InstanceState): Statement => ({
  text: `update instance set state = case 1 / (state = any($2))::int4 when 1 then $3 end where name = $1`,
  values: [name, from, to],
});

export const setInitialized = (name: string): Statement => ({
  text: 'update instance set initialized_at = coalesce(initialized_at, now()) where name = $1',
  values: [name],
});

/** Before it is made outside, so that a delete finds it whatever happens. */
export async function recordResources(store: Store, name: string, resources: readonly ResourceView[]): Promise<void> {
  await store.write(COORDINATOR, (sql) =>
    sql.query(
      `insert into instance_resource (instance, kind, id, site) select $1, kind, id, site
       from jsonb_to_recordset($2::jsonb) r(kind text, id text, site text) on conflict do nothing`,
      [name, JSON.stringify(resources)],
    ),
  );
}

export async function forgetResources(store: Store, name: string, resources: readonly ResourceView[]): Promise<void> {
  await store.write(COORDINATOR, (sql) =>
    sql.query(
      `delete from instance_resource r using jsonb_to_recordset($2::jsonb) g(kind text, id text, site text)
       where r.instance = $1 and r.kind = g.kind and r.id = g.id and r.site = g.site`,
      [name, JSON.stringify(resources)],
    ),
  );
}

const TABLES = [
  'instance',
  'agent',
  'api_key',
  'consumer',
  'former_name',
  'instance_owner',
  'instance_resource',
  'instance_statistics',
  'journal',
  'journal_head',
  'plan',
  'secret',
  'secret_key',
  'ticket',
  'token_usage',
] as const;

/** Rows of a company, by table; those without any are left out. */
export async function countRows(store: Store, name: string): Promise<Record<string, number>> {
  const counts = TABLES.map(
    (t) => `select '${t}' as t, count(*) from ${t} where ${t === 'instance' ? 'name' : 'instance'} = $1`,
  );
  const rows = await store.read(COORDINATOR, (sql) => sql.query(counts.join(' union all '), [name]));
  return Object.fromEntries(
    rows.filter(({ count }) => count !== 0).map(({ t, count }) => [t as string, count as number]),
  );
}

/** Where the chain of a company ends: what is left of it when it is gone. null = it has none. */
export async function readChainEnd(store: Store, name: string): Promise<{ events: number; hash: string } | null> {
  const [row] = await store.read(COORDINATOR, (sql) =>
    sql.query('select events, hash from journal_head where instance = $1', [name]),
  );
  return row === undefined ? null : { events: row.events as number, hash: row.hash as string };
}

export async function listKeyIds(store: Store, name: string): Promise<string[]> {
  const rows = await store.read(COORDINATOR, (sql) =>
    sql.query('select key_id from api_key where instance = $1', [name]),
  );
  return rows.map((row) => row.key_id as string);
}

/** Open plans of a company, a bounded page. */
export async function listOpenPlans(store: Store, name: string, limit: number): Promise<number[]> {
  const rows = await store.read(COORDINATOR, (sql) =>
    sql.query(
      `select key from plan where instance = $1 and status in ('waiting_approval', 'running', 'compensating', 'consolidating')
       order by key limit $2`,
      [name, limit],
    ),
  );
  return rows.map((row) => row.key as number);
}
