import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, beforeEach, describe, test } from 'node:test';

import { isColmeiaError } from '../errors.ts';
import { lockDataFolder, type Owner, ownerOf } from './data-folder-lock.ts';

describe('the lock of a data folder', () => {
  const root = fs.mkdtempSync(path.join(os.tmpdir(), 'colmeia-lock-'));
  let folder: string;
  let number = 0;
  beforeEach(() => {
    folder = path.join(root, String(number++));
    fs.mkdirSync(folder);
  });
  after(() => fs.rmSync(root, { recursive: true }));

  const dead: Owner = { pid: 2 ** 30, start: '1', boot: ownerOf(process.pid).boot };
  const leave = (owner: Owner, name = 'lock'): void => fs.writeFileSync(path.join(folder, name), JSON.stringify(owner));
  const isLockedBy = (pid: number) => (error: unknown) =>
    isColmeiaError(error, 'DATA_FOLDER_LOCKED') && error.message.includes(String(pid));

  test('is refused to a second owner with the pid of the first, and free after its release', () => {
    const lock = lockDataFolder(folder);
    assert.throws(() => lockDataFolder(folder), isLockedBy(process.pid));
    lock.release();
    lockDataFolder(folder).release();
    assert.deepEqual(fs.readdirSync(folder), []);
  });

  test('of a process that died is taken over', () => {
    leave(dead);
    const lock = lockDataFolder(folder);
    assert.deepEqual(fs.readdirSync(folder), ['lock']);
    assert.equal(JSON.parse(fs.readFileSync(path.join(folder, 'lock'), 'utf8')).pid, process.pid);
    lock.release();
  });

  test(
    'of a dead process whose pid another one has now is taken over',
    { skip: ownerOf(process.pid).start === null },
    () => {
      leave({ ...ownerOf(process.pid), start: '1' });
      lockDataFolder(folder).release();
    },
  );

  test('from before a restart of the machine is taken over', { skip: ownerOf(process.pid).boot === null }, () => {
    leave({ ...ownerOf(process.pid), boot: 'another' });
    lockDataFolder(folder).release();
  });

  test('that a power cut left empty is taken over', () => {
    fs.writeFileSync(path.join(folder, 'lock'), '');
    lockDataFolder(folder).release();
  });

  test('is taken over though an earlier taker died half way', () => {
    leave(dead);
    leave({ ...dead, pid: dead.pid + 1 }, `lock.${dead.pid}-1-${dead.boot?.slice(0, 8) ?? 0}`);
    const lock = lockDataFolder(folder);
    assert.deepEqual(fs.readdirSync(folder), ['lock']);
    lock.release();
  });

  test('is not taken by the one who comes while another takes it over', () => {
    leave(dead);
    const taker = ownerOf(process.ppid);
    leave(taker, `lock.${dead.pid}-1-${dead.boot?.slice(0, 8) ?? 0}`);
    assert.throws(() => lockDataFolder(folder), isLockedBy(process.ppid));
  });

  test('does not release what another has taken meanwhile', () => {
    const lock = lockDataFolder(folder);
    leave(ownerOf(process.ppid));
    lock.release();
    assert.throws(() => lockDataFolder(folder), isLockedBy(process.ppid));
  });

  test('goes to exactly one of many processes that find a dead one’s', { timeout: 20_000 }, async () => {
    leave(dead);
    const code = `import { lockDataFolder } from ${JSON.stringify(path.join(import.meta.dirname, 'data-folder-lock.ts'))};
      process.stdout.write('r');
      process.stdin.once('data', () => {
        try { lockDataFolder(${JSON.stringify(folder)}); process.stdout.write('won'); } catch (e) { process.stdout.write(e.code); }
        process.stdin.on('end', () => process.exit());
      });`;
    const children = Array.from({ length: 4 }, () =>
      spawn(process.execPath, ['--input-type=module', '-e', code], { stdio: ['pipe', 'pipe', 'inherit'] }),
    );
    await Promise.all(children.map((child) => once(child.stdout, 'data')));
    const answers = children.map(async (child) => String((await once(child.stdout, 'data'))[0]));
    for (const child of children) child.stdin.write('go');
    const said = (await Promise.all(answers)).sort();
    for (const child of children) child.stdin.end();
    assert.deepEqual(said, ['DATA_FOLDER_LOCKED', 'DATA_FOLDER_LOCKED', 'DATA_FOLDER_LOCKED', 'won']);
  });
});
