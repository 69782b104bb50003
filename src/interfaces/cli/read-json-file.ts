import path from 'node:path';
import { CliError, EXIT } from './cli-error.ts';
import { readText } from './read-text.ts';
import type { CliWorld } from './session.ts';

/** The JSON in a file, or in standard input for `-`. `name` is what messages call it. */
export async function readJsonFile(world: CliWorld, file: string): Promise<{ name: string; value: unknown }> {
  const name = file === '-' ? 'standard input' : file;
  const text = file === '-' ? await readAll(world.stdin) : await readText(path.resolve(world.cwd, file), name);
  try {
    return { name, value: JSON.parse(text.replace(/^\ufeff/, '')) };
  } catch (cause) {
    throw new CliError(
      EXIT.usage,
      `${name} is not JSON: ${(cause as Error).message}${placeIn(text, (cause as Error).message)}`,
      { cause },
    );
  }
}

async function readAll(stream: AsyncIterable<Buffer | string>): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks).toString('utf8');
}

/** V8 names a line only sometimes, and an offset nearly always. */
function placeIn(text: string, message: string): string {
  if (/line \d+/.test(message)) return '';
  if (text.trim() === '') return ' (it is empty)';
  const offset = /position (\d+)/.exec(message)?.[1];
  if (offset === undefined) return '';
  const before = text.slice(0, Number(offset)).split('\n');
  return ` (line ${before.length}, column ${before.at(-1)!.length + 1})`;
}
