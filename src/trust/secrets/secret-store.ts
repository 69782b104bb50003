import crypto, { type KeyObject } from 'node:crypto';
import { ColmeiaError } from '../../platform/errors.ts';
import { Secret } from '../../platform/secret.ts';
import type { Scope, Store } from '../../platform/store/store.ts';
import type { JournalWriter } from '../audit/journal.ts';
import { noInstance } from '../identity/may.ts';
import { SYSTEM_INSTANCE } from '../identity/principal.ts';
import { boundToKey, boundToSecret, KEY_BYTES, seal, unseal } from './envelope.ts';
import type { MasterKey, MasterKeys } from './master-key.ts';
import { knownSecrets } from './redact.ts';
import {
  changeKey,
  deleteSecret,
  findAllSealed,
  findMasters,
  findPlace,
  findSealed,
  findSecret,
  findWrappedByOthers,
  insertKey,
  listSecrets,
  putSecret,
  rewrapKeys,
  type SecretPlace,
  type SecretRow,
  type WrappedKey,
} from './sealed-secret-store.ts';
import { SECRET_NAME, SECRET_NAME_RULE } from './secret-reference.ts';

export const VALUE_LIMIT = 64 * 1_024;
/** Of one company: all of them are sealed anew in one commit. */
const SECRETS_LIMIT = 200;
/** Times that a change is made again because another process was faster. */
const TRIES = 5;
const REWRAP_BATCH = 500;
const REWRAP_ROUNDS = 10_000;

export type SecretStoreOptions = { store: Store; masterKeys: MasterKeys; append: JournalWriter['append'] };

/**
 * Secrets of companies, and of the fleet under `$system`. Each company has a data key (AES-256-GCM), which the master key
 * wraps; the database has neither in clear. A value goes out only to who calls `reveal` in this process. Every method that
 * needs the master key throws SECRETS_LOCKED when it is missing or another one.
 */
export class SecretStore {
  readonly #store: Store;
  readonly #masterKeys: MasterKeys;
  readonly #append: JournalWriter['append'];
  /** The last change under way of each company: in turn, as each builds on the one before. */
  readonly #turns = new Map<string, Promise<unknown>>();

  constructor({ store, masterKeys, append }: SecretStoreOptions) {
    this.#store = store;
    this.#masterKeys = masterKeys;
    this.#append = append;
  }

