import type { AgentConfig } from './agent-config.ts';
import { AgentLoop, type AgentLog, type AgentLoopOptions } from './agent-loop.ts';
import type { AgentTransport } from './agent-transport.ts';
import { ClusterAdapter } from './cluster-adapter.ts';
import { HttpAdapter } from './http-adapter.ts';
import { endForgottenRuns, ProcessAdapter } from './process-adapter.ts';
import { ProcessHost } from './process-host.ts';

export { parseAgentConfig, readAgentConfig } from './parse-agent-config.ts';

export type ConfiguredAgentsOptions = {
  config: AgentConfig;
  transport: AgentTransport;
  /** COLMEIA_HOME: run folders, and working folders unless configured elsewhere. */
  home: string;
  log: AgentLog;
  /** Default: the environment of the process. Only names that the operator allows reach a command. */
  env?: Record<string, string | undefined>;
};

export type ConfiguredAgents = {
  /**
   * Takes no more tickets and waits `graceMs` (default 1,000) for those under way. Commands that still run are left to their
   * helper: the next start takes them up, and without one they end after `orphan_ms`.
   */
  stop(graceMs?: number): Promise<void>;
};

const SWEEP_MS = 86_400_000;

/** Starts the agents of the operator's configuration, and takes up what they were running when the last control plane ended. */
export async function startConfiguredAgents(options: ConfiguredAgentsOptions): Promise<ConfiguredAgents> {
  const { config, env = process.env, log } = options;
  const forgotten = await endForgottenRuns(
    options.home,
    config.folder,
    new Set(config.agents.map(({ agent_id }) => agent_id)),
  );
  if (forgotten > 0) log('warn', `ended ${forgotten} commands of agents that are not configured any more`);
  const host = new ProcessHost(plainEnvironment(env), config.folder);
  host.onLessIsolated = (wanted, isolation) =>
    log(
      'warn',
      `commands cannot be shut in as configured ("${wanted}") on this machine, only "${isolation}"; see "isolate" in the documentation of agents`,
    );
  const loops: AgentLoop[] = [];
  const adapters: { close(): Promise<void> }[] = [];
  const sweeps: (() => void)[] = [];
  for (const agent of config.agents) {
    if ('colmeia' in agent) {
      const adapter = new ClusterAdapter({ config: agent, folder: config.folder, home: options.home, log });
      adapters.push(adapter);
      const held = await adapter.held();
      if (held.length > 0) log('info', `${agent.agent_id}: takes up ${held.length} tickets of the other cluster`);
      loops.push(
        startLoop(options, agent, { handler: adapter.run, held, onSettled: (leaseId) => adapter.settled(leaseId) }),
      );
    } else if (agent.kind === 'http') {
      const adapter = new HttpAdapter({ config: agent, folder: config.folder, env });
      adapters.push(adapter);
      loops.push(startLoop(options, agent, { handler: adapter.run }));
    } else {
      const adapter = new ProcessAdapter({ config: agent, folder: config.folder, home: options.home, host, env });
      const held = await adapter.held();
      if (held.length > 0) log('info', `${agent.agent_id}: takes up ${held.length} commands of the last run`);
      loops.push(
        startLoop(options, agent, { handler: adapter.run, held, onSettled: (leaseId) => adapter.settled(leaseId) }),
      );
      sweeps.push(
        () =>
          void adapter
            .sweep(Date.now())
            .catch((error: Error) => log('warn', `${agent.agent_id}: sweep: ${error.message}`)),
      );
    }
  }
  for (const sweep of sweeps) sweep();
  const sweeping = setInterval(() => sweeps.forEach((sweep) => sweep()), SWEEP_MS).unref();
  return {
    stop: async (graceMs = 1_000) => {
      clearInterval(sweeping);
      await Promise.all(loops.map((loop) => loop.stop(graceMs)));
      host.close();
      await Promise.all(adapters.map((adapter) => adapter.close()));
    },
  };
}

function startLoop(
  { transport, log }: ConfiguredAgentsOptions,
  agent: AgentConfig['agents'][number],
  work: Pick<AgentLoopOptions, 'handler' | 'held' | 'onSettled'>,
): AgentLoop {
  const { agent_id, kind, task_types, capabilities, concurrency, labels, region, version } = agent;
  const spec = {
    agent_id,
    kind,
    task_types,
    capabilities,
    concurrency,
    labels,
    ...(region === undefined ? {} : { region }),
    ...(version === undefined ? {} : { version }),
  };
  const loop = new AgentLoop({ transport, spec, log, ...work });
  loop.done.catch((error: Error) => log('error', `${agent_id}: ${error.message}`));
  return loop;
}

/** Whatever the helper knows, its commands could read: nothing but what every program needs. */
function plainEnvironment(env: Record<string, string | undefined>): Record<string, string> {
  return Object.fromEntries(
    ['PATH', 'LANG'].filter((name) => env[name] !== undefined).map((name) => [name, env[name]!]),
  );
}
