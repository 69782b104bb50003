import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ExecutionTicket } from '../../platform/contracts/generated/records.ts';
import { ColmeiaError } from '../../platform/errors.ts';
import type { AgentTransport, Completion, Failure, LeaseGrant } from './agent-transport.ts';
import { type ConfiguredAgents, parseAgentConfig, startConfiguredAgents } from './configured-agents.ts';
import { isSameProcess } from './end-process-tree.ts';
import { readRunFile, type RunStart } from './process-run.ts';

/** A control plane of the test: grants what it is given, and notes what it is told. */
class Plane implements AgentTransport {
  readonly completed = new Map<string, Completion>();
  readonly failed = new Map<string, Failure>();
  readonly fenced = new Set<string>();
  readonly logs: string[] = [];
  leaseDurationMs = 300;
  #queue: LeaseGrant[] = [];
  #wake = (): void => {};

  offer(leaseId: string, parameters: Record<string, string> = {}): void {
    const ticket = {
      ticket_id: `t-${leaseId}`,
      plan_id: 'p',
      task_id: 'x',
      task_type: 'EXECUTE',
      parameters,
      metadata: { instance: 'acme' },
      sla: { deadline: 0, timeout_ms: 60_000, max_retries: 0 },
    };
    this.#queue.push({
      lease_id: leaseId,
      fencing_token: 3,
      attempt: 1,
      expires_at: 0,
      ticket: ticket as unknown as ExecutionTicket,
    });
    this.#wake();
  }

  register: AgentTransport['register'] = async ({ agent_id }) => ({
    agent_id,
    heartbeat_interval_ms: 1_000,
    lease_duration_ms: this.leaseDurationMs,
  });
  heartbeatAgent = async (): Promise<void> => {};
  drain = async (): Promise<void> => this.#wake();

  lease: AgentTransport['lease'] = async (_, { max, signal }) => {
    if (this.#queue.length === 0) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
        signal.addEventListener('abort', () => resolve(), { once: true });
      });
    }
    return { leases: this.#queue.splice(0, max) };
  };

  heartbeatLease: AgentTransport['heartbeatLease'] = async (leaseId, { logs = [] }) => {
    this.logs.push(...logs);
    if (this.fenced.has(leaseId)) throw new ColmeiaError('LEASE_FENCED', 'stale');
    return { expires_at: Date.now() + this.leaseDurationMs, cancel: false };
  };

  complete: AgentTransport['complete'] = async (leaseId, completion) => {
    if (this.fenced.has(leaseId)) throw new ColmeiaError('LEASE_FENCED', 'stale');
    this.completed.set(leaseId, completion);
  };

  fail: AgentTransport['fail'] = async (leaseId, failure) => {
    this.failed.set(leaseId, failure);
  };
}

let home: string;
let agents: ConfiguredAgents | null;
const said: string[] = [];

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'colmeia-agents-'));
  agents = null;
});
afterEach(async () => {
  await agents?.stop(0);
  rmSync(home, { recursive: true, force: true, maxRetries: 5 });
});

/** Waits for the file `go`, then answers; counts its runs. */
const WAITER = ['sh', '-c', 'echo x >> runs; while [ ! -e go ]; do sleep 0.02; done; echo "{\\"done\\":1}"'];

function configOf(argv: string[], more: Record<string, unknown> = {}) {
  return [
    {
      agent_id: 'worker',
      kind: 'process',
      task_types: ['EXECUTE'],
      commands: { default: argv },
      concurrency: 4,
      stop_grace_ms: 100,
      isolate: 'processes',
      ...more,
    },
  ];
}

async function start(plane: Plane, config: unknown): Promise<void> {
  agents = await startConfiguredAgents({
    config: parseAgentConfig(config, home),
    transport: plane,
    home,
    log: (_, message) => void said.push(message),
  });
}

async function until(what: string, check: () => boolean): Promise<void> {
  for (const end = Date.now() + 5_000; !check(); await sleep(10))
    if (Date.now() > end) throw new Error(`timeout: ${what}`);
}

const work = (file: string): string => join(home, 'work/acme/plans/p', file);
const runFolder = (leaseId: string): string => join(home, 'runs', leaseId);
const runs = (): string => (existsSync(work('runs')) ? readFileSync(work('runs'), 'utf8') : '');
const living = (leaseId: string): boolean => {
  const run = readRunFile<RunStart>(runFolder(leaseId), 'run.json');
  return run !== null && isSameProcess(run.pid, run.startTime);
};

