import { setTimeout as sleep } from 'node:timers/promises';
import { CliError, EXIT } from './cli-error.ts';
import { type Client, type QueryValues, refusal } from './client.ts';
import { textOf } from './http-transport.ts';

export type ServerEvent = { id: string | null; event: string; data: string };

/** Splits a stream of server-sent events. Source: the HTML standard, 9.2.6. */
export class EventParser {
  #rest = '';
  #id: string | null = null;
  #event = '';
  #data: string[] = [];

  push(chunk: string): ServerEvent[] {
    const events: ServerEvent[] = [];
    // A \r at the end may be half of a \r\n, so it waits for the next chunk.
    const text = this.#rest + chunk;
    const end = text.endsWith('\r') ? text.length - 1 : text.length;
    const lines = text.slice(0, end).split(/\r\n|\r|\n/);
    this.#rest = lines.pop()! + text.slice(end);
    for (const line of lines) {
      if (line === '') {
        if (this.#data.length > 0)
          events.push({ id: this.#id, event: this.#event || 'message', data: this.#data.join('\n') });
        this.#data = [];
        this.#event = '';
      } else this.#field(line);
    }
    return events;
  }

  #field(line: string): void {
    const colon = line.indexOf(':');
    const name = colon === -1 ? line : line.slice(0, colon);
    const value = colon === -1 ? '' : line.slice(colon + 1).replace(/^ /, '');
    if (name === 'data') this.#data.push(value);
    else if (name === 'event') this.#event = value;
    else if (name === 'id' && !value.includes('\0')) this.#id = value;
  }
}

export type FollowOptions = {
  query?: QueryValues;
  signal: AbortSignal;
  /** After which event to begin; null = from now on. */
  after?: string | null;
  /** Called when a connection stands, each time. */
  onOpen?: () => void;
  /** Called when it was lost and will be tried again. */
  onLost?: (why: string) => void;
  /** Longest time without a connection; then CliError. Default 60,000 ms. */
  patienceMs?: number;
};

const FIRST_PAUSE_MS = 200;
const LONGEST_PAUSE_MS = 5_000;
/** The server comments at least this often; a silent connection is a dead one. */
const SILENCE_MS = 60_000;

/** The server's events, over lost connections, without gaps: each reconnect names the last event that came. */
export async function* followEvents(client: Client, path: string, options: FollowOptions): AsyncGenerator<ServerEvent> {
  let last = options.after ?? null;
  let pause = FIRST_PAUSE_MS;
  let lostAt: number | null = null;
  while (!options.signal.aborted) {
    try {
      for await (const event of readStream(client, path, options, last, () => {
        pause = FIRST_PAUSE_MS;
        lostAt = null;
        options.onOpen?.();
      })) {
        if (event.id !== null) last = event.id;
        yield event;
      }
    } catch (error) {
      if (options.signal.aborted) return;
      if (!(error instanceof CliError) || error.exit !== EXIT.unavailable) throw error;
      lostAt ??= Date.now();
      if (Date.now() - lostAt > (options.patienceMs ?? 60_000)) throw error;
      options.onLost?.(error.message);
    }
    await sleep(pause, undefined, { signal: options.signal }).catch(() => {});
    pause = Math.min(LONGEST_PAUSE_MS, pause * 2);
  }
}

async function* readStream(
  client: Client,
  path: string,
  options: FollowOptions,
  last: string | null,
  onOpen: () => void,
): AsyncGenerator<ServerEvent> {
  const headers: Record<string, string> = { accept: 'text/event-stream' };
  if (last !== null) headers['last-event-id'] = last;
  const response = await client.open(path, { query: options.query, headers, signal: options.signal });
  if (response.statusCode !== 200) throw refusal(response.statusCode!, await textOf(response));
  response.setEncoding('utf8');
  response.setTimeout(SILENCE_MS, () => response.destroy(new Error('the stream went silent')));
  onOpen();
  const parser = new EventParser();
  try {
    for await (const chunk of response) yield* parser.push(chunk as string);
  } catch (cause) {
    throw new CliError(EXIT.unavailable, `the stream broke: ${(cause as Error).message}`, { cause });
  } finally {
    response.destroy();
  }
}
