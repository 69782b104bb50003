import { createInterface } from 'node:readline/promises';
import type { Readable } from 'node:stream';
import { CliError, EXIT } from './cli-error.ts';
import type { CliWorld } from './session.ts';

/** Asks on a terminal and resolves with the line; an interrupt gives up. */
export async function readLine({ stdin, stderr, signal }: CliWorld, question: string): Promise<string> {
  const reader = createInterface({ input: stdin as Readable, terminal: false });
  const gone = new AbortController();
  const given = AbortSignal.any([signal, gone.signal]);
  reader.once('close', () => gone.abort());
  stderr.write(question);
  try {
    return (await reader.question('', { signal: given })).trim();
  } catch (cause) {
    throw new CliError(EXIT.failed, 'given up; nothing was changed', { cause });
  } finally {
    reader.close();
  }
}
