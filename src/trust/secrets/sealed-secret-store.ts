import type { Scope, Store } from '../../platform/store/store.ts';

type Statement = { text: string; values: readonly unknown[] };

/** A company's data key as it is stored: wrapped by the master key of that fingerprint. */
export type WrappedKey = { instanceNo: number; keyNo: number; master: string; wrapped: Uint8Array };
export type SealedSecret = { name: string; version: number; sealed: Uint8Array };
export type SecretRow = { name: string; version: number; created_by: string; created_at: Date };

/** Where a secret is to go. `key` null = the company has none yet; `version` 0 = the secret is not there. */
export type SecretPlace = { instanceNo: number; key: WrappedKey | null; version: number; secrets: number };

const COORDINATOR: Scope = { as: 'coordinator' };
/** The newest data key of each company. */
const NEWEST_KEY = `lateral (select no, master, wrapped from secret_key where instance = i.name order by no desc limit 1) k`;

/** null = no such company. */
export async function findPlace(store: Store, instance: string, name: string): Promise<SecretPlace | null> {
  const [row] = await store.read(COORDINATOR, (sql) =>
    sql.query(
      `select i.no as instance_no, k.no, k.master, k.wrapped, coalesce(s.version, 0) as version,
          (select count(*)::int4 from secret where instance = i.name) as secrets
        from instance i left join ${NEWEST_KEY} on true left join secret s on s.instance = i.name and s.name = $2
        where i.name = $1`,
      [instance, name],
    ),
  );
  if (row === undefined) return null;
  const instanceNo = row.instance_no as number;
  const key = row.no === null ? null : wrappedKeyOf(row);
  return { instanceNo, key, version: row.version as number, secrets: row.secrets as number };
}

/** null = no such secret. */
export async function findSealed(
  store: Store,
  instance: string,
  name: string,
): Promise<(SealedSecret & { key: WrappedKey }) | null> {
  const [row] = await store.read(COORDINATOR, (sql) =>
    sql.query(
      `select s.name, s.version, s.sealed, i.no as instance_no, k.no, k.master, k.wrapped from secret s
        join instance i on i.name = s.instance join secret_key k on k.instance = s.instance and k.no = s.key_no
        where s.instance = $1 and s.name = $2`,
      [instance, name],
    ),
  );
  return row === undefined ? null : { ...(row as SealedSecret), key: wrappedKeyOf(row) };
}

/** All that a company's newest data key seals; null = it has no data key. */
export async function findAllSealed(
  store: Store,
  instance: string,
): Promise<{ key: WrappedKey; secrets: SealedSecret[] } | null> {
  return store.read(COORDINATOR, async (sql) => {
    const [row] = await sql.query(
      `select i.no as instance_no, k.no, k.master, k.wrapped from instance i, ${NEWEST_KEY} where i.name = $1`,
      [instance],
    );
    if (row === undefined) return null;
    const secrets = await sql.query<SealedSecret>(
      'select name, version, sealed from secret where instance = $1 and key_no = $2 order by name',
      [instance, row.no],
    );
    return { key: wrappedKeyOf(row), secrets };
  });
}

export const listSecrets = (
  store: Store,
  scope: Scope,
  query: { instance: string; after: string; limit: number },
): Promise<SecretRow[]> =>
  store.read(scope, (sql) =>
    sql.query<SecretRow>(
      'select name, version, created_by, created_at from secret where instance = $1 and name > $2 order by name limit $3',
      [query.instance, query.after, query.limit],
    ),
  );

/** null = no such secret. */
export async function findSecret(
  store: Store,
  scope: Scope,
  instance: string,
  name: string,
): Promise<SecretRow | null> {
  const rows = await store.read(scope, (sql) =>
    sql.query<SecretRow>('select name, version, created_by, created_at from secret where instance = $1 and name = $2', [
      instance,
      name,
    ]),
  );
  return rows[0] ?? null;
}

/** Fingerprints of the master keys that wrap something. */
export async function findMasters(store: Store): Promise<string[]> {
  const rows = await store.read(COORDINATOR, (sql) => sql.query('select distinct master from secret_key'));
  return rows.map((row) => row.master as string);
}

/** Data keys that another master key wraps. */
export async function findWrappedByOthers(
  store: Store,
  master: string,
  limit: number,
): Promise<(WrappedKey & { instance: string })[]> {
  const rows = await store.read(COORDINATOR, (sql) =>
    sql.query(
      `select k.instance, i.no as instance_no, k.no, k.master, k.wrapped from secret_key k
        join instance i on i.name = k.instance where k.master <> $1 order by k.instance, k.no limit $2`,
      [master, limit],
    ),
  );
  return rows.map((row) => ({ ...wrappedKeyOf(row), instance: row.instance as string }));
}

// Statements of a change. When another was faster they fail with 23505 (a row is there) or 23503 (its key is in use or gone).

export const insertKey = (instance: string, { keyNo, master, wrapped }: WrappedKey): Statement => ({
  text: `insert into secret_key (instance, no, master, wrapped) values ($1, $2, $3, decode($4, 'hex'))`,
  values: [instance, keyNo, master, hex(wrapped)],
});

/** In place of the version before, which must still be there. */
export const putSecret = (instance: string, keyNo: number, secret: SealedSecret, by: string): Statement[] => [
  {
    text: 'delete from secret where instance = $1 and name = $2 and version = $3',
    values: [instance, secret.name, secret.version - 1],
  },
  {
    text: `insert into secret (instance, name, version, key_no, sealed, created_by)
      values ($1, $2, $3, $4, decode($5, 'hex'), $6)`,
    values: [instance, secret.name, secret.version, keyNo, hex(secret.sealed), by],
  },
];

export const deleteSecret = (instance: string, name: string): Statement => ({
  text: 'delete from secret where instance = $1 and name = $2',
  values: [instance, name],
});

/** Secrets sealed anew under another data key, and the old keys gone; fails while one of these still seals something. */
export const changeKey = (instance: string, keyNo: number, secrets: readonly SealedSecret[]): Statement[] => [
  {
    text: `update secret set key_no = $2, sealed = decode(n.sealed, 'hex')
      from unnest($3::text[], $4::int4[], $5::text[]) n(name, version, sealed)
      where secret.instance = $1 and secret.name = n.name and secret.version = n.version`,
    values: [
      instance,
      keyNo,
      secrets.map(({ name }) => name),
      secrets.map(({ version }) => version),
      secrets.map(({ sealed }) => hex(sealed)),
    ],
  },
  { text: 'delete from secret_key where instance = $1 and no < $2', values: [instance, keyNo] },
];

/** Leaves alone what somebody else wrapped anew meanwhile. */
export const rewrapKeys = (
  master: string,
  keys: readonly { instance: string; keyNo: number; master: string; wrapped: Uint8Array }[],
): Statement => ({
  text: `update secret_key set master = $1, wrapped = decode(n.wrapped, 'hex')
    from unnest($2::text[], $3::int4[], $4::text[], $5::text[]) n(instance, no, master, wrapped)
    where secret_key.instance = n.instance and secret_key.no = n.no and secret_key.master = n.master`,
  values: [
    master,
    keys.map(({ instance }) => instance),
    keys.map(({ keyNo }) => keyNo),
    keys.map((key) => key.master),
    keys.map(({ wrapped }) => hex(wrapped)),
  ],
});

/** Statements may travel to another replica as JSON. */
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

const wrappedKeyOf = (row: Record<string, unknown>): WrappedKey => ({
  instanceNo: row.instance_no as number,
  keyNo: row.no as number,
  master: row.master as string,
  wrapped: row.wrapped as Uint8Array,
});
