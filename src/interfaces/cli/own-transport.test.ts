import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, describe, it } from 'node:test';
import { runAt } from './cli.testing.ts';

describe('a command without a server', () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'colmeia-alone-'));
  after(() => fs.rmSync(folder, { recursive: true, force: true }));

  it('opens the control plane of the home for itself, and leaves it to the next one', async () => {
    const home = path.join(folder, 'new');
    const first = await runAt(folder, ['instance', 'create', 'acme', '--home', home]);
    assert.equal(first.exit, 0, first.err);
    assert.ok(first.err.startsWith(`A new Colmeia begins in ${home}.\n`), first.err);
    assert.equal(fs.statSync(path.join(home, 'operator.key')).mode & 0o777, 0o600);
    assert.equal(fs.existsSync(path.join(home, 'address')), false, 'nothing listens');
    // An address that a server left which is gone.
    fs.writeFileSync(path.join(home, 'address'), 'http://127.0.0.1:1\n');
    const both = await Promise.all([
      runAt(folder, ['instance', 'init', 'acme', '--no-wait', '--home', home]),
      runAt(folder, ['instance', 'create', 'second', '--home', home]),
    ]);
    assert.deepEqual(
      both.map(({ exit }) => exit),
      [0, 0],
      both.map(({ err }) => err).join(''),
    );
    assert.match(both[0].err, /No server is running to go on with it, so this waits/);
    const { items } = JSON.parse((await runAt(folder, ['instance', '--json', '--home', home])).out);
    assert.deepEqual(
      items.map(({ name, initialized }: { name: string; initialized: boolean }) => [name, initialized]),
      [
        ['acme', true],
        ['default', false],
        ['second', false],
      ],
    );
  });

  it('is not what everything does: plans need a server', async () => {
    const { exit, err } = await runAt(folder, ['plans', '--home', path.join(folder, 'none')]);
    assert.equal(exit, 5);
    assert.match(err, /colmeia serve/);
    assert.equal(fs.existsSync(path.join(folder, 'none')), false);
  });

  it('uses the key that is given, with the rights of that key', async () => {
    const home = path.join(folder, 'keyed');
    const key = (
      await runAt(folder, ['keys', 'create', '--kind', 'operator', '--scopes', 'read', '--home', home])
    ).out.trim();
    const refused = await runAt(folder, ['instance', 'create', 'acme', '--home', home], { env: { COLMEIA_KEY: key } });
    assert.equal(refused.exit, 6);
    assert.match(refused.err, /no scope "administer"/);
  });

  it('says what is wrong with the configuration', async () => {
    const env = { COLMEIA_PORT: 'x' };
    const { exit, err } = await runAt(folder, ['instance', '--home', path.join(folder, 'wrong')], { env });
    assert.equal(exit, 2);
    assert.match(err, /COLMEIA_PORT: must be a whole number/);
  });

  it('is told when an interrupted operation will go on, and the next process does', async () => {
    const home = path.join(folder, 'cut');
    await runAt(folder, ['instance', 'create', 'acme', '--home', home]);
    const stop = new AbortController();
    const onNote = (err: string): void => {
      if (/done +files/.test(err)) stop.abort();
    };
    const cut = await runAt(folder, ['instance', 'init', 'acme', '--home', home], { signal: stop.signal, onNote });
    assert.equal(cut.exit, 1);
    assert.match(
      cut.err,
      /goes on with the next command or server of this home: colmeia instance operation (\S+) --follow/,
    );
    const [, id = ''] = /operation (\S+) --follow/.exec(cut.err) ?? [];
    const { exit, out } = await runAt(folder, ['instance', 'operation', id, '--follow', '--home', home]);
    assert.equal(exit, 0);
    assert.match(out, /init of acme/);
  });
});
