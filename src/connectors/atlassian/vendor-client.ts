import type { Client, SendRequestOptions } from 'jira.js/core';
import { ColmeiaError } from '../../platform/errors.ts';
import type { Json, OutsideRequest } from '../outside/outside-call.ts';
import type { OutsideSite } from '../outside/outside-site.ts';

/** An Atlassian site: where it is, as `https://acme.atlassian.net`, and the one way of calling it. */
export type AtlassianSite = { url: string; site: OutsideSite };

/** How the calls of one use of a client are made. */
export type CallTerms = {
  /** Statuses from 300 on that come back as AcceptedStatus. Default none. */
  accept?: readonly number[];
  /** A repeat changes nothing more. Default: as the method says. */
  idempotent?: boolean;
  signal?: AbortSignal;
};

/** A status that the caller said it can do something with, and what came along. */
export class AcceptedStatus extends Error {
  readonly status: number;
  readonly body: unknown;
  constructor(status: number, body: unknown) {
    super(`answered ${status}`);
    this.status = status;
    this.body = body;
  }
}

/**
 * The transport that jira.js and confluence.js work through: every call goes by the site, with its deadlines, repeats,
 * budget and audit, and every answer is held against the schema of the vendor's client. Throws what the site throws, and
 * OUTSIDE_UNAVAILABLE for an answer of another shape.
 */
export function vendorClient(at: AtlassianSite, terms: CallTerms = {}): Client {
  return {
    sendRequest: async <T>(call: SendRequestOptions<T>): Promise<T> => {
      const { accept = [] } = terms;
      if (call.body instanceof FormData) return checked(call, await upload(at, call, terms));
      const answer = await at.site.request({ ...requestOf(call), ...terms });
      if (accept.includes(answer.status)) throw new AcceptedStatus(answer.status, answer.body);
      return checked(call, answer.body);
    },
  };
}

function requestOf<T>(call: SendRequestOptions<T>): OutsideRequest {
  const query = Object.entries(call.searchParams ?? {}).filter(([, value]) => value !== undefined && value !== null);
  return {
    method: (call.method ?? 'GET') as OutsideRequest['method'],
    path: call.url,
    query: Object.fromEntries(
      query.map(([name, value]) => [name, Array.isArray(value) ? value.map(String) : String(value)]),
    ),
    ...(call.headers === undefined ? {} : { headers: call.headers }),
    ...(call.body === undefined || call.body === null ? {} : { body: call.body as Json }),
  };
}

/** Files go by the site's fetch, as they are no JSON. */
async function upload<T>(at: AtlassianSite, call: SendRequestOptions<T>, { signal }: CallTerms): Promise<unknown> {
  const response = await at.site.fetch(at.url + call.url, {
    method: call.method ?? 'POST',
    headers: { accept: 'application/json', ...call.headers },
    body: call.body as FormData,
    signal: signal ?? null,
  });
  if (!response.ok) {
    const what = `${call.method ?? 'POST'} ${call.url}: answered ${response.status} to an upload`;
    throw new ColmeiaError('OUTSIDE_REFUSED', what);
  }
  return (await response.json().catch(() => null)) as unknown;
}

function checked<T>(call: SendRequestOptions<T>, body: unknown): T {
  if (call.schema === undefined || body === null) return body as T;
  const parsed = call.schema.safeParse(body);
  if (parsed.success) return parsed.data;
  // Paths and kinds only: the values are the customer's.
  const wrong = parsed.error.issues.slice(0, 5).map((issue) => `${issue.path.join('.')}: ${issue.code}`);
  const message = `${call.method ?? 'GET'} ${call.url}: an answer of another shape (${wrong.join('; ')})`;
  throw new ColmeiaError('OUTSIDE_UNAVAILABLE', message);
}
