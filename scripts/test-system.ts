// `npm run test:system [-- <part of a path> …]`: every test/system/*.system.ts, which want real servers and real processes.
// One file after the other, as they measure times and load the machine; all on one PostgreSQL with fsync, which is stopped in the end.
import { spawn, type ChildProcess } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { startPostgres } from './postgres.ts';

const ROOT = path.dirname(import.meta.dirname);
const FOLDER = 'test/system';
const FILE_TIMEOUT_MS = 300_000;
/** After a file should have ended by itself. */
const GRACE_MS = 10_000;

type Outcome = { file: string; seconds: number; code: number; counts: Record<string, number> };

const wanted = process.argv.slice(2);
const files = fs
  .readdirSync(path.join(ROOT, FOLDER))
  .filter((name) => name.endsWith('.system.ts'))
  .map((name) => `${FOLDER}/${name}`)
  .filter((file) => wanted.length === 0 || wanted.some((part) => file.includes(part)))
  .toSorted();
if (files.length === 0) {
  console.error(`no file of ${FOLDER} has ${wanted.join(' or ')} in its path`);
  process.exit(1);
}

const postgres = await startPostgres({ fsync: true });
let running: ChildProcess | null = null;
let isInterrupted = false;
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.on(signal, () => {
    isInterrupted = true;
    running?.kill(signal);
  });

const outcomes: Outcome[] = [];
try {
  for (const file of files) if (!isInterrupted) outcomes.push(await run(file));
} finally {
  await postgres.stop();
}
const failed = outcomes.filter(({ code }) => code !== 0);
console.log('\ntest/system');
for (const { file, seconds, code, counts } of outcomes) {
  const { pass = 0, fail = 0, skipped = 0 } = counts;
  const name = path.basename(file).padEnd(24);
  console.log(
    `${code === 0 ? 'ok    ' : 'FAILED'} ${name} ${seconds.toFixed(1).padStart(6)} s   ${pass} passed, ${fail} failed, ${skipped} skipped`,
  );
}
process.exit(failed.length > 0 || isInterrupted ? 1 : 0);

async function run(file: string): Promise<Outcome> {
  console.log(`\n${file}`);
  const startedAt = performance.now();
  const node = [
    '--disable-warning=ExperimentalWarning',
    '--test',
    '--test-reporter=spec',
    `--test-timeout=${FILE_TIMEOUT_MS}`,
    file,
  ];
  const env = { ...process.env, COLMEIA_TEST_DATABASE_URL: postgres.url, COLMEIA_PG_BIN: postgres.bin };
  const child = spawn(process.execPath, node, { cwd: ROOT, env, stdio: ['ignore', 'pipe', 'inherit'] });
  running = child;
  const cut = setTimeout(() => child.kill('SIGTERM'), FILE_TIMEOUT_MS + GRACE_MS);
  let tail = '';
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    process.stdout.write(chunk);
    tail = (tail + chunk).slice(-100_000);
  });
  const code = await new Promise<number>((resolve) => child.on('close', (status) => resolve(status ?? 1)));
  clearTimeout(cut);
  running = null;
  const counts = [...tail.matchAll(/^ℹ (pass|fail|skipped) (\d+)$/gm)].map(
    ([, name, count]) => [name!, Number(count)] as const,
  );
  return { file, seconds: (performance.now() - startedAt) / 1_000, code, counts: Object.fromEntries(counts) };
}
