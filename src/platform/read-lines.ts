import fs from 'node:fs';

const NEWLINE = 0x0a;

/**
 * The lines of a file as UTF-8, without their ends; of an empty file none. A line of more than `mostBytes` throws what `tooLong`
 * gives: whoever made the file may want to fill the memory, and a text of more than 512 MiB would end the process.
 */
export async function* readLines(file: string, mostBytes: number, tooLong: () => Error): AsyncIterable<string> {
  let pieces: Buffer[] = [];
  let bytes = 0;
  const add = (piece: Buffer): void => {
    bytes += piece.length;
    if (bytes > mostBytes) throw tooLong();
    if (piece.length > 0) pieces.push(piece);
  };
  const take = (): string => {
    const line = (pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces)).toString('utf8');
    pieces = [];
    bytes = 0;
    return line.endsWith('\r') ? line.slice(0, -1) : line;
  };
  for await (const chunk of fs.createReadStream(file) as AsyncIterable<Buffer>) {
    let from = 0;
    for (let end = chunk.indexOf(NEWLINE); end !== -1; end = chunk.indexOf(NEWLINE, from)) {
      add(chunk.subarray(from, end));
      yield take();
      from = end + 1;
    }
    add(chunk.subarray(from));
  }
  if (bytes > 0) yield take();
}
