// `npm run bench -- [name …] [--json <file>] [--profile]`: runs benches one after the other, each in a process of its own, and
// prints what they measured. Without a name: all. Exit code 1 when one broke; a target that is missed is no failure.
import { fork } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { parseArgs } from 'node:util';
import { printRows } from './print-rows.ts';
import { ratioOf, type BenchContext, type Row } from './row.ts';

const BENCHES = [
  'size',
  'start',
  'process',
  'flow',
  'swarm-flow',
  'latency',
  'http-flow',
  'companies',
  'company-databases',
  'instances',
  'instance-life',
  'company-hanging',
  'clone',
  'big-plan',
  'at-rest',
  'forecast',
  'scheduler',
  'routing',
  'makespan',
  'known-optima',
  'tenants',
];
/** For one bench; it is ended when it takes longer. */
const LIMIT_MS = 15 * 60_000;

process.setMaxListeners(0); // a bench may have many folders to remove at its end
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => process.exit(130));

const say = (text: string): void => void process.stdout.write(`${text}\n`);

if (process.send === undefined) process.exitCode = await runAll();
else await runOne(process.argv[2]!, process.argv[3] === 'profile');

async function runAll(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { json: { type: 'string' }, profile: { type: 'boolean', default: false } },
  });
  const unknown = positionals.filter((name) => !BENCHES.includes(name));
  if (unknown.length > 0) {
    process.stderr.write(`no bench named ${unknown.join(', ')}; there are ${BENCHES.join(', ')}\n`);
    return 2;
  }
  say(machine());
  const rows: Row[] = [];
  const broken: string[] = [];
  for (const name of positionals.length > 0 ? positionals : BENCHES) {
    say(`\n${name} (load ${os.loadavg()[0]!.toFixed(1)})`);
    const ran = await runChild(name, values.profile);
    rows.push(...ran.rows);
    if (!ran.ok) broken.push(name);
    printRows(ran.rows, say);
    if (values.json !== undefined) fs.writeFileSync(values.json, `${JSON.stringify(rows, null, 1)}\n`);
  }
  if (broken.length > 0) say(`\nbroken: ${broken.join(', ')}`);
  return broken.length > 0 ? 1 : 0;
}

function machine(): string {
  const memory = (os.totalmem() / 2 ** 30).toFixed(0);
  const model = os.cpus()[0]?.model ?? 'unknown';
  const load = os.loadavg().map((value) => value.toFixed(1));
  return `${os.availableParallelism()} cores, ${memory} GiB, ${model}, Node ${process.versions.node}, load ${load.join(' ')}`;
}

function runChild(name: string, profile: boolean): Promise<{ rows: Row[]; ok: boolean }> {
  const rows: Row[] = [];
  const child = fork(import.meta.filename, [name, profile ? 'profile' : ''], {
    execArgv: ['--disable-warning=ExperimentalWarning', '--expose-gc'],
    cwd: path.dirname(import.meta.dirname),
  });
  process.once('exit', () => child.kill('SIGTERM'));
  child.on('message', (row: Row | null) => void (row !== null && rows.push(row)));
  const late = setTimeout(() => child.kill('SIGTERM'), LIMIT_MS);
  return new Promise((resolve) => {
    child.once('exit', (code) => {
      clearTimeout(late);
      resolve({ rows, ok: code === 0 });
    });
  });
}

async function runOne(name: string, profile: boolean): Promise<void> {
  const { bench } = (await import(`./${name}.ts`)) as { bench: (context: BenchContext) => Promise<void> };
  const add: BenchContext['add'] = (row) => {
    const { baseline } = row;
    process.send!({ bench: name, ...row, ...(baseline === undefined ? {} : { ratio: ratioOf(row.value, baseline) }) });
  };
  // Ended from outside: what is temporary goes with the process.
  process.once('disconnect', () => process.exit());
  try {
    await bench({ say, add, profile });
  } catch (error) {
    process.stderr.write(`${name}: ${(error as Error).stack ?? String(error)}\n`);
    process.exitCode = 1;
  }
  process.send!(null, () => process.exit()); // behind the rows
}
