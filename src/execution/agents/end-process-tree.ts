import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

/** Name of the environment variable that marks every process of a run, also those that left its group and session. */
export const RUN_MARKER = 'COLMEIA_RUN';

/** A process that was started as leader of its own group, and everything that came of it. */
export type ProcessTree = {
  pid: number;
  /** startTimeOf(pid) right after the start: a pid alone may be somebody else's by now. */
  startTime: string | null;
  /** Value of the marker in its environment. */
  marker: string;
  /** What its standard output and error are connected to, as in `socket:[4711]`. Inherited also by who clears the environment. */
  streams: string[];
  /** The leader only carries a pid namespace: it dies last, and with it everything inside. */
  namespaced: boolean;
};

type Seen = { pid: number; parent: number; group: number; session: number; ticks: number };

/** Boot and start of a process, e.g. `4f0c…:81234`. Null = no such process, or a system without /proc. Source: proc(5). */
export function startTimeOf(pid: number): string | null {
  const seen = readProcess(pid);
  return seen === null ? null : `${bootId()}:${seen.ticks}`;
}

/** True when the pid is alive and still the process that had this start time. */
export function isSameProcess(pid: number, startTime: string | null): boolean {
  if (startTime !== null) return startTimeOf(pid) === startTime;
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/**
 * Ends a whole tree: asks with SIGTERM, and after `graceMs` kills until nothing is left. Found by group, session, descent,
 * marker and streams, so that background, setsid and double-forked processes go too; never by name. Returns how many are left
 * alive. Without a pid namespace one stays unseen that has left all of these: session, parent, environment and streams.
 */
export async function endProcessTree(tree: ProcessTree, graceMs: number): Promise<number> {
  if (!canScan()) return endGroup(tree, graceMs);
  if (graceMs > 0) {
    for (const pid of membersOf(tree)) if (!(tree.namespaced && pid === tree.pid)) signal(pid, 'SIGTERM');
    for (const end = Date.now() + graceMs; Date.now() < end && membersOf(tree).length > 0;) await sleep(20);
  }
  for (let round = 0; round < 50; round++) {
    const members = membersOf(tree);
    if (members.length === 0) return 0;
    for (const pid of members) signal(pid, 'SIGKILL');
    await sleep(round < 5 ? 2 : 20);
  }
  return membersOf(tree).length;
}

/** Living processes of the tree, the leader first. */
function membersOf(tree: ProcessTree): number[] {
  const all = listProcesses();
  const leader = all.find(({ pid }) => pid === tree.pid);
  const leaderLives = leader !== undefined && `${bootId()}:${leader.ticks}` === tree.startTime;
  const reused = leader !== undefined && !leaderLives;
  const [boot, ticks] = (tree.startTime ?? ':0').split(':');
  if (boot !== '' && boot !== bootId()) return [];
  const since = Number(ticks);
  const members = new Set<number>(leaderLives ? [tree.pid] : []);
  const rest = all.filter((seen) => seen.ticks >= since && seen.pid !== tree.pid && seen.pid !== process.pid);
  for (const seen of rest) {
    const ofGroup = !reused && (seen.group === tree.pid || seen.session === tree.pid);
    if (ofGroup || carriesMark(seen.pid, tree)) members.add(seen.pid);
  }
  for (let before = -1; before !== members.size;) {
    before = members.size;
    for (const seen of rest) if (members.has(seen.parent)) members.add(seen.pid);
  }
  return [...members];
}

async function endGroup({ pid }: ProcessTree, graceMs: number): Promise<number> {
  const alive = (): boolean => signal(-pid, 0);
  if (graceMs > 0) {
    signal(-pid, 'SIGTERM');
    for (const end = Date.now() + graceMs; Date.now() < end && alive();) await sleep(20);
  }
  for (let round = 0; round < 20 && alive(); round++) {
    signal(-pid, 'SIGKILL');
    await sleep(10);
  }
  return alive() ? 1 : 0;
}

function signal(pid: number, name: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(pid, name);
  } catch {
    return false;
  }
}

/** The streams of a process right after its start, for `ProcessTree.streams`. */
export function streamsOf(pid: number): string[] {
  return [1, 2]
    .map((fd) => readStream(pid, fd))
    .filter((stream) => stream !== null && /^(pipe|socket):/.test(stream)) as string[];
}

function readStream(pid: number, fd: number): string | null {
  try {
    return readlinkSync(`/proc/${pid}/fd/${fd}`);
  } catch {
    return null;
  }
}

function carriesMark(pid: number, { marker, streams }: ProcessTree): boolean {
  try {
    if (`\0${readFileSync(`/proc/${pid}/environ`, 'latin1')}`.includes(`\0${RUN_MARKER}=${marker}\0`)) return true;
  } catch {
    return false;
  }
  return streams.length > 0 && streamsOf(pid).some((stream) => streams.includes(stream));
}

let scannable: boolean | undefined;
function canScan(): boolean {
  return (scannable ??= readProcess(process.pid) !== null);
}

function listProcesses(): Seen[] {
  const seen: Seen[] = [];
  for (const name of readdirSync('/proc')) {
    const first = name.charCodeAt(0);
    if (first < 48 || first > 57) continue;
    const found = readProcess(Number(name));
    if (found !== null) seen.push(found);
  }
  return seen;
}

/** Null for what is gone or is only waiting to be reaped. The name may hold spaces and brackets: fields count from its end. */
function readProcess(pid: number): Seen | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    if (fields[0] === 'Z' || fields[0] === 'X') return null;
    return {
      pid,
      parent: Number(fields[1]),
      group: Number(fields[2]),
      session: Number(fields[3]),
      ticks: Number(fields[19]),
    };
  } catch {
    return null;
  }
}

let boot: string | undefined;
function bootId(): string {
  if (boot !== undefined) return boot;
  try {
    boot = readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim();
  } catch {
    boot = 'boot';
  }
  return boot;
}
