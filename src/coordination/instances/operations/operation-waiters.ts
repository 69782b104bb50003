import type { Store } from '../../../platform/store/store.ts';

const CHANNEL = 'colmeia_operation';

/** The next change of an operation. */
export type NextChange = {
  /** Resolves with the change, or after so long without one. */
  within(ms: number): Promise<void>;
  forget(): void;
};

/** Who waits for a change of an operation, at whichever process it is made. */
export class OperationWaiters {
  readonly #store: Store;
  readonly #log: (level: 'warn', data: Record<string, unknown>, message: string) => void;
  readonly #waiting = new Map<string, Set<() => void>>();
  #unlisten: () => void = () => {};
  #stopped = false;

  constructor(store: Store, log: (level: 'warn', data: Record<string, unknown>, message: string) => void) {
    this.#store = store;
    this.#log = log;
  }

  async start(): Promise<void> {
    this.#unlisten = await this.#store.listen(CHANNEL, (id) => this.#wake(id));
    this.#store.onAvailability((why) => {
      if (why === null) for (const id of [...this.#waiting.keys()]) this.#wake(id); // news was lost meanwhile
    });
  }

  /** From now on: what changes between this call and the wait counts. */
  next(id: string): NextChange {
    const { promise, resolve } = Promise.withResolvers<void>();
    const waiting = this.#waiting.get(id) ?? new Set();
    this.#waiting.set(id, waiting.add(resolve));
    if (this.#stopped) resolve();
    return {
      within: (ms) => {
        const timer = setTimeout(resolve, ms);
        return promise.finally(() => clearTimeout(timer));
      },
      forget: () => {
        waiting.delete(resolve);
        if (waiting.size === 0 && this.#waiting.get(id) === waiting) this.#waiting.delete(id);
      },
    };
  }

  /** It has changed at this process; the others hear of it. */
  changed(id: string): void {
    this.#wake(id);
    if (this.#store.tier === 'embedded' || this.#stopped) return;
    this.#store
      .notify(CHANNEL, id)
      .catch((error: unknown) => this.#log('warn', { err: error }, 'other replicas could not be told of an operation'));
  }

  stop(): void {
    this.#stopped = true;
    this.#unlisten();
    for (const id of [...this.#waiting.keys()]) this.#wake(id);
  }

  #wake(id: string): void {
    for (const resolve of this.#waiting.get(id) ?? []) resolve();
  }
}
