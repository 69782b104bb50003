import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { after, before, describe, test } from 'node:test';
import { isColmeiaError } from '../../platform/errors.ts';
import { keyInFile, readKeyFile, runKeyCommand, splitWords } from './master-key-sources.ts';
import { parseMasterKey } from './master-key.ts';

let folder: string;
before(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'colmeia-master-'));
});
after(() => fs.rmSync(folder, { recursive: true }));

const inFolder = (name: string): string => path.join(folder, name);
const locked = (pattern: RegExp) => (error: unknown) =>
  isColmeiaError(error, 'SECRETS_LOCKED') && pattern.test(error.message);

describe('a master key as text', () => {
  test('is 32 bytes in hex or in either base64', () => {
    const key = Buffer.alloc(32, 0xfb);
    for (const text of [key.toString('hex'), key.toString('base64'), ` ${key.toString('base64url')}\n`])
      assert.deepEqual(parseMasterKey(text, 'here'), key);
  });
  test('of another form is refused with its length and not its value', () => {
    for (const text of ['', 'hunter2', 'x'.repeat(64), crypto.randomBytes(31).toString('base64')]) {
      assert.throws(
        () => parseMasterKey(text, 'here'),
        (error) => locked(/here.*32 bytes/)(error) && (text === '' || !(error as Error).message.includes(text)),
      );
    }
  });
});

describe('a file of our own', () => {
  test('is made at the first need, for its user alone, and stays', async () => {
    const file = inFolder('made.key');
    await assert.rejects(keyInFile(file).current(false), locked(/does not exist/));
    const keys = await Promise.all([1, 2, 3].map(() => keyInFile(file).current(true)));
    assert.deepEqual(keys[1], keys[0]);
    assert.deepEqual(keys[2], keys[0]);
    assert.equal(fs.statSync(file).mode & 0o777, 0o600);
    assert.deepEqual(fs.readdirSync(folder), ['made.key'], 'no draft stays');
  });
  test('keeps every former key when a new one comes in force', async () => {
    const file = inFolder('renewed.key');
    const source = keyInFile(file);
    const first = await source.current(true);
    await source.renew!();
    const second = await source.current(false);
    await source.renew!();
    assert.deepEqual(await source.former(), [second, first]);
    assert.notDeepEqual(await source.current(false), second);
    assert.equal(fs.statSync(`${file}.old`).mode & 0o777, 0o600);
  });
  test('whose renewal was cut before its end still has the key in force, and another renewal does not pass it', async () => {
    const file = inFolder('cut.key');
    const source = keyInFile(file);
    const first = await source.current(true);
    fs.writeFileSync(`${file}.new`, crypto.randomBytes(32).toString('base64'), { mode: 0o600 });
    assert.deepEqual(await source.current(false), first);
    await assert.rejects(source.renew!(), locked(/another rotation/));
    const longAgo = new Date(Date.now() - 3_600_000);
    fs.utimesSync(`${file}.new`, longAgo, longAgo);
    await source.renew!();
    assert.deepEqual(await source.former(), [first]);
  });
  test('that others may read is refused', { skip: process.platform === 'win32' }, async () => {
    const file = inFolder('open.key');
    await keyInFile(file).current(true);
    fs.chmodSync(file, 0o644);
    await assert.rejects(keyInFile(file).current(false), locked(/chmod 600/));
    await assert.rejects(readKeyFile(file), locked(/chmod 600/));
  });
  test('of somebody else is never made', async () => {
    await assert.rejects(readKeyFile(inFolder('absent.key')), locked(/does not exist/));
    assert.ok(!fs.existsSync(inFolder('absent.key')));
  });
});

describe('a command', () => {
  const node = JSON.stringify(process.execPath);
  const script = (name: string, text: string): string => {
    fs.writeFileSync(inFolder(name), text);
    return `${node} ${JSON.stringify(inFolder(name))}`;
  };
  test('gives the key, without a shell and without the environment of this process', async () => {
    process.env.A_SECRET_OF_THE_SERVER = 'do not pass on';
    const print = script(
      'print.mjs',
      `
      const seen = JSON.stringify([process.env, process.argv.slice(2)]);
      process.stdout.write(seen.includes('A_SECRET') || process.argv[2] !== '$(id) ; x' ? 'wrong' : '${'ab'.repeat(32)}');`,
    );
    assert.deepEqual(await runKeyCommand(`${print} '$(id) ; x'`), Buffer.alloc(32, 0xab));
    delete process.env.A_SECRET_OF_THE_SERVER;
  });
  test('that fails is said with its exit code and not with its words', async () => {
    const fail = script('fail.mjs', `console.log('half-a-key'); console.error('half-a-key'); process.exit(3);`);
    const error = await runKeyCommand(fail).catch((caught: Error) => caught);
    assert.ok(locked(/exit code 3/)(error));
    assert.ok(!String((error as Error).stack).includes('half-a-key') && (error as Error).cause === undefined);
  });
  test('that prints something else, too much or nothing is refused', async () => {
    await assert.rejects(
      runKeyCommand(script('other.mjs', `console.log('hunter2-hunter2')`)),
      (error) => locked(/15 characters of another form/)(error) && !(error as Error).message.includes('hunter2'),
    );
    await assert.rejects(runKeyCommand(script('much.mjs', `console.log('x'.repeat(1e6))`)), locked(/more than/));
    await assert.rejects(runKeyCommand(script('nothing.mjs', '')), locked(/empty/));
    await assert.rejects(runKeyCommand('/no/such/command'), locked(/not found/));
  });
  test('is split at spaces, and quotes keep words together', () => {
    assert.deepEqual(splitWords(`vault read -field=key "secret/my hive" 'a "b"' x=" y" ''`), [
      'vault',
      'read',
      '-field=key',
      'secret/my hive',
      'a "b"',
      'x= y',
      '',
    ]);
  });
});
