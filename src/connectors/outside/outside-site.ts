import { setTimeout } from 'node:timers/promises';
import { Agent, fetch as undiciFetch } from 'undici';
import {
  type BreakerState,
  breakerBegan,
  breakerFailed,
  breakerReleased,
  breakerState,
  breakerSucceeded,
  type CircuitBreakerSettings,
  newCircuitBreaker,
} from '../../platform/circuit-breaker.ts';
import type { Clock, Random } from '../../platform/clock.ts';
import { ColmeiaError, isColmeiaError } from '../../platform/errors.ts';
import type { Metrics } from '../../platform/observability/metrics.ts';
import { readJson, whyNotJson } from './answer-json.ts';
import { type Answer, broken, exchange, type Failure, type Sending } from './exchange.ts';
import {
  auditedPath,
  type OutsideAnswer,
  type OutsideCall,
  type OutsideRequest,
  type SiteName,
} from './outside-call.ts';
import { RateBudget } from './rate-budget.ts';
import { readRetryAfter, readUsedUpBudget } from './read-limits.ts';
import { publicConnector } from './public-address.ts';
import { ownUrl, siteAddress } from './site-address.ts';
import { failedCall, refusedCall, revealingJson, secretsOf } from './refusal.ts';

export type OutsideSiteOptions = {
  name: SiteName;
  /** https, or http on this machine. Calls go below it. */
  baseUrl: string;
  /** Headers with the credentials, asked for before each attempt, so that new ones count at once. */
  authorize: () => Promise<Record<string, string>>;
  /** Most calls in any minute. */
  ratePerMinute: number;
  /** Of one attempt. Default 15 s. */
  timeoutMs?: number;
  /** Of a whole call with its waits and repeats. Default 90 s. */
  deadlineMs?: number;
  /** Attempts after the first. Default 4. */
  retries?: number;
  /** First wait before a repeat; it doubles, half of it is chance. Default 500 ms. */
  retryBaseMs?: number;
  /** Most calls under way at once. Default 4. */
  concurrency?: number;
  /** Most calls that wait for their turn. Default 1,000. */
  queueLimit?: number;
  /** Largest answer. Default 32 MiB. */
  limitBytes?: number;
  /** Only addresses of the public internet are called; for a site that is not the operator's choice. Default false. */
  publicOnly?: boolean;
  /** Calls that change something are listed by `planned` and not made. Default false. */
  dryRun?: boolean;
  /** True for a POST that only reads, as a search. Such a call is repeated like a GET, and made in a dry run. */
  isRead?: (method: string, path: string) => boolean;
  clock: Clock;
  random: Random;
  /** Told of every call at its end; must not throw. */
  audit: (call: OutsideCall) => void;
  metrics?: Pick<Metrics, 'outsideCalls' | 'outsideSeconds'>;
  /** Default: connections of its own, which `close` ends. */
  fetch?: typeof globalThis.fetch;
};

/** `clockSkewMs`: how far the site's clock is ahead of ours by its last answer, to the second; 0 while it has given none. */
export type OutsideState = { breaker: BreakerState; queued: number; running: number; clockSkewMs: number };

/**
 * A site outside, called with care: a rate budget, a cap of calls under way, deadlines, repeats of what may be repeated, a
 * circuit breaker, and an audit of each call. Errors: OUTSIDE_UNAVAILABLE, OUTSIDE_TIMEOUT, OUTSIDE_REFUSED (any status
 * from 300 on that `accept` does not name), QUEUE_FULL, SHUTTING_DOWN, and the reason of the caller's signal.
 */
export type OutsideSite = {
  request(call: OutsideRequest): Promise<OutsideAnswer>;
  /**
   * The same protections for clients that take a `fetch`; addresses outside of the base URL are refused. Statuses below 500
   * but 429 come back as answers; the rest is thrown when no repeat helped.
   */
  fetch: typeof globalThis.fetch;
  state(): OutsideState;
  /** What a dry run would have changed, at most 10,000 calls. */
  planned(): readonly OutsideCall[];
  /** Ends what waits and runs with SHUTTING_DOWN. */
  close(): Promise<void>;
};

const BREAKER: CircuitBreakerSettings = {
  breaker_consecutive: 10,
  breaker_share: 0.6,
  breaker_volume: 15,
  breaker_open_ms: 10_000,
  breaker_open_max_ms: 300_000,
  breaker_probe_ms: 120_000,
  breaker_quota_ms: 60_000,
};
const LONGEST_BACKOFF_MS = 30_000;
const CONNECT_MS = 10_000;
const MOST_PLANNED = 10_000;

