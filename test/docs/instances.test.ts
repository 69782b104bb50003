import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { listTemplates } from '../../src/coordination/instances/folder/template.ts';
import { COMPANY_FILES, COMPANY_FOLDERS } from '../../src/coordination/instances/folder/instance-folder.ts';
import { STRATEGIES } from '../../src/coordination/instances/instance-views.ts';
import { worldAt } from '../../src/interfaces/cli/cli.testing.ts';
import { buildProgram } from '../../src/interfaces/cli/program.ts';

const pageAt = (file: string): string => readFileSync(new URL(`../../${file}`, import.meta.url), 'utf8');
const english = pageAt('docs/instances.md');
const portuguese = pageAt('docs/pt-BR/instancias.md');
const scripts = Object.keys((JSON.parse(pageAt('package.json')) as { scripts: object }).scripts);

/** Lines of code without what is said about them. */
const codeOf = (page: string): string[] =>
  [...page.matchAll(/^```\w*\n([^]*?)^```$/gm)].flatMap(([, code]) =>
    code!
      .replaceAll('<arquivo>', '<file>')
      .split('\n')
      .map((line) => line.replace(/ +# .*$/, '').trimEnd()),
  );
const formOf = (page: string): string[] =>
  page.split('\n').map((line) => /^(#+ |\| |- |```|<!--|$)/.exec(line)?.[1] ?? 'text');

test('both languages have the same parts, commands and output', () => {
  assert.deepEqual(formOf(portuguese), formOf(english));
  assert.deepEqual(codeOf(portuguese), codeOf(english));
});

test('the guide names every strategy, file and template', async () => {
  const names = [...STRATEGIES, ...Object.keys(COMPANY_FILES), ...(await listTemplates())];
  for (const name of names) assert.ok(english.includes(`\`${name}\``), name);
  for (const folder of COMPANY_FOLDERS) assert.ok(english.includes(`| \`${folder}/`), folder);
});

test('every command of the guide is one', () => {
  const { world } = worldAt('/');
  const program = buildProgram(world, { action: () => async () => {}, paged: (command) => command });
  const named = codeOf(english).map((line) => line.replace(/^\$ /, ''));
  assert.ok(named.filter((line) => line.startsWith('npm run ')).length > 10);
  for (const line of named) {
    const [, script, rest = ''] = /^npm run (\S+)(?: --(?= ))?(?: (.*))?$/.exec(line) ?? [];
    if (script === undefined) continue;
    assert.ok(scripts.includes(script), line);
    if (script !== 'colmeia') continue;
    const [first, second] = rest.split(' ');
    const group = program.commands.find((one) => one.name() === first);
    assert.ok(group !== undefined, line);
    if (group.commands.length > 0)
      assert.ok(
        group.commands.some((one) => one.name() === second),
        line,
      );
  }
});
