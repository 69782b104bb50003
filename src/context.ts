import type { InstanceDirectory } from './coordination/instances/instance-directory.ts';
import type { AgentRegistry } from './execution/agents/agent-registry.ts';
import type { CompanyWriters } from './execution/flow/company-writer.ts';
import type { FlowEngine } from './execution/flow/flow-engine.ts';
import type { FlowPolicy } from './execution/plans/prepare-decision.ts';
import type { Clock } from './platform/clock.ts';
import type { Store } from './platform/store/store.ts';
import type { Authenticator } from './trust/identity/authenticate.ts';

/** Everything an operation may need, wired once in create-colmeia.ts. */
export type Context = {
  store: Store;
  clock: Clock;
  engine: FlowEngine;
  registry: AgentRegistry;
  writers: CompanyWriters;
  instances: InstanceDirectory;
  authenticator: Authenticator;
  policy: FlowPolicy;
  settings: { heartbeatIntervalMs: number; defaultInstance: string; version: string };
};
