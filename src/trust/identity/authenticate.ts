import type { Clock } from '../../platform/clock.ts';
import type { Store } from '../../platform/store/store.ts';
import { hashSecret, isSecret, parseKey } from './key.ts';
import { findKeyWithHash } from './key-store.ts';
import { KeyUses } from './key-uses.ts';
import type { Principal } from './principal.ts';

/** How long a proved key is trusted without asking the database, should the news of its revocation be lost. */
const TRUST_MS = 5_000;
const REMEMBERED = 10_000;

/**
 * Proves keys. A key that was proved is remembered for five seconds under the hash of its secret; a revocation, here or
 * on another replica, ends that at once through the channel `colmeia_key`.
 */
export class Authenticator {
  readonly uses: KeyUses;
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #proved = new Map<string, { principal: Principal; until: number }>();
  #stopListening: () => void = () => {};

  constructor(store: Store, clock: Clock) {
    this.#store = store;
    this.#clock = clock;
    this.uses = new KeyUses(store, clock);
  }

  async start(): Promise<void> {
    this.#stopListening = await this.#store.listen('colmeia_key', (keyId) => this.forget(keyId));
    this.uses.start();
  }

  async stop(): Promise<void> {
    this.#stopListening();
    await this.uses.stop();
  }

  /** null = the key proves nobody. Throws STORE_UNAVAILABLE when it cannot be told. */
  async authenticate(key: string): Promise<Principal | null> {
    const parsed = parseKey(key);
    if (parsed === null) return null;
    const mark = `${parsed.keyId}:${hashSecret(parsed.secret).toString('base64')}`;
    const now = this.#clock.now();
    const known = this.#proved.get(mark);
    if (known !== undefined && known.until > now) {
      this.uses.note(parsed.keyId);
      return known.principal;
    }
    const kept = await findKeyWithHash(this.#store, parsed.keyId);
    if (kept === null || kept.revokedAt !== null || !isSecret(parsed.secret, kept.hash)) return null;
    if (kept.expiresAt !== null && kept.expiresAt.getTime() <= now) return null;
    const { kind, instance, agentId, keyId, scopes, subject } = kept;
    const principal: Principal = { kind, instance, agentId, keyId, scopes, subject };
    this.uses.note(keyId);
    if (this.#proved.size >= REMEMBERED) this.#proved.delete(this.#proved.keys().next().value!);
    this.#proved.set(mark, { principal, until: Math.min(now + TRUST_MS, kept.expiresAt?.getTime() ?? Infinity) });
    return principal;
  }

  forget(keyId: string): void {
    for (const mark of this.#proved.keys()) if (mark.startsWith(`${keyId}:`)) this.#proved.delete(mark);
  }
}
