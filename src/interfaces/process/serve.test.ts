import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import net, { type AddressInfo } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { after, describe, it } from 'node:test';

const ROOT = path.join(import.meta.dirname, '../../..');
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'colmeia-serve-'));
/** A ticket that was leased and not begun comes back when its lease ends. */
const QUICK = { COLMEIA_LEASE_DURATION_MS: '2000', COLMEIA_HEARTBEAT_INTERVAL_MS: '500' };
const running = new Set<ChildProcess>();
after(() => {
  for (const child of running) child.kill('SIGKILL');
  fs.rmSync(folder, { recursive: true, force: true });
});

type Started = {
  child: ChildProcess;
  output: () => string;
  says: (what: RegExp) => Promise<void>;
  exit: Promise<[number | null, string | null]>;
};

function start(home: string, args: string[] = [], env: Record<string, string> = {}): Started {
  const child = spawn(
    process.execPath,
    ['--disable-warning=ExperimentalWarning', path.join(ROOT, 'src/main.ts'), ...args],
    {
      cwd: folder,
      env: {
        PATH: process.env.PATH,
        COLMEIA_HOME: path.join(folder, home),
        COLMEIA_PORT: '0',
        NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE,
        ...env,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  );
  running.add(child);
  let text = '';
  const changed = new EventTarget();
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
      changed.dispatchEvent(new Event('text'));
    });
  const exit = once(child, 'close').then(([code, signal]) => {
    running.delete(child);
    changed.dispatchEvent(new Event('text'));
    return [code, signal] as [number | null, string | null];
  });
  const says = async (what: RegExp): Promise<void> => {
    while (!what.test(text)) {
      if (child.exitCode !== null || child.signalCode !== null)
        throw new Error(`it ended without saying ${what}:\n${text}`);
      await new Promise((resolve) => changed.addEventListener('text', resolve, { once: true }));
    }
  };
  return { child, output: () => text, says, exit };
}

