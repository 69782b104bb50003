import type { Store } from '../store/store.ts';

export const CHANNEL = 'colmeia_journal';
/** One notice per this time and replica at most. */
const NOTICE_MS = 20;
const RETRY_MS = 1_000;
/** Below the limit of the store's notices; more companies than fit are said as "look at all". */
const MAX_BYTES = 7_500;

type Options = {
  store: Store;
  /** Tells replicas apart; a replica does not hear itself. */
  replica: string;
  /** null = any company may have new rows. */
  on: (instances: string[] | null) => void;
  log: (level: 'info' | 'warn' | 'error', data: Record<string, unknown>, message: string) => void;
};

/** Tells the other replicas which companies have new journal rows, and hears it from them. Notices get lost while disconnected. */
export class ReplicaWakes {
  readonly #options: Options;
  readonly #changed = new Set<string>();
  #timer: NodeJS.Timeout | null = null;
  #saidAt = -Infinity;
  #unlisten: (() => void) | null = null;
  #stopped = false;

  constructor(options: Options) {
    this.#options = options;
  }

  async start(): Promise<void> {
    const unlisten = await this.#options.store.listen(CHANNEL, (payload) => this.#hear(payload));
    if (this.#stopped) unlisten();
    else this.#unlisten = unlisten;
  }

  announce(instance: string): void {
    this.#changed.add(instance);
    this.#timer ??= setTimeout(() => this.#say(), Math.max(0, this.#saidAt + NOTICE_MS - performance.now()));
  }

  stop(): void {
    this.#stopped = true;
    if (this.#timer) clearTimeout(this.#timer);
    this.#unlisten?.();
  }

  #say(): void {
    const { store, replica, log } = this.#options;
    const instances = [...this.#changed];
    this.#changed.clear();
    this.#timer = null;
    this.#saidAt = performance.now();
    const whole = JSON.stringify({ from: replica, instances });
    const payload = Buffer.byteLength(whole) <= MAX_BYTES ? whole : JSON.stringify({ from: replica, instances: null });
    store.notify(CHANNEL, payload).catch((error: unknown) => {
      if (this.#stopped) return;
      if (this.#changed.size === 0)
        log('warn', { err: error }, 'other replicas could not be told of new events; tried again');
      for (const instance of instances) this.#changed.add(instance);
      this.#timer ??= setTimeout(() => this.#say(), RETRY_MS);
    });
  }

  #hear(payload: string): void {
    try {
      const { from, instances } = JSON.parse(payload) as { from: string; instances: string[] | null };
      if (from !== this.#options.replica) this.#options.on(instances);
    } catch (error) {
      this.#options.log('warn', { err: error }, `a notice on ${CHANNEL} could not be read`);
    }
  }
}