/** What a call needs beside what is sent. */
type Terms = {
  isIdempotent: boolean;
  changes: boolean;
  wantsJson: boolean;
  accept: readonly number[];
  timeoutMs: number;
};
type Progress = { attempts: number; status: number | null };
/** A call on its way. `deadline`: epoch ms; `secrets`: of its body. */
type UnderWay = { deadline: number; signal: AbortSignal; secrets: string[]; progress: Progress };
/** Why an attempt was not the end of the call. `waitMs`: what the site asked for; null = nothing. */
type Setback = { failure: Failure; waitMs: number | null };

/** Throws INVALID_REQUEST when the base URL is not fit to carry credentials. */
export function openSite(options: OutsideSiteOptions): OutsideSite {
  const site = new Site(options);
  return {
    request: (call) => site.request(call),
    fetch: (input, init) => site.fetch(input, init),
    state: () => site.state(),
    planned: () => site.planned,
    close: () => site.close(),
  };
}

class Site {
  readonly planned: OutsideCall[] = [];
  readonly #options: OutsideSiteOptions;
  readonly #base: URL;
  readonly #budget: RateBudget;
  readonly #breaker = newCircuitBreaker();
  readonly #agent: Agent;
  readonly #fetch: typeof globalThis.fetch;
  readonly #underWay = new Set<AbortController>();
  #clockSkewMs = 0;

