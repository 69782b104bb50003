import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ExecutionTicket } from '../../platform/contracts/generated/records.ts';
import type { ProcessAgentConfig } from './agent-config.ts';
import { AttemptStopped } from './agent-error.ts';
import { attemptContext, sampleTicket } from './attempt.testing.ts';
import { parseAgentConfig } from './parse-agent-config.ts';
import { ProcessAdapter } from './process-adapter.ts';
import { ProcessHost } from './process-host.ts';

const ENV = {
  PATH: process.env.PATH!,
  LANG: 'C',
  COLMEIA_KEY: 'key-of-the-operator',
  DATABASE_URL: 'postgres://secret',
  ALLOWED_TOKEN: 'token-0123456789',
};

export type CommandAttempt = {
  result: Promise<Record<string, string>>;
  logs: string[];
  leaseId: string;
  stop: (why: AttemptStopped['why']) => void;
};

/** A home folder with a helper of its own, in which the commands of a test run. */
export class CommandHome {
  readonly root = mkdtempSync(join(tmpdir(), 'colmeia-process-'));
  host = this.#openHost();
  #leases = 0;

  /** The folder of the company, within the home's own work folder, that has one for each plan. */
  plansOf(instance: string): string {
    return join(this.root, 'work', instance, 'plans');
  }

  /** As after a restart of the control plane: nobody waits for what the old helper runs. */
  restartHost(): void {
    this.host.close();
    this.host = this.#openHost();
  }

  close(): void {
    this.host.close();
    rmSync(this.root, { recursive: true, force: true });
  }

  /** `argv` of the only command, or the commands by their names; `more` replaces what the configuration says. */
  adapterOf(argv: string[] | Record<string, unknown>, more: Partial<ProcessAgentConfig> = {}): ProcessAdapter {
    const { root, host } = this;
    const commands = Array.isArray(argv) ? { default: argv } : argv;
    const { agents } = parseAgentConfig(
      [
        {
          agent_id: 'a',
          kind: 'process',
          task_types: ['EXECUTE'],
          commands,
          stop_grace_ms: 200,
          isolate: 'processes',
          ...more,
        },
      ],
      root,
    );
    return new ProcessAdapter({ config: agents[0] as ProcessAgentConfig, folder: root, home: root, host, env: ENV });
  }

  attempt(adapter: ProcessAdapter, ticket = commandTicket()): CommandAttempt {
    const controller = new AbortController();
    const logs: string[] = [];
    const leaseId = `lease-${this.#leases++}`;
    const { signal } = controller;
    const context = attemptContext({ signal, leaseId, fencingToken: 7, log: (line) => void logs.push(line) });
    return {
      result: adapter.run(ticket, context),
      logs,
      leaseId,
      stop: (why) => controller.abort(new AttemptStopped(why)),
    };
  }

  #openHost(): ProcessHost {
    return new ProcessHost({ PATH: process.env.PATH! }, this.root);
  }
}

/** A ticket with a minute's time. */
export function commandTicket(
  parameters: Record<string, string> = {},
  more: Partial<ExecutionTicket> = {},
): ExecutionTicket {
  const sla = { deadline: Date.now() + 60_000, timeout_ms: 60_000, max_retries: 1 };
  return sampleTicket({ sla, parameters, ...more });
}

export const sh = (script: string): string[] => ['sh', '-c', script];
