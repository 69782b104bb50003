import fs from 'node:fs';
import path from 'node:path';

import { ColmeiaError } from '../errors.ts';

/** Who holds a folder. `start` is the kernel's start time of the process, so that a reused pid is not mistaken for it. */
export type Owner = { pid: number; start: string | null; boot: string | null };

export type DataFolderLock = { release(): void };

/**
 * Takes the folder for this process, or throws DATA_FOLDER_LOCKED with the pid that has it. The lock of a process that died is
 * taken over. Holds between processes of one machine; a folder must not be shared between machines or containers.
 */
export function lockDataFolder(folder: string, self: Owner = ownerOf(process.pid)): DataFolderLock {
  const file = path.join(folder, 'lock');
  acquire(file, self);
  for (const name of fs.readdirSync(folder)) {
    if (!name.startsWith('lock.')) continue;
    const left = path.join(folder, name); // by takers that died; one that cannot be read is just being written
    const taker = read(left);
    if (taker !== null && taker.pid > 0 && !isAlive(taker)) fs.rmSync(left, { force: true });
  }
  return {
    release() {
      if (sameOwner(read(file), self)) fs.rmSync(file, { force: true });
    },
  };
}

/**
 * `link` creates the file with its content, or fails. To replace a dead owner's file one must hold a lock named after that owner,
 * taken by these same rules, and find the dead owner still in the file: so of several takers one wins.
 */
function acquire(file: string, self: Owner): void {
  const mine = `${file}.${nameOf(self)}.new`;
  fs.writeFileSync(mine, JSON.stringify(self), { mode: 0o600 });
  try {
    for (;;) {
      if (linked(mine, file)) return;
      const owner = read(file);
      if (owner === null) continue; // released just now
      if (isAlive(owner)) throw locked(file, owner);
      const takeover = `${file}.${nameOf(owner)}`;
      acquire(takeover, self);
      try {
        if (sameOwner(read(file), owner)) {
          fs.renameSync(mine, file);
          return;
        }
      } finally {
        fs.rmSync(takeover, { force: true });
      }
    }
  } finally {
    fs.rmSync(mine, { force: true });
  }
}

function linked(from: string, to: string): boolean {
  try {
    fs.linkSync(from, to);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

function locked(file: string, owner: Owner): ColmeiaError {
  const folder = path.dirname(file);
  const message = `The data folder ${folder} is open in the process ${owner.pid}. Stop that process, or use another folder.`;
  return new ColmeiaError('DATA_FOLDER_LOCKED', message);
}

/** null when there is no such file. One that cannot be read belongs to nobody: pid 0 never lives. */
function read(file: string): Owner | null {
  try {
    return JSON.parse(fs.readFileSync(file, 'utf8')) as Owner;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    if (error instanceof SyntaxError) return { pid: 0, start: null, boot: null };
    throw error;
  }
}

/** The identity of a process as the kernel knows it; where there is no /proc, the pid alone. */
export function ownerOf(pid: number): Owner {
  return { pid, start: startOf(pid), boot: readOrNull('/proc/sys/kernel/random/boot_id')?.trim() ?? null };
}

/** Field 22 of /proc/pid/stat; null for a zombie. The second field may hold spaces and brackets, so count from its end. */
function startOf(pid: number): string | null {
  const stat = readOrNull(`/proc/${pid}/stat`);
  const fields = stat?.slice(stat.lastIndexOf(')') + 2).split(' ');
  return fields === undefined || fields[0] === 'Z' ? null : fields[19]!;
}

function readOrNull(file: string): string | null {
  try {
    return fs.readFileSync(file, 'utf8');
  } catch {
    return null;
  }
}

function isAlive(owner: Owner): boolean {
  if (owner.pid <= 0) return false;
  if (owner.start !== null) return sameOwner(ownerOf(owner.pid), owner);
  try {
    process.kill(owner.pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'; // alive, of another user
  }
}

function sameOwner(a: Owner | null, b: Owner): boolean {
  return a !== null && a.pid === b.pid && a.start === b.start && a.boot === b.boot;
}

const nameOf = (owner: Owner): string => `${owner.pid}-${owner.start ?? 0}-${owner.boot?.slice(0, 8) ?? 0}`;