  constructor(options: OutsideSiteOptions) {
    this.#options = options;
    this.#base = siteAddress(options.name, options.baseUrl);
    const concurrency = options.concurrency ?? 4;
    this.#budget = new RateBudget({
      site: options.name,
      perMinute: options.ratePerMinute,
      concurrency,
      queueLimit: options.queueLimit ?? 1_000,
      clock: options.clock,
    });
    // Deadlines are the site's own, so undici's are off.
    const agent = new Agent({
      connections: concurrency,
      headersTimeout: 0,
      bodyTimeout: 0,
      connect: options.publicOnly === true ? publicConnector(CONNECT_MS) : { timeout: CONNECT_MS },
    });
    this.#agent = agent;
    this.#fetch =
      options.fetch ??
      (((url: string, init: object) => undiciFetch(url, { ...init, dispatcher: agent })) as typeof globalThis.fetch);
  }

  async request(call: OutsideRequest): Promise<OutsideAnswer> {
    const { method, deadlineMs, signal } = call;
    const secrets: string[] = [];
    const headers = new Headers({ accept: 'application/json', ...call.headers });
    let body: Uint8Array<ArrayBuffer> | null = null;
    if (call.body !== undefined) {
      body = new TextEncoder().encode(revealingJson(call.body, secrets));
      headers.set('content-type', 'application/json');
    }
    const sending = { method, url: this.#urlOf(call), headers, body };
    const terms = { ...this.#termsOf(sending), wantsJson: true, accept: call.accept ?? [] };
    terms.isIdempotent = call.idempotent ?? terms.isIdempotent;
    terms.timeoutMs = call.timeoutMs ?? terms.timeoutMs;
    const answer = await this.#call(sending, terms, { deadlineMs, signal: signal ?? null, secrets });
    const dry = this.#options.dryRun === true && terms.changes;
    return { status: answer.status, headers: answer.headers, body: readJson(answer)?.value ?? null, dry };
  }

  async fetch(input: string | URL | Request, init?: RequestInit): Promise<Response> {
    const request = new Request(input, init);
    const { method, headers, signal } = request;
    const body = request.body === null ? null : new Uint8Array(await request.arrayBuffer());
    const sending = {
      method,
      url: ownUrl(this.#options.name, this.#base, new URL(request.url)),
      headers: new Headers(headers),
      body,
    };
    const terms = { ...this.#termsOf(sending), wantsJson: false, accept: [] };
    const answer = await this.#call(sending, terms, { signal, secrets: [] });
    const shown = new Headers(answer.headers);
    for (const name of ['content-encoding', 'content-length', 'transfer-encoding']) shown.delete(name); // of what was on the wire
    const bytes = [204, 205, 304].includes(answer.status) ? null : answer.bytes;
    return new Response(bytes, { status: answer.status, headers: shown });
  }

  state(): OutsideState {
    const breaker = breakerState(this.#breaker, this.#options.clock.now(), BREAKER);
    const { queued, running } = this.#budget;
    return { breaker, queued, running, clockSkewMs: this.#clockSkewMs };
  }

  async close(): Promise<void> {
    this.#budget.close();
    for (const call of this.#underWay) call.abort(shuttingDown(this.#options.name));
    await this.#agent.destroy();
  }

  #termsOf({ method, url }: Sending): Pick<Terms, 'isIdempotent' | 'changes' | 'timeoutMs'> {
    const isRead = ['GET', 'HEAD'].includes(method) || (this.#options.isRead?.(method, url.pathname) ?? false);
    const isIdempotent = isRead || !['POST', 'PATCH'].includes(method);
    return { isIdempotent, changes: !isRead, timeoutMs: this.#options.timeoutMs ?? 15_000 };
  }

  /** The call from its audit's point of view: one entry, whatever becomes of it. */
  async #call(
    sending: Sending,
    terms: Terms,
    more: { deadlineMs?: number; signal: AbortSignal | null; secrets: string[] },
  ): Promise<Answer> {
    const { name, clock, audit, dryRun } = this.#options;
    const startedAt = clock.now();
    const progress: Progress = { attempts: 0, status: null };
    const dry = dryRun === true && terms.changes;
    const entry = { site: name, method: sending.method, path: auditedPath(sending.url), changes: terms.changes, dry };
    let error: string | null = null;
    try {
      if (dry) return dryAnswer();
      const deadline = startedAt + (more.deadlineMs ?? this.#options.deadlineMs ?? 90_000);
      return await this.#underSignal(more.signal, (signal) =>
        this.#repeat(sending, terms, { ...more, deadline, signal, progress }),
      );
    } catch (thrown) {
      error = isColmeiaError(thrown) ? thrown.code : 'ABORTED';
      throw thrown;
    } finally {
      const call = { ...entry, ...progress, ms: clock.now() - startedAt, error };
      if (dry && this.planned.length < MOST_PLANNED) this.planned.push(call);
      audit(call);
    }
  }

  /** A signal of its own for each call, so that neither the caller's nor the site's gathers listeners. */
  async #underSignal<T>(outer: AbortSignal | null, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const own = new AbortController();
    const abort = (): void => own.abort(outer!.reason);
    if (outer?.aborted) abort();
    outer?.addEventListener('abort', abort, { once: true });
    this.#underWay.add(own);
    try {
      return await work(own.signal);
    } finally {
      this.#underWay.delete(own);
      outer?.removeEventListener('abort', abort);
    }
  }

  async #repeat(sending: Sending, terms: Terms, call: UnderWay): Promise<Answer> {
    const { name, clock, retries = 4 } = this.#options;
    for (;;) {
      const outcome = await this.#attempt(sending, terms, call);
      if (!('failure' in outcome)) return outcome;
      const { failure } = outcome;
      const waitMs = Math.max(outcome.waitMs ?? 0, this.#backoffMs(call.progress.attempts));
      const isSafe = (terms.isIdempotent || failure.untouched) && failure.what !== 'forbidden';
      const mayRepeat = isSafe && call.progress.attempts <= retries;
      if (!mayRepeat || clock.now() + waitMs >= call.deadline)
        throw failedCall(name, sending, failure, call.progress.attempts, waitMs);
      await setTimeout(waitMs, undefined, { signal: call.signal }).catch(() => call.signal.throwIfAborted());
    }
  }

  async #attempt(sending: Sending, terms: Terms, call: UnderWay): Promise<Answer | Setback> {
    const { clock } = this.#options;
    this.#refuseWhileOpen();
    const release = await this.#budget.take(call.deadline, call.signal);
    try {
      const credentials = await this.#credentials(terms, call.signal);
      this.#refuseWhileOpen(); // it may have opened meanwhile
      breakerBegan(this.#breaker, clock.now(), BREAKER);
      call.progress.attempts += 1;
      const outcome = await this.#send(sending, terms, credentials, call);
      call.progress.status = outcome.status;
      const setback = this.#judge(outcome, terms);
      if (setback !== null) return setback;
      const answer = outcome as Answer;
      if (answer.status < 300 || terms.accept.includes(answer.status) || !terms.wantsJson) return answer;
      throw refusedCall(this.#options.name, sending, answer, [...secretsOf(credentials), ...call.secrets]);
    } finally {
      release();
    }
  }

  async #send(
    sending: Sending,
    terms: Terms,
    credentials: Record<string, string>,
    call: UnderWay,
  ): Promise<Answer | Failure> {
    const { clock, limitBytes = 32 * 1024 * 1024, metrics, name } = this.#options;
    const startedAt = clock.now();
    const timeoutMs = Math.max(1, Math.min(terms.timeoutMs, call.deadline - startedAt));
    let status = 'aborted';
    try {
      const outcome = await exchange(sending, {
        fetch: this.#fetch,
        credentials,
        base: this.#base,
        timeoutMs,
        limitBytes,
        signal: call.signal,
      });
      status = outcome.kind === 'answer' ? String(outcome.status) : outcome.what;
      return outcome;
    } catch (error) {
      breakerReleased(this.#breaker);
      throw error;
    } finally {
      metrics?.outsideCalls.inc({ site: name, status });
      metrics?.outsideSeconds.observe({ site: name }, (clock.now() - startedAt) / 1_000);
    }
  }

  /** What the breaker and the budget learn from an attempt; null = it is an answer that the caller should see. */
  #judge(outcome: Answer | Failure, terms: Terms): Setback | null {
    const now = this.#options.clock.now();
    if (outcome.kind === 'failure') return this.#failedAt(now, outcome, null);
    const { status, headers } = outcome;
    const theirs = Date.parse(headers.get('date') ?? '');
    if (!Number.isNaN(theirs)) this.#clockSkewMs = theirs - now;
    const waitMs = readRetryAfter(headers, now);
    const usedUpMs = readUsedUpBudget(headers, now);
    if (usedUpMs !== null) this.#budget.hold(now + usedUpMs);
    if (status === 429 || (status === 503 && waitMs !== null)) {
      breakerReleased(this.#breaker);
      const reason = status === 429 ? 'it limits calls' : 'it is not available for a while';
      if (waitMs !== null) this.#budget.hold(now + waitMs);
      return { failure: { ...broken(reason, status), untouched: true }, waitMs: waitMs ?? usedUpMs };
    }
    if (status >= 500 || status === 408) return this.#failedAt(now, broken(`it answered ${status}`, status), waitMs);
    if (status < 300 && terms.wantsJson && outcome.bytes.length > 0 && readJson(outcome) === null)
      return this.#failedAt(now, broken(whyNotJson(headers), status), null);
    breakerSucceeded(this.#breaker, now);
    return null;
  }

  #failedAt(now: number, failure: Failure, waitMs: number | null): Setback {
    breakerFailed(this.#breaker, now, BREAKER);
    return { failure, waitMs };
  }

  #refuseWhileOpen(): void {
    const { name, clock } = this.#options;
    const now = clock.now();
    const state = breakerState(this.#breaker, now, BREAKER);
    if (state === 'closed' || state === 'half-open') return;
    const retryAfterMs = Math.max(1_000, this.#breaker.openUntil - now);
    const message = `${name}: it failed again and again, so it is left alone for ${Math.ceil(retryAfterMs / 1_000)} s`;
    throw new ColmeiaError('OUTSIDE_UNAVAILABLE', message, { retryAfterMs });
  }

  /** Waits for them as long as for an answer. */
  async #credentials({ timeoutMs }: Terms, signal: AbortSignal): Promise<Record<string, string>> {
    const { name, authorize } = this.#options;
    const given = new AbortController();
    const cut = setTimeout(timeoutMs, null, { signal: AbortSignal.any([signal, given.signal]) });
    cut.catch(() => {}); // nobody may be waiting for it any more
    try {
      const credentials = await Promise.race([authorize(), cut]);
      if (credentials !== null) return credentials;
    } catch (error) {
      signal.throwIfAborted();
      if (isColmeiaError(error)) throw error;
    } finally {
      given.abort();
    }
    throw new ColmeiaError('OUTSIDE_UNAVAILABLE', `${name}: its credentials cannot be read`);
  }

  #backoffMs(attempts: number): number {
    const { random, retryBaseMs = 500 } = this.#options;
    return Math.round(Math.min(LONGEST_BACKOFF_MS, retryBaseMs * 2 ** (attempts - 1)) * (0.5 + random() / 2));
  }

  #urlOf({ path, query = {} }: OutsideRequest): URL {
    const url = ownUrl(this.#options.name, this.#base, new URL(this.#base.href.replace(/\/$/, '') + path));
    for (const [name, value] of Object.entries(query)) {
      for (const one of value === undefined ? [] : [value].flat()) url.searchParams.append(name, String(one));
    }
    return url;
  }
}

const dryAnswer = (): Answer => ({ kind: 'answer', status: 202, headers: new Headers(), bytes: new Uint8Array() });
const shuttingDown = (name: string): ColmeiaError =>
  new ColmeiaError('SHUTTING_DOWN', `${name}: calls to it have ended`);
