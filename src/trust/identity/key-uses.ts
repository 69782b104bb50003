import type { Clock } from '../../platform/clock.ts';
import type { Store } from '../../platform/store/store.ts';
import { writeLastUses } from './key-store.ts';

const WRITE_EVERY_MS = 60_000;
/** Keys whose use is not written yet, at most; further ones wait for their next use. */
const REMEMBERED = 10_000;

/** When keys were last used: kept in memory, written once a minute in one statement, and at the end. */
export class KeyUses {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #unwritten = new Map<string, number>();
  #timer: NodeJS.Timeout | null = null;

  constructor(store: Store, clock: Clock) {
    this.#store = store;
    this.#clock = clock;
  }

  start(): void {
    this.#timer = setInterval(() => void this.write().catch(() => {}), WRITE_EVERY_MS).unref();
  }

  async stop(): Promise<void> {
    if (this.#timer !== null) clearInterval(this.#timer);
    await this.write().catch(() => {}); // the database may be away, and a time of use is not worth waiting for
  }

  note(keyId: string): void {
    if (this.#unwritten.size < REMEMBERED || this.#unwritten.has(keyId)) this.#unwritten.set(keyId, this.#clock.now());
  }

  /** What this process knows beyond what is written; epoch ms. */
  lastUseOf(keyId: string): number | null {
    return this.#unwritten.get(keyId) ?? null;
  }

  async write(): Promise<void> {
    if (this.#unwritten.size === 0) return;
    const written = new Map(this.#unwritten);
    await writeLastUses(this.#store, written);
    for (const [keyId, at] of written) if (this.#unwritten.get(keyId) === at) this.#unwritten.delete(keyId);
  }
}
