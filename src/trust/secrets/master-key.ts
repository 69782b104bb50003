import crypto, { type KeyObject } from 'node:crypto';
import type { Clock } from '../../platform/clock.ts';
import { ColmeiaError } from '../../platform/errors.ts';
import { KEY_BYTES } from './envelope.ts';

/** `fingerprint` names the key and tells nothing of it: 16 hex characters. */
export type MasterKey = { fingerprint: string; key: KeyObject };

/** Where master keys come from. */
export type MasterKeySource = {
  /** The key in force; made where the source is Colmeia's own and `mayMake` is said. Throws SECRETS_LOCKED. */
  current(mayMake: boolean): Promise<Buffer>;
  /** Keys that were in force before, as far as they are still there. */
  former(): Promise<Buffer[]>;
  /** Puts a new key in force, the old one staying at hand. Left out: whoever gives the key also changes it. */
  renew?(): Promise<void>;
};

export function masterKeyOf(bytes: Buffer): MasterKey {
  if (!Buffer.isBuffer(bytes) || bytes.length !== KEY_BYTES)
    throw new ColmeiaError('SECRETS_LOCKED', `the master key of the secrets must be ${KEY_BYTES} bytes`);
  const fingerprint = crypto.createHmac('sha256', bytes).update('colmeia master key').digest('hex').slice(0, 16);
  return { fingerprint, key: crypto.createSecretKey(bytes) };
}

/** 32 bytes as base64 (either alphabet) or hex. `where` names the source in the error, which never repeats the value. */
export function parseMasterKey(text: string, where: string): Buffer {
  const given = text.trim();
  if (/^[0-9a-f]{64}$/i.test(given)) return Buffer.from(given, 'hex');
  if (/^[A-Za-z0-9+/]{43}=?$/.test(given) || /^[A-Za-z0-9_-]{43}=?$/.test(given)) return Buffer.from(given, 'base64');
  const found = given === '' ? 'it is empty' : `it has ${given.length} characters of another form`;
  throw new ColmeiaError(
    'SECRETS_LOCKED',
    `the master key of the secrets (${where}) must be ${KEY_BYTES} bytes as base64 or hex; ${found}`,
  );
}

/** A key that has another name may have come into the source meanwhile; it is asked again, but not with every call. */
const ASK_AGAIN_MS = 1_000;

/** The master keys as this process knows them: read at the first need, read again when an unknown one is asked for. */
export class MasterKeys {
  readonly #source: MasterKeySource;
  readonly #clock: Clock;
  #reading: Promise<{ current: MasterKey; all: MasterKey[] }> | null = null;
  #readAt = -Infinity;

  constructor(source: MasterKeySource, clock: Clock) {
    this.#source = source;
    this.#clock = clock;
  }

  /** True when `renew` makes a key; false when whoever gives the key also changes it. */
  get canRenew(): boolean {
    return this.#source.renew !== undefined;
  }

  async current(mayMake: boolean): Promise<MasterKey> {
    return (await this.#read(mayMake)).current;
  }

  /** Throws SECRETS_LOCKED that names the fingerprint which is wanted. */
  async byFingerprint(fingerprint: string): Promise<MasterKey> {
    const known = await this.#find(fingerprint, false);
    if (known !== null) return known;
    const isTime = this.#clock.now() - this.#readAt >= ASK_AGAIN_MS;
    const again = isTime ? await this.#find(fingerprint, true) : null;
    if (again !== null) return again;
    const { current } = await this.#read(false);
    throw new ColmeiaError(
      'SECRETS_LOCKED',
      `the secrets are sealed with the master key ${fingerprint}; the one given is ${current.fingerprint}`,
    );
  }

  async renew(): Promise<void> {
    await this.#source.renew!();
    this.#reading = null;
  }

  async #find(fingerprint: string, again: boolean): Promise<MasterKey | null> {
    if (again) this.#reading = null;
    const { all } = await this.#read(false);
    return all.find((key) => key.fingerprint === fingerprint) ?? null;
  }

  #read(mayMake: boolean): Promise<{ current: MasterKey; all: MasterKey[] }> {
    if (this.#reading !== null) return this.#reading;
    this.#readAt = this.#clock.now();
    const reading = (async () => {
      const current = masterKeyOf(await this.#source.current(mayMake));
      return { current, all: [current, ...(await this.#source.former()).map(masterKeyOf)] };
    })();
    this.#reading = reading;
    reading.catch(() => {
      if (this.#reading === reading) this.#reading = null; // the next need asks again
    });
    return reading;
  }
}
