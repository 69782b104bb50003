import { type Session, sqlIdentifier } from '../../../platform/store/transaction.ts';

/** About as much as is in memory at once. */
const BATCH_BYTES = 1024 * 1024;
const FIRST_BATCH_ROWS = 100;
const MOST_BATCH_ROWS = 20_000;

/**
 * The rows of a table in batches, each row as the text of its composite value, in the owner's transaction under way. By record_out
 * and not by a cast, which a company could have made.
 */
export async function* readRows(owner: Session, schema: string, table: string): AsyncIterable<string[]> {
  const from = `${sqlIdentifier(schema)}.${sqlIdentifier(table)}`;
  await owner.script(
    `declare colmeia_rows no scroll cursor for select textin(record_out(colmeia_row)) as r from only ${from} colmeia_row`,
  );
  let count = FIRST_BATCH_ROWS;
  for (;;) {
    const rows = await owner.query(`fetch ${count} from colmeia_rows`, []);
    const batch = rows.map(({ r }) => String(r));
    if (batch.length > 0) yield batch;
    if (batch.length < count) break;
    const bytes = batch.reduce((sum, row) => sum + row.length, 0);
    count = Math.max(1, Math.min(MOST_BATCH_ROWS, Math.floor(count * Math.min(10, BATCH_BYTES / Math.max(1, bytes)))));
  }
  await owner.script('close colmeia_rows');
}
