import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { isColmeiaError, type ErrorCode } from '../../platform/errors.ts';
import { openStore } from '../../platform/store/open-store.ts';
import type { Store } from '../../platform/store/store.ts';
import type { JournalEvent, JournalWriter } from '../audit/journal.ts';
import { Authenticator } from './authenticate.ts';
import { InstanceDirectory } from './instance-directory.ts';
import { keyOperations } from './key-operations.ts';
import { isOwner, ownerOperations } from './owners.ts';
import { LOCAL_OPERATOR, SCOPES, type KeyScope, type Principal } from './principal.ts';

const HOUR_MS = 3_600_000;
let now = Date.UTC(2026, 10, 21);
const clock = { now: () => now };
const events: JournalEvent[] = [];
let store: Store;
/** Two processes on one database. */
let here: Authenticator;
let there: Authenticator;
let keys: ReturnType<typeof keyOperations>;
let owners: ReturnType<typeof ownerOperations>;

before(async () => {
  store = await openStore({ databaseUrl: null, dataFolder: null, log: () => {} });
  await store.write({ as: 'coordinator' }, (sql) =>
    sql.query(`insert into instance (name) values ('acme'), ('other')`),
  );
  const append: JournalWriter['append'] = async (_instance, appended, statements = []) => {
    await store.write({ as: 'coordinator' }, async (sql) => {
      for (const { text, values } of statements) await sql.query(text, values);
    });
    events.push(...appended);
  };
  [here, there] = [new Authenticator(store, clock), new Authenticator(store, clock)];
  await here.start();
  await there.start();
  const instances = new InstanceDirectory(store);
  keys = keyOperations({ store, clock, instances, authenticator: here, append });
  owners = ownerOperations({ store, instances, append });
});
after(async () => {
  await here.stop();
  await there.stop();
  await store.close();
});

const refused = (code: ErrorCode, pattern: RegExp) => (error: unknown) =>
  isColmeiaError(error, code) && pattern.test(error.message);
const heldBy = async (key: string): Promise<Principal> => (await here.authenticate(key))!;
const ofAcme = async (scopes: KeyScope[], subject?: string): Promise<Principal> =>
  heldBy((await keys.create(LOCAL_OPERATOR, { kind: 'company', instance: 'acme', scopes, subject })).key);

describe('scopes of keys', () => {
  test('are all of them, and of an agent to read and run, when nothing is said', async () => {
    assert.deepEqual((await keys.create(LOCAL_OPERATOR, { kind: 'operator' })).scopes, [...SCOPES]);
    assert.deepEqual((await keys.create(LOCAL_OPERATOR, { kind: 'agent' })).scopes, ['read', 'run']);
    const who = await ofAcme(['run', 'read'], 'user:ana@acme.example');
    assert.deepEqual(who.scopes, ['read', 'run']);
    assert.equal(who.subject, 'user:ana@acme.example');
  });
  test('are never more than those of the maker', async () => {
    const maker = await ofAcme(['read', 'administer']);
    await assert.rejects(
      keys.create(maker, { kind: 'company', instance: 'acme', scopes: ['read', 'approve'] }),
      refused('FORBIDDEN', /no scope "approve"/),
    );
    assert.deepEqual((await keys.create(maker, { kind: 'company', instance: 'acme' })).scopes, ['read', 'administer']);
    assert.deepEqual((await keys.create(maker, { kind: 'agent' })).scopes, ['read']);
    const strong = await keys.create(LOCAL_OPERATOR, { kind: 'company', instance: 'acme' });
    await assert.rejects(keys.rotate(maker, strong.key_id, {}), refused('FORBIDDEN', /no scope "run"/));
  });
  test('that are wrong are refused with every fault', async () => {
    const error = await keys
      .create(LOCAL_OPERATOR, { kind: 'agent', scopes: ['administer'], subject: 'ana', expires_at: '2020-01-01' })
      .catch((caught: unknown) => caught);
    assert.ok(isColmeiaError(error, 'INVALID_REQUEST'));
    assert.deepEqual(
      error.faults.map(({ path }) => path),
      ['scopes', 'subject', 'expires_at'],
    );
    for (const scopes of [[], ['admin'], 'read' as unknown as string[]])
      await assert.rejects(
        keys.create(LOCAL_OPERATOR, { kind: 'operator', scopes }),
        refused('INVALID_REQUEST', /scopes/),
      );
  });
});

