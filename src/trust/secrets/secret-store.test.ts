import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import { after, before, beforeEach, describe, test } from 'node:test';
import fc from 'fast-check';
import { isColmeiaError } from '../../platform/errors.ts';
import { Secret } from '../../platform/secret.ts';
import { openStore } from '../../platform/store/open-store.ts';
import type { Store } from '../../platform/store/store.ts';
import type { JournalEvent, JournalWriter } from '../audit/journal.ts';
import { givenKey, keyInMemory } from './master-key-sources.ts';
import { masterKeyOf, MasterKeys, type MasterKeySource } from './master-key.ts';
import { SecretStore, VALUE_LIMIT } from './secret-store.ts';

let store: Store;
let now = 0;
let events: JournalEvent[] = [];
let made = 0;
/** Comes before the next append, as another process would. */
let intrude: (() => Promise<unknown>) | null = null;

before(async () => {
  store = await openStore({ databaseUrl: null, dataFolder: null, log: () => {} });
});
after(() => store.close());
beforeEach(() => {
  events = [];
});

const write = (text: string, values: readonly unknown[] = []) =>
  store.write({ as: 'coordinator' }, (sql) => sql.query(text, values));

const append: JournalWriter['append'] = async (_instance, appended, statements = []) => {
  const first = intrude;
  intrude = null;
  await first?.();
  await store.write({ as: 'coordinator' }, async (sql) => {
    for (const { text, values } of statements) await sql.query(text, values);
  });
  events.push(...appended);
};

/** The fleet's data keys are gone, so that a test has a master key of its own. */
const open = (source: MasterKeySource = keyInMemory()): SecretStore =>
  new SecretStore({ store, append, masterKeys: new MasterKeys(source, { now: () => now }) });

async function company(): Promise<string> {
  await write('delete from secret');
  await write('delete from secret_key');
  const name = `company${++made}`;
  await write('insert into instance (name) values ($1)', [name]);
  return name;
}

const isLocked = (pattern: RegExp) => (error: unknown) =>
  isColmeiaError(error, 'SECRETS_LOCKED') && pattern.test(error.message);

