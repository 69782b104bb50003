import { randomUUID } from 'node:crypto';
import fs from 'node:fs/promises';
import path from 'node:path';
import process from 'node:process';
import { ColmeiaError } from '../../platform/errors.ts';

/** Creates the home for its user alone. Returns warnings; throws CONFIG_INVALID when anybody may write there. */
export async function prepareHome(home: string): Promise<string[]> {
  try {
    await fs.mkdir(home, { recursive: true, mode: 0o700 });
    await fs.access(home, fs.constants.R_OK | fs.constants.W_OK | fs.constants.X_OK);
  } catch (cause) {
    throw homeFault(`${home} cannot be used: ${(cause as Error).message}`, cause);
  }
  if (process.platform === 'win32') return [];
  const { mode, uid } = await fs.stat(home);
  const shown = (mode & 0o777).toString(8);
  if ((mode & 0o002) !== 0) throw homeFault(`${home} may be written by everybody (mode ${shown}): chmod 700 ${home}`);
  if (uid !== process.getuid!() && uid !== 0) throw homeFault(`${home} belongs to another user (uid ${uid})`);
  return (mode & 0o077) === 0 ? [] : [`${home} is open to others (mode ${shown}); chmod 700 closes it`];
}

/**
 * The operator's key out of `operator.key`. When there is none that this store knows, `create` makes one, and it is written
 * for its user alone. Of two processes that start at once one wins, and both use its key.
 */
export async function operatorKey(
  home: string,
  keys: { isKnown(key: string): Promise<boolean>; create(): Promise<string> },
): Promise<{ file: string; created: boolean; replaced: boolean }> {
  const file = path.join(home, 'operator.key');
  const old = await readKey(file);
  if (old !== null && (await keys.isKnown(old))) return { file, created: false, replaced: false };
  // A key of another store (the database was changed) is kept, in case the way leads back.
  if (old !== null) await fs.rename(file, `${file}.old`);
  const created = await writeOnce(file, `${await keys.create()}\n`);
  return { file, created, replaced: old !== null };
}

/** Base URL of the running server, for its user's CLI and agents. */
export async function writeAddress(home: string, address: string): Promise<void> {
  const file = path.join(home, 'address');
  const draft = `${file}.${randomUUID()}`;
  await fs.writeFile(draft, `${address}\n`, { mode: 0o600, flag: 'wx' });
  await fs.rename(draft, file);
}

/** Unless a newer process has written its own. */
export async function removeAddress(home: string, address: string): Promise<void> {
  const file = path.join(home, 'address');
  const current = await fs.readFile(file, 'utf8').catch(() => '');
  if (current.trim() === address) await fs.rm(file, { force: true });
}

async function readKey(file: string): Promise<string | null> {
  let text: string;
  try {
    text = (await fs.readFile(file, 'utf8')).trim();
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw homeFault(`${file} cannot be read: ${(cause as Error).message}`, cause);
  }
  if (process.platform !== 'win32' && ((await fs.stat(file)).mode & 0o077) !== 0) await fs.chmod(file, 0o600);
  return text;
}

/** Never half a file: written beside, made durable, then linked, which fails when another was first. */
async function writeOnce(file: string, text: string): Promise<boolean> {
  const draft = `${file}.${randomUUID()}`;
  const handle = await fs.open(draft, 'wx', 0o600);
  try {
    await handle.writeFile(text);
    await handle.sync();
  } finally {
    await handle.close();
  }
  try {
    await fs.link(draft, file);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  } finally {
    await fs.rm(draft, { force: true });
  }
}

function homeFault(message: string, cause?: unknown): ColmeiaError {
  return new ColmeiaError('CONFIG_INVALID', message, { faults: [{ path: 'COLMEIA_HOME', message }], cause });
}
