// `npm run check [-- <name> …]`: all that can be said of the sources without running them. Every check runs, even after a failure.
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { ERROR_CODES } from '../src/platform/errors.ts';

const ROOT = path.dirname(import.meta.dirname);
type Check = { name: string; /** What is wrong, line by line; empty = all is well. */ run: () => Promise<string[]> };

const checks: Check[] = [
  { name: 'types', run: () => tool('tsc', ['-p', '.']) },
  { name: 'lint', run: () => tool('oxlint', ['--deny-warnings', '--type-aware', '.']) },
  { name: 'format', run: () => tool('oxfmt', ['--check', '.']) },
  { name: 'planted-violation', run: plantedViolation },
  { name: 'docs-links', run: async () => brokenLinks() },
  { name: 'docs-errors', run: async () => undocumentedErrors() },
  { name: 'generated', run: staleContracts },
];

const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !checks.some((check) => check.name === name));
if (unknown.length > 0) {
  console.error(`no check ${unknown.join(', ')}; there are ${checks.map((check) => check.name).join(', ')}`);
  process.exit(2);
}
let failures = 0;
for (const { name, run } of checks) {
  if (wanted.length > 0 && !wanted.includes(name)) continue;
  const startedAt = performance.now();
  const faults = await run().catch((error: Error) => [error.stack ?? String(error)]);
  const took = `${((performance.now() - startedAt) / 1_000).toFixed(2)} s`;
  console.log(`${faults.length === 0 ? 'ok    ' : 'FAILED'} ${name.padEnd(18)} ${took.padStart(8)}`);
  for (const fault of faults) console.log(`       ${fault}`);
  if (faults.length > 0) failures++;
}
if (failures > 0) console.log(`${failures} ${failures === 1 ? 'check' : 'checks'} failed`);
process.exit(failures === 0 ? 0 : 1);

async function tool(name: string, args: readonly string[]): Promise<string[]> {
  const { code, output } = await runTool(name, args);
  if (code === 0) return [];
  const lines = output.split('\n').filter((line) => line.trim() !== '');
  return lines.length === 0 ? [`${name} ended with exit code ${code}`] : lines;
}

function runTool(name: string, args: readonly string[]): Promise<{ code: number; output: string }> {
  const bin = path.join(ROOT, 'node_modules/.bin');
  // oxlint looks for the type-aware part of itself in PATH.
  const env = { ...process.env, PATH: `${bin}${path.delimiter}${process.env.PATH ?? ''}` };
  return new Promise((resolve, reject) => {
    const child = spawn(path.join(bin, name), args, { cwd: ROOT, env, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', (chunk: string) => (output += chunk));
    child.on('error', reject);
    child.on('close', (code) => resolve({ code: code ?? 1, output }));
  });
}

/** A checker that looks at nothing finds nothing; so each room gets a fault that must be found. */
async function plantedViolation(): Promise<string[]> {
  const planted = [
    {
      file: 'src/platform/planted-upward.ts',
      text: "import { planted } from '../interfaces/planted-target.ts';\nvoid planted;\n",
      rule: 'no-restricted-imports',
    },
    {
      file: 'src/platform/planted-type.ts',
      text: "import type { planted } from '../trust/planted-target.ts';\nexport type Planted = typeof planted;\n",
      rule: 'no-restricted-imports',
    },
    {
      file: 'src/trust/planted-dynamic.ts',
      text: "export const planted = (): unknown => import('../execution/planted-target.ts');\n",
      rule: 'no-restricted-imports',
    },
    {
      file: 'src/execution/planted-reexport.ts',
      text: "export { planted } from '../coordination/planted-target.ts';\n",
      rule: 'no-restricted-imports',
    },
    {
      file: 'src/execution/scheduling/planted-impure.ts',
      text: "import fs from 'node:fs';\nvoid fs;\n",
      rule: 'no-restricted-imports',
    },
    {
      file: 'src/platform/planted-floating.ts',
      text: 'async function planted(): Promise<void> {}\nplanted();\n',
      rule: 'no-floating-promises',
    },
    {
      file: 'src/platform/planted-circle-a.ts',
      text: "import { b } from './planted-circle-b.ts';\nexport const a = (): unknown => b;\n",
      rule: 'no-cycle',
    },
    {
      file: 'src/platform/planted-circle-b.ts',
      text: "import { a } from './planted-circle-a.ts';\nexport const b = (): unknown => a;\n",
      rule: 'no-cycle',
    },
  ];
  const remove = (): void => planted.forEach(({ file }) => fs.rmSync(path.join(ROOT, file), { force: true }));
  process.once('exit', remove);
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));
  try {
    for (const { file, text } of planted) {
      fs.mkdirSync(path.dirname(path.join(ROOT, file)), { recursive: true });
      fs.writeFileSync(path.join(ROOT, file), text);
    }
    const { output } = await runTool('oxlint', ['--type-aware', '--format=unix', ...planted.map(({ file }) => file)]);
    return planted
      .filter(({ file, rule }) => !output.split('\n').some((line) => line.includes(file) && line.includes(rule)))
      .map(({ file, rule }) => `${rule} was not found in ${file}: the linter does not see what it should`);
  } finally {
    remove();
  }
}