describe('the secret store', () => {
  test('gives back what was put, whatever its characters, and counts versions', async () => {
    const name = await company();
    const secrets = open();
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: 'binary', minLength: 1, maxLength: 300 }), async (value) => {
        fc.pre(!value.includes('\u0000') && value.isWellFormed());
        await secrets.put(name, 'token', new Secret(value), 'me');
        assert.equal((await secrets.reveal(name, 'token'))?.reveal(), value);
      }),
      { numRuns: 40 },
    );
    const [{ version }] = await secrets.list({ as: 'coordinator' }, { instance: name, after: '', limit: 1 });
    assert.equal(version, events.length);
  });

  test('says of a change who made it and never what', async () => {
    const name = await company();
    const secrets = open();
    await secrets.put(name, 'token', new Secret('a-value-to-hide'), 'operator:k1');
    assert.equal(await secrets.remove(name, 'token', 'operator:k1'), true);
    assert.equal(await secrets.remove(name, 'token', 'operator:k1'), false);
    assert.equal(await secrets.reveal(name, 'token'), null);
    assert.deepEqual(events, [
      { type: 'secret.set', by: 'operator:k1', data: { secret: 'token', version: 1 } },
      { type: 'secret.removed', by: 'operator:k1', data: { secret: 'token' } },
    ]);
  });

  test('keeps neither a value nor a key in clear', async () => {
    const name = await company();
    const master = crypto.randomBytes(32);
    await open(givenKey(async () => master)).put(name, 'token', new Secret('a-value-to-hide'), 'me');
    const rows = await store.read({ as: 'coordinator' }, (sql) =>
      sql.query(`select encode(s.sealed, 'escape') as sealed, encode(k.wrapped, 'hex') as wrapped, k.master
        from secret s join secret_key k on k.instance = s.instance`),
    );
    const text = JSON.stringify(rows);
    assert.ok(!text.includes('value-to-hide') && !text.includes(master.toString('hex')));
    assert.ok(text.includes(masterKeyOf(master).fingerprint));
  });

  test('lets a company’s own scope see names of its own secrets, and not what is sealed', async () => {
    const name = await company();
    await open().put(name, 'token', new Secret('a-value-to-hide'), 'me');
    const read = (as: string, text: string) => store.read({ as: 'company', instance: as }, (sql) => sql.query(text));
    assert.deepEqual(await read(name, 'select name from secret'), [{ name: 'token' }]);
    assert.deepEqual(await read('default', 'select name from secret'), []);
    for (const text of ['select sealed from secret', 'select wrapped from secret_key', 'select no from secret_key'])
      await assert.rejects(read(name, text), { code: '42501' });
  });

  test('refuses a wrong name, an empty value, one that is too long and one that no process can take', async () => {
    const name = await company();
    const secrets = open();
    const refused = async (secret: string, value: string): Promise<string[]> => {
      const error = await secrets.put(name, secret, new Secret(value), 'me').catch((caught: unknown) => caught);
      assert.ok(isColmeiaError(error, 'INVALID_REQUEST'));
      assert.ok(value === '' || !JSON.stringify(error.faults).includes(value));
      return error.faults.map(({ path }) => path);
    };
    assert.deepEqual(await refused('Wrong-Name', ''), ['secret', 'value']);
    assert.deepEqual(await refused('token', 'é'.repeat(VALUE_LIMIT / 2) + 'x'), ['value']);
    assert.deepEqual(await refused('token', 'some\u0000thing'), ['value']);
    assert.deepEqual(await refused('token', 'some\ud800thing'), ['value']);
    await secrets.put(name, 'token', new Secret('é'.repeat(VALUE_LIMIT / 2)), 'me');
    assert.equal(events.length, 1);
  });

  test('takes at most 200 secrets of a company, and still changes those', async () => {
    const name = await company();
    const secrets = open();
    for (let n = 0; n < 200; n++) await secrets.put(name, `token_${n}`, new Secret('some value'), 'me');
    await assert.rejects(secrets.put(name, 'one_more', new Secret('some value'), 'me'), /at most 200/);
    await secrets.put(name, 'token_7', new Secret('another value'), 'me');
    assert.equal((await secrets.names(name)).length, 200);
  });

  test('a company that is not there is refused, and has no secrets', async () => {
    await assert.rejects(open().put('nobody', 'token', new Secret('some value'), 'me'), (error) =>
      isColmeiaError(error, 'INSTANCE_NOT_FOUND'),
    );
    assert.equal(await open().reveal('nobody', 'token'), null);
  });

  test('a row that was changed, or put in the place of another, does not open', async () => {
    const name = await company();
    const secrets = open();
    await secrets.put(name, 'one', new Secret('the first value'), 'me');
    await secrets.put(name, 'two', new Secret('the second value'), 'me');
    await write(
      `update secret set sealed = (select sealed from secret o where o.instance = secret.instance and o.name = 'one') where name = 'two'`,
    );
    await assert.rejects(secrets.reveal(name, 'two'), isLocked(/changed or belongs elsewhere/));
    await write(`update secret set version = 7 where name = 'one'`);
    await assert.rejects(secrets.reveal(name, 'one'), isLocked(/changed or belongs elsewhere/));
    await secrets.put(name, 'two', new Secret('set again'), 'me');
    assert.equal((await secrets.reveal(name, 'two'))?.reveal(), 'set again');
  });

  test('the secrets of one company do not open in another', async () => {
    const one = await company();
    const secrets = open();
    await secrets.put(one, 'token', new Secret('the first value'), 'me');
    const other = `company${++made}`;
    await write('insert into instance (name) values ($1)', [other]);
    await write('insert into secret_key select $1, no, master, wrapped from secret_key where instance = $2', [
      other,
      one,
    ]);
    await write(
      'insert into secret select $1, name, version, key_no, sealed, created_by, created_at from secret where instance = $2',
      [other, one],
    );
    await assert.rejects(secrets.reveal(other, 'token'), isLocked(/belongs elsewhere/));
  });

  test('a rename of the company leaves its secrets readable', async () => {
    const name = await company();
    const secrets = open();
    await secrets.put(name, 'token', new Secret('survives a rename'), 'me');
    await write('update instance set name = $2 where name = $1', [name, `${name}-renamed`]);
    assert.equal((await secrets.reveal(`${name}-renamed`, 'token'))?.reveal(), 'survives a rename');
  });
});

describe('the secret store among others', () => {
  test('two changes at once both count, one after the other', async () => {
    const name = await company();
    const secrets = open();
    const versions = await Promise.all(
      ['first value', 'second value', 'third value'].map((value) =>
        secrets.put(name, 'token', new Secret(value), 'me'),
      ),
    );
    assert.deepEqual(versions, [1, 2, 3]);
    assert.equal((await secrets.reveal(name, 'token'))?.reveal(), 'third value');
  });

  test('another process that is faster costs a repeat and nothing else', async () => {
    const name = await company();
    const source = keyInMemory();
    const [ours, theirs] = [open(source), open(source)];
    intrude = () => theirs.put(name, 'token', new Secret('of the other'), 'other'); // also the first data key
    assert.equal(await ours.put(name, 'token', new Secret('of ours'), 'me'), 2);
    intrude = () => theirs.rotateDataKey(name, 'other');
    assert.equal(await ours.put(name, 'another', new Secret('under the new key'), 'me'), 1);
    intrude = () => theirs.put(name, 'third', new Secret('came in between'), 'other');
    assert.equal(await ours.rotateDataKey(name, 'me'), 3);
    assert.equal((await ours.reveal(name, 'token'))?.reveal(), 'of ours');
    assert.equal((await ours.reveal(name, 'another'))?.reveal(), 'under the new key');
    assert.equal((await ours.reveal(name, 'third'))?.reveal(), 'came in between');
  });
});

