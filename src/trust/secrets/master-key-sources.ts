import { execFile } from 'node:child_process';
import crypto, { randomUUID } from 'node:crypto';
import fs from 'node:fs/promises';
import path from 'node:path';
import process from 'node:process';
import { ColmeiaError } from '../../platform/errors.ts';
import { KEY_BYTES } from './envelope.ts';
import { parseMasterKey, type MasterKeySource } from './master-key.ts';

const COMMAND_MS = 10_000;
const OUTPUT_LIMIT = 4_096;
/** After this a renewal that did not end counts as cut. */
const RENEWAL_MS = 60_000;

/** For stores in memory: what it seals ends with the process. */
export function keyInMemory(): MasterKeySource {
  let key = crypto.randomBytes(KEY_BYTES);
  const former: Buffer[] = [];
  return {
    current: async () => key,
    former: async () => former,
    async renew() {
      former.unshift(key);
      key = crypto.randomBytes(KEY_BYTES);
    },
  };
}

/** Whoever embeds Colmeia gives the key. `former` answers null when there is none. */
export const givenKey = (
  current: () => Promise<Buffer>,
  former: () => Promise<Buffer | null> = async () => null,
): MasterKeySource => ({
  current,
  async former() {
    const key = await former();
    return key === null ? [] : [key];
  },
});

/**
 * Colmeia's own file (mode 600), made at the first need; of two processes that make it at once one wins, and both use its
 * key. Beside it `.old` keeps the former keys, a line each, newest first, and `.new` is there while a new one comes in force.
 */
export function keyInFile(file: string): MasterKeySource {
  const old = `${file}.old`;
  const next = `${file}.new`;
  return {
    async current(mayMake) {
      const text = await readIfThere(file);
      if (text !== null) return parseMasterKey(text, file);
      if (!mayMake) throw locked(`the master key of the secrets is missing: ${file} does not exist`);
      await writeOnce(file, newKeyText());
      return parseMasterKey((await readIfThere(file))!, file);
    },
    async former() {
      const lines = ((await readIfThere(old)) ?? '').split('\n').filter((line) => line !== '');
      return lines.map((line) => parseMasterKey(line, old));
    },
    async renew() {
      const current = (await readIfThere(file)) ?? '';
      if (!(await writeOnce(next, newKeyText())) && Date.now() - (await fs.stat(next)).mtimeMs < RENEWAL_MS)
        throw locked(`another rotation is under way, or was cut: ${next} exists; try again in a minute`);
      const draft = `${old}.${randomUUID()}`;
      await writeOnce(draft, `${current.trim()}\n${(await readIfThere(old)) ?? ''}`);
      await fs.rename(draft, old);
      await fs.rename(next, file);
    },
  };
}

/** A file that somebody else keeps. */
export async function readKeyFile(file: string): Promise<Buffer> {
  const text = await readIfThere(file);
  if (text === null) throw locked(`the master key of the secrets is missing: ${file} does not exist`);
  return parseMasterKey(text, file);
}

/**
 * Standard output of a command, as of a vault's client. Words are split at spaces, quotes keep them together; there is no
 * shell. It gets PATH and HOME and nothing else, and ten seconds. What it says is never repeated.
 */
export function runKeyCommand(command: string): Promise<Buffer> {
  const [file, ...args] = splitWords(command);
  const { PATH = '', HOME = '' } = process.env;
  return new Promise((resolve, reject) => {
    const options = {
      env: { PATH, HOME },
      timeout: COMMAND_MS,
      killSignal: 'SIGKILL',
      maxBuffer: OUTPUT_LIMIT,
    } as const;
    const child = execFile(file!, args, options, (error, stdout) => {
      if (error !== null) return reject(locked(`the command for the master key of the secrets ${whyFailed(error)}`));
      try {
        resolve(parseMasterKey(stdout, 'standard output of COLMEIA_SECRETS_KEY_COMMAND'));
      } catch (refusal) {
        reject(refusal as Error);
      }
    });
    child.stdin?.end();
  });
}

function whyFailed({ code, killed, signal }: { code?: unknown; killed?: boolean; signal?: string | null }): string {
  if (code === 'ENOENT') return 'was not found';
  if (code === 'ERR_CHILD_PROCESS_STDIO_MAXBUFFER') return `wrote more than ${OUTPUT_LIMIT} bytes`;
  if (killed) return `did not end within ${COMMAND_MS / 1_000} s`;
  return typeof code === 'number' ? `ended with exit code ${code}` : `could not be run (${signal ?? String(code)})`;
}

/** As a shell splits words, without anything else that a shell does. */
export function splitWords(command: string): string[] {
  const words = command.match(/(?:"[^"]*"|'[^']*'|[^\s"'])+/g) ?? [];
  return words.map((word) => word.replaceAll(/"([^"]*)"|'([^']*)'/g, (_, double, single) => double ?? single));
}

const newKeyText = (): string => `${crypto.randomBytes(KEY_BYTES).toString('base64')}\n`;
const locked = (message: string, cause?: unknown): ColmeiaError =>
  new ColmeiaError('SECRETS_LOCKED', message, { cause });

async function readIfThere(file: string): Promise<string | null> {
  try {
    const text = await fs.readFile(file, 'utf8');
    if (process.platform !== 'win32' && ((await fs.stat(file)).mode & 0o077) !== 0)
      throw locked(`${file} holds the master key of the secrets and is open to others: chmod 600 ${file}`);
    return text;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    if (error instanceof ColmeiaError) throw error;
    throw locked(`${file}, which holds the master key of the secrets, cannot be read: ${(error as Error).message}`);
  }
}

/** Never half a file: written beside, made durable, then linked. False when another was first. */
async function writeOnce(file: string, text: string): Promise<boolean> {
  const draft = `${file}.${randomUUID()}`;
  try {
    await fs.mkdir(path.dirname(file), { recursive: true, mode: 0o700 });
    await fs.writeFile(draft, text, { mode: 0o600, flag: 'wx', flush: true });
    await fs.link(draft, file);
    return true;
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw locked(`${file} cannot be written: ${(cause as Error).message}`, cause);
  } finally {
    await fs.rm(draft, { force: true });
  }
}
