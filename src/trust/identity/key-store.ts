import type { Row, Scope, Store } from '../../platform/store/store.ts';
import type { KeyScope, Principal } from './principal.ts';
import { SYSTEM_INSTANCE } from './principal.ts';

export type KeptKey = {
  keyId: string;
  kind: Principal['kind'];
  instance: string | null;
  agentId: string | null;
  scopes: readonly KeyScope[];
  subject: string | null;
  /** Key that this one was rotated from. */
  replaces: string | null;
  createdBy: string;
  createdAt: Date;
  expiresAt: Date | null;
  revokedAt: Date | null;
  lastUsedAt: Date | null;
};

const COLUMNS =
  'key_id, kind, instance, agent_id, scopes, subject, replaces, created_by, created_at, expires_at, revoked_at, last_used_at';

function keptKeyOf(row: Row): KeptKey {
  return {
    keyId: row.key_id as string,
    kind: row.kind as Principal['kind'],
    instance: row.instance === SYSTEM_INSTANCE ? null : (row.instance as string),
    agentId: row.agent_id as string | null,
    scopes: row.scopes as KeyScope[],
    subject: row.subject as string | null,
    replaces: row.replaces as string | null,
    createdBy: row.created_by as string,
    createdAt: row.created_at as Date,
    expiresAt: row.expires_at as Date | null,
    revokedAt: row.revoked_at as Date | null,
    lastUsedAt: row.last_used_at as Date | null,
  };
}

export async function findKeyWithHash(store: Store, keyId: string): Promise<(KeptKey & { hash: Uint8Array }) | null> {
  const [row] = await store.read({ as: 'coordinator' }, (sql) =>
    sql.query(`select ${COLUMNS}, hash from api_key where key_id = $1`, [keyId]),
  );
  return row === undefined ? null : { ...keptKeyOf(row), hash: row.hash as Uint8Array };
}

export async function findKey(store: Store, scope: Scope, keyId: string): Promise<KeptKey | null> {
  const [row] = await store.read(scope, (sql) =>
    sql.query(`select ${COLUMNS} from api_key where key_id = $1`, [keyId]),
  );
  return row === undefined ? null : keptKeyOf(row);
}

export async function listKeys(
  store: Store,
  scope: Scope,
  query: { instance: string | null; after: string; limit: number },
): Promise<KeptKey[]> {
  const rows = await store.read(scope, (sql) =>
    sql.query(
      `select ${COLUMNS} from api_key where key_id > $1 and ($2::text is null or instance = $2) order by key_id limit $3`,
      [query.after, query.instance, query.limit],
    ),
  );
  return rows.map(keptKeyOf);
}

export const insertKey = (key: Omit<KeptKey, 'revokedAt' | 'lastUsedAt'> & { hash: Uint8Array }) => ({
  text: `insert into api_key (key_id, instance, kind, agent_id, scopes, subject, replaces, hash, created_by, created_at, expires_at)
    values ($1, $2, $3, $4, $5, $6, $7, decode($8, 'hex'), $9, $10, $11)`,
  values: [
    key.keyId,
    key.instance ?? SYSTEM_INSTANCE,
    key.kind,
    key.agentId,
    key.scopes,
    key.subject,
    key.replaces,
    Buffer.from(key.hash).toString('hex'),
    key.createdBy,
    key.createdAt,
    key.expiresAt,
  ],
});

export const markRevoked = (keyId: string, at: Date) => ({
  text: 'update api_key set revoked_at = $2 where key_id = $1 and revoked_at is null',
  values: [keyId, at],
});

/** Never later than it ended anyway. */
export const endKey = (keyId: string, at: Date) => ({
  text: 'update api_key set expires_at = $2 where key_id = $1 and (expires_at is null or expires_at > $2)',
  values: [keyId, at],
});

/** Times in ms, a key at most once. */
export async function writeLastUses(store: Store, uses: ReadonlyMap<string, number>): Promise<void> {
  await store.write({ as: 'coordinator' }, (sql) =>
    sql.query(
      `update api_key set last_used_at = used.at from unnest($1::text[], $2::timestamptz[]) used(key_id, at)
        where api_key.key_id = used.key_id and (last_used_at is null or last_used_at < used.at)`,
      [[...uses.keys()], [...uses.values()].map((at) => new Date(at).toISOString())],
    ),
  );
}
