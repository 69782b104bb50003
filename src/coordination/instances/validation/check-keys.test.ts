import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { KeptKey } from '../../../trust/identity/key-store.ts';
import { checkKeys } from './check-keys.ts';

const NOW = Date.UTC(2026, 10, 21);
const daysAgo = (days: number): Date => new Date(NOW - days * 86_400_000);

function key(keyId: string, more: Partial<KeptKey>): KeptKey {
  return {
    keyId,
    kind: 'company',
    instance: 'acme',
    agentId: null,
    scopes: ['read', 'administer'],
    subject: null,
    replaces: null,
    createdBy: 'x',
    createdAt: daysAgo(1),
    expiresAt: null,
    revokedAt: null,
    lastUsedAt: null,
    ...more,
  };
}
const found = (...keys: KeptKey[]): string[] => checkKeys(keys, NOW).map(({ code, place }) => `${code} ${place}`);

describe('checkKeys', () => {
  it('finds nothing where there are no keys, or good ones', () => {
    assert.deepEqual(found(), []);
    assert.deepEqual(found(key('a', { createdAt: daysAgo(300), lastUsedAt: daysAgo(89) })), []);
  });

  it('finds keys that have expired, were not used for 90 days, or may do everything', () => {
    const all = ['read', 'run', 'approve', 'administer'] as const;
    assert.deepEqual(
      found(
        key('expired', { expiresAt: daysAgo(0) }),
        key('old', { createdAt: daysAgo(91) }),
        key('idle', { createdAt: daysAgo(300), lastUsedAt: daysAgo(91) }),
        key('all', { scopes: all }),
        key('agent', { kind: 'agent', scopes: all }),
      ),
      ['KEY_EXPIRED key expired', 'KEY_UNUSED key old', 'KEY_UNUSED key idle', 'KEY_ALL_SCOPES key all'],
    );
  });

  it('passes over keys that were revoked', () => {
    assert.deepEqual(found(key('a', { expiresAt: daysAgo(3), revokedAt: daysAgo(2) })), []);
  });

  it('misses an administrator when only one that has expired is left', () => {
    assert.deepEqual(found(key('a', { scopes: ['read'] }), key('b', { expiresAt: daysAgo(1) })), [
      'KEY_EXPIRED key b',
      'KEY_WITHOUT_ADMINISTRATOR keys',
    ]);
  });
});
