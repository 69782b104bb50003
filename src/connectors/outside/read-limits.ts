type Headers = { get(name: string): string | null };

const LONGEST_MS = 24 * 3_600_000;

/**
 * What an answer says about when calls are welcome again, as ms from `now`; null = nothing.
 * `Retry-After` in seconds or as a date (RFC 9110, 10.2.3).
 */
export function readRetryAfter(headers: Headers, now: number): number | null {
  const text = headers.get('retry-after')?.trim() ?? '';
  if (text === '') return null;
  if (/^\d+(\.\d+)?$/.test(text)) return bounded(Number(text) * 1_000);
  const date = Date.parse(text);
  return Number.isNaN(date) ? null : bounded(date - now);
}

/**
 * ms from `now` until a budget that is used up is full again; null = it is not used up, or nothing says so.
 * Read are `RateLimit: …;r=0;t=7` (IETF draft), `RateLimit-Remaining` with `RateLimit-Reset` (seconds), and the same with
 * `X-`, whose reset is seconds, epoch seconds or a date.
 */
export function readUsedUpBudget(headers: Headers, now: number): number | null {
  const structured = headers.get('ratelimit') ?? '';
  const remaining = /(?:^|[;,\s])(?:r|remaining)=(\d+)/.exec(structured)?.[1];
  const reset = /(?:^|[;,\s])(?:t|reset)=(\d+)/.exec(structured)?.[1];
  if (remaining !== undefined && reset !== undefined)
    return Number(remaining) > 0 ? null : bounded(Number(reset) * 1_000);
  for (const prefix of ['ratelimit', 'x-ratelimit']) {
    const left = headers.get(`${prefix}-remaining`)?.trim() ?? '';
    const until = headers.get(`${prefix}-reset`)?.trim() ?? '';
    if (/^\d+$/.test(left) && until !== '') return Number(left) > 0 ? null : msUntil(until, now);
  }
  return null;
}

/** Later than 2001 counts as a time since the epoch, anything less as a span. */
const EPOCH_SECONDS = 1e9;

function msUntil(text: string, now: number): number | null {
  if (/^\d+(\.\d+)?$/.test(text)) {
    const seconds = Number(text);
    return bounded(seconds < EPOCH_SECONDS ? seconds * 1_000 : seconds * 1_000 - now);
  }
  const date = Date.parse(text);
  return Number.isNaN(date) ? null : bounded(date - now);
}

const bounded = (ms: number): number => Math.min(Math.max(0, Math.ceil(ms)), LONGEST_MS);
