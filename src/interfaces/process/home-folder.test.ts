import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, describe, it } from 'node:test';
import { operatorKey, prepareHome, removeAddress, writeAddress } from './home-folder.ts';

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'colmeia-home-'));
after(() => fs.rmSync(folder, { recursive: true }));
let made = 0;
const newHome = async (): Promise<string> => {
  const home = path.join(folder, `home-${++made}`, 'deep');
  await prepareHome(home);
  return home;
};
const modeOf = (file: string): string => (fs.statSync(file).mode & 0o777).toString(8);

describe('prepareHome', () => {
  it('creates it for its user alone', async () => {
    const home = await newHome();
    assert.equal(modeOf(home), '700');
    assert.deepEqual(await prepareHome(home), []);
  });

  it('warns when others may look, and refuses when everybody may write', async () => {
    const home = await newHome();
    fs.chmodSync(home, 0o755);
    assert.match((await prepareHome(home))[0]!, /open to others \(mode 755\)/);
    fs.chmodSync(home, 0o777);
    await assert.rejects(prepareHome(home), { code: 'CONFIG_INVALID' });
  });

  it('refuses a file', async () => {
    const file = path.join(folder, 'file');
    fs.writeFileSync(file, '');
    await assert.rejects(prepareHome(file), { code: 'CONFIG_INVALID' });
  });
});

describe('operatorKey', () => {
  const store = (known: string[]) => {
    let n = 0;
    return {
      isKnown: async (key: string) => known.includes(key),
      create: async () => {
        known.push(`key-${known.length}-${++n}`);
        return known.at(-1)!;
      },
    };
  };

  it('makes one that only its user can read, and keeps it', async () => {
    const home = await newHome();
    const keys = store([]);
    const { file, created } = await operatorKey(home, keys);
    assert.deepEqual([created, modeOf(file), fs.readFileSync(file, 'utf8')], [true, '600', 'key-0-1\n']);
    assert.equal((await operatorKey(home, keys)).created, false);
    assert.deepEqual(fs.readdirSync(home), ['operator.key']);
  });

  it('closes a key file that others could read', async () => {
    const home = await newHome();
    const keys = store([]);
    const { file } = await operatorKey(home, keys);
    fs.chmodSync(file, 0o644);
    await operatorKey(home, keys);
    assert.equal(modeOf(file), '600');
  });

  it('keeps the key of another store aside', async () => {
    const home = await newHome();
    await operatorKey(home, store([]));
    const { replaced } = await operatorKey(home, store(['other']));
    assert.equal(replaced, true);
    assert.equal(fs.readFileSync(path.join(home, 'operator.key.old'), 'utf8'), 'key-0-1\n');
  });

  it('of many at once one wins, and its key stays whole', async () => {
    const home = await newHome();
    const keys = store([]);
    const results = await Promise.all(Array.from({ length: 8 }, () => operatorKey(home, keys)));
    assert.equal(results.filter((result) => result.created).length, 1);
    assert.match(fs.readFileSync(path.join(home, 'operator.key'), 'utf8'), /^key-\d-\d\n$/);
    assert.deepEqual(fs.readdirSync(home), ['operator.key']);
  });
});

it('the address goes with the process that wrote it, and only with it', async () => {
  const home = await newHome();
  await writeAddress(home, 'http://127.0.0.1:1');
  await writeAddress(home, 'http://127.0.0.1:2');
  await removeAddress(home, 'http://127.0.0.1:1');
  assert.equal(fs.readFileSync(path.join(home, 'address'), 'utf8'), 'http://127.0.0.1:2\n');
  await removeAddress(home, 'http://127.0.0.1:2');
  assert.deepEqual(fs.readdirSync(home), []);
});
