import type { Colmeia } from './colmeia.ts';
import type { AgentTransport } from './execution/agents/agent-transport.ts';
import { LOCAL_OPERATOR, type Principal } from './trust/identity/principal.ts';

/** The agent protocol without a network, for agents in the process that embeds Colmeia. */
export function localTransport(colmeia: Colmeia, who: Principal = LOCAL_OPERATOR): AgentTransport {
  const { agents, leases } = colmeia;
  return {
    register: (spec) => agents.register(who, spec),
    heartbeatAgent: (agentId, telemetry) => agents.heartbeat(who, agentId, { telemetry }),
    drain: (agentId) => agents.drain(who, agentId),
    lease: (agentId, { max, waitMs, idempotencyKey, signal }) =>
      agents.lease(who, agentId, { max, wait_ms: waitMs }, { idempotencyKey, signal }),
    heartbeatLease: (leaseId, { fencingToken, ...beat }) =>
      leases.heartbeat(who, leaseId, { fencing_token: fencingToken, ...beat }),
    complete: (leaseId, { fencingToken, ...done }) =>
      leases.complete(who, leaseId, { fencing_token: fencingToken, ...done }),
    fail: (leaseId, { fencingToken, errorMessage, errorClass, retryAfterMs }) =>
      leases.fail(who, leaseId, {
        fencing_token: fencingToken,
        error_message: errorMessage,
        error_class: errorClass,
        ...(retryAfterMs === undefined ? {} : { retry_after_ms: retryAfterMs }),
      }),
  };
}
