// `npm test [-- <part of a path> …]`: every *.test.ts of src/ and test/ that needs no server.
// Files whose imports reach no effects share one process (a process costs 40 times what such a test does); the others have
// one each; test/package comes last, as it builds.
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';

const ROOT = path.dirname(import.meta.dirname);
const ELSEWHERE = ['test/system/', 'test/simulation/run'];
/** What a test may import and still share a process. */
const HARMLESS = new Set(
  [
    'assert',
    'assert/strict',
    'test',
    'util',
    'path',
    'url',
    'crypto',
    'events',
    'buffer',
    'zlib',
    'timers/promises',
  ].map((name) => `node:${name}`),
);
const HARMLESS_PACKAGES = new Set(['fast-check', 'ajv', 'avsc']);
const TEST_TIMEOUT_MS = 180_000;

const startedAt = performance.now();
const wanted = process.argv.slice(2);
const files = ['src', 'test']
  .flatMap((folder) =>
    fs
      .readdirSync(path.join(ROOT, folder), { recursive: true, encoding: 'utf8' })
      .map((name) => `${folder}/${name.replaceAll('\\', '/')}`),
  )
  .filter((file) => file.endsWith('.test.ts') && !ELSEWHERE.some((prefix) => file.startsWith(prefix)))
  .filter((file) => wanted.length === 0 || wanted.some((part) => file.includes(part)))
  .toSorted();
if (files.length === 0) {
  console.error(`no test file${wanted.length === 0 ? '' : ` has ${wanted.join(' or ')} in its path`}`);
  process.exit(1);
}

const last = files.filter((file) => file.startsWith('test/package/'));
const pure = files.filter((file) => !last.includes(file) && isPure(file));
const others = files.filter((file) => !last.includes(file) && !pure.includes(file));
/** What the runner counts, by its names; the names it prints beside these come after them. */
const totals = new Map(['tests', 'suites', 'pass', 'fail', 'cancelled', 'skipped'].map((name) => [name, 0]));
let failed = false;
await runTests('in one process', pure, ['--test-isolation=none']);
await runTests('in a process each', others, [`--test-concurrency=${os.availableParallelism()}`]);
await runTests('of the package', last, ['--test-concurrency=1']);

console.log(`\n${files.length} test files`);
for (const [name, total] of totals) console.log(`ℹ ${name} ${total}`);
console.log(`ℹ duration_ms ${(performance.now() - startedAt).toFixed(0)}`);
process.exit(failed ? 1 : 0);

async function runTests(how: string, group: readonly string[], flags: readonly string[]): Promise<void> {
  if (group.length === 0) return;
  console.log(`\n${group.length} files ${how}`);
  const node = [
    '--disable-warning=ExperimentalWarning',
    '--test',
    '--test-reporter=spec',
    `--test-timeout=${TEST_TIMEOUT_MS}`,
    ...flags,
    ...group,
  ];
  const env = {
    ...process.env,
    NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE ?? path.join(ROOT, '.cache/compiled'),
  };
  const child = spawn(process.execPath, node, { cwd: ROOT, env, stdio: ['ignore', 'pipe', 'inherit'] });
  let tail = '';
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    process.stdout.write(chunk);
    tail = (tail + chunk).slice(-100_000);
  });
  const code = await new Promise<number>((resolve) => child.on('close', (status) => resolve(status ?? 1)));
  // The closing lines come before the failures, which may be long; what tests print may look like them, so the last count.
  const closing = [...tail.matchAll(/^ℹ tests \d+\n(?:ℹ [a-z]+ \d+\n)+(?=ℹ duration_ms )/gm)].at(-1)?.[0] ?? '';
  for (const [, name, count] of closing.matchAll(/^ℹ ([a-z]+) (\d+)$/gm))
    totals.set(name!, (totals.get(name!) ?? 0) + Number(count));
  if (code !== 0) failed = true;
}

function isPure(file: string, seen: Set<string> = new Set()): boolean {
  if (seen.has(file)) return true;
  seen.add(file);
  const source = fs.readFileSync(path.join(ROOT, file), 'utf8').replaceAll(/^import type .*$/gm, '');
  if (/\bprocess\.(on|exit|env|chdir)\b|\bmock\b/.test(source)) return false;
  for (const [, name] of source.matchAll(/\b(?:from|import)\s*\(?\s*['"]([^'"]+)['"]/g)) {
    if (name!.startsWith('.')) {
      const next = path.posix.join(path.posix.dirname(file), name!);
      if (!fs.existsSync(path.join(ROOT, next)) || (next.endsWith('.ts') && !isPure(next, seen))) return false;
    } else if (!HARMLESS.has(name!) && !HARMLESS_PACKAGES.has(name!)) return false;
  }
  return true;
}
