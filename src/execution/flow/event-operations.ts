import type { Colmeia } from '../../colmeia.ts';
import { eventsOf, readRows } from '../../platform/bus/journal-reader.ts';
import type { JournalFeed } from '../../platform/bus/journal-feed.ts';
import { decodeCursor, encodeCursor, isNumbers, pageLimit } from '../../platform/page.ts';
import type { Store } from '../../platform/store/store.ts';
import type { RecordedEvent } from '../../trust/audit/journal.ts';
import { companyOf, filterOf, mustDirect, mustHave, scopeOf } from '../../trust/identity/may.ts';
import { CorrelationStore } from './correlation-store.ts';
import { recordsOf } from './telemetry-sink.ts';

/** Pages of the journal that one call looks at for records, at most. */
const PAGES = 5;

/** What changes, as it changes; and telemetry for who would rather pull it. */
export function eventOperations(store: Store, feed: JournalFeed, defaultInstance: string): Colmeia['events'] {
  const correlations = new CorrelationStore(store);
  return {
    async subscribe(who, { instance, planId, after }, on, onClosed) {
      mustHave(who, 'read');
      mustDirect(who);
      return feed.subscribe(
        { scope: scopeOf(who), instance: filterOf(who, instance), planId, after },
        on as Parameters<JournalFeed['subscribe']>[1],
        onClosed,
      );
    },
    async telemetry(who, query) {
      mustHave(who, 'read');
      mustDirect(who);
      const instance = companyOf(who, query.instance, defaultInstance);
      const limit = pageLimit(query.limit);
      let [seq, skip] = decodeCursor(query.after, isNumbers(2)) ?? [0, 0];
      const items: Awaited<ReturnType<typeof recordsOf>> = [];
      for (let page = 0; page < PAGES && items.length < limit; page++) {
        const rows = await readRows(store, scopeOf(who), instance, seq);
        if (rows.length === 0) break;
        for (const row of rows) {
          const records = (await recordsOf(correlations, eventsOf(row) as RecordedEvent[])).slice(skip);
          const room = limit - items.length;
          items.push(...records.slice(0, room));
          if (records.length > room) return { items, next: encodeCursor([row.seq - 1, skip + room]) };
          [seq, skip] = [row.seq, 0];
          if (items.length === limit) break;
        }
      }
      return { items, next: encodeCursor([seq, skip]) }; // the end moves on, so there is always a next
    },
  };
}
