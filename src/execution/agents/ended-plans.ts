import { setTimeout as sleep } from 'node:timers/promises';
import type { ClusterClient } from './cluster-client.ts';

const ENDS = new Set(['plan.completed', 'plan.failed', 'plan.compensated', 'plan.cancelled', 'plan.rejected']);
const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 30_000;
/** The stream is kept this long after the last one waited. */
const IDLE_MS = 30_000;
/** A line longer than this is none of the events that matter. */
const LINE_LENGTH = 4_000_000;

export type EndedPlansOptions = {
  client: ClusterClient;
  /** Company there; null = all that the key sees. */
  instance: string | null;
  random: () => number;
};

/**
 * Says when plans of another cluster come to an end, from one event stream for all that wait. It only wakes: who is woken
 * asks for the state, so events that were missed while the stream was away cost time and nothing else.
 */
export class EndedPlans {
  readonly #options: EndedPlansOptions;
  readonly #waiting = new Map<string, Set<() => void>>();
  readonly #closed = new AbortController();
  #following = false;
  #connected = false;
  #lastWait = 0;

  constructor(options: EndedPlansOptions) {
    this.#options = options;
  }

  close(): void {
    this.#closed.abort();
  }

  /** True while the stream stands, so that waiting for it may take long. */
  get connected(): boolean {
    return this.#connected;
  }

  /** Resolves when the plan ended, when that may have been missed, after `ms`, or on abort. */
  wait(planId: string, ms: number, signal: AbortSignal): Promise<void> {
    this.#lastWait = Date.now();
    void this.#follow();
    return new Promise((resolve) => {
      const all = this.#waiting.get(planId) ?? new Set();
      this.#waiting.set(planId, all);
      const done = (): void => {
        clearTimeout(timer);
        signal.removeEventListener('abort', done);
        all.delete(done);
        if (all.size === 0 && this.#waiting.get(planId) === all) this.#waiting.delete(planId);
        resolve();
      };
      const timer = setTimeout(done, ms);
      all.add(done);
      if (signal.aborted) done();
      else signal.addEventListener('abort', done, { once: true });
    });
  }

  async #follow(): Promise<void> {
    if (this.#following || this.#closed.signal.aborted) return;
    this.#following = true;
    let pause = FIRST_PAUSE_MS;
    while (!this.#closed.signal.aborted && this.#isWanted()) {
      try {
        await this.#read(() => (pause = FIRST_PAUSE_MS));
      } catch {
        // Whoever waits asks by itself meanwhile, and says what is wrong.
      }
      this.#connected = false;
      const wait = pause * (0.5 + 0.5 * this.#options.random());
      await sleep(wait, undefined, { signal: this.#closed.signal, ref: false }).catch(() => {});
      pause = Math.min(LONGEST_PAUSE_MS, pause * 2);
    }
    this.#following = false;
  }

  #isWanted(): boolean {
    return this.#waiting.size > 0 || Date.now() - this.#lastWait < IDLE_MS;
  }

  async #read(onOpen: () => void): Promise<void> {
    const unwanted = new AbortController();
    const signal = AbortSignal.any([this.#closed.signal, unwanted.signal]);
    const check = setInterval(() => this.#isWanted() || unwanted.abort(), IDLE_MS).unref();
    try {
      const body = await this.#options.client.events(this.#options.instance, signal);
      this.#connected = true;
      onOpen();
      for (const planId of this.#waiting.keys()) this.#wake(planId);
      body.setEncoding('utf8');
      let event = '';
      let rest = '';
      for await (const chunk of body as AsyncIterable<string>) {
        const lines = (rest + chunk).split('\n');
        rest = lines.pop()!;
        if (rest.length > LINE_LENGTH) throw new Error('a line of the stream has no end');
        for (const line of lines) {
          if (line.startsWith('event:')) event = line.slice(6).trim();
          else if (line.startsWith('data:') && ENDS.has(event)) this.#wake(planOf(line.slice(5)));
        }
      }
    } finally {
      clearInterval(check);
    }
  }

  #wake(planId: string): void {
    for (const done of [...(this.#waiting.get(planId) ?? [])]) done();
  }
}

function planOf(data: string): string {
  try {
    return String((JSON.parse(data) as { plan?: unknown } | null)?.plan ?? '');
  } catch {
    return '';
  }
}
