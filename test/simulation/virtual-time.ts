import { Heap } from '../../src/platform/heap.ts';

type Timer = { heapIndex: number; at: number; order: number; run: () => void };

/**
 * Time that stands still while code runs and leaps to the next timer when all is quiet. While it is installed, the
 * process's own setTimeout and setImmediate are this one's, so that the code under test needs no seam for it.
 */
export class VirtualTime {
  /** Epoch ms. */
  now = Date.UTC(2030, 0, 1);
  steps = 0;
  readonly #timers = new Heap<Timer>((a, b) => (a.at !== b.at ? a.at < b.at : a.order < b.order));
  #order = 0;

  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => void this.#set(resolve, ms));
  }

  /** Runs what `begin` starts until `isOver`, or until nothing more can happen: one timer at a time, and all promises it settles after each. */
  async run(begin: () => void, isOver: () => boolean, end: () => void): Promise<void> {
    const real = { setTimeout, clearTimeout, setImmediate };
    Object.assign(globalThis, {
      setTimeout: (run: (...args: unknown[]) => void, ms = 0, ...args: unknown[]) => this.#set(() => run(...args), ms),
      clearTimeout: (timer: Timer | null | undefined) => timer && this.#timers.remove(timer),
      setImmediate: (run: (...args: unknown[]) => void, ...args: unknown[]) => this.#set(() => run(...args), 0),
    });
    try {
      begin();
      for (;;) {
        await new Promise((resolve) => real.setImmediate(resolve)); // every promise that can settle has settled
        if (isOver()) return;
        const next = this.#timers.pop();
        if (next === undefined) return;
        this.now = Math.max(this.now, next.at);
        this.steps++;
        next.run();
      }
    } finally {
      end();
      Object.assign(globalThis, real);
    }
  }

  #set(run: () => void, ms: number): Timer {
    const timer = { heapIndex: -1, at: this.now + Math.max(0, Math.ceil(ms)), order: this.#order++, run };
    this.#timers.push(timer);
    return timer;
  }
}

/** Uniform in [0, 1) from a seed (mulberry32). */
export function seededRandom(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}
