import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ExecutionTicket } from '../../platform/contracts/generated/records.ts';
import { isColmeiaError, type ErrorCode } from '../../platform/errors.ts';
import { AgentError, AttemptStopped, LeaseLeft, messageOf } from './agent-error.ts';
import type { AgentRegistration, AgentTerms, AgentTransport, ErrorClass, LeaseGrant } from './agent-transport.ts';
import { HeldLease } from './held-lease.ts';

/** What a handler knows of its attempt. */
export type AttemptContext = {
  /** Aborted on cancel, on a lost lease, and when the agent stops and its grace is over; `reason` is an AttemptStopped. */
  signal: AbortSignal;
  /** 1 = the first. */
  attempt: number;
  leaseId: string;
  fencingToken: number;
  /** Share of the work that is done, as the caller likes to count it. Sent within half a second, the last value wins. */
  progress(share: number): void;
  /** A line for the ticket's log; the last 500 unsent lines are kept. */
  log(line: string): void;
  /** Goes with the result beside the output, as tokens used; the last value of a name wins. A failure has none. */
  metadata(values: Record<string, string>): void;
};

/** Runs one attempt. What it returns is the output: a JSON object, whose values that are not strings become JSON text. */
export type AgentHandler = (ticket: ExecutionTicket, context: AttemptContext) => Promise<unknown> | unknown;

export type AgentLog = (level: 'info' | 'warn' | 'error', message: string) => void;

export type AgentLoopOptions = {
  transport: AgentTransport;
  spec: AgentRegistration;
  handler: AgentHandler;
  log: AgentLog;
  /** Leases of an earlier run of this agent whose work goes on; the handler is called for them again. */
  held?: LeaseGrant[];
  /** Called when a result was answered (or the lease was lost), so that what was kept for a restart can go. */
  onSettled?: (leaseId: string) => void | Promise<void>;
  telemetry?: () => Record<string, unknown>;
  /** Longest wait of one poll. Default 30,000. */
  waitMs?: number;
  /** How long running attempts may go on after stop(). Default 10,000. */
  graceMs?: number;
  /** Abort an attempt whose lease ran out unheard. Default false: its result may still count after a restart of the control plane. */
  abortWhenExpired?: boolean;
  random?: () => number;
};

/** Refusals that a repeat does not change. */
const FINAL = new Set<ErrorCode>([
  'INVALID_REQUEST',
  'TOO_LARGE',
  'FORBIDDEN',
  'UNAUTHENTICATED',
  'AGENT_NOT_FOUND',
  'ROUTE_NOT_FOUND',
  'CONFIG_INVALID',
]);
const LOST = new Set<ErrorCode>(['LEASE_FENCED', 'LEASE_NOT_FOUND']);
/** Leases remembered after their end, in case a repeated poll answers them again. */
const REMEMBERED = 1_000;
/** After the grace, time for handlers to notice their signal and for results to arrive. */
const LAST_WORDS_MS = 3_000;

/** An agent: registers, polls for as many tickets as it has free slots, runs them, reports. One poll at a time. */
export class AgentLoop {
  readonly #options: AgentLoopOptions;
  readonly #active = new Map<string, HeldLease>();
  readonly #settled = new Set<string>();
  readonly #polling = new AbortController();
  /** Aborted when handlers may not be waited for any more. */
  readonly #givenUp = new AbortController();
  /** Aborted when nothing may be waited for any more. */
  readonly #over = new AbortController();
  #terms: AgentTerms | undefined;
  #stopping = false;
  #stopped: Promise<void> | null = null;
  #wake: () => void = () => {};
  #lastTrouble = '';
  readonly done: Promise<void>;

  constructor(options: AgentLoopOptions) {
    this.#options = options;
    this.done = this.#run();
    // A caller may learn of a refusal later than it happens.
    this.done.catch(() => {});
  }

  /** Tickets under way. */
  get active(): number {
    return this.#active.size;
  }

