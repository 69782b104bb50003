import fs from 'node:fs';
import path from 'node:path';
import { readAgentConfig, startConfiguredAgents } from '../../execution/agents/configured-agents.ts';
import { HttpAgentTransport } from '../../execution/agents/http-agent-transport.ts';
import { isColmeiaError } from '../../platform/errors.ts';
import { CliError, EXIT, type ExitCode } from './cli-error.ts';
import type { Session } from './session.ts';

/** Runs the agents of a file here until interrupted; running tickets get their grace. */
export async function runAgentsFile(session: Session, file: string): Promise<ExitCode> {
  const { env, cwd, signal } = session.world;
  const full = path.resolve(cwd, file);
  if (!fs.existsSync(full)) throw new CliError(EXIT.usage, `${file}: it does not exist`);
  const config = await readAgentConfig(full).catch((error: unknown) => {
    if (isColmeiaError(error))
      throw new CliError(EXIT.usage, `${file}: ${error.message}`, {
        code: error.code,
        faults: error.faults,
        cause: error,
      });
    throw error;
  });
  if (config.agents.length === 0) throw new CliError(EXIT.usage, `${file} holds no agents`);
  const { address, key } = await session.target();
  const { home } = session;
  const transport = new HttpAgentTransport({ home, address, ...(key === null ? {} : { key: key.reveal() }) });
  const agents = await startConfiguredAgents({
    config,
    transport,
    home,
    env: { ...env },
    log: (level, message) => session.world.stderr.write(`colmeia agent ${level}: ${message}\n`),
  });
  session.note(
    `${config.agents.length} agents at work: ${config.agents.map((agent) => agent.agent_id).join(', ')}. Ctrl-C stops them.`,
  );
  await new Promise<void>((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
  await agents.stop(10_000);
  await transport.close();
  return EXIT.ok;
}
