import { constants, type Stats } from 'node:fs';
import fs from 'node:fs/promises';
import path from 'node:path';
import { mustBeCompanyName } from './company-name.ts';

/** The files of a company that are read, and the most each may hold in bytes. */
export const COMPANY_FILES = {
  '.env': 64 * 1024,
  'config.json': 256 * 1024,
  'supabase.config.json': 256 * 1024,
  'atlassian.config.json': 256 * 1024,
  'mcp.json': 256 * 1024,
} as const;
export type CompanyFile = keyof typeof COMPANY_FILES;

/** The folders that every company has. */
export const COMPANY_FOLDERS = ['microservices', 'migrations', 'seeds'] as const;

/** JSON Schemas of all companies' files, beside the companies. */
export const SCHEMAS_FOLDER = '.schemas';

/** Where the files of a company are: `own` when the registry names a folder, else by its name. Absolute. */
export function instanceFolder(instancesFolder: string, name: string, own: string | null = null): string {
  mustBeCompanyName(name);
  return path.resolve(own ?? path.join(instancesFolder, name));
}

/** Why a file was not read. `absent`: it is not there. Nothing of its content is in it. */
export class UnreadableFile extends Error {
  readonly reason: 'absent' | 'outside' | 'not-a-file' | 'too-large' | 'not-text' | 'denied';

  constructor(reason: UnreadableFile['reason'], message: string) {
    super(message);
    this.name = 'UnreadableFile';
    this.reason = reason;
  }
}

/**
 * The real path of something in a folder; throws UnreadableFile `outside` when a link leads out of it. `relative` is a name
 * that was found in the folder or that the code knows, never a caller's.
 */
export async function insideOf(folder: string, relative: string): Promise<string> {
  const places = Promise.all([fs.realpath(folder), fs.realpath(path.join(folder, relative))]);
  const [root, target] = await places.catch((error: unknown) => {
    throw unreadable(error);
  });
  if (target !== root && !target.startsWith(root + path.sep))
    throw new UnreadableFile('outside', 'is a link to a place outside of the folder');
  return target;
}

/** The bytes of a regular file of a folder, at most `limit`. Throws UnreadableFile; never waits for a pipe or device. */
async function readBytes(
  folder: string,
  relative: string,
  limit: number,
): Promise<{ bytes: Buffer<ArrayBuffer>; stats: Stats }> {
  let handle: fs.FileHandle | null = null;
  try {
    const file = await insideOf(folder, relative);
    handle = await fs.open(file, constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0));
    const stats = await handle.stat();
    if (!stats.isFile()) throw new UnreadableFile('not-a-file', 'is not a regular file');
    if (stats.size > limit) throw new UnreadableFile('too-large', `is larger than ${Math.floor(limit / 1024)} KiB`);
    const buffer = Buffer.alloc(stats.size);
    let length = 0;
    while (length < buffer.length) {
      const { bytesRead } = await handle.read(buffer, length, buffer.length - length, length);
      if (bytesRead === 0) break;
      length += bytesRead;
    }
    return { bytes: buffer.subarray(0, length), stats };
  } catch (error) {
    throw error instanceof UnreadableFile ? error : unreadable(error);
  } finally {
    await handle?.close();
  }
}

/** As `readBytes`, for text in UTF-8. */
export async function readText(
  folder: string,
  relative: string,
  limit: number,
): Promise<{ text: string; mode: number }> {
  const { bytes, stats } = await readBytes(folder, relative, limit);
  try {
    return {
      text: new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes),
      mode: stats.mode & 0o777,
    };
  } catch {
    throw new UnreadableFile('not-text', 'is no text in UTF-8');
  }
}

/**
 * What is in a folder of a folder, by name, at most `limit` entries; empty when it is not there. A link counts as a folder:
 * whoever goes on reading finds out where it leads. Throws UnreadableFile.
 */
export async function listNames(
  folder: string,
  relative: string,
  limit: number,
): Promise<{ name: string; isFolder: boolean }[]> {
  const entries: { name: string; isFolder: boolean }[] = [];
  try {
    const opened = await fs.opendir(await insideOf(folder, relative));
    for await (const entry of opened) {
      const count = entries.push({ name: entry.name, isFolder: entry.isDirectory() || entry.isSymbolicLink() });
      if (count > limit) throw new UnreadableFile('too-large', `holds more than ${limit} entries`);
    }
  } catch (error) {
    const fault = error instanceof UnreadableFile ? error : unreadable(error);
    if (fault.reason === 'absent') return [];
    throw fault;
  }
  return entries.sort((a, b) => (a.name < b.name ? -1 : 1));
}

function unreadable(error: unknown): UnreadableFile {
  const code = (error as NodeJS.ErrnoException).code ?? 'unknown';
  if (code === 'ENOENT' || code === 'ENOTDIR') return new UnreadableFile('absent', 'is not there');
  if (code === 'ELOOP') return new UnreadableFile('outside', 'is a link that leads nowhere');
  if (code === 'EISDIR') return new UnreadableFile('not-a-file', 'is not a regular file');
  return new UnreadableFile('denied', `cannot be read (${code})`);
}
