import crypto, { type KeyObject } from 'node:crypto';
import { ColmeiaError } from '../../platform/errors.ts';

const CIPHER = 'aes-256-gcm';
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
export const KEY_BYTES = 32;

/** AES-256-GCM: a random nonce, the ciphertext, the tag. `bound` must be the same again to open it. Source: NIST SP 800-38D. */
export function seal(key: KeyObject, plain: Buffer, bound: string): Buffer {
  const nonce = crypto.randomBytes(NONCE_BYTES);
  const cipher = crypto.createCipheriv(CIPHER, key, nonce, { authTagLength: TAG_BYTES });
  cipher.setAAD(Buffer.from(bound));
  return Buffer.concat([nonce, cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
}

/** Throws SECRETS_LOCKED when it was changed, moved from elsewhere, or sealed with another key. */
export function unseal(key: KeyObject, sealed: Uint8Array, bound: string): Buffer {
  try {
    const decipher = crypto.createDecipheriv(CIPHER, key, sealed.subarray(0, NONCE_BYTES), {
      authTagLength: TAG_BYTES,
    });
    decipher.setAAD(Buffer.from(bound));
    decipher.setAuthTag(sealed.subarray(-TAG_BYTES));
    return Buffer.concat([decipher.update(sealed.subarray(NONCE_BYTES, -TAG_BYTES)), decipher.final()]);
  } catch {
    throw new ColmeiaError('SECRETS_LOCKED', 'what is stored was changed or belongs elsewhere; set the secret again');
  }
}

/** What a data key is bound to. By the company's number, which a rename leaves as it is. */
export const boundToKey = (instanceNo: number, keyNo: number): string => `colmeia data key/${instanceNo}/${keyNo}`;
export const boundToSecret = (instanceNo: number, name: string, version: number): string =>
  `colmeia secret/${instanceNo}/${name}/${version}`;
