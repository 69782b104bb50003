import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { AgentError, type AgentOptions, runAgent, type RunningAgent } from './agent.ts';
import { AgentPeer } from './agent-peer.testing.ts';

let peer: AgentPeer;
let address: string;
let agents: RunningAgent[];
const said: string[] = [];

beforeEach(async () => {
  peer = new AgentPeer();
  address = await peer.open();
  agents = [];
});
afterEach(async () => {
  await Promise.all(agents.map((agent) => agent.stop(0)));
  await peer.close();
});

function run(handler: AgentOptions['handler'], more: Partial<AgentOptions> = {}): RunningAgent {
  const agent = runAgent({
    agentId: 'a',
    taskTypes: ['QUERY'],
    address,
    key: 'k',
    handler,
    handleSignals: false,
    waitMs: 2_000,
    log: (_, message) => void said.push(message),
    ...more,
  });
  agents.push(agent);
  return agent;
}

const LEASES = '/api/v1/agents/a/leases';
const fenced = { status: 409, body: { detail: 'stale', code: 'LEASE_FENCED' } };

describe('an agent', () => {
  test('registers, takes a ticket, reports what the handler returns', async () => {
    run((ticket) => ({ hello: ticket.parameters.name, n: 3, gone: undefined }), {
      capabilities: ['x'],
      labels: { team: 'y' },
      version: '1',
    });
    peer.offer('l1');
    const { body, headers } = await peer.until('/api/v1/leases/l1/complete');
    assert.deepEqual(body, { fencing_token: 5, output: { hello: 'l1', n: '3' } });
    assert.equal(headers.authorization, 'Bearer k');
    assert.deepEqual(peer.calls[0]!.body, {
      agent_id: 'a',
      kind: 'service',
      task_types: ['QUERY'],
      capabilities: ['x'],
      concurrency: 1,
      labels: { team: 'y' },
      version: '1',
      held: [],
    });
  });

  test('fails with the class that the handler gives; any other error is transient, an output that is no object poison', async () => {
    const outcomes: (() => unknown)[] = [
      () => {
        throw new AgentError('limit', 'quota', { retryAfterMs: 900 });
      },
      () => {
        throw new Error('oops');
      },
      () => [1],
      () => 'text',
      () => undefined,
    ];
    run(() => outcomes.shift()!());
    peer.offer('l1', 'l2', 'l3', 'l4', 'l5');
    assert.deepEqual((await peer.until('/api/v1/leases/l1/fail')).body, {
      fencing_token: 5,
      error_message: 'limit',
      error_class: 'quota',
      retry_after_ms: 900,
    });
    assert.deepEqual((await peer.until('/api/v1/leases/l2/fail')).body, {
      fencing_token: 5,
      error_message: 'oops',
      error_class: 'transient',
    });
    assert.equal((await peer.until('/api/v1/leases/l3/fail')).body.error_class, 'poison');
    assert.equal((await peer.until('/api/v1/leases/l4/fail')).body.error_class, 'poison');
    assert.deepEqual((await peer.until('/api/v1/leases/l5/complete')).body.output, {});
  });

  test('asks only for free slots, with one poll at a time', async () => {
    let running = 0;
    let most = 0;
    run(
      async () => {
        most = Math.max(most, ++running);
        await sleep(15);
        running--;
      },
      { concurrency: 3 },
    );
    const ids = Array.from({ length: 12 }, (_, n) => `l${n}`);
    peer.offer(...ids);
    await Promise.all(ids.map((id) => peer.until(`/api/v1/leases/${id}/complete`)));
    assert.equal(most, 3);
    assert.equal(peer.mostPolls, 1);
    assert.ok(peer.to(LEASES).every(({ body }) => body.max >= 1 && body.max <= 3));
  });

  test('a poll whose answer was lost is repeated with its key, and no lease is lost or run twice', async () => {
    let runs = 0;
    peer.disturb = ({ path }, nth) => (path === LEASES && nth <= 2 ? { cut: true } : undefined);
    run(() => void runs++, { concurrency: 2 });
    peer.offer('l1', 'l2');
    await peer.until('/api/v1/leases/l1/complete');
    await peer.until('/api/v1/leases/l2/complete');
    const keys = peer
      .to(LEASES)
      .slice(0, 3)
      .map(({ headers }) => headers['idempotency-key']);
    assert.equal(new Set(keys).size, 1);
    peer.offer('l1');
    await sleep(50);
    assert.equal(runs, 2, 'a lease that is answered again after its end is not run again');
  });

  test('a result is repeated until it is answered, and holds its slot so long', async () => {
    peer.disturb = ({ path }, nth) =>
      path === '/api/v1/leases/l1/complete' && nth <= 3
        ? nth === 2
          ? { status: 503, body: { code: 'STORE_UNAVAILABLE', detail: '' } }
          : { cut: true }
        : undefined;
    run(() => ({ ok: 1 }));
    peer.offer('l1', 'l2');
    await peer.until('/api/v1/leases/l2/complete');
    assert.equal(peer.to('/api/v1/leases/l1/complete').length, 4);
    assert.ok(
      peer.calls.findIndex(({ path }) => path.includes('l2')) >
        peer.calls.findLastIndex(({ path }) => path.includes('l1')),
    );
  });

  test('a result of a stale attempt is dropped; an output that is refused becomes a failure', async () => {
    peer.disturb = ({ path }) =>
      path.endsWith('l1/complete')
        ? fenced
        : path.endsWith('l2/complete')
          ? { status: 413, body: { code: 'TOO_LARGE', detail: 'too large' } }
          : undefined;
    run(() => ({ ok: 1 }));
    peer.offer('l1', 'l2');
    assert.equal((await peer.until('/api/v1/leases/l2/fail')).body.error_class, 'poison');
    assert.equal(peer.to('/api/v1/leases/l1/complete').length, 1);
    assert.equal(peer.to('/api/v1/leases/l1/fail').length, 0);
  });

  test('the lease is extended at a third of its duration; logs and progress go along', async () => {
    peer.leaseDurationMs = 300;
    run(async (_, { log, progress }) => {
      log('first');
      progress(0.5);
      await sleep(380);
      log('last');
    });
    peer.offer('l1');
    const { body } = await peer.until('/api/v1/leases/l1/complete');
    assert.deepEqual(body.logs, ['last']);
    const beats = peer.to('/api/v1/leases/l1/heartbeat');
    assert.deepEqual(beats[0]!.body, { fencing_token: 5, progress: 0.5, logs: ['first'] });
    assert.ok(beats.length >= 3, `${beats.length}`);
  });

  test('metadata that the handler says goes with the result', async () => {
    run((_, { metadata }) => {
      metadata({ input_tokens: '10', model: 'm' });
      metadata({ input_tokens: '12' });
    });
    peer.offer('l1');
    const { body } = await peer.until('/api/v1/leases/l1/complete');
    assert.deepEqual(body, { fencing_token: 5, output: {}, metadata: { input_tokens: '12', model: 'm' } });
  });

  test('logs are bounded: the newest lines stay', async () => {
    run((_, { log }) => {
      for (let n = 0; n < 2_000; n++) log(`line ${n} ${'x'.repeat(5_000)}`);
    });
    peer.offer('l1');
    const logs = (await peer.until('/api/v1/leases/l1/complete')).body.logs as string[];
    assert.equal(logs.length, 501);
    assert.equal(logs[0], '… 1500 lines left out');
    assert.ok(logs.at(-1)!.startsWith('line 1999') && logs.at(-1)!.length === 4_001);
  });

  for (const [what, reply, reason] of [
    ['a cancel', { body: { expires_at: 0, cancel: true } }, 'cancelled'],
    ['a lost lease', fenced, 'fenced'],
  ] as const) {
    test(`${what} aborts the signal`, async () => {
      peer.leaseDurationMs = 150;
      peer.disturb = ({ path }) => (path.endsWith('/l1/heartbeat') ? reply : undefined);
      let why = '';
      run(
        (ticket, { signal }) =>
          new Promise((_, reject) => {
            if (ticket.ticket_id !== 't-l1') return reject(new Error('next'));
            signal.addEventListener('abort', () => {
              why = signal.reason.why;
              reject(signal.reason);
            });
          }),
      );
      peer.offer('l1', 'l2');
      await peer.until('/api/v1/leases/l2/fail');
      assert.equal(why, reason);
      assert.equal(peer.to('/api/v1/leases/l1/fail').length, reason === 'cancelled' ? 1 : 0);
    });
  }

  test('a lease that runs out unheard goes on by default, and is aborted when asked for', async () => {
    peer.leaseDurationMs = 100;
    peer.disturb = ({ path }) => (path.endsWith('/heartbeat') ? { cut: true, body: 0 } : undefined);
    const patient = async (_: unknown, { signal }: { signal: AbortSignal }) => {
      await sleep(900, undefined, { signal }).catch(() => {});
      return { aborted: signal.aborted };
    };
    run(patient);
    run(patient, { agentId: 'b', abortWhenExpired: true });
    peer.offer('l1', 'l2');
    const outputs = [
      (await peer.until('/api/v1/leases/l1/complete')).body.output,
      (await peer.until('/api/v1/leases/l2/complete')).body.output,
    ];
    assert.deepEqual(outputs.map(({ aborted }) => aborted).sort(), ['false', 'true']);
  });

  test('registers again when the control plane does not know it any more', async () => {
    peer.disturb = ({ path }, nth) =>
      path === LEASES && nth === 1
        ? { status: 404, body: { code: 'AGENT_NOT_FOUND', detail: 'no such agent' } }
        : undefined;
    run(() => ({}));
    peer.offer('l1');
    await peer.until('/api/v1/leases/l1/complete');
    assert.equal(peer.to('/api/v1/agents').length, 2);
  });

  test('a refused registration ends it with the reason', async () => {
    peer.disturb = () => ({ status: 401, body: { code: 'UNAUTHENTICATED', detail: 'The call carries no valid key.' } });
    await assert.rejects(run(() => ({})).done, { code: 'UNAUTHENTICATED' });
  });

  test('stop lets running tickets finish, and takes no more', async () => {
    const agent = run(
      async () => {
        await sleep(100);
        return { ok: 1 };
      },
      { concurrency: 2 },
    );
    peer.offer('l1');
    await peer.until(LEASES, 2);
    const stopped = agent.stop();
    await peer.until('/api/v1/agents/a/drain');
    peer.offer('l2');
    await stopped;
    await agent.done;
    assert.equal(peer.to('/api/v1/leases/l1/complete').length, 1);
    assert.equal(peer.queue.length, 1);
  });

  test('past its grace, stop aborts, reports a transient failure and does not wait for a deaf handler', async () => {
    const agent = run(
      (ticket, { signal }) =>
        ticket.ticket_id === 't-l1' ? sleep(60_000, {}, { signal, ref: false }) : new Promise(() => {}),
      { concurrency: 2 },
    );
    peer.offer('l1', 'l2');
    await peer.until(LEASES, 1);
    await sleep(50);
    const startedAt = Date.now();
    await agent.stop(50);
    assert.ok(Date.now() - startedAt < 3_000);
    for (const id of ['l1', 'l2'])
      assert.equal((await peer.until(`/api/v1/leases/${id}/fail`)).body.error_class, 'transient');
  });

  test('finds a control plane that comes back on another port, and a ticket under way is completed there', async () => {
    const home = mkdtempSync(join(tmpdir(), 'colmeia-agent-'));
    writeFileSync(join(home, 'address'), `${address}\n`);
    writeFileSync(join(home, 'operator.key'), 'k\n');
    const before = process.env.COLMEIA_HOME;
    process.env.COLMEIA_HOME = home;
    let release = (): void => {};
    const held = new Promise<void>((resolve) => (release = resolve));
    run(() => held, { address: undefined, key: undefined });
    if (before === undefined) delete process.env.COLMEIA_HOME;
    else process.env.COLMEIA_HOME = before;
    peer.offer('l1');
    await peer.until(LEASES, 1);
    await sleep(50);
    await peer.close();
    release();
    const next = new AgentPeer();
    writeFileSync(join(home, 'address'), await next.open());
    await next.until('/api/v1/leases/l1/complete');
    next.offer('l2');
    await next.until(LEASES, 1);
    peer = next;
    rmSync(home, { recursive: true });
  });

  test('the example in ten lines runs as a program and leaves on SIGTERM', async () => {
    const child = spawn(process.execPath, [new URL('../examples/agents/agent.ts', import.meta.url).pathname], {
      env: { PATH: process.env.PATH, COLMEIA_ADDRESS: address, COLMEIA_KEY: 'k' },
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    const exited = new Promise((resolve) => child.once('exit', (code, signal) => resolve(code ?? signal)));
    peer.offer('l1');
    assert.deepEqual((await peer.until('/api/v1/leases/l1/complete')).body.output, { greeting: 'Hello, l1' });
    child.kill('SIGTERM');
    assert.equal(await exited, 0);
    assert.equal(peer.calls.filter(({ path }) => path.endsWith('/drain')).length, 1);
  });

  test('an agent in plain Python speaks the same protocol', async (t) => {
    const child = spawn('python3', [new URL('../examples/agents/agent.py', import.meta.url).pathname], {
      env: { PATH: process.env.PATH, COLMEIA_ADDRESS: address, COLMEIA_KEY: 'k' },
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    const exited = new Promise((resolve) => child.once('exit', (code, signal) => resolve(code ?? signal)));
    if (
      await new Promise(
        (resolve) => (child.once('error', () => resolve(true)), child.once('spawn', () => resolve(false))),
      )
    )
      return t.skip('no python3');
    peer.leaseDurationMs = 300;
    peer.disturb = ({ path }, nth) => (path.endsWith('/leases') && nth === 1 ? { cut: true } : undefined);
    peer.offer('l1', 'l2');
    peer.queue[1]!.ticket = { ticket_id: 't', parameters: { fail: 'yes', seconds: '0.3' } };
    assert.deepEqual((await peer.until('/api/v1/leases/l1/complete')).body, {
      fencing_token: 5,
      output: { greeting: 'Hello, l1' },
    });
    assert.equal((await peer.until('/api/v1/leases/l2/fail')).body.error_class, 'transient');
    assert.ok(peer.to('/api/v1/leases/l2/heartbeat').length >= 1);
    child.kill('SIGTERM');
    assert.equal(await exited, 0);
    assert.equal(peer.calls.filter(({ path }) => path.endsWith('/drain')).length, 1);
  });
});
