import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { createColmeia, LOCAL_OPERATOR, type Colmeia } from '../../src/index.ts';
import { Secret } from '../../src/platform/secret.ts';
import { SCOPES } from '../../src/trust/identity/principal.ts';
import { refused, SampleCompany } from '../flow/sample-company.ts';
import type { OpenPlace, Place } from '../flow/place.ts';

const MASTER = Buffer.alloc(32, 7);
const NEXT_MASTER = Buffer.alloc(32, 8);
const NEWS_MS = 2_000;

/** Keys and secrets through the public face, on whatever database; `replicas` of them on one. */
export function trustConformance(name: string, place: OpenPlace, replicas: number): void {
  describe(`keys and secrets on ${name}`, () => {
    let at: Place;
    const warnings: string[] = [];
    let all: Colmeia[] = [];
    let [one, other]: (Colmeia | undefined)[] = [];
    const open = (key: Buffer, old: Buffer | null = null): Promise<Colmeia> =>
      createColmeia({
        ...at.options,
        secretsKey: async () => key,
        secretsOldKey: async () => old,
        log: (level, _, message) => void (level === 'warn' && warnings.push(message)),
      });

    before(async () => {
      at = await place(true);
      for (let n = 0; n < replicas; n++) all.push(await open(MASTER));
      [one, other] = [all[0], all.at(-1)];
    });
    after(async () => {
      await Promise.all(all.map((colmeia) => colmeia.close()));
      await at.remove();
    });

    test('a company sees the names of its own secrets, and no other company does', async () => {
      const [mine, theirs] = [await SampleCompany.found(one!), await SampleCompany.found(one!)];
      const ref = { instance: mine.name, secret: 'token' };
      const set = await other!.secrets.set(mine.who, ref, { value: new Secret('a value of mine') });
      assert.deepEqual([set.name, set.version, set.created_by], ['token', 1, `company:${mine.name}:${mine.who.keyId}`]);
      assert.equal((await one!.secrets.set(LOCAL_OPERATOR, ref, { value: 'another value' })).version, 2);
      const { items } = await other!.secrets.list(mine.who, { instance: mine.name });
      assert.deepEqual(
        items.map((secret) => [secret.name, secret.version]),
        [['token', 2]],
      );
      await refused(one!.secrets.list(theirs.who, { instance: mine.name }), 'INSTANCE_NOT_FOUND');
      await refused(one!.secrets.set(theirs.who, ref, { value: 'some value' }), 'INSTANCE_NOT_FOUND');
      await refused(one!.secrets.remove(theirs.who, ref), 'INSTANCE_NOT_FOUND');
      assert.deepEqual((await one!.secrets.list(theirs.who, { instance: theirs.name })).items, []);
      const told = await one!.audit.list(mine.who, { type: 'secret.' });
      assert.deepEqual(
        told.items.map(({ data }) => data),
        [
          { secret: 'token', version: 2 },
          { secret: 'token', version: 1 },
        ],
      );
      await other!.secrets.remove(mine.who, ref);
      await refused(one!.secrets.get(mine.who, ref), 'SECRET_NOT_FOUND');
      await refused(one!.secrets.remove(mine.who, ref), 'SECRET_NOT_FOUND');
    });

    test('secrets of the fleet are for operators', async () => {
      const { who } = await SampleCompany.found(one!);
      await one!.secrets.set(LOCAL_OPERATOR, { secret: 'atlassian_api_token' }, { value: 'of the whole fleet' });
      for (const call of [
        () => one!.secrets.list(who, {}),
        () => one!.secrets.get(who, { secret: 'atlassian_api_token' }),
        () => one!.secrets.set(who, { secret: 'atlassian_api_token' }, { value: 'mine now' }),
        () => one!.secrets.remove(who, { secret: 'atlassian_api_token' }),
        () => one!.secrets.rotate(who, {}),
        () => one!.secrets.rotateMaster(who),
      ])
        await refused(call(), 'FORBIDDEN');
      await refused(one!.secrets.list(LOCAL_OPERATOR, { instance: '$system' }), 'INSTANCE_NOT_FOUND');
      assert.equal((await other!.secrets.get(LOCAL_OPERATOR, { secret: 'atlassian_api_token' })).version, 1);
    });

    test('a revoked key proves nobody at once, and a rotated one until its overlap ends, on all replicas', async () => {
      const { name: instance } = await SampleCompany.found(one!);
      const { key, key_id } = await one!.keys.create(LOCAL_OPERATOR, { kind: 'company', instance, scopes: ['read'] });
      const proves = async (text: string) =>
        Promise.all(all.map(async ({ keys }) => (await keys.authenticate(text)) !== null));
      const nobody = (answers: boolean[]): boolean => answers.every((answer) => !answer);
      assert.ok((await proves(key)).every(Boolean));
      const next = await other!.keys.rotate(LOCAL_OPERATOR, key_id, { overlap_seconds: 0 });
      assert.deepEqual([next.replaces, next.scopes], [key_id, ['read']]);
      assert.ok((await proves(next.key)).every(Boolean));
      await other!.keys.revoke(LOCAL_OPERATOR, next.key_id);
      const deadline = Date.now() + NEWS_MS; // less than a proved key is remembered for
      while (!nobody(await proves(key)) || !nobody(await proves(next.key))) {
        assert.ok(Date.now() < deadline, 'the news did not come');
        await sleep(20);
      }
      assert.equal((await one!.keys.list(LOCAL_OPERATOR, { instance })).items.length, 3);
    });

    test('a key shows its last use, before and after it is written', async () => {
      const { name: instance, who } = await SampleCompany.found(one!);
      const [first] = (await one!.keys.list(who, {})).items;
      assert.ok(Date.parse(first!.last_used_at!) > 0);
      assert.deepEqual(first!.scopes, [...SCOPES]);
      assert.equal((await one!.keys.list(LOCAL_OPERATOR, { instance })).items[0]!.key_id, first!.key_id);
    });

    // Last, as it closes them all.
    test('the next start has the secrets and the last uses; another master key takes over where the old one is at hand', async () => {
      const { name: instance, who } = await SampleCompany.found(one!);
      const ref = { instance, secret: 'token' };
      await one!.secrets.set(who, ref, { value: 'outlives the process' });
      await Promise.all(all.map((colmeia) => colmeia.close()));
      all = [await open(NEXT_MASTER)];
      const [stranger] = all as [Colmeia];
      assert.ok((await stranger.keys.list(who, {})).items[0]!.last_used_at !== null);
      await refused(stranger.secrets.set(who, ref, { value: 'some value' }), 'SECRETS_LOCKED');
      await refused(stranger.secrets.rotateMaster(LOCAL_OPERATOR), 'SECRETS_LOCKED');
      assert.equal((await stranger.secrets.get(who, ref)).version, 1);
      assert.ok(
        warnings.some((warning) => /sealed with the master key [0-9a-f]{16}/.test(warning)),
        'the log says it',
      );
      await stranger.close();

      all = [await open(NEXT_MASTER, MASTER)];
      const { keys } = await all[0]!.secrets.rotateMaster(LOCAL_OPERATOR);
      assert.ok(keys >= 2, 'of the company and of the fleet');
      await all[0]!.close();

      all = [await open(NEXT_MASTER)];
      assert.equal((await all[0]!.secrets.set(who, ref, { value: 'some value' })).version, 2);
      assert.equal((await all[0]!.secrets.rotate(who, { instance })).secrets, 1);
      for (const { ok, fault } of await all[0]!.audit.verify(LOCAL_OPERATOR, {})) assert.ok(ok, String(fault));
    });
  });
}
