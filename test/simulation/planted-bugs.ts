import { AgentRegistry } from '../../src/execution/agents/agent-registry.ts';
import type { CompanyWriter } from '../../src/execution/flow/company-writer.ts';
import type { Clock } from '../../src/platform/clock.ts';
import { isColmeiaError } from '../../src/platform/errors.ts';
import type { Store } from '../../src/platform/store/store.ts';
import type { Leave } from './memory-database.ts';

/** A bug put around the real code, so that the simulation can show that it would find one like it. */
export type Plant = {
  database?: Leave;
  store?: (store: Store, sleep: (ms: number) => Promise<void>) => Store;
  registry?: (clock: Clock, leaseMs: number) => AgentRegistry;
  writer?: (writer: CompanyWriter) => CompanyWriter;
};

const ignoringFences = async (answer: Promise<void>): Promise<void> => {
  await answer.catch((error) => {
    if (!isColmeiaError(error, 'LEASE_FENCED')) throw error;
  });
};

class DeafRegistry extends AgentRegistry {
  override takeExpired(now: number): ReturnType<AgentRegistry['takeExpired']> {
    super.takeExpired(now);
    return [];
  }
}

function withFlush(store: Store, flush: Store['flush']): Store {
  return Object.create(store, { flush: { value: flush }, read: { value: store.read.bind(store) }, write: { value: store.write.bind(store) } }) as Store;
}

/** By name; each must be found within the number of seeds that simulation.test.ts gives it. */
export const PLANTED_BUGS: Record<string, Plant> = {
  'a stale token is answered like a good one': {
    writer: (writer) => ({ ...writer, complete: (input) => ignoringFences(writer.complete(input)) }),
  },
  'a change is told before its commit': {
    store: (store) => withFlush(store, async (args) => void store.flush(args).catch(() => {})),
  },
  'the database does not check tokens and heads': {
    database: { ticketGuards: true, planGuards: true, journal: true },
  },
  'the guards of tickets are left out and the head is not checked': {
    database: { ticketGuards: true, planGuards: true, heads: true },
  },
  'a refused commit is half kept': { database: { rollback: true } },
  'results are not kept': { database: { results: true } },
  'a reading sees several moments': { database: { snapshots: true } },
  'leases never run out': { registry: (clock, leaseMs) => new DeafRegistry(clock, leaseMs) },
  'a failed commit is taken for a good one': {
    store: (store) => withFlush(store, (args) => store.flush(args).catch(() => {})),
  },
  'a commit is made twice when its answer is lost': {
    store: (store) => withFlush(store, (args) => store.flush(args).catch(() => store.flush(args))),
  },
};