describe('the process', () => {
  it('runs the example on an empty store to its end, and not again; stops cleanly', { timeout: 60_000 }, async () => {
    const first = start('example');
    await first.says(/Ctrl-C stops it/);
    assert.match(first.output(), /plan accepted +\S+ +\d+ tickets[^]*ticket at work[^]*ticket done[^]*plan completed/);
    const home = path.join(folder, 'example');
    assert.match(
      first.output(),
      new RegExp(`Colmeia is up at ${fs.readFileSync(path.join(home, 'address'), 'utf8').trim()}`),
    );
    assert.equal((fs.statSync(path.join(home, 'operator.key')).mode & 0o777).toString(8), '600');
    first.child.kill('SIGTERM');
    assert.deepEqual(await first.exit, [0, null]);
    assert.equal(fs.existsSync(path.join(home, 'address')), false);

    const second = start('example');
    await second.says(/Ctrl-C stops it/);
    assert.doesNotMatch(second.output(), /plan accepted/);
    second.child.kill('SIGINT');
    assert.deepEqual(await second.exit, [0, null]);
  });

  it('goes on with the example that a crash left in the middle', { timeout: 60_000 }, async () => {
    const first = start('crashed', [], QUICK);
    await first.says(/ticket at work/);
    first.child.kill('SIGKILL');
    await first.exit;
    const second = start('crashed', [], QUICK);
    await second.says(/plan goes on[^]*plan completed/);
    second.child.kill('SIGTERM');
    assert.deepEqual(await second.exit, [0, null]);
  });

  it('stops in the middle of the example', { timeout: 60_000 }, async () => {
    const { child, exit, says } = start('stopped');
    await says(/ticket at work/);
    child.kill('SIGINT');
    assert.deepEqual(await exit, [0, null]);
  });

  it('keeps what it knows as a secret out of its log', { timeout: 60_000 }, async () => {
    const { child, exit, output, says } = start('secrets', ['--no-example'], { COLMEIA_LOG_FORMAT: 'json' });
    await says(/Ctrl-C stops it/);
    const home = path.join(folder, 'secrets');
    const [address, key] = ['address', 'operator.key'].map((file) =>
      fs.readFileSync(path.join(home, file), 'utf8').trim(),
    );
    const answer = await fetch(`${address}/api/v1/secrets/a_word`, {
      method: 'PUT',
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
      body: JSON.stringify({ value: 'stopping' }), // which it says at its end
    });
    assert.equal(answer.status, 200);
    child.kill('SIGTERM');
    assert.deepEqual(await exit, [0, null]);
    assert.match(output(), /"signal":"SIGTERM","msg":"\[secret\]"/);
  });

  it('refuses a master key of the wrong form at the start, and does not repeat it', { timeout: 60_000 }, async () => {
    const { exit, output } = start('wrong-key', ['--no-example'], { COLMEIA_SECRETS_KEY: 'hunter2hunter2' });
    assert.deepEqual(await exit, [2, null]);
    assert.match(output(), /COLMEIA_SECRETS_KEY.*32 bytes/);
    assert.doesNotMatch(output(), /hunter2/);
  });

  it('says in one line that its folder is in use', { timeout: 60_000 }, async () => {
    const first = start('locked', ['--no-example']);
    await first.says(/Ctrl-C stops it/);
    const second = start('locked', ['--no-example']);
    assert.deepEqual(await second.exit, [1, null]);
    assert.match(second.output(), new RegExp(`^colmeia: .*${first.child.pid}.*\\(DATA_FOLDER_LOCKED\\)\n$`));
    first.child.kill('SIGTERM');
    await first.exit;
  });

  it('says in one line that its port is taken, and lets go of its folder', { timeout: 60_000 }, async () => {
    const blocker = net.createServer().listen(0, '127.0.0.1');
    await once(blocker, 'listening');
    const { port } = blocker.address() as AddressInfo;
    const { output, exit } = start('port', ['--no-example'], { COLMEIA_PORT: String(port), LOG_LEVEL: 'warn' });
    assert.deepEqual(await exit, [1, null]);
    assert.match(output(), new RegExp(`^colmeia: port ${port} of 127\\.0\\.0\\.1 is taken.*\n$`));
    blocker.close();
    const again = start('port', ['--no-example']);
    await again.says(/Ctrl-C stops it/);
    again.child.kill('SIGTERM');
    await again.exit;
  });

  it('names every fault of its configuration and exits with 2', async () => {
    const { output, exit } = start('faulty', [], { COLMEIA_PORT: 'x', COLMEIA_PROT: '1' });
    assert.deepEqual(await exit, [2, null]);
    assert.match(
      output(),
      /2 faults \(CONFIG_INVALID\)\n {2}COLMEIA_PORT: .*\n {2}COLMEIA_PROT: .*did you mean COLMEIA_PORT/,
    );
  });

  it('names every fault of its scheduling policy, and touches no database', async () => {
    const file = path.join(folder, 'unfair.json');
    fs.writeFileSync(file, '{ "preset": "fairnes", "lag_secnds": 4 }');
    const { output, exit } = start('unfair', [], { COLMEIA_SCHEDULING: file });
    assert.deepEqual(await exit, [2, null]);
    const lines = output().split('\n').slice(0, 3);
    assert.equal(lines[0], 'colmeia: the configuration has 2 faults (CONFIG_INVALID)');
    for (const line of lines.slice(1))
      assert.match(line, /^ {2}COLMEIA_SCHEDULING: .*did you mean (fairness|lag_seconds)\?$/);
    assert.ok(!fs.existsSync(path.join(folder, 'unfair', 'data')));
  });

  it('says what it takes when an option is wrong', async () => {
    const { output, exit } = start('option', ['--no-exmaple']);
    assert.deepEqual(await exit, [2, null]);
    assert.match(output(), /--no-exmaple[^]*--no-example/);
  });
});
