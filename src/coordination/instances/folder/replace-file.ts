import { randomUUID } from 'node:crypto';
import fs from 'node:fs/promises';
import path from 'node:path';

/**
 * Writes a file as a whole: beside, made durable, then renamed. Whoever reads sees the old text or the new one; a failure,
 * as of a full disk, leaves the old one.
 */
export async function replaceFile(file: string, text: string, mode = 0o600): Promise<void> {
  const draft = path.join(path.dirname(file), `.${path.basename(file)}.${randomUUID()}.part`);
  try {
    await writeNewFile(draft, text, mode);
    await fs.rename(draft, file);
  } catch (error) {
    await fs.rm(draft, { force: true });
    throw error;
  }
  await syncFolder(path.dirname(file));
}

/** A file that was not there, durable when it resolves; its mode does not depend on the umask. */
export async function writeNewFile(file: string, content: string | Uint8Array, mode: number): Promise<void> {
  const handle = await fs.open(file, 'wx', mode);
  try {
    await handle.writeFile(content);
    await handle.chmod(mode);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Makes names in a folder durable, where the system can. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await fs.open(folder, 'r').catch(() => null); // Windows opens no folder
  if (handle === null) return;
  try {
    await handle.sync();
  } catch {
    // some file systems refuse it
  } finally {
    await handle.close();
  }
}
