/** Longest line that is forwarded whole. */
const LINE_LENGTH = 4_000;

/** The last bytes of a stream, and its lines as they come. Bounded whatever the stream does. */
export class OutputTail {
  readonly #keepBytes: number;
  readonly #onLine: (line: string) => void;
  readonly #decoder = new TextDecoder();
  #chunks: Buffer[] = [];
  #bytes = 0;
  #line = '';
  #lineCut = false;

  constructor(keepBytes: number, onLine: (line: string) => void) {
    this.#keepBytes = keepBytes;
    this.#onLine = onLine;
  }

  push(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#bytes += chunk.length;
    while (this.#bytes - this.#chunks[0]!.length >= this.#keepBytes) this.#bytes -= this.#chunks.shift()!.length;
    this.#split(this.#decoder.decode(chunk, { stream: true }));
  }

  /** The last line may lack its line feed. */
  end(): void {
    this.#split(this.#decoder.decode());
    if (this.#line !== '') this.#flush();
  }

  tail(): Buffer {
    const all = Buffer.concat(this.#chunks);
    return all.length > this.#keepBytes ? all.subarray(all.length - this.#keepBytes) : all;
  }

  #split(text: string): void {
    const lines = text.split('\n');
    for (let i = 0; i < lines.length; i++) {
      this.#append(lines[i]!);
      if (i < lines.length - 1) this.#flush();
    }
  }

  #append(part: string): void {
    const room = LINE_LENGTH - this.#line.length;
    this.#line += part.slice(0, room);
    if (part.length > room) this.#lineCut = true;
  }

  #flush(): void {
    this.#onLine(this.#lineCut ? `${this.#line}…` : this.#line.replace(/\r$/, ''));
    this.#line = '';
    this.#lineCut = false;
  }
}

/** The last line that is a JSON object, as text; null = there is none. */
export function lastObjectLine(text: string): string | null {
  for (let end = text.length; end > 0;) {
    const start = text.lastIndexOf('\n', end - 1) + 1;
    const line = text.slice(start, end).trim();
    if (line.startsWith('{') && line.endsWith('}')) {
      try {
        JSON.parse(line);
        return line;
      } catch {
        // A line that only looks like one.
      }
    }
    end = start - 1;
  }
  return null;
}
