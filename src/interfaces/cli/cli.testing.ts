import { Readable } from 'node:stream';
import type { Client } from './client.ts';
import { runCli } from './program.ts';
import type { CliWorld } from './session.ts';

export type More = {
  input?: string;
  env?: Record<string, string>;
  signal?: AbortSignal;
  shared?: Client;
  /** Called with all that standard error has so far. */
  onNote?: (err: string) => void;
};

/** A world whose home is `home`, and what is printed there. */
export function worldAt(home: string, { input = '', env, signal, onNote }: More = {}) {
  const printed = { out: '', err: '' };
  const world: CliWorld = {
    env: { COLMEIA_HOME: home, ...env },
    cwd: home,
    stdin: Readable.from([input]),
    stdout: { write: (text) => (printed.out += text) },
    stderr: {
      write: (text) => {
        printed.err += text;
        onNote?.(printed.err);
      },
    },
    signal: signal ?? new AbortController().signal,
  };
  return { world, printed };
}

/** Runs a command at a home. */
export async function runAt(home: string, args: readonly string[], more: More = {}) {
  const { world, printed } = worldAt(home, more);
  const exit = await runCli(args, world, more.shared);
  return { exit, ...printed };
}
