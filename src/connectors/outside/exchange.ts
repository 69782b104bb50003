import { NOT_PUBLIC } from './public-address.ts';
import { isSafeAddress } from './site-address.ts';

/** An HTTP request that can be sent again: its body is bytes, its credentials are not in it. */
export type Sending = { method: string; url: URL; headers: Headers; body: Uint8Array<ArrayBuffer> | null };

export type Answer = { kind: 'answer'; status: number; headers: Headers; bytes: Uint8Array<ArrayBuffer> };
/** No answer that means anything. `reason` is a clause for people and never holds what a caller or a site sent. */
export type Failure = {
  kind: 'failure';
  /** `forbidden`: it was not called, and never will be. */
  what: 'timeout' | 'unreachable' | 'broken' | 'forbidden';
  reason: string;
  /** null = nothing was answered at all. */
  status: number | null;
  /** The site has certainly done nothing. */
  untouched: boolean;
};

export type ExchangeTerms = {
  fetch: typeof globalThis.fetch;
  /** Set at the last moment, and only towards the origin of `base`. */
  credentials: Readonly<Record<string, string>>;
  base: URL;
  /** Until the last byte of the answer. */
  timeoutMs: number;
  /** Of a body after decompression. */
  limitBytes: number;
  signal: AbortSignal;
};

const MOST_REDIRECTS = 5;

/** Sends once and reads the whole answer. Throws only the reason of `signal`. */
export async function exchange(sending: Sending, terms: ExchangeTerms): Promise<Answer | Failure> {
  const attempt = new AbortController();
  const end = (): void => attempt.abort();
  const timer = setTimeout(end, terms.timeoutMs);
  terms.signal.addEventListener('abort', end, { once: true });
  let status: number | null = null;
  try {
    const response = await sendAndFollow(sending, terms, attempt.signal);
    if (!(response instanceof Response)) return response;
    status = response.status;
    const bytes = await readCapped(response, terms.limitBytes);
    if (bytes !== null) return { kind: 'answer', status, headers: response.headers, bytes };
    return broken(`its answer is larger than ${terms.limitBytes} bytes`, status);
  } catch (error) {
    terms.signal.throwIfAborted();
    if (!attempt.signal.aborted) return connectionFailure(error, status);
    const reason = `it did not answer within ${terms.timeoutMs} ms`;
    return { kind: 'failure', what: 'timeout', reason, status, untouched: false };
  } finally {
    clearTimeout(timer);
    terms.signal.removeEventListener('abort', end);
    end(); // what is left of the connection's answer
  }
}

/** Only what reads follows redirects. Away from the origin no credentials go along, nor any header of the caller. */
async function sendAndFollow(sending: Sending, terms: ExchangeTerms, signal: AbortSignal): Promise<Response | Failure> {
  const { method, body } = sending;
  const own = new Headers(sending.headers);
  for (const [name, value] of Object.entries(terms.credentials)) own.set(name, value);
  let headers = own;
  let url = sending.url;
  for (let hops = 0; hops <= MOST_REDIRECTS; hops++) {
    const response = await terms.fetch(url, { method, headers, body, redirect: 'manual', signal });
    const location = response.headers.get('location');
    const isRead = method === 'GET' || method === 'HEAD';
    if (![301, 302, 303, 307, 308].includes(response.status) || location === null || !isRead) return asGlobal(response);
    await response.body?.cancel();
    const next = URL.parse(location, url.href);
    if (next === null || !isSafeAddress(next, terms.base))
      return broken('it redirects to an address that is not safe', response.status);
    if (next.origin !== terms.base.origin) headers = new Headers({ accept: sending.headers.get('accept') ?? '*/*' });
    url = next;
  }
  return broken(`it redirects more than ${MOST_REDIRECTS} times`, null);
}

/** A library's own `Response` and `Headers` are not instances of the global classes. */
function asGlobal(response: Response): Response {
  const { status, headers, body } = response;
  const carriesBody = ![204, 205, 304].includes(status);
  return new Response(carriesBody ? body : null, { status, headers: [...headers] });
}

/** null = it is larger. */
async function readCapped(response: Response, limit: number): Promise<Uint8Array<ArrayBuffer> | null> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of response.body ?? []) {
    size += chunk.byteLength;
    if (size > limit) return null;
    chunks.push(chunk);
  }
  const bytes = new Uint8Array(size);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.byteLength;
  }
  return bytes;
}

export const broken = (reason: string, status: number | null): Failure => ({
  kind: 'failure',
  what: 'broken',
  reason,
  status,
  untouched: false,
});

/** Codes of connections that never came to be. */
const NEVER_CONNECTED: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'it refuses connections',
  ENOTFOUND: 'its name is not known',
  EAI_AGAIN: 'its name cannot be looked up',
  EHOSTUNREACH: 'there is no way to it',
  ENETUNREACH: 'there is no network',
  UND_ERR_CONNECT_TIMEOUT: 'it takes no connection',
  CERT_HAS_EXPIRED: 'its certificate has expired',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'its certificate is not trusted',
  SELF_SIGNED_CERT_IN_CHAIN: 'its certificate is not trusted',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'its certificate is not trusted',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'its certificate is not trusted',
  ERR_TLS_CERT_ALTNAME_INVALID: 'its certificate is for another name',
};

/** The words of the error stay out: they may repeat a header. */
function connectionFailure(error: unknown, status: number | null): Failure {
  if (status !== null) return broken('its answer broke off', status);
  const code = codeOf(error);
  if (code === NOT_PUBLIC) {
    const reason =
      'its address is of this machine or a private network, which COLMEIA_PRIVATE_ADDRESSES does not allow';
    return { kind: 'failure', what: 'forbidden', reason, status, untouched: true };
  }
  const reason = NEVER_CONNECTED[code];
  if (reason !== undefined) return { kind: 'failure', what: 'unreachable', reason, status, untouched: true };
  const shown = code === '' ? '' : ` (${code})`;
  return { kind: 'failure', what: 'unreachable', reason: `the connection broke${shown}`, status, untouched: false };
}

function codeOf(error: unknown): string {
  const { code, cause } = (error ?? {}) as { code?: unknown; cause?: unknown };
  if (typeof code === 'string' && /^[A-Z0-9_]{1,60}$/.test(code)) return code;
  return cause === undefined ? '' : codeOf(cause);
}
