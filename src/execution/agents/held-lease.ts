import { AttemptStopped } from './agent-error.ts';
import type { AgentTransport, LeaseGrant } from './agent-transport.ts';
import { isColmeiaError } from '../../platform/errors.ts';

/** Lines kept until the next heartbeat; the oldest go first. */
const LOG_LINES = 500;
const LOG_LINE_LENGTH = 4_000;
/** Logs and progress wait at most this long. */
const REPORT_MS = 500;

export type HeldLeaseOptions = {
  transport: AgentTransport;
  /** How often the lease is extended. */
  beatMs: number;
  /** Abort when the lease runs out unheard, rather than only when it is refused. */
  abortWhenExpired: boolean;
  onTrouble: (message: string) => void;
};

/** A lease while its attempt runs: extends it, carries progress and logs, and knows when to stop. */
export class HeldLease {
  readonly grant: LeaseGrant;
  /** Of the result, as far as the handler has said. */
  readonly metadata: Record<string, string> = {};
  readonly #options: HeldLeaseOptions;
  readonly #controller = new AbortController();
  #expiresAt: number;
  #progress: number | undefined;
  #logs: string[] = [];
  #dropped = 0;
  #timer: NodeJS.Timeout | undefined;
  #nextAt = Infinity;
  #beating: Promise<void> | null = null;
  #ended = false;

  constructor(grant: LeaseGrant, options: HeldLeaseOptions) {
    this.grant = grant;
    this.#expiresAt = grant.expires_at;
    this.#options = options;
    this.#beatWithin(options.beatMs);
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  get fenced(): boolean {
    return this.signal.aborted && (this.signal.reason as AttemptStopped).why === 'fenced';
  }

  progress(share: number): void {
    if (!Number.isFinite(share)) return;
    this.#progress = share;
    this.#beatWithin(REPORT_MS);
  }

  log(line: string): void {
    const text = String(line);
    this.#logs.push(text.length > LOG_LINE_LENGTH ? `${text.slice(0, LOG_LINE_LENGTH)}…` : text);
    if (this.#logs.length > LOG_LINES) {
      this.#logs.shift();
      this.#dropped++;
    }
    this.#beatWithin(REPORT_MS);
  }

  stop(why: AttemptStopped['why']): void {
    if (!this.signal.aborted) this.#controller.abort(new AttemptStopped(why));
  }

  /** Asks now whether the attempt still counts. */
  beatNow(): void {
    this.#beatWithin(0);
  }

  /** No more heartbeats. Returns the lines that were not sent. */
  async end(): Promise<string[]> {
    this.#ended = true;
    clearTimeout(this.#timer);
    await this.#beating;
    return this.#takeLogs();
  }

  #beatWithin(ms: number): void {
    const at = Date.now() + ms;
    if (this.#ended || this.#beating !== null || at >= this.#nextAt) return;
    clearTimeout(this.#timer);
    this.#nextAt = at;
    this.#timer = setTimeout(() => {
      this.#nextAt = Infinity;
      this.#beating = this.#beat().then((pauseMs) => {
        this.#beating = null;
        this.#beatWithin(this.#logs.length > 0 ? Math.min(pauseMs, REPORT_MS) : pauseMs);
      });
    }, ms);
  }

  /** Returns how long to wait for the next one. */
  async #beat(): Promise<number> {
    const { transport, beatMs, abortWhenExpired, onTrouble } = this.#options;
    const { lease_id, fencing_token } = this.grant;
    const logs = this.#takeLogs();
    const progress = this.#progress;
    try {
      const state = await transport.heartbeatLease(lease_id, {
        fencingToken: fencing_token,
        ...(progress === undefined ? {} : { progress }),
        ...(logs.length === 0 ? {} : { logs }),
      });
      this.#expiresAt = state.expires_at;
      if (state.cancel) this.stop('cancelled');
      return beatMs;
    } catch (error) {
      if (isColmeiaError(error, 'LEASE_FENCED') || isColmeiaError(error, 'LEASE_NOT_FOUND')) {
        this.stop('fenced');
        return beatMs;
      }
      onTrouble(`heartbeat of ${lease_id}: ${(error as Error).message}`);
      this.#logs = [...logs, ...this.#logs].slice(-LOG_LINES);
      if (abortWhenExpired && Date.now() > this.#expiresAt) this.stop('expired');
      return Math.max(REPORT_MS, Math.min(beatMs / 3, 5_000));
    }
  }

  #takeLogs(): string[] {
    const logs = this.#logs;
    if (this.#dropped > 0) logs.unshift(`… ${this.#dropped} lines left out`);
    this.#logs = [];
    this.#dropped = 0;
    return logs;
  }
}
