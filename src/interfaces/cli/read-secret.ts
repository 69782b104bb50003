import path from 'node:path';
import type { Readable } from 'node:stream';
import { CliError, EXIT } from './cli-error.ts';
import { readText } from './read-text.ts';
import type { CliWorld } from './session.ts';

/** As much as the server takes, and a little, so that it is the server that refuses. */
const LIMIT = 128 * 1_024;

/**
 * A secret out of a file, or else of standard input, without the line's end; on a terminal it is asked for and not shown. Never an
 * argument, which others on the machine can see.
 */
export async function readSecret(world: CliWorld, file: string | undefined, name: string): Promise<string> {
  const { stdin } = world;
  const text =
    file !== undefined
      ? await readText(path.resolve(world.cwd, file), file)
      : isTerminal(stdin)
        ? await askHidden(world, stdin, name)
        : await readAll(stdin);
  const value = text.replace(/\r?\n$/, '');
  if (value === '') throw new CliError(EXIT.usage, `nothing was given for ${name}; it is unchanged`);
  return value;
}

type Terminal = Readable & { isTTY: true; setRawMode(raw: boolean): unknown };

export const isTerminal = (stdin: CliWorld['stdin']): stdin is Terminal =>
  (stdin as Partial<Terminal>).isTTY === true && typeof (stdin as Partial<Terminal>).setRawMode === 'function';

/** Raw mode, so that the terminal does not show what is typed. Enter ends it, Ctrl-C gives up. */
async function askHidden({ stderr }: CliWorld, terminal: Terminal, name: string): Promise<string> {
  terminal.setRawMode(true); // before anybody is asked to type
  stderr.write(`${name} (not shown): `);
  try {
    let typed = '';
    // Whoever asks next, as a prompt for commands, needs it still.
    for await (const chunk of terminal.iterator({ destroyOnReturn: false })) {
      for (const char of chunk.toString()) {
        if (char === '\r' || char === '\n' || char === '\u0004') return typed;
        if (char === '\u0003') throw new CliError(EXIT.failed, `given up; ${name} is unchanged`);
        if (char === '\u007f' || char === '\b') typed = typed.slice(0, -1);
        else if (typed.length < LIMIT) typed += char;
      }
    }
    return typed;
  } finally {
    terminal.setRawMode(false);
    terminal.pause();
    stderr.write('\n');
  }
}

async function readAll(stream: AsyncIterable<Buffer | string>): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of stream) {
    chunks.push(Buffer.from(chunk));
    size += chunks.at(-1)!.length;
    if (size > LIMIT) throw new CliError(EXIT.usage, `a secret has at most 65536 bytes; standard input has more`);
  }
  return Buffer.concat(chunks).toString('utf8');
}
