import type { ServerResponse } from 'node:http';
import type { FastifyReply } from 'fastify';
import type { Colmeia, EventQuery, StreamedEvent } from '../../colmeia.ts';
import { ColmeiaError } from '../../platform/errors.ts';
import type { Principal } from '../../trust/identity/principal.ts';

export type StreamOptions = {
  colmeia: Colmeia;
  who: Principal;
  query: EventQuery;
  reply: FastifyReply;
  /** Aborts when the client goes or the server closes. */
  signal: AbortSignal;
  /** Asked at each keep-alive; false = the key was revoked, and the stream ends. */
  stillKnown: () => Promise<boolean>;
  keepAliveMs: number;
  /** A reader with more bytes than this waiting is dropped; it may resume with the last id it saw. */
  mostWaiting: number;
};

/** How long a reader waits before it connects again, in ms. */
const RETRY_MS = 2_000;

/**
 * Server-sent events until the reader or the server ends it. A refusal (no such company) is thrown before anything is
 * sent, so that it is answered as every other. Source: WHATWG HTML, server-sent events.
 */
export async function streamEvents({
  colmeia,
  who,
  query,
  reply,
  signal,
  stillKnown,
  keepAliveMs,
  mostWaiting,
}: StreamOptions): Promise<void> {
  const early: StreamedEvent[] = [];
  let send = (event: StreamedEvent): unknown => early.push(event);
  let close = (): void => {};
  const unsubscribe = await colmeia.events.subscribe(
    who,
    query,
    (event) => send(event),
    () => close(),
  );
  if (signal.aborted) {
    unsubscribe();
    throw new ColmeiaError('SHUTTING_DOWN', 'the process is stopping and is not available', { retryAfterMs: 1_000 });
  }
  reply.hijack();
  const response = reply.raw;
  const end = (): void => {
    clearInterval(keepAlive);
    unsubscribe();
    response.end();
  };
  const write = (chunk: string): void => {
    if (!signal.aborted) writeBounded(response, chunk, mostWaiting);
  };
  const keepAlive = setInterval(() => {
    write(': keep-alive\n\n');
    stillKnown().then(
      (known) => known || end(),
      () => {},
    );
  }, keepAliveMs);
  signal.addEventListener('abort', end, { once: true });
  response.writeHead(200, {
    'content-type': 'text/event-stream; charset=utf-8',
    'cache-control': 'no-store',
    'x-accel-buffering': 'no',
    ...headersOf(reply),
  });
  write(`retry: ${RETRY_MS}\n\n`);
  close = end;
  for (const event of early) write(frameOf(event));
  send = (event) => {
    write(frameOf(event));
    return response.writableNeedDrain ? drained(response) : undefined;
  };
}

/** `event` is the type, `id` is what Last-Event-ID resumes from, `data` is the event as JSON on one line. */
export function frameOf(event: StreamedEvent): string {
  return `id: ${oneLine(event.id)}\nevent: ${oneLine(event.type)}\ndata: ${JSON.stringify(event)}\n\n`;
}

function oneLine(value: string): string {
  return value.replaceAll(/[\r\n\0]/g, ' ');
}

/** Never waits for a slow reader, and never keeps more for it than the bound. */
function writeBounded(response: ServerResponse, chunk: string, mostWaiting: number): void {
  if (response.destroyed || response.writableEnded) return;
  if (response.writableLength > mostWaiting) response.destroy();
  else response.write(chunk);
}

/** The feed waits here for a slow reader, so that little piles up for it. */
function drained(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      response.off('drain', done).off('close', done);
      resolve();
    };
    response.on('drain', done).on('close', done);
  });
}

function headersOf(reply: FastifyReply): Record<string, string> {
  return Object.fromEntries(Object.entries(reply.getHeaders()).map(([name, value]) => [name, String(value)]));
}
