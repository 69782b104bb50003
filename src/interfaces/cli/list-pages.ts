import type { Page } from '../../colmeia.ts';
import type { QueryValues } from './client.ts';
import type { Session } from './session.ts';
import type { Column } from './table.ts';

export type PageOptions = { limit?: number; after?: string; all?: boolean };

/** Pages looked at without a row before a person is asked to go on: a filtered page may be empty with a `next`. */
const EMPTY_PAGES = 50;

/** Prints one page and its cursor, or with --all every page. The document is { items, next }. */
export async function printPages<T>(
  session: Session,
  path: string,
  query: QueryValues,
  options: PageOptions,
  columns: readonly Column<T>[],
): Promise<void> {
  const client = await session.client();
  const limit = options.limit ?? (options.all ? 100 : 50);
  const { stdout } = session.world;
  let after = options.after ?? null;
  let rows = 0;
  if (options.all && session.json) stdout.write('{"items":[');
  for (let pages = 1; ; pages++) {
    const page: Page<T> = await client.get(path, { ...query, limit, after });
    if (options.all) {
      if (session.json)
        for (const item of page.items) stdout.write(`${rows++ === 0 ? '\n' : ',\n'}${JSON.stringify(item)}`);
      else if (page.items.length > 0) {
        // Each page is aligned on its own, so that nothing has to be kept.
        const text = session.table(page.items, columns);
        stdout.write(rows === 0 ? text : text.slice(text.indexOf('\n') + 1));
        rows += page.items.length;
      }
    } else if (page.items.length > 0 || page.next === null || pages === EMPTY_PAGES || session.json) {
      session.print(page, () => (page.items.length === 0 ? '' : session.table(page.items, columns)));
      rows = page.items.length;
      if (page.next !== null) session.note(`There is more: --after ${page.next}, or --all.`);
      break;
    }
    after = page.next;
    if (after === null) break;
  }
  if (options.all && session.json) stdout.write('\n],"next":null}\n');
  if (rows === 0) session.note('Nothing found.');
}
