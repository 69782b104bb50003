import type { Row, Store } from '../../platform/store/store.ts';

export type Replica = { no: number; address: string; token: string };

export async function insertReplica(store: Store, address: string, token: string): Promise<number> {
  const [row] = await store.write({ as: 'engine' }, (sql) =>
    sql.query<Row & { no: number }>('insert into replica (address, token) values ($1, $2) returning no', [
      address,
      token,
    ]),
  );
  return row.no;
}

export async function listReplicas(store: Store, nos: readonly number[]): Promise<Replica[]> {
  return store.read({ as: 'engine' }, (sql) =>
    sql.query<Row & Replica>('select no, address, token from replica where no = any($1)', [nos]),
  );
}

/** Those that are gone; a row of a living one is never touched. */
export async function deleteReplicas(store: Store, gone: readonly number[]): Promise<void> {
  if (gone.length > 0)
    await store.write({ as: 'engine' }, (sql) => sql.query('delete from replica where no = any($1)', [gone]));
}

/** Of rows that their replicas have had the time to lock. */
export async function oldReplicaNos(store: Store): Promise<number[]> {
  const rows = await store.read({ as: 'engine' }, (sql) =>
    sql.query<Row & { no: number }>(`select no from replica where started_at < now() - interval '1 minute'`),
  );
  return rows.map((row) => row.no);
}
