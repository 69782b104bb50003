import crypto from 'node:crypto';

/** A key as its holder has it: `colmeia_<key id>_<secret>`. Only the hash of the secret is stored. */
export type NewKey = { keyId: string; key: string; hash: Buffer };

/** 16 hex characters of id, 32 random bytes of secret: long enough that one fast hash is all it needs. */
export function makeKey(): NewKey {
  const keyId = crypto.randomBytes(8).toString('hex');
  const secret = crypto.randomBytes(32).toString('base64url');
  return { keyId, key: `colmeia_${keyId}_${secret}`, hash: hashSecret(secret) };
}

/** null when it does not have the form of a key. */
export function parseKey(key: string): { keyId: string; secret: string } | null {
  const match = /^colmeia_([0-9a-f]{16})_([A-Za-z0-9_-]{43})$/.exec(key);
  return match === null ? null : { keyId: match[1], secret: match[2] };
}

export const hashSecret = (secret: string): Buffer => crypto.createHash('sha256').update(secret).digest();

export function isSecret(secret: string, hash: Uint8Array): boolean {
  return crypto.timingSafeEqual(hashSecret(secret), hash);
}
