import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { PassThrough } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { after, before, describe, it } from 'node:test';
import { createColmeia, LOCAL_OPERATOR, type Colmeia } from '../../index.ts';
import { startHttpServer, type HttpServer } from '../http/server.ts';
import { runAt, worldAt } from './cli.testing.ts';
import { runCli } from './program.ts';
import { splitLine } from './split-line.ts';

describe('a line', () => {
  it('is split into words as a shell does', () => {
    assert.deepEqual(splitLine(`run  'a b.json' --reason "it's \\"so\\"" x\\ y ''`), [
      'run',
      'a b.json',
      '--reason',
      `it's "so"`,
      'x y',
      '',
    ]);
    assert.deepEqual(splitLine('   '), []);
    assert.equal(splitLine('run "a'), null);
  });
});

describe('colmeia shell', () => {
  const home = fs.mkdtempSync(path.join(os.tmpdir(), 'colmeia-shell-'));
  let colmeia: Colmeia;
  let server: HttpServer;
  before(async () => {
    colmeia = await createColmeia();
    server = await startHttpServer({ colmeia, port: 0 });
    const { key } = await colmeia.keys.create(LOCAL_OPERATOR, { kind: 'operator' });
    fs.writeFileSync(path.join(home, 'operator.key'), key);
    fs.writeFileSync(path.join(home, 'address'), server.address);
    for (const name of ['acme', 'other']) await colmeia.instances.create(LOCAL_OPERATOR, { name });
  });
  after(async () => {
    await server.close();
    await colmeia.close();
    fs.rmSync(home, { recursive: true, force: true });
  });

  it('runs lines that are piped in, each for the company that was selected by then', async () => {
    const lines = [
      '# a comment',
      'instance select acme',
      'instance pause',
      '"instance" show --json',
      'exit',
      'nonsense',
    ];
    const { exit, out, err } = await runAt(home, ['shell'], {
      input: lines.join('\n'),
      env: { INSTANCE_NAME: 'other' },
    });
    assert.equal(exit, 0, err);
    assert.match(out, /^company acme is selected \(instance select\)\ncompany acme: paused\n\{/);
    assert.deepEqual([(await colmeia.instances.get(LOCAL_OPERATOR, 'other')).state], ['active']);
  });

  it('stops at the first line that fails, with its exit code', async () => {
    const { exit, out, err } = await runAt(home, ['shell'], { input: 'plan nope\ninstance list\n' });
    assert.deepEqual([exit, out], [3, '']);
    assert.match(err, /PLAN_NOT_FOUND/);
    assert.equal((await runAt(home, ['shell'], { input: 'shell\n' })).exit, 2);
  });

  it('shows the selected company and its state at the prompt, and keeps no line about secrets', async () => {
    await runAt(home, ['instance', 'select', 'acme']);
    const terminal = Object.assign(new PassThrough(), { isTTY: true, setRawMode: () => {} });
    const screen = new PassThrough();
    let seen = '';
    screen.on('data', (chunk: Buffer) => (seen += chunk.toString()));
    const { world } = worldAt(home);
    const running = runCli(['shell'], { ...world, stdin: terminal, stdout: screen });
    const until = async (text: string): Promise<void> => {
      while (!seen.includes(text)) await sleep(5);
    };
    await until('colmeia acme (paused)> ');
    terminal.write('instance resume\r');
    await until('colmeia acme> ');
    terminal.write('secrets list hunter2\r');
    terminal.write('nonsense\r');
    const history = (): string => fs.readFileSync(path.join(home, 'shell_history'), 'utf8');
    while (!history().includes('nonsense')) await sleep(5);
    terminal.write('\u0004');
    assert.equal(await running, 0);
    assert.equal(history(), 'instance resume\nnonsense\n');
    assert.equal(fs.statSync(path.join(home, 'shell_history')).mode & 0o777, 0o600);
  });
});
