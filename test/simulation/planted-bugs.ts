import type { AgentRegistry } from '../../src/execution/agents/agent-registry.ts';
import type { CompanyWriter } from '../../src/execution/flow/company-writer.ts';
import { leaseIdOf } from '../../src/execution/plans/plan.ts';
import { isColmeiaError } from '../../src/platform/errors.ts';
import type { Store } from '../../src/platform/store/store.ts';
import type { Leave } from './memory-database.ts';

/** A bug put around the real code, so that the simulation can show that it would find one like it. */
export type Plant = {
  database?: Leave;
  store?: (store: Store, sleep: (ms: number) => Promise<void>) => Store;
  writer?: (writer: CompanyWriter) => CompanyWriter;
  registry?: (registry: AgentRegistry) => AgentRegistry;
};

const ignoringFences = async (answer: Promise<void>): Promise<void> => {
  await answer.catch((error) => {
    if (!isColmeiaError(error, 'LEASE_FENCED')) throw error;
  });
};

/** A result that came too late is taken for the other attempt's. */
function takingEither(complete: CompanyWriter['complete']): CompanyWriter['complete'] {
  return (input) =>
    complete(input).catch((error) => {
      if (!isColmeiaError(error, 'LEASE_FENCED')) throw error;
      return complete({ ...input, fence: input.fence + 1 }).catch(() => Promise.reject(error as Error));
    });
}

/** The lease of an attempt is kept while a later attempt of its ticket has one. */
function keepingFirstLeases(registry: AgentRegistry): AgentRegistry {
  const end = registry.end.bind(registry);
  registry.end = (leaseId) => {
    const lease = registry.lease(leaseId);
    const later = lease && registry.lease(leaseIdOf(lease.plan, lease.n, lease.fence + 1));
    if (later === undefined) end(leaseId);
  };
  return registry;
}

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
  'the later of two results is taken for the first': {
    within: 60,
    writer: (writer) => ({ ...writer, complete: takingEither(writer.complete) }),
  },
  'the lease of an attempt that lost is kept': { within: 60, registry: keepingFirstLeases },
  'copies are not kept': {
    within: 60,
    store: (store) =>
      withFlush(store, (args) => store.flush(args.map((arg) => arg.replaceAll(/,\\"copy\\":\{[^}]*\}/g, '')))),
  },
};
