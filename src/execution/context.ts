import type { InstanceDirectory } from '../trust/identity/instance-directory.ts';
import type { AgentRegistry } from './agents/agent-registry.ts';
import type { CompanyWriters } from './flow/company-writer.ts';
import type { FlowEngine } from './flow/flow-engine.ts';
import type { FlowPolicy } from './plans/prepare-decision.ts';
import type { Swarm } from './swarm/swarm.ts';
import type { Clock } from '../platform/clock.ts';
import type { Metrics } from '../platform/observability/metrics.ts';
import type { Store } from '../platform/store/store.ts';

/** Everything an operation may need, wired once in create-colmeia.ts. */
export type Context = {
  store: Store;
  clock: Clock;
  engine: FlowEngine;
  registry: AgentRegistry;
  writers: CompanyWriters;
  swarm: Swarm;
  instances: InstanceDirectory;
  policy: FlowPolicy;
  metrics: Metrics;
  settings: { heartbeatIntervalMs: number; defaultInstance: string };
};
