import type http from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as pause } from 'node:timers/promises';

export type FakeAnswer = {
  status: number;
  headers?: Readonly<Record<string, string>>;
  /** Sent as JSON, or as it is when it is bytes; undefined = no body. */
  body?: unknown;
};

/** What a real site does on a bad day. Those of the first group do nothing else, those of the second do what was asked for. */
export type Fault =
  | { kind: 'answer'; status: number; headers?: Record<string, string>; body?: unknown }
  | { kind: 'reset' }
  | { kind: 'hang' }
  | { kind: 'html' }
  /** The answer is lost: the connection ends without one. */
  | { kind: 'lost' }
  /** Half of the body comes, of the announced length. */
  | { kind: 'cut' }
  /** Half of the body comes, and nothing says that it is half. */
  | { kind: 'half' }
  /** The body comes byte by byte. */
  | { kind: 'drip'; everyMs: number }
  | { kind: 'huge'; bytes: number; announced: boolean };

type Planned = { fault: Fault; after: number; times: number; concerns: (method: string, path: string) => boolean };

/** Faults that are to come, by call. */
export class FaultPlan {
  #planned: Planned[] = [];

  /** `at` default every call: part of `METHOD /path`. Of those the first `after` (default 0) go well, `times` (default 1) do not. */
  add(fault: Fault, options: { times?: number; at?: string; after?: number } = {}): void {
    const { times = 1, at = '', after = 0 } = options;
    this.#planned.push({ fault, after, times, concerns: (method, path) => `${method} ${path}`.includes(at) });
  }

  clear(): void {
    this.#planned = [];
  }

  /** The fault of this call, which is used up by it; null = none. */
  take(method: string, path: string): Fault | null {
    const found = this.#planned.find(({ times, concerns }) => times > 0 && concerns(method, path));
    if (found === undefined) return null;
    if (found.after > 0) {
      found.after -= 1;
      return null;
    }
    found.times -= 1;
    return found.fault;
  }
}

/** True when the fault comes instead of what the call asks for. */
export const isInstead = (fault: Fault): boolean => ['answer', 'reset', 'hang', 'html'].includes(fault.kind);

/** Plays the fault. `answer` is what would have been said, for faults that are no `isInstead`. */
export async function playFault(fault: Fault, response: http.ServerResponse, answer: FakeAnswer | null): Promise<void> {
  const bytes = answer === null ? Buffer.alloc(0) : bytesOf(answer);
  const head = headOf(answer ?? { status: 200 });
  switch (fault.kind) {
    case 'answer':
      return send(response, fault);
    case 'html':
      response.writeHead(200, { 'content-type': 'text/html' }).end('<html>Log in</html>');
      return;
    case 'reset':
    case 'lost':
      response.socket?.resetAndDestroy();
      return;
    case 'hang':
      return;
    case 'cut':
      response.writeHead(answer!.status, { ...head, 'content-length': bytes.length });
      response.write(bytes.subarray(0, bytes.length / 2), () => response.socket?.destroy());
      return;
    case 'half':
      response.writeHead(answer!.status, head).end(bytes.subarray(0, bytes.length / 2));
      return;
    case 'drip':
      response.writeHead(answer!.status, { ...head, 'content-length': bytes.length });
      for (const byte of bytes) {
        if (response.destroyed) return;
        response.write(Buffer.of(byte));
        await pause(fault.everyMs);
      }
      response.end();
      return;
    case 'huge':
      response.writeHead(200, {
        'content-type': 'application/json',
        ...(fault.announced ? { 'content-length': fault.bytes } : {}),
      });
      await pipeline(Readable.from(spaces(fault.bytes)), response).catch(() => {}); // the caller has had enough
  }
}

export function send(response: http.ServerResponse, answer: FakeAnswer): void {
  response.writeHead(answer.status, headOf(answer)).end(answer.body === undefined ? undefined : bytesOf(answer));
}

function headOf(answer: FakeAnswer): Record<string, string> {
  return answer.body === undefined ? { ...answer.headers } : { 'content-type': 'application/json', ...answer.headers };
}

function bytesOf({ body }: FakeAnswer): Buffer {
  if (body instanceof Uint8Array) return Buffer.from(body);
  return Buffer.from(body === undefined ? '' : JSON.stringify(body));
}

function* spaces(bytes: number): Iterable<Buffer> {
  const piece = Buffer.alloc(65_536, ' ');
  for (let sent = 0; sent < bytes; sent += piece.length) yield piece.subarray(0, Math.min(piece.length, bytes - sent));
}