  /** Takes no more tickets, lets running ones finish within the grace, then aborts them. Resolves when all is over. */
  stop(graceMs = this.#options.graceMs ?? 10_000): Promise<void> {
    return (this.#stopped ??= this.#stop(graceMs));
  }

  async #run(): Promise<void> {
    let beats: NodeJS.Timeout | undefined;
    try {
      await this.#register(true);
      if (this.#terms === undefined) return;
      // Twice in each interval, so that one that is lost or late does no harm.
      beats = setInterval(() => void this.#beat(), Math.max(20, this.#terms.heartbeat_interval_ms / 2));
      for (const grant of this.#options.held ?? []) this.#take(grant, true);
      while (!this.#stopping) {
        const free = (this.#options.spec.concurrency ?? 1) - this.#active.size;
        if (free <= 0) await this.#change();
        else for (const grant of await this.#poll(free)) this.#take(grant, false);
      }
      while (this.#active.size > 0 && !this.#over.signal.aborted) await this.#change();
    } finally {
      clearInterval(beats);
      this.#polling.abort();
    }
  }

  async #stop(graceMs: number): Promise<void> {
    this.#stopping = true;
    this.#wake();
    const drained =
      this.#terms === undefined ? Promise.resolve() : this.#options.transport.drain(this.#options.spec.agent_id);
    // The drain ends the poll with an answer; cutting it off could lose leases on their way.
    const waited = new AbortController();
    await Promise.race([drained.catch(() => {}), sleep(1_000, undefined, waited).catch(() => {})]);
    waited.abort();
    const cut = setTimeout(() => this.#polling.abort(), this.#terms === undefined ? 0 : 500);
    const grace = setTimeout(() => {
      for (const held of this.#active.values()) held.stop('stopping');
    }, graceMs);
    const giveUp = setTimeout(() => this.#givenUp.abort(), graceMs + LAST_WORDS_MS / 2);
    const end = setTimeout(() => this.#end(), graceMs + LAST_WORDS_MS);
    await this.done.catch(() => {});
    for (const timer of [cut, grace, giveUp, end]) clearTimeout(timer);
    this.#end();
  }

  #end(): void {
    this.#over.abort();
    this.#wake();
  }

  #change(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  async #register(first: boolean): Promise<void> {
    const { transport, spec } = this.#options;
    const held = first ? (this.#options.held ?? []).map(({ lease_id }) => lease_id) : [...this.#active.keys()];
    const terms = await this.#untilAnswered(
      'register',
      () => transport.register({ ...spec, held }),
      this.#polling.signal,
      first ? FINAL : undefined,
    );
    if (terms !== null) this.#terms = terms;
  }

  async #beat(): Promise<void> {
    const { transport, spec, telemetry } = this.#options;
    try {
      await transport.heartbeatAgent(spec.agent_id, telemetry?.());
    } catch (error) {
      if (isColmeiaError(error, 'AGENT_NOT_FOUND')) await this.#register(false);
      else this.#trouble(`heartbeat: ${messageOf(error)}`);
    }
  }

  async #poll(max: number): Promise<LeaseGrant[]> {
    const { transport, spec, waitMs = 30_000 } = this.#options;
    const idempotencyKey = randomUUID();
    const signal = this.#polling.signal;
    const answer = await this.#untilAnswered(
      'poll',
      async () => {
        try {
          return await transport.lease(spec.agent_id, { max, waitMs, idempotencyKey, signal });
        } catch (error) {
          if (isColmeiaError(error, 'AGENT_NOT_FOUND')) await this.#register(false);
          throw error;
        }
      },
      signal,
    );
    return answer?.leases ?? [];
  }

  #take(grant: LeaseGrant, again: boolean): void {
    if (this.#active.has(grant.lease_id) || this.#settled.has(grant.lease_id)) return;
    const held = new HeldLease(grant, {
      transport: this.#options.transport,
      beatMs: Math.max(50, this.#terms!.lease_duration_ms / 3),
      abortWhenExpired: this.#options.abortWhenExpired ?? false,
      onTrouble: (message) => this.#trouble(message),
    });
    this.#active.set(grant.lease_id, held);
    if (again) held.beatNow();
    void this.#work(held).then(() => {
      this.#active.delete(grant.lease_id);
      this.#wake();
    });
  }

  async #work(held: HeldLease): Promise<void> {
    const { lease_id, ticket } = held.grant;
    let output: Record<string, string> | null = null;
    let error: unknown = null;
    try {
      output = outputOf(await this.#unlessGivenUp(() => this.#options.handler(ticket, contextOf(held))));
    } catch (thrown) {
      error = thrown;
    }
    const logs = await held.end();
    if (error instanceof LeaseLeft) return;
    if (!held.fenced && !(await this.#report(held, output, error, logs))) return;
    this.#settled.add(lease_id);
    if (this.#settled.size > REMEMBERED) this.#settled.delete(this.#settled.values().next().value!);
    try {
      await this.#options.onSettled?.(lease_id);
    } catch (failure) {
      this.#trouble(`after ${lease_id}: ${messageOf(failure)}`);
    }
  }

  /** The signal is removed with the attempt: a race against one lasting promise would keep every attempt in memory. */
  #unlessGivenUp(work: () => unknown): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const { signal } = this.#givenUp;
      const onAbort = (): void => reject(new AttemptStopped('stopping'));
      signal.addEventListener('abort', onAbort, { once: true });
      Promise.resolve()
        .then(work)
        .then(resolve, reject)
        .finally(() => signal.removeEventListener('abort', onAbort));
    });
  }

  /** False when it could not be said before the end. */
  async #report(
    held: HeldLease,
    output: Record<string, string> | null,
    error: unknown,
    logs: string[],
  ): Promise<boolean> {
    const { transport } = this.#options;
    const { lease_id, fencing_token: fencingToken } = held.grant;
    const signal = this.#over.signal;
    const refused = new Set<ErrorCode>([...LOST, 'INVALID_REQUEST', 'TOO_LARGE']);
    if (output !== null) {
      try {
        const completion = {
          fencingToken,
          output,
          ...(Object.keys(held.metadata).length === 0 ? {} : { metadata: held.metadata }),
          ...(logs.length === 0 ? {} : { logs }),
        };
        return (
          (await this.#untilAnswered('complete', () => transport.complete(lease_id, completion), signal, refused)) !==
          null
        );
      } catch (refusal) {
        if (isColmeiaError(refusal) && LOST.has(refusal.code)) return true;
        error = new AgentError(`the output was refused: ${messageOf(refusal)}`, 'poison');
      }
    }
    const failure = { fencingToken, ...describe(error) };
    try {
      if (logs.length > 0) await transport.heartbeatLease(lease_id, { fencingToken, logs }).catch(() => {});
      return (await this.#untilAnswered('fail', () => transport.fail(lease_id, failure), signal, refused)) !== null;
    } catch (refusal) {
      this.#trouble(`fail of ${lease_id}: ${messageOf(refusal)}`);
      return true;
    }
  }

  /** Repeats a call until it is answered; throws refusals in `final`; null when the signal was aborted before. */
  async #untilAnswered<T>(
    what: string,
    call: () => Promise<T>,
    signal: AbortSignal,
    final: ReadonlySet<ErrorCode> = new Set(),
  ): Promise<T | null> {
    for (let failures = 0; !signal.aborted; failures++) {
      try {
        const answer = await call();
        if (this.#lastTrouble !== '')
          this.#options.log('info', `${this.#options.spec.agent_id}: the control plane answers again`);
        this.#lastTrouble = '';
        return answer;
      } catch (error) {
        if (isColmeiaError(error) && final.has(error.code)) throw error;
        if (signal.aborted) break;
        this.#trouble(`${what}: ${messageOf(error)}`);
        const asked = isColmeiaError(error) ? (error.retryAfterMs ?? 0) : 0;
        await sleep(Math.max(asked, this.#backoffMs(failures)), undefined, { signal }).catch(() => {});
      }
    }
    return null;
  }

  /**
   * Between half and the whole of 100 ms × 2^failures, at most 10 s. Source: AWS, "Exponential backoff and jitter". At most a
   * third of a lease too: a result that waits is not to lose the lease that is granted again after an outage.
   */
  #backoffMs(failures: number): number {
    const most = Math.min(10_000, (this.#terms?.lease_duration_ms ?? Infinity) / 3);
    const ceiling = Math.min(most, 100 * 2 ** Math.min(failures, 10));
    return ceiling * (0.5 + 0.5 * (this.#options.random ?? Math.random)());
  }

  /** Said once until it changes: an outage is one line, not one for each repeat. */
  #trouble(message: string): void {
    if (message === this.#lastTrouble) return;
    this.#lastTrouble = message;
    this.#options.log('warn', `${this.#options.spec.agent_id}: ${message}`);
  }
}

function contextOf(held: HeldLease): AttemptContext {
  return {
    signal: held.signal,
    attempt: held.grant.attempt,
    leaseId: held.grant.lease_id,
    fencingToken: held.grant.fencing_token,
    progress: (share) => held.progress(share),
    log: (line) => held.log(line),
    metadata: (values) => void Object.assign(held.metadata, values),
  };
}

/** A handler that returns nothing has an empty output. */
export function outputOf(result: unknown): Record<string, string> {
  if (result === undefined || result === null) return {};
  if (typeof result !== 'object' || Array.isArray(result)) {
    throw new AgentError(
      `the output must be a JSON object, but is ${Array.isArray(result) ? 'an array' : `a ${typeof result}`}`,
      'poison',
    );
  }
  const output: Record<string, string> = {};
  for (const [name, value] of Object.entries(result)) {
    if (value !== undefined) output[name] = typeof value === 'string' ? value : (JSON.stringify(value) ?? 'null');
  }
  return output;
}

function describe(error: unknown): { errorMessage: string; errorClass: ErrorClass; retryAfterMs?: number } {
  const errorMessage = messageOf(error).slice(0, 4_000) || 'the agent gave no reason';
  if (!(error instanceof AgentError)) return { errorMessage, errorClass: 'transient' };
  const { errorClass, retryAfterMs } = error;
  return retryAfterMs === null ? { errorMessage, errorClass } : { errorMessage, errorClass, retryAfterMs };
}
