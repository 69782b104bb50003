// Writes JavaScript and declarations to dist/: Node strips no types under node_modules, so the package needs them.
// schemas/, migrations/ and examples/ are two folders up from dist's rooms as from src's, so that the same paths reach them.
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';

const ROOT = path.dirname(import.meta.dirname);
const DIST = path.join(ROOT, 'dist');
const startedAt = performance.now();

fs.rmSync(DIST, { recursive: true, force: true });
const tsc = path.join(ROOT, 'node_modules/.bin', process.platform === 'win32' ? 'tsc.cmd' : 'tsc');
const compiled = spawnSync(tsc, ['-p', 'tsconfig.build.json'], {
  cwd: ROOT,
  stdio: 'inherit',
  shell: process.platform === 'win32',
});
if (compiled.status !== 0) process.exit(compiled.status ?? 1);

const { bin, exports: faces } = JSON.parse(fs.readFileSync(path.join(ROOT, 'package.json'), 'utf8'));
const promised = [
  ...Object.values<string>(bin),
  ...Object.values<string | Record<string, string>>(faces).flatMap((face) =>
    typeof face === 'string' ? face : Object.values(face),
  ),
];
const missing = promised.filter((file) => !fs.existsSync(path.join(ROOT, file)));
if (missing.length > 0) {
  console.error(`package.json names what was not built: ${missing.join(', ')}`);
  process.exit(1);
}
for (const file of Object.values<string>(bin)) fs.chmodSync(path.join(ROOT, file), 0o755);
const left = leftovers(DIST);
if (left.length > 0) {
  console.error(`these still import sources:\n${left.join('\n')}`);
  process.exit(1);
}
// On standard error, as `npm pack --json` has standard output to itself.
console.error(`built dist in ${((performance.now() - startedAt) / 1_000).toFixed(1)} s`);

/** Imports of .ts, and files named at run time, that the compiler did not rewrite. */
function leftovers(folder: string): string[] {
  return fs
    .readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.js'))
    .flatMap((name) =>
      fs
        .readFileSync(path.join(folder, name), 'utf8')
        .split('\n')
        .flatMap((line, n) =>
          /(from|import)\s*\(?\s*['"]\.[^'"]*\.ts['"]|new URL\(['"]\.[^'"]*\.ts['"]/.test(line)
            ? [`${name}:${n + 1}: ${line.trim()}`]
            : [],
        ),
    );
}
