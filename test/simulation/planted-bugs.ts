import type { CompanyWriter } from '../../src/execution/flow/company-writer.ts';
import { isColmeiaError } from '../../src/platform/errors.ts';
import type { Store } from '../../src/platform/store/store.ts';
import type { Leave } from './memory-database.ts';

/** A bug put around the real code, so that the simulation can show that it would find one like it. */
export type Plant = {
  database?: Leave;
  store?: (store: Store, sleep: (ms: number) => Promise<void>) => Store;
  writer?: (writer: CompanyWriter) => CompanyWriter;
};

const ignoringFences = async (answer: Promise<void>): Promise<void> => {
  await answer.catch((error) => {
    if (!isColmeiaError(error, 'LEASE_FENCED')) throw error;
  });
};

function withFlush(store: Store, flush: Store['flush']): Store {
  return Object.create(store, {
    flush: { value: flush },
    read: { value: store.read.bind(store) },
    write: { value: store.write.bind(store) },
  }) as Store;
}

/** By name; each must be found `within` so many seeds. */
export const PLANTED_BUGS: Record<string, Plant & { within: number }> = {
  'a stale token is answered like a good one': {
    within: 40,
    writer: (writer) => ({ ...writer, complete: (input) => ignoringFences(writer.complete(input)) }),
  },
  'a change is told before its commit': {
    within: 10,
    store: (store) => withFlush(store, async (args) => void store.flush(args).catch(() => {})),
  },
  'the database does not check tokens and heads': {
    within: 10,
    database: { ticketGuards: true, planGuards: true, journal: true },
  },
  'two owners write past each other': {
    within: 60,
    database: { ticketGuards: true, planGuards: true, heads: true },
  },
  'a refused commit is half kept': { within: 100, database: { rollback: true } },
  'results are not kept': { within: 10, database: { results: true } },
  'a failed commit is taken for a good one': {
    within: 40,
    store: (store) => withFlush(store, (args) => store.flush(args).catch(() => {})),
  },
};