/** Links of every Markdown file to files and headings of the repository. */
function brokenLinks(): string[] {
  const documents = ['README.md', ...markdownIn('docs'), ...markdownIn('examples'), ...markdownIn('deploy')].filter(
    (file) => fs.existsSync(path.join(ROOT, file)),
  );
  return documents.flatMap((file) =>
    linksOf(fs.readFileSync(path.join(ROOT, file), 'utf8')).flatMap(({ target, line }) => {
      const [place = '', heading] = target.split('#');
      const full = place === '' ? path.join(ROOT, file) : path.resolve(ROOT, path.dirname(file), decodeURI(place));
      if (!fs.existsSync(full)) return [`${file}:${line}: ${target} does not exist`];
      if (heading === undefined || !full.endsWith('.md') || headingsOf(full).has(heading)) return [];
      return [`${file}:${line}: ${target} names no heading`];
    }),
  );
}

function markdownIn(folder: string): string[] {
  if (!fs.existsSync(path.join(ROOT, folder))) return [];
  return fs
    .readdirSync(path.join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .map((name) => `${folder}/${name.replaceAll('\\', '/')}`);
}

function linksOf(text: string): { target: string; line: number }[] {
  let inCode = false;
  return text.split('\n').flatMap((content, n) => {
    if (content.startsWith('```')) inCode = !inCode;
    if (inCode) return [];
    return [...content.replaceAll(/`[^`]*`/g, '').matchAll(/\]\(<?([^)\s>]+)>?(?:\s+"[^"]*")?\)/g)]
      .map(([, target]) => ({ target: target!, line: n + 1 }))
      .filter(({ target }) => !/^[a-z][a-z0-9+.-]*:/i.test(target));
  });
}

function headingsOf(file: string): Set<string> {
  const slug = (title: string): string =>
    title
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
      .trim()
      .replaceAll(/\s/g, '-');
  return new Set(
    [...fs.readFileSync(file, 'utf8').matchAll(/^#{1,6}\s+(.+?)\s*#*$/gm)].map(([, title]) => slug(title!)),
  );
}

/** Each code has a row of its own in docs/errors.md, and each row is of a code. */
function undocumentedErrors(): string[] {
  const rows = [...fs.readFileSync(path.join(ROOT, 'docs/errors.md'), 'utf8').matchAll(/^\| `([A-Z_]+)` \|/gm)].map(
    ([, code]) => code!,
  );
  const codes = Object.keys(ERROR_CODES);
  return [
    ...codes.filter((code) => !rows.includes(code)).map((code) => `docs/errors.md has no row for ${code}`),
    ...rows
      .filter((code) => !codes.includes(code))
      .map((code) => `docs/errors.md has a row for ${code}, which is no code`),
  ];
}

async function staleContracts(): Promise<string[]> {
  const { GENERATED_FOLDER, generateContracts } = await import('./generate-contracts.ts');
  const fresh = generateContracts();
  const there = fs.readdirSync(GENERATED_FOLDER);
  return [
    ...[...fresh]
      .filter(
        ([name, text]) => !there.includes(name) || fs.readFileSync(path.join(GENERATED_FOLDER, name), 'utf8') !== text,
      )
      .map(([name]) => `${name} is not what the schemas say: npm run generate`),
    ...there.filter((name) => !fresh.has(name)).map((name) => `${name} comes from no schema: npm run generate`),
  ];
}