describe('rotation', () => {
  test('of a data key seals every secret anew, and the old key is gone', async () => {
    const name = await company();
    const secrets = open();
    await secrets.put(name, 'one', new Secret('the first value'), 'me');
    await secrets.put(name, 'two', new Secret('the second value'), 'me');
    const sealed = () => store.read({ as: 'coordinator' }, (sql) => sql.query('select sealed, version from secret'));
    const before = await sealed();
    assert.equal(await secrets.rotateDataKey(name, 'me'), 2);
    assert.notDeepEqual(await sealed(), before);
    assert.equal((await secrets.reveal(name, 'two'))?.reveal(), 'the second value');
    const keys = await store.read({ as: 'coordinator' }, (sql) => sql.query('select no from secret_key'));
    assert.deepEqual(keys, [{ no: 2 }]);
    assert.deepEqual(events.at(-1), { type: 'secret.rotated', by: 'me', data: { key: 2, secrets: 2 } });
  });

  test('of a company without secrets does nothing', async () => {
    assert.equal(await open().rotateDataKey(await company(), 'me'), 0);
    assert.deepEqual(events, []);
  });

  test('of our own master key makes a new one and wraps all data keys with it', async () => {
    const name = await company();
    const source = keyInMemory();
    const secrets = open(source);
    await secrets.put(name, 'token', new Secret('under the master'), 'me');
    const before = masterKeyOf(await source.current(false)).fingerprint;
    const { master, keys } = await secrets.rotateMaster('me');
    assert.notEqual(master, before);
    assert.equal(keys, 1);
    assert.equal((await secrets.reveal(name, 'token'))?.reveal(), 'under the master');
    assert.deepEqual(await store.read({ as: 'coordinator' }, (sql) => sql.query('select master from secret_key')), [
      { master },
    ]);
  });

  test('of a given master key goes on where it was cut', async () => {
    const name = await company();
    const [old, next] = [crypto.randomBytes(32), crypto.randomBytes(32)];
    await open(givenKey(async () => old)).put(name, 'token', new Secret('under the old one'), 'me');
    const secrets = open(
      givenKey(
        async () => next,
        async () => old,
      ),
    );
    intrude = () => Promise.reject(new Error('killed'));
    await assert.rejects(secrets.rotateMaster('me'), /killed/);
    assert.equal((await secrets.reveal(name, 'token'))?.reveal(), 'under the old one');
    assert.equal((await secrets.rotateMaster('me')).keys, 1);
    assert.equal((await secrets.rotateMaster('me')).keys, 0);
    assert.equal((await open(givenKey(async () => next)).reveal(name, 'token'))?.reveal(), 'under the old one');
  });
});

describe('a wrong master key', () => {
  test('is said with the fingerprint that is wanted, and nothing is stored beside', async () => {
    const name = await company();
    const [right, wrong] = [crypto.randomBytes(32), crypto.randomBytes(32)];
    await open(givenKey(async () => right)).put(name, 'token', new Secret('under the right one'), 'me');
    const wanted = new RegExp(`${masterKeyOf(right).fingerprint}.*${masterKeyOf(wrong).fingerprint}`);
    const secrets = open(givenKey(async () => wrong));
    await assert.rejects(secrets.reveal(name, 'token'), isLocked(wanted));
    await assert.rejects(secrets.put(name, 'token', new Secret('some value'), 'me'), isLocked(wanted));
    await assert.rejects(secrets.rotateDataKey(name, 'me'), isLocked(wanted));
    await assert.rejects(secrets.rotateMaster('me'), isLocked(wanted));
    await assert.rejects(secrets.put('default', 'token', new Secret('some value'), 'me'), isLocked(wanted));
    assert.equal((await secrets.names(name)).length, 1, 'names need no key');
  });

  test('is asked for again when the right one may have come', async () => {
    const name = await company();
    const [right, wrong] = [crypto.randomBytes(32), crypto.randomBytes(32)];
    await open(givenKey(async () => right)).put(name, 'token', new Secret('under the right one'), 'me');
    let given = wrong;
    const secrets = open(givenKey(async () => given));
    await assert.rejects(secrets.reveal(name, 'token'), isLocked(/sealed with/));
    given = right;
    now += 2_000;
    assert.equal((await secrets.reveal(name, 'token'))?.reveal(), 'under the right one');
  });
});