  /** Throws INVALID_REQUEST, which never repeats the value, and INSTANCE_NOT_FOUND. Resolves with the version, from 1. */
  async put(instance: string, name: string, value: Secret, by: string): Promise<number> {
    checkSecret(name, value.reveal());
    return this.#change(instance, async () => {
      const place = await findPlace(this.#store, instance, name);
      if (place === null) throw noInstance(instance);
      if (place.version === 0 && place.secrets >= SECRETS_LIMIT) throw tooMany();
      const { wrapped, key, isNew } = await this.#keyOf(place);
      const { instanceNo, version } = place;
      const bound = boundToSecret(instanceNo, name, version + 1);
      const secret = { name, version: version + 1, sealed: seal(key, Buffer.from(value.reveal()), bound) };
      const event = { type: 'secret.set', by, data: { secret: name, version: secret.version } };
      const statements = putSecret(instance, wrapped.keyNo, secret, by);
      await this.#append(instance, [event], isNew ? [insertKey(instance, wrapped), ...statements] : statements);
      knownSecrets.learn(value);
      return secret.version;
    });
  }

  /** null = there is none of this name. For use in this process only, where the log and answers hide it from then on. */
  async reveal(instance: string, name: string): Promise<Secret | null> {
    const found = await findSealed(this.#store, instance, name);
    if (found === null) return null;
    const key = await this.#open(found.key);
    const bound = boundToSecret(found.key.instanceNo, found.name, found.version);
    const secret = new Secret(unseal(key, found.sealed, bound).toString('utf8'));
    knownSecrets.learn(secret);
    return secret;
  }

  /** By name, without values. */
  list(scope: Scope, query: { instance: string; after: string; limit: number }): Promise<SecretRow[]> {
    return listSecrets(this.#store, scope, query);
  }

  find(scope: Scope, instance: string, name: string): Promise<SecretRow | null> {
    return findSecret(this.#store, scope, instance, name);
  }

  async names(instance: string): Promise<string[]> {
    const rows = await this.list({ as: 'coordinator' }, { instance, after: '', limit: SECRETS_LIMIT });
    return rows.map(({ name }) => name);
  }

  /** False = there was none of this name. */
  remove(instance: string, name: string, by: string): Promise<boolean> {
    return this.#change(instance, async () => {
      const place = await findPlace(this.#store, instance, name);
      if (place === null || place.version === 0) return false;
      const event = { type: 'secret.removed', by, data: { secret: name } };
      await this.#append(instance, [event], [deleteSecret(instance, name)]);
      return true;
    });
  }

  /** A new data key for a company, all its secrets sealed anew in one commit. Resolves with how many. */
  rotateDataKey(instance: string, by: string): Promise<number> {
    return this.#change(instance, async () => {
      const found = await findAllSealed(this.#store, instance);
      if (found === null) return 0;
      const { instanceNo, keyNo } = found.key;
      const old = await this.#open(found.key);
      const next = newDataKey(instanceNo, keyNo + 1, await this.#masterKeys.current(false));
      const secrets = found.secrets.map(({ name, version, sealed }) => {
        const bound = boundToSecret(instanceNo, name, version);
        return { name, version, sealed: seal(next.key, unseal(old, sealed, bound), bound) };
      });
      const event = { type: 'secret.rotated', by, data: { key: keyNo + 1, secrets: secrets.length } };
      const statements = [insertKey(instance, next.wrapped), ...changeKey(instance, keyNo + 1, secrets)];
      await this.#append(instance, [event], statements);
      return secrets.length;
    });
  }

  /** Throws SECRETS_LOCKED when a master key that is needed is not at hand. */
  async check(): Promise<void> {
    for (const fingerprint of await findMasters(this.#store)) await this.#masterKeys.byFingerprint(fingerprint);
  }

  /**
   * Wraps every data key with the master key in force, after a new one was made where that is ours to do. May be cut and
   * repeated: each row names the key that wraps it. Resolves with the key's fingerprint and how many data keys were wrapped.
   */
  async rotateMaster(by: string): Promise<{ master: string; keys: number }> {
    await this.check();
    if (this.#masterKeys.canRenew) {
      await this.#masterKeys.current(true);
      await this.#masterKeys.renew();
    }
    const current = await this.#masterKeys.current(false);
    let keys = 0;
    for (let round = 0; round < REWRAP_ROUNDS; round++) {
      const rows = await findWrappedByOthers(this.#store, current.fingerprint, REWRAP_BATCH);
      if (rows.length === 0) break;
      const wrapped = await Promise.all(
        rows.map(async (row) => ({
          ...row,
          wrapped: rewrap(row, await this.#masterKeys.byFingerprint(row.master), current),
        })),
      );
      const event = { type: 'secret.rotated', by, data: { master: current.fingerprint, keys: rows.length } };
      await this.#append(SYSTEM_INSTANCE, [event], [rewrapKeys(current.fingerprint, wrapped)]);
      keys += rows.length;
    }
    return { master: current.fingerprint, keys };
  }

  /** The company's data key, or its first one, which is not stored yet. */
  async #keyOf({ instanceNo, key }: SecretPlace): Promise<{ wrapped: WrappedKey; key: KeyObject; isNew: boolean }> {
    if (key !== null) return { wrapped: key, key: await this.#open(key), isNew: false };
    const masters = await findMasters(this.#store);
    // Two master keys in one fleet would each open half of it.
    for (const fingerprint of masters) await this.#masterKeys.byFingerprint(fingerprint);
    return { ...newDataKey(instanceNo, 1, await this.#masterKeys.current(masters.length === 0)), isNew: true };
  }

  async #open({ instanceNo, keyNo, master, wrapped }: WrappedKey): Promise<KeyObject> {
    const { key } = await this.#masterKeys.byFingerprint(master);
    return crypto.createSecretKey(unseal(key, wrapped, boundToKey(instanceNo, keyNo)));
  }

  /** One change of a company at a time here; against other processes the database guards, and it is made again. */
  async #change<T>(instance: string, change: () => Promise<T>): Promise<T> {
    const before = this.#turns.get(instance) ?? Promise.resolve();
    const turn = before.catch(() => {}).then(() => tryAgain(change));
    this.#turns.set(instance, turn);
    try {
      return await turn;
    } finally {
      if (this.#turns.get(instance) === turn) this.#turns.delete(instance);
    }
  }
}

async function tryAgain<T>(change: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await change();
    } catch (error) {
      const { code } = error as { code?: string };
      if ((code !== '23505' && code !== '23503') || tries === TRIES) throw error;
    }
  }
}

function newDataKey(instanceNo: number, keyNo: number, master: MasterKey): { wrapped: WrappedKey; key: KeyObject } {
  const bytes = crypto.randomBytes(KEY_BYTES);
  const wrapped = seal(master.key, bytes, boundToKey(instanceNo, keyNo));
  return { wrapped: { instanceNo, keyNo, master: master.fingerprint, wrapped }, key: crypto.createSecretKey(bytes) };
}

function rewrap({ instanceNo, keyNo, wrapped }: WrappedKey, from: MasterKey, to: MasterKey): Buffer {
  const bound = boundToKey(instanceNo, keyNo);
  return seal(to.key, unseal(from.key, wrapped, bound), bound);
}

function checkSecret(name: string, value: string): void {
  const faults = [];
  if (!SECRET_NAME.test(name)) faults.push({ path: 'secret', message: SECRET_NAME_RULE });
  if (value === '') faults.push({ path: 'value', message: 'must not be empty' });
  if (Buffer.byteLength(value) > VALUE_LIMIT)
    faults.push({ path: 'value', message: `must have at most ${VALUE_LIMIT} bytes` });
  if (!value.isWellFormed() || value.includes('\u0000'))
    faults.push({ path: 'value', message: 'must be a text without the character U+0000' });
  if (faults.length > 0)
    throw new ColmeiaError('INVALID_REQUEST', `the secret is invalid: ${faults[0].path} ${faults[0].message}`, {
      faults,
    });
}

function tooMany(): ColmeiaError {
  const message = `is one too many: a company has at most ${SECRETS_LIMIT}; remove one`;
  return new ColmeiaError('INVALID_REQUEST', `the secret ${message}`, { faults: [{ path: 'secret', message }] });
}
