import type { Scope, Store } from '../../platform/store/store.ts';

type Statement = { text: string; values: readonly unknown[] };

export const listOwners = (
  store: Store,
  scope: Scope,
  instance: string,
  limit: number,
): Promise<{ principal: string; added_by: string; added_at: Date }[]> =>
  store.read(scope, (sql) =>
    sql.query(
      'select principal, added_by, added_at from instance_owner where instance = $1 order by principal limit $2',
      [instance, limit],
    ),
  );

export const insertOwner = (instance: string, principal: string, by: string): Statement => ({
  text: 'insert into instance_owner (instance, principal, added_by) values ($1, $2, $3) on conflict do nothing',
  values: [instance, principal, by],
});

/** Unless `mayEmpty`, it fails with 22012 (division by zero) when nobody would be left. */
export const deleteOwner = (instance: string, principal: string, mayEmpty: boolean): Statement[] => [
  { text: 'delete from instance_owner where instance = $1 and principal = $2', values: [instance, principal] },
  ...(mayEmpty
    ? []
    : [{ text: 'select 1 / count(*)::int4 from instance_owner where instance = $1', values: [instance] }]),
];
