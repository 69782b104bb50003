import assert from 'node:assert/strict';
import { fork, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { TicketView } from '../../src/colmeia.ts';
import { samplePlan } from '../flow/sample-decision.ts';
import { openTestServer, type TestServer } from './test-server.ts';

const ROOT = path.resolve(import.meta.dirname, '../..');
const WORK_MS = 2_500;

let server: TestServer;
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'colmeia-process-'));
before(async () => void (server = await openTestServer()));
after(async () => {
  await server?.stop();
  fs.rmSync(folder, { recursive: true, force: true });
});

/** The whole process, as `npm start` runs it. */
class Service {
  readonly home: string;
  readonly #env: Record<string, string>;
  #child: ChildProcess | null = null;

  constructor(home: string, env: Record<string, string>) {
    this.home = home;
    this.#env = env;
  }

  /** Gives how long it took until it is ready, in ms. */
  async start(): Promise<number> {
    const startedAt = performance.now();
    fs.rmSync(path.join(this.home, 'address'), { force: true }); // of a process that was killed
    const env = { ...process.env, ...this.#env, COLMEIA_HOME: this.home, COLMEIA_PORT: '0', LOG_LEVEL: 'ERROR' };
    const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', 'src/main.ts', '--no-example'], {
      cwd: ROOT,
      env,
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    this.#child = child;
    let stderr = '';
    child.stderr!.setEncoding('utf8').on('data', (chunk: string) => (stderr += chunk));
    while (!(await this.#isReady())) {
      assert.equal(child.exitCode, null, `it did not start: ${stderr}`);
      assert.ok(performance.now() - startedAt < 30_000, `it is not ready: ${stderr}`);
      await sleep(10);
    }
    return performance.now() - startedAt;
  }

  async end(signal: NodeJS.Signals): Promise<number | null> {
    const child = this.#child;
    this.#child = null;
    if (child === null || child.exitCode !== null) return child?.exitCode ?? null;
    const gone = once(child, 'exit');
    child.kill(signal);
    await gone;
    return child.exitCode;
  }

  async call<T>(method: string, url: string, body?: unknown): Promise<T> {
    const key = fs.readFileSync(path.join(this.home, 'operator.key'), 'utf8').trim();
    const address = fs.readFileSync(path.join(this.home, 'address'), 'utf8').trim();
    const response = await fetch(`${address}/api/v1/${url}`, {
      method,
      headers: {
        authorization: `Bearer ${key}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    assert.ok(response.ok, `${method} ${url}: ${response.status} ${text}`);
    return JSON.parse(text) as T;
  }

  async #isReady(): Promise<boolean> {
    try {
      const address = fs.readFileSync(path.join(this.home, 'address'), 'utf8').trim();
      return (await fetch(`${address}/ready`)).ok;
    } catch {
      return false;
    }
  }
}

type Told = { began?: string; attempt?: number; fencingToken?: number; log?: string };

describe('the whole process', () => {
  for (const { name, env } of [
    { name: 'the embedded database', env: async () => ({}) },
    { name: 'PostgreSQL', env: async () => ({ DATABASE_URL: await server.database() }) },
  ])
    test(`is killed while an agent works, on ${name}: the agent finishes, and its result counts under its old token`, async (t) => {
      const home = fs.mkdtempSync(path.join(folder, 'home-'));
      fs.chmodSync(home, 0o700);
      const service = new Service(home, await env());
      const first = await service.start();
      const agent = fork(path.join(import.meta.dirname, 'survivor.fixture.ts'), [], {
        execArgv: ['--disable-warning=ExperimentalWarning'],
        env: { ...process.env, COLMEIA_HOME: home },
      });
      try {
        const told: Told[] = [];
        agent.on('message', (message: Told) => told.push(message));
        const plan = samplePlan('long', [
          { id: 'a', parameters: { sleep_ms: String(WORK_MS) } },
          { id: 'b', after: ['a'], parameters: { sleep_ms: '10' } },
        ]);
        await service.call('POST', 'workflows/start', { cognitive_plan: plan, correlation_id: 'crash' });
        await until('the work to begin', async () => told.some(({ began }) => began === 'a'));
        await service.end('SIGKILL');
        const killedAt = performance.now();
        const again = await service.start();
        t.diagnostic(`first start ${first.toFixed(0)} ms; ready ${again.toFixed(0)} ms after the kill`);
        assert.ok(performance.now() - killedAt < 10_000);
        const view = (): Promise<{ status: string }> => service.call('GET', 'workflows/orchestration-long');
        await until('the end', async () => (await view()).status === 'COMPLETED');
        const { tickets } = await service.call<{ tickets: TicketView[] }>('GET', 'tickets/by-plan/long');
        assert.deepEqual(
          tickets.map(({ task_id, state, attempt, fencing_token, result }) => [
            task_id,
            state,
            attempt,
            fencing_token,
            result?.output.attempt,
          ]),
          [
            ['a', 'completed', 1, 1, '1'],
            ['b', 'completed', 1, 1, '1'],
          ],
        );
        assert.deepEqual(
          told.flatMap(({ began }) => began ?? []),
          ['a', 'b'],
        );
        assert.equal(await service.end('SIGTERM'), 0);
      } finally {
        agent.kill('SIGKILL');
        await service.end('SIGKILL');
      }
    });
});

async function until(what: string, met: () => Promise<boolean>): Promise<void> {
  for (const deadline = Date.now() + 20_000; !(await met()); await sleep(20))
    assert.ok(Date.now() < deadline, `${what} did not come`);
}