/** A control plane as its own process: runs the agents with one lease until it is killed. */
async function planeThatDies(config: unknown, leaseId: string, when: () => boolean): Promise<void> {
  const module = (path: string): string => JSON.stringify(new URL(path, import.meta.url).href);
  const program = `
    import { parseAgentConfig, startConfiguredAgents } from ${module('./configured-agents.ts')};
    const ticket = { ticket_id: 't', plan_id: 'p', task_id: 'x', task_type: 'EXECUTE', parameters: {}, metadata: { instance: 'acme' }, sla: { deadline: 0, timeout_ms: 60000, max_retries: 0 } };
    const leases = [{ lease_id: ${JSON.stringify(leaseId)}, fencing_token: 3, attempt: 1, expires_at: 0, ticket }];
    const transport = {
      register: async () => ({ heartbeat_interval_ms: 1000, lease_duration_ms: 1000 }), heartbeatAgent: async () => {}, drain: async () => {},
      lease: async () => (leases.length > 0 ? { leases: leases.splice(0) } : new Promise(() => {})),
      heartbeatLease: async () => ({ expires_at: 0, cancel: false }), complete: () => new Promise(() => {}), fail: () => new Promise(() => {}),
    };
    setInterval(() => {}, 1000);
    await startConfiguredAgents({ config: parseAgentConfig(${JSON.stringify(config)}, ${JSON.stringify(home)}), transport, home: ${JSON.stringify(home)}, log: console.error });
  `;
  const child = spawn(
    process.execPath,
    ['--disable-warning=ExperimentalWarning', '--input-type=module', '-e', program],
    { stdio: ['ignore', 'ignore', 'inherit'] },
  );
  const exited = new Promise((resolve) => child.once('exit', resolve));
  await until('the command runs', when);
  child.kill('SIGKILL');
  await exited;
}

