import type { Row, Scope, Store } from '../../platform/store/store.ts';
import { SYSTEM_INSTANCE } from '../../trust/identity/principal.ts';
import type { AgentSpec, AgentState } from './agent.ts';

export type KeptAgent = {
  instance: string | null;
  spec: AgentSpec;
  state: AgentState;
  registeredAt: Date;
  /** The last ten, oldest first; empty when it registered before they were kept. */
  versions: { version: string | null; at: number }[];
};

const COLUMNS =
  'instance, id, kind, task_types, capabilities, concurrency, labels, region, version, state, registered_at, versions';

const keptAgentOf = (row: Row): KeptAgent => ({
  instance: row.instance === SYSTEM_INSTANCE ? null : (row.instance as string),
  state: row.state as KeptAgent['state'],
  registeredAt: row.registered_at as Date,
  versions: row.versions as KeptAgent['versions'],
  spec: {
    agent_id: row.id as string,
    kind: row.kind as AgentSpec['kind'],
    task_types: row.task_types as string[],
    capabilities: row.capabilities as string[],
    concurrency: row.concurrency as number,
    labels: row.labels as Record<string, string>,
    region: row.region as string | null,
    version: row.version as string | null,
  },
});

export async function findAgents(store: Store, scope: Scope, agentId: string): Promise<KeptAgent[]> {
  const rows = await store.read(scope, (sql) =>
    sql.query(`select ${COLUMNS} from agent where id = $1 order by instance limit 100`, [agentId]),
  );
  return rows.map(keptAgentOf);
}

export async function listAgents(
  store: Store,
  scope: Scope,
  query: { instance: string | null; after: { instance: string; id: string }; limit: number },
): Promise<KeptAgent[]> {
  const rows = await store.read(scope, (sql) =>
    sql.query(
      `select ${COLUMNS} from agent where (instance, id) > ($1, $2) and ($3::text is null or instance = $3) order by instance, id limit $4`,
      [query.after.instance, query.after.id, query.instance, query.limit],
    ),
  );
  return rows.map(keptAgentOf);
}

/** Everybody who need not ask for work. */
export async function listPeople(store: Store): Promise<KeptAgent[]> {
  const rows = await store.read({ as: 'coordinator' }, (sql) =>
    sql.query(`select ${COLUMNS} from agent where kind = 'person' order by instance, id`, []),
  );
  return rows.map(keptAgentOf);
}

/** A cordon stays. */
export const upsertAgent = (instance: string | null, spec: AgentSpec, now: number) => ({
  text: `insert into agent (instance, id, kind, task_types, capabilities, concurrency, labels, region, version, state, versions)
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9, 'active', jsonb_build_array(jsonb_build_object('version', $9::text, 'at', $10::int8)))
    on conflict (instance, id) do update set kind = excluded.kind, task_types = excluded.task_types, capabilities = excluded.capabilities,
      concurrency = excluded.concurrency, labels = excluded.labels, region = excluded.region, version = excluded.version,
      state = case agent.state when 'cordoned' then 'cordoned' else 'active' end,
      versions = case when agent.version is not distinct from excluded.version and agent.versions <> '[]' then agent.versions
        else (select jsonb_agg(v order by i) from (
          select v, i from jsonb_array_elements(agent.versions || excluded.versions) with ordinality t(v, i) order by i desc limit 10) last)
        end`,
  values: [
    instance ?? SYSTEM_INSTANCE,
    spec.agent_id,
    spec.kind,
    spec.task_types,
    spec.capabilities,
    spec.concurrency,
    JSON.stringify(spec.labels),
    spec.region,
    spec.version,
    now,
  ],
});

export const setAgentState = (instance: string | null, agentId: string, state: AgentState) => ({
  text: 'update agent set state = $3 where instance = $1 and id = $2',
  values: [instance ?? SYSTEM_INSTANCE, agentId, state],
});

export const deleteAgent = (instance: string | null, agentId: string) => ({
  text: 'delete from agent where instance = $1 and id = $2',
  values: [instance ?? SYSTEM_INSTANCE, agentId],
});
