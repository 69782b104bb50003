// What every step shares: parameters come as JSON on standard input, the last line of output is the result.
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';

/** Exit codes of sysexits.h, as the process adapter understands them. */
export const WRONG_DATA = 65;
export const TRY_AGAIN = 75;

/** The parameters of the ticket: data of the plan, never a command or a path. */
export const parameters = JSON.parse(readFileSync(0, 'utf8'));

export function finish(output) {
  console.log(JSON.stringify(output));
}

export function fail(code, reason) {
  console.error(reason);
  process.exit(code);
}

/** Paths of all files below a folder, sorted. */
export function filesOf(folder) {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)))
    .sort();
}

export function digestOf(path) {
  return createHash('sha256').update(readFileSync(path)).digest('hex');
}

/** A plan's value that becomes part of a path must be a plain name. */
export function nameFrom(value, what) {
  if (!/^[a-z0-9][a-z0-9.-]{0,63}$/.test(value ?? ''))
    fail(WRONG_DATA, `${what} must be a plain name, not ${JSON.stringify(value)}`);
  return value;
}
