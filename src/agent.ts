import { resolve } from 'node:path';
import type { AgentHandler, AgentLog } from './execution/agents/agent-loop.ts';
import { AgentLoop } from './execution/agents/agent-loop.ts';
import type { AgentRegistration, AgentTransport } from './execution/agents/agent-transport.ts';
import { HttpAgentTransport } from './execution/agents/http-agent-transport.ts';

export { AgentError, AttemptStopped } from './execution/agents/agent-error.ts';
export type { AgentHandler, AgentLog, AttemptContext } from './execution/agents/agent-loop.ts';
export type {
  AgentRegistration,
  AgentTerms,
  AgentTransport,
  ErrorClass,
  LeaseGrant,
} from './execution/agents/agent-transport.ts';
export type { ExecutionTicket } from './platform/contracts/generated/records.ts';

export type AgentOptions = {
  /** Unique within the company; the same id again is the same agent. */
  agentId: string;
  handler: AgentHandler;
  /** ExecutionTicket task types it takes, such as BUILD or QUERY. */
  taskTypes: string[];
  /** A ticket comes only when the agent has all that it requires. Default: none. */
  capabilities?: string[];
  /** Tickets at once. Default 1. */
  concurrency?: number;
  /** Default `service`. */
  kind?: AgentRegistration['kind'];
  labels?: Record<string, string>;
  region?: string;
  version?: string;
  /** Base URL. Default: COLMEIA_ADDRESS, else the file COLMEIA_HOME/address. */
  address?: string;
  /** Default: COLMEIA_KEY, else the file COLMEIA_HOME/operator.key. */
  key?: string;
  /** Default: HTTP to `address`. */
  transport?: AgentTransport;
  /** Sent with each heartbeat of the agent. */
  telemetry?: () => Record<string, unknown>;
  /** Longest wait of a poll. Default 30,000. */
  waitMs?: number;
  /** How long running tickets may go on after stop(). Default 10,000. */
  graceMs?: number;
  /** Abort a ticket whose lease ran out while the control plane could not be reached. Default false. */
  abortWhenExpired?: boolean;
  /** Stop on SIGTERM and SIGINT; a second signal ends the process at once. Default true. */
  handleSignals?: boolean;
  /** Default: lines on standard error. */
  log?: AgentLog;
};

export type RunningAgent = {
  /** Takes no more tickets, gives running ones their grace, reports them. Resolves when all is over. */
  stop(graceMs?: number): Promise<void>;
  /** Resolves after stop(); rejects when the control plane refuses the agent (bad key, bad specification). */
  done: Promise<void>;
};

/**
 * Runs an agent: registers it, takes tickets by long poll, calls the handler, reports what it returns or throws.
 * A lost connection is mended with backoff for as long as it takes, and a result is repeated until it is answered.
 * Source: contracts.md, agent protocol over HTTP.
 *
 * @example
 * const agent = runAgent({
 *   agentId: 'greeter',
 *   taskTypes: ['QUERY'],
 *   handler: async (ticket) => ({ greeting: `Hello, ${ticket.parameters.name}` }),
 * });
 * await agent.done;
 */
export function runAgent(options: AgentOptions): RunningAgent {
  const {
    agentId,
    taskTypes,
    capabilities = [],
    concurrency = 1,
    kind = 'service',
    labels = {},
    region,
    version,
  } = options;
  const { handleSignals = true } = options;
  const transport = options.transport ?? httpTransport(options);
  const loop = new AgentLoop({
    transport,
    spec: {
      agent_id: agentId,
      kind,
      task_types: taskTypes,
      capabilities,
      concurrency,
      labels,
      ...(region === undefined ? {} : { region }),
      ...(version === undefined ? {} : { version }),
    },
    handler: options.handler,
    log: options.log ?? ((level, message) => void process.stderr.write(`colmeia agent ${level}: ${message}\n`)),
    telemetry: options.telemetry,
    waitMs: options.waitMs,
    graceMs: options.graceMs,
    abortWhenExpired: options.abortWhenExpired,
  });
  const onSignal = (): void => {
    forgetSignals();
    void loop.stop();
  };
  const forgetSignals = (): void => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.removeListener(signal, onSignal);
  };
  if (handleSignals) for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, onSignal);
  const done = loop.done.finally(async () => {
    forgetSignals();
    if (options.transport === undefined) await transport.close?.();
  });
  return {
    stop: async (graceMs) => {
      await loop.stop(graceMs);
      await done.catch(() => {});
    },
    done,
  };
}

function httpTransport({ address, key }: AgentOptions): AgentTransport {
  const { COLMEIA_HOME, COLMEIA_ADDRESS, COLMEIA_KEY } = process.env;
  return new HttpAgentTransport({
    home: resolve(COLMEIA_HOME || '.colmeia'),
    address: address ?? (COLMEIA_ADDRESS || undefined),
    key: key ?? (COLMEIA_KEY || undefined),
  });
}
