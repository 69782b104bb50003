import { randomUUID } from 'node:crypto';
import type { Colmeia } from './colmeia.ts';
import { instanceOperations } from './coordination/instances/instance-operations.ts';
import { agentOperations } from './execution/agents/agent-operations.ts';
import { AgentRegistry } from './execution/agents/agent-registry.ts';
import { leaseOperations } from './execution/agents/lease-operations.ts';
import type { Context } from './execution/context.ts';
import type { CompanyWriters } from './execution/flow/company-writer.ts';
import { FlowEngine, type CommittedRow } from './execution/flow/flow-engine.ts';
import { localWriter } from './execution/flow/local-writer.ts';
import { decisionOperations } from './execution/plans/decision-operations.ts';
import { TICKET_POLICY } from './execution/plans/generate-tickets.ts';
import { planOperations } from './execution/plans/plan-operations.ts';
import { ticketOperations } from './execution/plans/ticket-operations.ts';
import { Replicas } from './execution/replicas/replicas.ts';
import { embeddedWriters, localPoll, peerMethods, replicatedWriters } from './execution/replicas/writers.ts';
import { systemClock, type Clock, type Random } from './platform/clock.ts';
import { openStore } from './platform/store/open-store.ts';
import type { Store } from './platform/store/store.ts';
import { Authenticator } from './trust/identity/authenticate.ts';
import { InstanceDirectory } from './trust/identity/instance-directory.ts';
import { keyOperations } from './trust/identity/key-operations.ts';

void randomUUID;
export type ColmeiaOptions = {
  databaseUrl?: string | null;
  dataFolder?: string | null;
  clock?: Clock;
  random?: Random;
};
export async function createColmeia(options: ColmeiaOptions = {}): Promise<Colmeia & { context: Context }> {
  const clock = options.clock ?? systemClock;
  const random = options.random ?? Math.random;
  const store: Store = await openStore({ databaseUrl: options.databaseUrl ?? null, dataFolder: options.dataFolder ?? null });
  const registry = new AgentRegistry(clock, 30_000);
  const onCommitted = (rows: readonly CommittedRow[]): void => { (globalThis as any).onRows?.(rows); };
  const engine = new FlowEngine({ store, clock, random, registry, onCommitted, log: (level, data, message) => console.log(level, message, data) });
  const writer = localWriter({ engine, registry, store });
  const instances = new InstanceDirectory(store);
  const authenticator = new Authenticator(store, clock);
  let replicas: Replicas | null = null;
  let writers: CompanyWriters;
  if (options.databaseUrl) {
    const { OwnershipLocks } = await import('./platform/store/ownership-locks.ts');
    const locks = await OwnershipLocks.open({ databaseUrl: options.databaseUrl });
    replicas = new Replicas({
      store, locks, engine, instances, advertise: null, host: '127.0.0.1', methods: peerMethods(writer, engine, registry),
      log: (level, data, message) => console.log(level, message, data),
    });
    writers = replicatedWriters({ writer, engine, registry, replicas });
    await replicas.start();
  } else {
    writers = embeddedWriters(writer, localPoll({ engine, registry }));
    await engine.own((await instances.all()).map((instance) => instance.name));
  }
  const context: Context = {
    store, clock, engine, registry, writers, instances, authenticator,
    policy: { tickets: TICKET_POLICY, backoff: { baseMs: 1_000, maxMs: 60_000, quotaMs: 30_000 }, stopGraceMs: 30_000, caps: {} },
    settings: { heartbeatIntervalMs: 10_000, defaultInstance: 'default', version: '0.1.0' },
  };
  const append: Parameters<typeof keyOperations>[0]['append'] = (instance, events, statements) =>
    writers.at(instance, (at) => at.append({ instance, events, statements }));
  return {
    context,
    decisions: decisionOperations(context),
    plans: planOperations(context),
    tickets: ticketOperations(context),
    agents: agentOperations(context),
    leases: leaseOperations(context),
    keys: keyOperations({ store, instances, authenticator, append }),
    instances: instanceOperations({ instances, append, onCreated: async (name) => (replicas ? replicas.created() : engine.own([name])) }),
    close: async () => { await replicas?.stop(); registry.close(); await engine.stop(); await store.close(); },
  } as unknown as Colmeia & { context: Context };
}
