import assert from 'node:assert/strict';
import fs from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import {
  parseAgentConfig,
  startConfiguredAgents,
  type ConfiguredAgents,
} from '../../src/execution/agents/configured-agents.ts';
import { createColmeia, localTransport, LOCAL_OPERATOR, type Colmeia } from '../../src/index.ts';
import { runCli } from '../../src/interfaces/cli/program.ts';
import { createHttpApp } from '../../src/interfaces/http/http-app.ts';
import { createLog } from '../../src/platform/observability/log.ts';
import { PgliteSession } from '../../src/platform/store/pglite-session.ts';
import { ColmeiaError } from '../../src/platform/errors.ts';
import { knownSecrets } from '../../src/trust/secrets/redact.ts';

export type SecretWorld = Awaited<ReturnType<typeof openSecretWorld>>;

/** A control plane on disk with its API, its CLI, both forms of its log and an agent that runs commands; all that leaves it is kept. */
export async function openSecretWorld() {
  const home = fs.mkdtempSync(path.join(os.tmpdir(), 'colmeia-secrets-'));
  const left = { answers: '', said: '', events: '', posted: '', logs: { json: '', text: '' } };
  const logs = (['json', 'text'] as const).map((format) =>
    createLog({
      level: 'trace',
      format,
      output: { write: (line) => (left.logs[format] += line) },
      redact: (line) => knownSecrets.redact(line),
    }),
  );
  const colmeia = await createColmeia({
    dataFolder: path.join(home, 'data'),
    instancesFolder: path.join(home, 'instances'),
    debug: true,
    log: (level, data, message) => logs.forEach((log) => log[level](data, message)),
  });
  await colmeia.events.subscribe(LOCAL_OPERATOR, {}, (event) => void (left.events += JSON.stringify(event)));
  const edge = await openEdge(colmeia, logs[0]!);
  const { key } = await colmeia.keys.create(LOCAL_OPERATOR, { kind: 'operator' });
  fs.writeFileSync(path.join(home, 'operator.key'), key, { mode: 0o600 });
  fs.writeFileSync(path.join(home, 'address'), edge.address);
  let agents: ConfiguredAgents | null = null;
  const configured: Record<string, unknown>[] = [];
  const endpoint = await openEndpoint((text) => (left.posted += text));
  const env: Record<string, string | undefined> = { PATH: process.env.PATH };

  /** `expected`: the status that it must have. */
  const call = async (method: string, url: string, body?: unknown, expected?: number): Promise<string> => {
    const isText = typeof body === 'string';
    const answer = await fetch(edge.address + url, {
      method,
      headers: {
        authorization: `Bearer ${key}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: isText ? body : JSON.stringify(body) }),
    });
    const text = await answer.text();
    left.answers += `${method} ${url} ${JSON.stringify([...answer.headers])} ${text}\n`;
    if (expected !== undefined) assert.equal(answer.status, expected, text.slice(0, 300));
    return text;
  };
  const cli = async (args: string[], input = '', expected = 0): Promise<void> => {
    const write = (text: string) => (left.said += text);
    const exit = await runCli(args, {
      env: { COLMEIA_HOME: home },
      cwd: home,
      stdin: (async function* () {
        yield input;
      })(),
      stdout: { write },
      stderr: { write },
      signal: new AbortController().signal,
    });
    assert.equal(exit, expected, left.said.slice(-500));
  };

  return {
    home,
    colmeia,
    /** What agents may be given of; see startConfiguredAgents. */
    env,
    logs,
    left,
    call,
    cli,
    /** From now on every call of this route throws it. */
    failWith: (error: Error) => edge.failWith(error),
    found: (name: string) => colmeia.instances.create(LOCAL_OPERATOR, { name }),
    /** Configured agents, of what kind however; those of kind `http` without an endpoint post to one that keeps all. */
    agents: configured,
    async runAgents() {
      const wanted = configured.map((agent) =>
        agent.kind === 'http' ? { endpoint: endpoint.address, ...agent } : agent,
      );
      agents = await startConfiguredAgents({
        config: parseAgentConfig(wanted, home),
        transport: localTransport(colmeia),
        home,
        env,
        log: (level, message) => logs.forEach((log) => log[level](message)),
      });
    },
    /** May be repeated. */
    async stop() {
      await agents?.stop();
      await endpoint.close();
      await edge.close();
      await colmeia.close();
    },
    /** Every row of every table, as the owner of the database sees it; once it is stopped. */
    async dump(): Promise<string> {
      const owner = await PgliteSession.open(path.join(home, 'data', 'database'), 16);
      try {
        const tables = await owner.query(`select tablename from pg_tables where schemaname = 'public'`, []);
        let text = '';
        for (const { tablename } of tables) {
          const rows = await owner.query(`select to_jsonb(t)::text as row from "${tablename as string}" t`, []);
          text += `${tablename as string}\n${rows.map(({ row }) => row as string).join('\n')}\n`;
        }
        return text;
      } finally {
        await owner.close();
      }
    },
    clear: () => fs.rmSync(home, { recursive: true, force: true }),
  };
}

/** Answers whatever an agent posts, and keeps it. */
async function openEndpoint(keep: (text: string) => void) {
  const server = http.createServer((request, response) => {
    keep(JSON.stringify(request.rawHeaders));
    request.on('data', (chunk: Buffer) => keep(chunk.toString()));
    request.on('end', () => response.setHeader('content-type', 'application/json').end('{"done":"yes"}'));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    address: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: async () => void server.close(),
  };
}

/** The API, of which one route (a plan's) may be made to fail as a capability fails. */
async function openEdge(colmeia: Colmeia, log: ReturnType<typeof createLog>) {
  let failure: Error = new ColmeiaError('PLAN_NOT_FOUND', 'plan not found');
  const failing: Colmeia = { ...colmeia, plans: { ...colmeia.plans, get: async () => Promise.reject(failure) } };
  const { app, beginClosing } = await createHttpApp({ colmeia: failing, host: '127.0.0.1', log });
  await app.listen({ host: '127.0.0.1', port: 0 });
  return {
    address: `http://127.0.0.1:${(app.server.address() as AddressInfo).port}`,
    failWith: (error: Error) => void (failure = error),
    async close() {
      beginClosing();
      await app.close();
    },
  };
}
