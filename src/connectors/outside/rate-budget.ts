import type { Clock } from '../../platform/clock.ts';
import { ColmeiaError } from '../../platform/errors.ts';

export type RateBudgetOptions = {
  /** Named in errors. */
  site: string;
  /** Most starts in any 60 s. */
  perMinute: number;
  /** Most calls under way at once. */
  concurrency: number;
  /** Most calls that wait. */
  queueLimit: number;
  clock: Clock;
};

type Waiting = { start: (release: () => void) => void; fail: (error: unknown) => void; deadline: number };

const MINUTE_MS = 60_000;
/** Part of a minute's calls that may start at once; the rest comes back evenly over the minute. */
const BURST = 0.25;
/** A hold is never longer, whatever a site or a clock that was put back says. */
const LONGEST_HOLD_MS = 3_600_000;

/**
 * Lets calls to one site start, first come first served: a token bucket, a cap of calls under way, and a bounded queue in
 * which nobody waits past the own deadline. Keeps one timer while somebody waits.
 */
export class RateBudget {
  readonly #options: RateBudgetOptions;
  readonly #capacity: number;
  readonly #tokensPerMs: number;
  #tokens: number;
  #refilledAt: number;
  #heldUntil = 0;
  #running = 0;
  #waiting: Waiting[] = [];
  #timer: NodeJS.Timeout | null = null;
  #closed = false;

  constructor(options: RateBudgetOptions) {
    this.#options = options;
    this.#capacity = Math.max(1, Math.floor(options.perMinute * BURST));
    this.#tokensPerMs = Math.max(options.perMinute - this.#capacity, options.perMinute / 2) / MINUTE_MS;
    this.#tokens = this.#capacity;
    this.#refilledAt = options.clock.now();
  }

  get queued(): number {
    return this.#waiting.length;
  }

  get running(): number {
    return this.#running;
  }

  /**
   * Resolves when the call may start, with what to do at its end. `deadline`: epoch ms.
   * Throws OUTSIDE_UNAVAILABLE with `retryAfterMs` at once when the wait would be longer, OUTSIDE_TIMEOUT when it turned
   * out to be, QUEUE_FULL, SHUTTING_DOWN, and the reason of `signal`.
   */
  async take(deadline: number, signal: AbortSignal | null): Promise<() => void> {
    signal?.throwIfAborted();
    if (this.#closed) throw this.#shuttingDown();
    this.#refuseWhatCannotStart(deadline);
    let leave = (): void => {};
    try {
      return await new Promise<() => void>((resolve, reject) => {
        const waiting: Waiting = { start: resolve, fail: reject, deadline };
        const quit = (): void => this.#drop(waiting, signal!.reason);
        signal?.addEventListener('abort', quit, { once: true });
        leave = () => signal?.removeEventListener('abort', quit);
        this.#waiting.push(waiting);
        this.#startWhatMay();
      });
    } finally {
      leave();
    }
  }

  /** Nothing starts before `until` (epoch ms): the site said so. A shorter hold does not end a longer one. */
  hold(until: number): void {
    const longest = this.#options.clock.now() + LONGEST_HOLD_MS;
    this.#heldUntil = Math.max(this.#heldUntil, Math.min(until, longest));
    this.#startWhatMay();
  }

  /** Who waits gets SHUTTING_DOWN; nothing starts any more. */
  close(): void {
    this.#closed = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    for (const { fail } of this.#waiting.splice(0)) fail(this.#shuttingDown());
  }

  #startWhatMay(): void {
    if (this.#closed) return;
    const now = this.#refill();
    this.#endLate(now);
    while (this.#waiting.length > 0 && this.#running < this.#options.concurrency) {
      if (this.#holdMs(now) > 0 || this.#tokens < 1) break;
      this.#tokens -= 1;
      this.#running += 1;
      this.#waiting.shift()!.start(this.#releaseOnce());
    }
    this.#wakeAgain(now);
  }

  #releaseOnce(): () => void {
    let isReleased = false;
    return () => {
      if (isReleased) return;
      isReleased = true;
      this.#running -= 1;
      this.#startWhatMay();
    };
  }

  /** Epoch ms of now; a clock that was put back brings no tokens. */
  #refill(): number {
    const now = this.#options.clock.now();
    const elapsed = Math.max(0, now - this.#refilledAt);
    this.#tokens = Math.min(this.#capacity, this.#tokens + elapsed * this.#tokensPerMs);
    this.#refilledAt = now;
    return now;
  }

  #holdMs(now: number): number {
    if (this.#heldUntil - now > LONGEST_HOLD_MS) this.#heldUntil = now + LONGEST_HOLD_MS;
    return Math.max(0, this.#heldUntil - now);
  }

  /** Until the call at `place` of the queue (0 = its head) has a token, ms; calls under way may make it longer. */
  #waitMs(now: number, place: number): number {
    const missing = place + 1 - this.#tokens;
    return Math.max(this.#holdMs(now), Math.ceil(Math.max(0, missing) / this.#tokensPerMs));
  }

  #refuseWhatCannotStart(deadline: number): void {
    const { site, queueLimit } = this.#options;
    const now = this.#refill();
    const waitMs = this.#waitMs(now, this.#waiting.length);
    if (now + waitMs > deadline) throw this.#notFor(waitMs);
    if (this.#waiting.length >= queueLimit) {
      const message = `${site}: ${queueLimit} calls wait already`;
      throw new ColmeiaError('QUEUE_FULL', message, { retryAfterMs: Math.max(1_000, waitMs) });
    }
  }

  /** Of those that wait, who is late by now or will be when the hold ends. */
  #endLate(now: number): void {
    const start = now + this.#holdMs(now);
    const isLate = ({ deadline }: Waiting): boolean => deadline <= now || deadline < start;
    const late = this.#waiting.filter(isLate);
    if (late.length === 0) return;
    this.#waiting = this.#waiting.filter((waiting) => !isLate(waiting));
    for (const { fail, deadline } of late) fail(deadline <= now ? this.#inVain() : this.#notFor(start - now));
  }

  #drop(waiting: Waiting, reason: unknown): void {
    const place = this.#waiting.indexOf(waiting);
    if (place < 0) return;
    this.#waiting.splice(place, 1);
    waiting.fail(reason);
    this.#startWhatMay();
  }

  #wakeAgain(now: number): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    if (this.#waiting.length === 0) return;
    const firstDeadline = this.#waiting.reduce((first, { deadline }) => Math.min(first, deadline), Infinity) - now;
    const isFull = this.#running >= this.#options.concurrency;
    const waitMs = isFull ? firstDeadline : Math.min(firstDeadline, this.#waitMs(now, 0));
    this.#timer = setTimeout(() => this.#startWhatMay(), Math.max(1, Math.min(waitMs, LONGEST_HOLD_MS)));
  }

  #notFor(waitMs: number): ColmeiaError {
    const message = `${this.#options.site}: no call may start for ${Math.ceil(waitMs / 1_000)} s, by its limit of calls`;
    return new ColmeiaError('OUTSIDE_UNAVAILABLE', message, { retryAfterMs: waitMs });
  }

  #inVain(): ColmeiaError {
    return new ColmeiaError('OUTSIDE_TIMEOUT', `${this.#options.site}: the call waited in vain for its turn`);
  }

  #shuttingDown(): ColmeiaError {
    return new ColmeiaError('SHUTTING_DOWN', `${this.#options.site}: calls to it have ended`);
  }
}