describe('rotation of a key', () => {
  test('gives a key of the same rights, and the old one ends after the overlap on every replica', async () => {
    const old = await keys.create(LOCAL_OPERATOR, {
      kind: 'company',
      instance: 'acme',
      scopes: ['read'],
      subject: 'team:ops',
      expires_at: new Date(now + 48 * HOUR_MS).toISOString(),
    });
    assert.ok((await here.authenticate(old.key)) && (await there.authenticate(old.key)));
    now += HOUR_MS;
    const next = await keys.rotate(LOCAL_OPERATOR, old.key_id, { overlap_seconds: 2 });
    const { kind, instance, scopes, subject, replaces, expires_at } = next;
    assert.deepEqual(
      { kind, instance, scopes, subject, replaces },
      { kind: 'company', instance: 'acme', scopes: ['read'], subject: 'team:ops', replaces: old.key_id },
    );
    assert.equal(new Date(expires_at!).getTime(), now + 48 * HOUR_MS);
    assert.ok(
      (await here.authenticate(old.key)) && (await there.authenticate(old.key)) && (await there.authenticate(next.key)),
    );
    now += 2_000;
    assert.deepEqual([await here.authenticate(old.key), await there.authenticate(old.key)], [null, null]);
    assert.ok(await there.authenticate(next.key));
    assert.deepEqual(events.at(-1)?.type, 'key.rotated');
    await assert.rejects(keys.rotate(LOCAL_OPERATOR, old.key_id, {}), refused('INVALID_REQUEST', /counts no more/));
  });
  test('never lets the old key live longer than it would have', async () => {
    const old = await keys.create(LOCAL_OPERATOR, {
      kind: 'operator',
      expires_at: new Date(now + 5_000).toISOString(),
    });
    await keys.rotate(LOCAL_OPERATOR, old.key_id, { overlap_seconds: 3_600 });
    now += 5_000;
    assert.equal(await here.authenticate(old.key), null);
  });
  test('wants an overlap of 0 to 30 days, and a key that the caller sees', async () => {
    const { key_id } = await keys.create(LOCAL_OPERATOR, { kind: 'company', instance: 'other' });
    for (const overlap_seconds of [-1, 1.5, 30 * 86_400 + 1])
      await assert.rejects(
        keys.rotate(LOCAL_OPERATOR, key_id, { overlap_seconds }),
        refused('INVALID_REQUEST', /overlap_seconds/),
      );
    await assert.rejects(keys.rotate(await ofAcme([...SCOPES]), key_id, {}), refused('KEY_NOT_FOUND', /not found/));
  });
});

describe('a key', () => {
  test('that is revoked proves nobody at once, on every replica', async () => {
    const { key, key_id } = await keys.create(LOCAL_OPERATOR, { kind: 'company', instance: 'acme' });
    assert.ok((await here.authenticate(key)) && (await there.authenticate(key)));
    await keys.revoke(LOCAL_OPERATOR, key_id);
    await nextTurn(); // the news travels
    assert.deepEqual([await here.authenticate(key), await there.authenticate(key)], [null, null]);
  });
  test('shows when it was last used, before that is written and after, by whichever replica', async () => {
    const { key, key_id } = await keys.create(LOCAL_OPERATOR, { kind: 'company', instance: 'other' });
    const lastUse = async () => {
      const { items } = await keys.list(LOCAL_OPERATOR, { instance: 'other', limit: 100 });
      const at = items.find((item) => item.key_id === key_id)!.last_used_at;
      return at === null ? null : new Date(at).getTime();
    };
    assert.equal(await lastUse(), null);
    await here.authenticate(key);
    assert.equal(await lastUse(), now);
    await here.uses.write();
    const first = now;
    now += 60_000;
    await there.authenticate(key);
    assert.equal(await lastUse(), first, 'the other replica has not written yet');
    await there.uses.write();
    assert.equal(await lastUse(), now);
    now += 1_000;
    await there.authenticate(key);
    await here.authenticate(key);
    now += 1_000;
    await there.authenticate(key);
    await there.uses.write();
    await here.uses.write(); // the older one does not take it back
    assert.equal(await lastUse(), now);
  });
});

describe('owners', () => {
  test('are added and removed by operators and keys that administer, and each change is told once', async () => {
    const before = events.length;
    const admin = await ofAcme(['read', 'administer']);
    await owners.add(admin, 'acme', 'user:ana@acme.example');
    await owners.add(LOCAL_OPERATOR, 'acme', 'team:ops');
    await owners.add(admin, 'acme', 'team:ops');
    assert.deepEqual(
      (await owners.list(admin, 'acme')).map(({ principal }) => principal),
      ['team:ops', 'user:ana@acme.example'],
    );
    await owners.remove(admin, 'acme', 'team:ops');
    await owners.remove(admin, 'acme', 'team:ops');
    assert.deepEqual(
      events.slice(before).map(({ type }) => type),
      ['key.created', 'owner.added', 'owner.added', 'owner.removed'],
    );
  });
  test('are known by the subject of their keys', async () => {
    await owners.add(LOCAL_OPERATOR, 'acme', 'user:ana@acme.example');
    assert.equal(await isOwner(store, await ofAcme(['read'], 'user:ana@acme.example'), 'acme'), true);
    assert.equal(await isOwner(store, await ofAcme(['read'], 'user:bob@acme.example'), 'acme'), false);
    assert.equal(await isOwner(store, await ofAcme(['read']), 'acme'), false);
    assert.equal(await isOwner(store, await ofAcme(['read'], 'user:ana@acme.example'), 'other'), false);
  });
  test('the last one goes only by an operator’s hand', async () => {
    const admin = await ofAcme(['read', 'administer']);
    for (const { principal } of await owners.list(admin, 'acme'))
      await owners.remove(LOCAL_OPERATOR, 'acme', principal);
    await owners.add(admin, 'acme', 'user:ana@acme.example');
    await assert.rejects(owners.remove(admin, 'acme', 'user:ana@acme.example'), refused('FORBIDDEN', /last owner/));
    await owners.remove(LOCAL_OPERATOR, 'acme', 'user:ana@acme.example');
    assert.deepEqual(await owners.list(admin, 'acme'), []);
  });
  test('that are no principals, and those of companies that a caller does not see, are refused', async () => {
    const admin = await ofAcme(['read', 'administer']);
    for (const principal of ['', 'ana', 'user:', 'user:a b', 'root:x', `user:${'x'.repeat(200)}`, 'user:a\n'])
      await assert.rejects(owners.add(admin, 'acme', principal), refused('INVALID_REQUEST', /principal must be/));
    for (const name of ['other', 'nobody', '$system'])
      await assert.rejects(owners.list(admin, name), refused('INSTANCE_NOT_FOUND', /not found/));
    await assert.rejects(owners.add(await ofAcme(['read']), 'acme', 'team:ops'), refused('FORBIDDEN', /administer/));
  });
});
