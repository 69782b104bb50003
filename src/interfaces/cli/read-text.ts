import fs from 'node:fs/promises';
import { CliError, EXIT } from './cli-error.ts';
import { reason } from './session.ts';

/** A file that the user named; `name` is what messages call it. */
export async function readText(file: string, name: string): Promise<string> {
  try {
    return await fs.readFile(file, 'utf8');
  } catch (cause) {
    throw new CliError(EXIT.usage, `${name}: ${reason(cause)}`, { cause });
  }
}
