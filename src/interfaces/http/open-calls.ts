import type { ServerResponse } from 'node:http';

/** Calls that stay open for long: polls for leases and event streams. Their signals abort when the client goes or the server closes. */
export class OpenCalls {
  readonly #open = new Set<AbortController>();
  #ended = false;

  get size(): number {
    return this.#open.size;
  }

  get ended(): boolean {
    return this.#ended;
  }

  /** The signal of one call, which ends with its response. */
  open(response: ServerResponse): AbortSignal {
    const controller = new AbortController();
    this.#open.add(controller);
    response.once('close', () => {
      this.#open.delete(controller);
      if (!response.writableFinished) controller.abort();
    });
    if (this.#ended || response.destroyed) controller.abort();
    return controller.signal;
  }

  /** Ends every open call, and every later one at once. */
  endAll(): void {
    this.#ended = true;
    for (const controller of this.#open) controller.abort();
  }
}
