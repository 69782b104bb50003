import type { Store } from '../store/store.ts';

/** A consumer that never ran begins after what there is now; one that did is left alone. A company made later has no cursor: 0. */
export async function beginAtHeads(store: Store, name: string): Promise<void> {
  await store.write({ as: 'engine' }, (sql) =>
    sql.query(
      `insert into consumer (name, instance, seq) select $1, instance, seq from journal_head
       where not exists (select 1 from consumer where name = $1) on conflict do nothing`,
      [name],
    ),
  );
}

/** Companies whose journal goes on after what the consumer has delivered. */
export async function readFallenBehind(
  store: Store,
  name: string,
  instances: readonly string[],
): Promise<{ instance: string; head: number; cursor: number }[]> {
  return store.read({ as: 'engine' }, (sql) =>
    sql.query(
      `select h.instance, h.seq as head, coalesce(c.seq, 0) as cursor
       from journal_head h left join consumer c on c.name = $1 and c.instance = h.instance
       where h.instance = any($2) and h.seq > coalesce(c.seq, 0)`,
      [name, instances],
    ),
  );
}

export async function readCursors(
  store: Store,
  name: string,
  instances: readonly string[],
): Promise<Map<string, number>> {
  const rows = await store.read({ as: 'engine' }, (sql) =>
    sql.query('select instance, seq from consumer where name = $1 and instance = any($2)', [name, instances]),
  );
  return new Map(rows.map((row) => [row.instance as string, row.seq as number]));
}

/** A cursor never goes back, whichever replica writes last. */
export async function writeCursors(
  store: Store,
  name: string,
  cursors: readonly (readonly [string, number])[],
): Promise<void> {
  await store.write({ as: 'engine' }, (sql) =>
    sql.query(
      `insert into consumer (name, instance, seq) select $1, v.instance, v.seq from unnest($2::text[], $3::int8[]) v(instance, seq)
       where exists (select 1 from instance i where i.name = v.instance) -- one that was deleted meanwhile has no place
       on conflict (name, instance) do update set seq = excluded.seq where consumer.seq < excluded.seq`,
      [name, cursors.map(([instance]) => instance), cursors.map(([, seq]) => seq)],
    ),
  );
}