describe('configured agents', () => {
  test('run commands over the transport and leave nothing behind', async () => {
    const plane = new Plane();
    await start(plane, configOf(['sh', '-c', 'echo hello >&2; cat']));
    plane.offer('l1', { name: 'Ana' });
    await until('completed', () => plane.completed.has('l1'));
    assert.deepEqual(plane.completed.get('l1'), {
      fencingToken: 3,
      output: { name: 'Ana' },
      logs: ['hello', '{"name":"Ana"}'],
    });
    await until('the run folder is gone', () => !existsSync(runFolder('l1')));
  });

  test('after kill -9 of the control plane a running command is taken up, once, and its result counts', async () => {
    const config = configOf(WAITER);
    await planeThatDies(config, 'l1', () => runs() === 'x\n' && existsSync(join(runFolder('l1'), 'run.json')));
    assert.ok(living('l1'));
    const plane = new Plane();
    await start(plane, config);
    await until('taken up', () => plane.logs.some((line) => line.includes('taken up again')));
    plane.offer('l1');
    writeFileSync(work('go'), '');
    await until('completed', () => plane.completed.has('l1'));
    assert.deepEqual(plane.completed.get('l1')!.output, { done: '1' });
    await until('the run folder is gone', () => !existsSync(runFolder('l1')));
    assert.equal(runs(), 'x\n');
  });

  test('a command that ended while there was no control plane counts too', async () => {
    const config = configOf(WAITER, { isolate: 'none' });
    await planeThatDies(config, 'l1', () => runs() === 'x\n' && existsSync(join(runFolder('l1'), 'run.json')));
    writeFileSync(work('go'), '');
    await until('ended', () => existsSync(join(runFolder('l1'), 'exit.json')));
    const plane = new Plane();
    await start(plane, config);
    await until('completed', () => plane.completed.has('l1'));
    assert.deepEqual(plane.completed.get('l1')!.output, { done: '1' });
    assert.equal(runs(), 'x\n');
  });

  for (const isolate of ['files', 'processes', 'none']) {
    test(`a command whose lease is fenced after the restart is ended, tree and all (isolate: ${isolate})`, async () => {
      const config = configOf(['sh', '-c', 'echo x >> runs; setsid sleep 300 & sleep 300'], { isolate });
      await planeThatDies(config, 'l1', () => runs() === 'x\n' && existsSync(join(runFolder('l1'), 'run.json')));
      const run = readRunFile<RunStart>(runFolder('l1'), 'run.json')!;
      const plane = new Plane();
      plane.fenced.add('l1');
      await start(plane, config);
      await until('the tree is gone', () => !isSameProcess(run.pid, run.startTime));
      await until('the run folder is gone', () => !existsSync(runFolder('l1')));
      assert.equal(plane.completed.size + plane.failed.size, 0);
      await until('the old helper has left', () => !isSameProcess(run.helperPid, run.helperStartTime));
    });
  }

  test('a command whose helper died with the control plane is ended, and the attempt fails for a retry', async () => {
    const config = configOf(WAITER, { isolate: 'none' });
    await planeThatDies(config, 'l1', () => runs() === 'x\n' && existsSync(join(runFolder('l1'), 'run.json')));
    const run = readRunFile<RunStart>(runFolder('l1'), 'run.json')!;
    process.kill(run.helperPid, 'SIGKILL');
    const plane = new Plane();
    await start(plane, config);
    await until('failed', () => plane.failed.has('l1'));
    assert.equal(plane.failed.get('l1')!.errorClass, 'transient');
    assert.ok(!isSameProcess(run.pid, run.startTime));
  });

  test('a run that was never started is given up, also when its helper comes late', async () => {
    await planeThatDies(configOf(WAITER), 'l1', () => existsSync(join(runFolder('l1'), 'run.json')));
    writeFileSync(work('go'), '');
    await until('ended', () => existsSync(join(runFolder('l1'), 'exit.json')));
    for (const file of ['claim', 'run.json', 'exit.json']) rmSync(join(runFolder('l1'), file));
    const plane = new Plane();
    await start(plane, configOf(WAITER));
    await until('failed', () => plane.failed.has('l1'));
    assert.match(plane.failed.get('l1')!.errorMessage, /was not started/);
    assert.equal(runs(), 'x\n');
  });

  test('without a control plane a command ends after its time', async () => {
    await planeThatDies(
      configOf(WAITER, { orphan_ms: 100 }),
      'l1',
      () => runs() === 'x\n' && existsSync(join(runFolder('l1'), 'run.json')),
    );
    await until('ended', () => existsSync(join(runFolder('l1'), 'exit.json')));
    assert.ok(!living('l1'));
    const plane = new Plane();
    await start(plane, configOf(WAITER));
    await until('failed', () => plane.failed.has('l1'));
    assert.match(plane.failed.get('l1')!.errorMessage, /no control plane came back/);
  });

  test('an orderly stop leaves running commands to the next start as well', async () => {
    const config = configOf(WAITER);
    const first = new Plane();
    await start(first, config);
    first.offer('l1');
    await until('running', () => runs() === 'x\n' && living('l1'));
    await agents!.stop(50);
    assert.equal(first.completed.size + first.failed.size, 0);
    assert.ok(living('l1'));
    const second = new Plane();
    await start(second, config);
    writeFileSync(work('go'), '');
    await until('completed', () => second.completed.has('l1'));
    assert.equal(runs(), 'x\n');
  });

  test('commands of agents that are not configured any more are ended', async () => {
    await planeThatDies(
      configOf(WAITER),
      'l1',
      () => runs() === 'x\n' && existsSync(join(runFolder('l1'), 'run.json')),
    );
    const run = readRunFile<RunStart>(runFolder('l1'), 'run.json')!;
    await start(new Plane(), [{ ...configOf(WAITER)[0], agent_id: 'another' }]);
    assert.ok(!isSameProcess(run.pid, run.startTime));
    assert.deepEqual(readdirSync(join(home, 'runs')), []);
  });

  test('another configuration with the same home leaves running commands alone', async () => {
    const plane = new Plane();
    await start(plane, configOf(WAITER));
    plane.offer('l1');
    await until('running', () => runs() === 'x\n' && living('l1'));
    const elsewhere = mkdtempSync(join(tmpdir(), 'colmeia-agents-'));
    for (const agent_id of ['worker', 'another']) {
      const config = parseAgentConfig([{ ...configOf(WAITER)[0], agent_id }], elsewhere);
      const others = await startConfiguredAgents({ config, transport: new Plane(), home, log: () => {} });
      await others.stop(0);
    }
    rmSync(elsewhere, { recursive: true });
    assert.ok(living('l1'));
    writeFileSync(work('go'), '');
    await until('completed', () => plane.completed.has('l1'));
    assert.equal(runs(), 'x\n');
  });
});
