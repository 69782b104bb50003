import type { Store } from '../../../platform/store/store.ts';
import type { ValidationReport } from '../instance-views.ts';

/** Keeps what validations found, all in one statement. A company that has gone meanwhile is passed over. */
export async function saveReports(store: Store, reports: readonly ValidationReport[]): Promise<void> {
  const rows = reports.map(({ name, health, faults, validated_at }) => ({ name, health, faults, validated_at }));
  await store.write({ as: 'coordinator' }, (sql) =>
    sql.query(
      `update instance i set health = r.health, faults = r.faults, validated_at = r.validated_at
       from jsonb_to_recordset($1::jsonb) r(name text, health text, faults jsonb, validated_at timestamptz) where i.name = r.name`,
      [JSON.stringify(rows)],
    ),
  );
}
