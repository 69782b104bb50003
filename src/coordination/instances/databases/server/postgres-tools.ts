import { execFile, spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';

const VERSION_DEADLINE_MS = 5_000;
/** Of what a tool says when it fails. */
const MAX_WORDS = 4_000;

/** pg_dump and pg_restore of one installation. */
export type PostgresTools = { dump: string; restore: string; major: number };

/** `folder` null = as PATH finds them. Resolves with why not when they are missing or older than the server. */
export async function findPostgresTools(folder: string | null, serverMajor: number): Promise<PostgresTools | string> {
  const [dump, restore] = ['pg_dump', 'pg_restore'].map((name) => (folder === null ? name : path.join(folder, name)));
  const where = folder === null ? 'in PATH' : `in ${folder}`;
  let said: string;
  try {
    said = (await promisify(execFile)(dump!, ['--version'], { timeout: VERSION_DEADLINE_MS, env: environment() }))
      .stdout;
  } catch {
    return `there is no pg_dump ${where} (COLMEIA_PG_BIN names another folder)`;
  }
  const major = Number(/(\d+)(\.|\s|$|devel|beta|rc)/.exec(said)?.[1]);
  if (major >= serverMajor) return { dump: dump!, restore: restore!, major };
  return `pg_dump ${where} is version ${major}, and the server ${serverMajor} (COLMEIA_PG_BIN names another folder)`;
}

/**
 * Runs one of the tools on a database. Its password goes by a file that only we can read and that is gone afterwards; neither
 * arguments nor environment hold it. Rejects with what the tool said; ends it when the signal is given.
 */
export async function runPostgresTool(
  program: string,
  args: readonly string[],
  of: { url: string; workFolder: string; signal: AbortSignal },
): Promise<void> {
  const url = new URL(of.url);
  const passfile = path.join(of.workFolder, `passfile-${process.pid}-${path.basename(program)}`);
  // The driver takes one from the parameters as well.
  const password = decodeURIComponent(url.password) || (url.searchParams.get('password') ?? '');
  fs.writeFileSync(passfile, `*:*:*:*:${password.replaceAll(/[\\:]/g, '\\$&')}\n`, { mode: 0o600 });
  url.password = '';
  url.searchParams.delete('password');
  try {
    await run(
      program,
      [...args, `--dbname=${url.href}`, '--no-password'],
      { ...environment(), PGPASSFILE: passfile },
      of.signal,
    );
  } finally {
    fs.rmSync(passfile, { force: true });
  }
}

/** What is in an archive, a line each, as `--use-list` takes it. */
export async function listArchive(program: string, archive: string, signal: AbortSignal): Promise<string> {
  const options = { env: environment(), signal, maxBuffer: 256 * 1024 * 1024 };
  return (await promisify(execFile)(program, ['--list', archive], options)).stdout;
}

/** Nothing of ours, as it may hold secrets. */
function environment(): NodeJS.ProcessEnv {
  return { PATH: process.env.PATH, LC_ALL: 'C', PGAPPNAME: 'colmeia copy', PGCONNECT_TIMEOUT: '5' };
}

function run(program: string, args: readonly string[], env: NodeJS.ProcessEnv, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { env, stdio: ['ignore', 'ignore', 'pipe'], signal });
    let words = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => (words = (words + text).slice(-MAX_WORDS)));
    child.once('error', reject);
    child.once('close', (code) => {
      if (code === 0) return resolve();
      const message = words.trim().split('\n').slice(-6).join(' ');
      const isFull = /No space left on device|could not extend file/.test(words);
      reject(Object.assign(new Error(`${path.basename(program)} failed: ${message}`), isFull ? { code: '53100' } : {}));
    });
  });
}
