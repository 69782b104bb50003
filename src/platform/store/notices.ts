/** The limit of PostgreSQL's NOTIFY is 8,000 bytes with its own overhead. */
const MAX_PAYLOAD_BYTES = 7_900;

/** Who listens on which channel, in this process. */
export class Notices {
  readonly #listeners = new Map<string, Set<(payload: string) => void>>();

  assertFits(payload: string): void {
    const bytes = Buffer.byteLength(payload);
    if (bytes > MAX_PAYLOAD_BYTES)
      throw new RangeError(`A notice has at most ${MAX_PAYLOAD_BYTES} bytes, not ${bytes}.`);
  }

  channels(): string[] {
    return [...this.#listeners.keys()];
  }

  /** Returns the function that takes `on` away again; that one returns true when it was the last of its channel. */
  add(channel: string, on: (payload: string) => void): () => boolean {
    const listeners = this.#listeners.get(channel) ?? new Set();
    const listener = (payload: string): void => on(payload); // the same function may listen twice
    this.#listeners.set(channel, listeners.add(listener));
    return () => {
      listeners.delete(listener);
      return listeners.size === 0 && this.#listeners.get(channel) === listeners && this.#listeners.delete(channel);
    };
  }

  deliver(channel: string, payload: string): void {
    for (const listener of this.#listeners.get(channel) ?? []) listener(payload);
  }
}
