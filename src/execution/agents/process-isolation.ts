import { spawnSync } from 'node:child_process';
import { statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, sep } from 'node:path';

/**
 * How far a command can be shut in on this machine:
 * `files`: own pid namespace, and the folders of the control plane are out of sight; `processes`: own pid namespace only;
 * `none`: neither, as in most containers without further rights, and on systems other than Linux.
 */
export type Isolation = 'files' | 'processes' | 'none';

export type Confinement = {
  /** Folders and files that the command must not see. */
  hide: string[];
  /** What it may see within them nevertheless. */
  keep: string[];
  cwd: string;
};

const PID_NAMESPACE = ['--pid', '--fork', '--kill-child', '--mount-proc', '--'];
/** The first process of a namespace ignores signals it has no handler for and must reap: so a shell is first, not the command. */
const INIT = ['sh', '-c', '"$@"; exit $?', 'sh'];
/** File descriptors that a POSIX shell can name, without the standard ones. */
const MOST_KEPT = 7;

type Way = { isolation: Isolation; wrap: (argv: string[], confinement: Confinement) => string[] };

const FILES: Way = { isolation: 'files', wrap: confine };
/** A user namespace comes first: it also takes away root. */
const PROCESSES: Way[] = [['--user', '--map-current-user'], []].map((user) => ({
  isolation: 'processes',
  wrap: (argv) => ['unshare', ...user, ...PID_NAMESPACE, ...INIT, ...argv],
}));
const NONE: Way = { isolation: 'none', wrap: (argv) => argv };

const found = new Map<Isolation, Way>();

/** The nearest to what is wanted that a trial shows to work here. Tried once; takes some 10 ms and blocks. */
export function isolationWay(wanted: Isolation): Way {
  let way = found.get(wanted);
  if (way === undefined) {
    const ways = { files: [FILES, ...PROCESSES], processes: PROCESSES, none: [] }[wanted];
    way = (process.platform === 'linux' ? ways.find(works) : undefined) ?? NONE;
    found.set(wanted, way);
  }
  return way;
}

function works({ wrap }: Way): boolean {
  const [command, ...argv] = wrap(['true'], { hide: [tmpdir()], keep: [], cwd: '/' });
  return spawnSync(command!, argv, { stdio: 'ignore', timeout: 5_000 }).status === 0;
}

/**
 * Empties the hidden folders for the command by mounting over them, and binds back what is kept: by open descriptors, as their
 * paths are covered by then. The second user namespace locks these mounts: root of the first could take them off again.
 * Source: mount_namespaces(7), "Restrictions on mount namespaces".
 */
function confine(argv: string[], { hide, keep, cwd }: Confinement): string[] {
  const kept = keep.filter((path) => hide.some((folder) => isInside(path, folder))).slice(0, MOST_KEPT);
  const values: string[] = [];
  const ref = (value: string): string => `"\${${values.push(value)}}"`;
  const script = [
    'set -e',
    "trap 'exit 126' EXIT",
    ...kept.map((path, n) => `exec ${n + 3}<${ref(path)}`),
    ...hide.map((path) =>
      isFolder(path) ? `mount -t tmpfs -o size=1m,mode=755 tmpfs ${ref(path)}` : `mount --bind /dev/null ${ref(path)}`,
    ),
    ...kept.map((path, n) => `${makeTarget(path, ref)}\nmount -c --bind /proc/self/fd/${n + 3} ${ref(path)}`),
    ...kept.map((_, n) => `exec ${n + 3}<&-`),
    `cd ${ref(cwd)}`,
    `shift ${values.length}`,
    'trap - EXIT',
    'set +e',
    `unshare --user --map-user=${process.getuid!()} --map-group=${process.getgid!()} --mount -- "$@"`,
    'exit $?',
  ].join('\n');
  return ['unshare', '--user', '--map-root-user', ...PID_NAMESPACE, 'sh', '-c', script, 'sh', ...values, ...argv];
}

function makeTarget(path: string, ref: (value: string) => string): string {
  if (isFolder(path)) return `mkdir -p ${ref(path)}`;
  return `mkdir -p ${ref(dirname(path))}\n: >${ref(path)}`;
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}

/** True below the folder, not for the folder itself. */
export function isInside(path: string, folder: string): boolean {
  return path.startsWith(folder.endsWith(sep) ? folder : folder + sep);
}
